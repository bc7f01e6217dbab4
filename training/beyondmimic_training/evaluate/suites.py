"""What is tested: each suite draws an episode (start, legs, kicks) from its seed and number alone.

Commands are drawn from what the fastsac walker can reach (forward 0.79, back 0.61, sideways 0.31 m/s, 1.2 rad/s).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.types import Array

Command = tuple[float, float, float]
"""Forward and left [m/s] in the heading frame, yaw rate [rad/s]."""
LEAD_IN = 2.0
"""How long the expert walks before the tested controller takes over, in episodes that start walking [s]."""
JOINT_NOISE = 0.02
"""Standard deviation of the first joint angles about the default pose [rad]."""


@dataclass(frozen=True)
class Leg:
    """A stretch of time with one command."""

    name: str
    command: Command | None
    """None: no command; the policy is not guided."""
    duration: float
    """[s]."""
    settle: float = 1.0
    """What does not count for the velocity error at its beginning [s]."""


@dataclass(frozen=True)
class Kick:
    """A sudden change of the whole robot's velocity."""

    time: float
    """Since the start [s]."""
    delta_v_w: tuple[float, float]
    """[m/s], world axes."""


@dataclass(frozen=True)
class Start:
    """How an episode begins, whatever is asked for in it."""

    seed: int
    index: int
    yaw: float
    """First heading [rad]."""
    joint_pos: Array
    """First pose [rad], shape (J,)."""
    lead_in: Command | None
    """Command to the expert in the :data:`LEAD_IN` before the start; None: starts at rest."""
    xy_w: tuple[float, float] = field(default=(0.0, 0.0), kw_only=True)
    """Where it is put down [m]."""


@dataclass(frozen=True)
class EpisodeSpec(Start):
    """Everything about one episode that does not depend on the controller."""

    legs: tuple[Leg, ...]
    kicks: tuple[Kick, ...] = ()

    @property
    def start(self) -> str:
        """``standing`` or ``walking``."""
        return "standing" if self.lead_in is None else "walking"

    @property
    def duration(self) -> float:
        """[s], without the lead-in."""
        return sum(leg.duration for leg in self.legs)

    def cut(self, seconds: float) -> EpisodeSpec:
        """The same episode, ended after ``seconds`` at the latest."""
        legs, left = [], seconds
        for leg in self.legs:
            if left > 1e-6:
                legs.append(replace(leg, duration=min(leg.duration, left)))
            left -= leg.duration
        return replace(self, legs=tuple(legs), kicks=tuple(k for k in self.kicks if k.time < seconds))

    def command_at(self, time: float) -> Command | None:
        """Command in force ``time`` seconds after the start."""
        for leg in self.legs:
            time -= leg.duration
            if time < -1e-6:
                return leg.command
        return self.legs[-1].command


@dataclass(frozen=True)
class Suite:
    """A kind of episode."""

    name: str
    text: str
    """One sentence for the report."""
    draw_legs: Callable[[np.random.Generator], tuple[Leg, ...]]
    walking_share: float = 0.5
    """Share of episodes that start walking: every second episode at 0.5."""
    kick_speed: float = 0.0
    """Kicks of U(0, this) in a random direction, one each second [m/s]."""

    @property
    def steered(self) -> bool:
        """Whether its legs carry commands."""
        return self.draw_legs(np.random.default_rng(0))[0].command is not None

    def episode(self, seed: int, index: int) -> EpisodeSpec:
        """Episode number ``index`` of this seed."""
        rng = np.random.default_rng([seed, index])
        yaw = float(rng.uniform(-np.pi, np.pi))
        pose = np.clip(g1.DEFAULT_JOINT_POS + rng.normal(0.0, JOINT_NOISE, g1.NUM_JOINTS), *g1.JOINT_POS_LIMITS.T)
        lead_in = (float(rng.uniform(0.2, 0.8)), 0.0, float(rng.uniform(-0.4, 0.4)))
        walking = int((index + 1) * self.walking_share) > int(index * self.walking_share)
        legs = self.draw_legs(rng)
        kicks = self._kicks(sum(leg.duration for leg in legs), rng)
        return EpisodeSpec(seed, index, yaw, pose, lead_in if walking else None, legs, kicks)

    def _kicks(self, duration: float, rng: np.random.Generator) -> tuple[Kick, ...]:
        if not self.kick_speed:
            return ()
        kicks = []
        for second in range(1, round(duration)):
            speed, angle = rng.uniform(0.0, self.kick_speed), rng.uniform(-np.pi, np.pi)
            kicks.append(Kick(float(second), (float(speed * np.cos(angle)), float(speed * np.sin(angle)))))
        return tuple(kicks)


def _unguided(rng: np.random.Generator) -> tuple[Leg, ...]:
    return (Leg("free", None, 15.0),)


def _walk(rng: np.random.Generator) -> tuple[Leg, ...]:
    return (Leg("forward", (0.5, 0.0, 0.0), 15.0, settle=3.0),)


def _forward(rng: np.random.Generator) -> Leg:
    return Leg("forward", (float(rng.uniform(0.3, 0.6)), 0.0, 0.0), 3.0)


def _back(rng: np.random.Generator) -> Leg:
    return Leg("back", (-float(rng.uniform(0.2, 0.4)), 0.0, 0.0), 3.0)


def _turn(rng: np.random.Generator, side: float) -> Leg:
    """In place or, as often, with slow steps forward."""
    rate, forward = side * rng.uniform(0.4, 0.8), rng.uniform(0.1, 0.3) * (rng.random() < 0.5)
    return Leg("left turn" if side > 0 else "right turn", (float(forward), 0.0, float(rate)), 3.0)


def _sideways(rng: np.random.Generator, side: float) -> Leg:
    return Leg("left" if side > 0 else "right", (0.0, float(side * rng.uniform(0.1, 0.25)), 0.0), 3.0)


def _joystick(rng: np.random.Generator) -> tuple[Leg, ...]:
    return (_forward(rng), _back(rng), _turn(rng, 1.0), _turn(rng, -1.0))


def _joystick_omni(rng: np.random.Generator) -> tuple[Leg, ...]:
    sideways = (_sideways(rng, 1.0), _sideways(rng, -1.0))
    return (_forward(rng), _back(rng), *sideways, _turn(rng, 1.0), _turn(rng, -1.0))


def _stand(rng: np.random.Generator) -> tuple[Leg, ...]:
    return (Leg("stand", (0.0, 0.0, 0.0), 15.0, settle=3.0),)


def _turn_on_the_spot(rng: np.random.Generator) -> tuple[Leg, ...]:
    side, rate = float(rng.choice([-1.0, 1.0])), float(rng.uniform(0.4, 0.7))
    stand = (0.0, 0.0, 0.0)
    return (
        Leg("stand", stand, 2.0),
        Leg("from standing", (0.0, 0.0, side * rate), 6.0),
        Leg("stand", stand, 2.0),
        Leg("the other way", (0.0, 0.0, -side * rate), 6.0),
        Leg("forward", (0.4, 0.0, 0.0), 2.0),
        Leg("from walking", (0.0, 0.0, side * rate), 6.0),
    )


SUITES: dict[str, Suite] = {
    suite.name: suite
    for suite in (
        Suite("unguided", "15 s without guidance", _unguided),
        Suite(
            "walk-perturb",
            "15 s of walking at 0.5 m/s from standing, root velocity kick U(0, 0.5) m/s each second (BeyondMimic v3)",
            _walk,
            walking_share=0.0,
            kick_speed=0.5,
        ),
        Suite("stand", "15 s at zero velocity, half of the episodes out of walking", _stand),
        Suite("joystick", "forward, back, left turn, right turn, 3 s each (BeyondMimic v3)", _joystick),
        Suite("turn", "turns on the spot of 6 s each, from standing and from walking", _turn_on_the_spot),
        Suite("joystick-omni", "forward, back, left, right, left turn, right turn, 3 s each", _joystick_omni),
    )
}


def suite_named(name: str) -> Suite:
    """A suite by name.

    Raises:
        ConfigError: There is none of that name.
    """
    if name not in SUITES:
        raise ConfigError(f"there is no suite '{name}'; there are {', '.join(SUITES)}")
    return SUITES[name]
