"""Suites with something to reach: each draws an episode (start, scene, finish) from its seed and number alone.

Scenes come from :mod:`beyondmimic_diffusion.core.tasks.scenes`, which ``make sim`` uses, too. What each suite asks for,
with the reasons, is written down in ``docs/evaluation.md``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_diffusion.core.guidance.sdf import SignedDistance
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.tasks import Scene, composed, corridor, forest, moving_obstacle
from beyondmimic_diffusion.core.tasks.scenes import FOREST_SIZE

from .finish import Arrive, Cross, Finish, LastUntil
from .interlude import Interlude, WalkOn
from .reference_motion import COUNT, SPACING, Keyframe, reference_keyframes
from .suites import JOINT_NOISE, Command, Start

BODY_LENGTH = 0.3
"""How far beyond a line the pelvis must be for the whole body to be there [m]."""


@dataclass(frozen=True)
class Scenario:
    """What an episode asks for."""

    scene: Scene
    """Where the robot starts and what stands around; its goal, if there is one, is where to go."""
    finish: Finish
    """When it is done."""
    command: Command | None = None
    """Velocity command that is held, in scenes through which the robot is steered."""
    keyframes: tuple[Keyframe, ...] = ()
    """States to pass through."""
    keyframe_tolerance: float = 0.15
    """Largest mean distance of key points from their places, over all keyframes, that counts as success [m]."""
    interlude: Interlude | None = None
    """A motion of the policy that is played between two walks at the command; its states are the keyframes."""

    @property
    def sdf_w(self) -> SignedDistance | None:
        """Distance to everything that must not be touched, from the start on; None: there is nothing."""
        return self.scene.sdf()


@dataclass(frozen=True)
class TaskSpec(Start):
    """Everything about one episode that does not depend on the controller."""

    scenario: Scenario
    duration: float
    """Time limit [s]."""

    def cut(self, seconds: float) -> TaskSpec:
        """The same episode, ended after ``seconds`` at the latest."""
        return replace(self, duration=min(self.duration, seconds))


@dataclass(frozen=True)
class TaskSuite:
    """A kind of episode."""

    name: str
    text: str
    """One sentence for the report."""
    draw: Callable[[int, int], Scenario]
    """From a number that is the episode's own, and its place in the suite."""
    time_limit: float
    """[s]."""
    variants: tuple[str, ...] = ("none",)
    """How the policy may be helped, the default first; see ``task_goals``."""
    references: tuple[str, ...] = ("expert",)
    """Controllers beside the policy, the main one first; see ``baselines``."""
    kinds: tuple[str, ...] = field(default=("all",))
    """Names of the kinds of episodes that take turns in it."""

    def episode(self, seed: int, index: int) -> TaskSpec:
        """Episode number ``index`` of this seed."""
        own = int(np.random.SeedSequence([seed, index]).generate_state(1)[0])
        scenario = self.draw(own, index)
        x, y, yaw = scenario.scene.start
        joint_pos = g1.DEFAULT_JOINT_POS + np.random.default_rng([own, 0]).normal(0.0, JOINT_NOISE, g1.NUM_JOINTS)
        return TaskSpec(seed, index, yaw, joint_pos, None, scenario, self.time_limit, xy_w=(x, y))

    def kind(self, index: int) -> str:
        """Which kind episode ``index`` is."""
        return self.kinds[index % len(self.kinds)]


def _waypoint(own: int, index: int) -> Scenario:
    rng = np.random.default_rng([own, 1])
    distance, angle, yaw = rng.uniform(1.0, 4.0), rng.uniform(-math.pi, math.pi), rng.uniform(-math.pi, math.pi)
    goal = (distance * math.cos(angle), distance * math.sin(angle))
    return Scenario(Scene(f"waypoint_{own}", start=(0.0, 0.0, yaw), goal=goal), Arrive(goal))


def _forest(own: int, index: int) -> Scenario:
    return Scenario(forest(own), Cross(FOREST_SIZE[0] + BODY_LENGTH))


def _moving_obstacle(own: int, index: int) -> Scenario:
    scene = moving_obstacle(own)
    return Scenario(scene, _arrive(scene))


def _composed(own: int, index: int) -> Scenario:
    """Waypoint, heading and pillars; every second time a joystick held forward between walls."""
    if index % 2 == 0:
        scene = composed(own)
        return Scenario(scene, _arrive(scene))
    scene = corridor(own)
    speed = float(np.random.default_rng([own, 1]).uniform(0.3, 0.5))
    return Scenario(scene, Cross(_end_of_walls(scene) + BODY_LENGTH), (speed, 0.0, 0.0))


def _in_between(own: int, index: int) -> Scenario:
    """What the expert does under one command is cut into keyframes; the command is kept from the policy."""
    command = _command(np.random.default_rng([own, 1]), index)
    return Scenario(
        Scene(f"in_between_{own}"),
        LastUntil(COUNT * SPACING),
        command,
        keyframes=reference_keyframes(own, command),
    )


def _clip(own: int, index: int) -> Scenario:
    rng = np.random.default_rng([own, 1])
    command = _command(rng, index)
    return Scenario(
        Scene(f"clip_{own}"),
        WalkOn(command),
        command,
        keyframe_tolerance=0.1,
        interlude=Interlude("arms_up", float(rng.uniform(2.0, 4.0))),
    )


def _command(rng: np.random.Generator, index: int) -> Command:
    """In turns: forward, forward in a bend, back, sideways."""
    return (
        (float(rng.uniform(0.3, 0.6)), 0.0, 0.0),
        (float(rng.uniform(0.2, 0.4)), 0.0, float(rng.choice((-1.0, 1.0)) * rng.uniform(0.3, 0.6))),
        (-float(rng.uniform(0.2, 0.4)), 0.0, 0.0),
        (0.0, float(rng.choice((-1.0, 1.0)) * rng.uniform(0.2, 0.4)), 0.0),
    )[index % 4]


def _arrive(scene: Scene) -> Arrive:
    assert scene.goal is not None
    return Arrive(scene.goal, heading_w=scene.goal_heading)


def _end_of_walls(scene: Scene) -> float:
    return max(o.center[0] + 0.5 * o.size[0] for o in scene.obstacles if o.shape == "box")


TASK_SUITES: dict[str, TaskSuite] = {
    suite.name: suite
    for suite in (
        TaskSuite(
            "waypoint",
            "a goal 1 to 4 m away in any direction, from standing; reached: within 0.3 m, below 0.15 m/s, within 20 s",
            _waypoint,
            20.0,
        ),
        TaskSuite(
            "forest",
            "15 pillars of 0.15 to 0.25 m radius in 8 x 9 m, from standing; on the far side within 60 s, untouched",
            _forest,
            60.0,
            ("route+barrier", "barrier", "route", "none"),
            ("expert-route", "expert-field"),
        ),
        TaskSuite(
            "moving-obstacle",
            "a goal 4 m away, and one or two pillars that cross the straight way at 0.2 to 0.6 m/s while the robot is "
            "there; reached within 40 s, untouched",
            _moving_obstacle,
            40.0,
            ("barrier", "none"),
            ("expert-field", "expert"),
        ),
        TaskSuite(
            "composed",
            "in turns: a waypoint with a heading behind pillars, and a joystick held forward between walls; 40 s",
            _composed,
            40.0,
            ("route+barrier", "barrier", "route", "none"),
            ("expert-field",),
            ("waypoint, heading, pillars", "joystick, walls"),
        ),
        TaskSuite(
            "in-between",
            "8 keyframes, 0.6 s apart, of what the expert once did from standing; mean distance of the key points from "
            "their places at these times at most 0.15 m",
            _in_between,
            10.0,
            ("tokens+chase", "tokens", "chase", "tokens+command", "cost", "command"),
            ("expert-chase", "expert-command"),
            ("forward", "turn", "back", "sideways"),
        ),
        TaskSuite(
            "clip",
            "2 to 4 s of walking, a stand, the clip arms_up (5 s into a pose with the arms up, 2 s back), 3 s of "
            "walking; key points within 0.1 m of the clip's on average and at its end, and over the last 2 s more than "
            "half of the commanded speed",
            _clip,
            25.0,
            references=(),
            kinds=("forward", "turn", "back", "sideways"),
        ),
    )
}


def task_suite_named(name: str) -> TaskSuite:
    """A suite by name.

    Raises:
        ConfigError: There is none of that name.
    """
    if name not in TASK_SUITES:
        raise ConfigError(f"there is no suite '{name}' with a task; there are {', '.join(TASK_SUITES)}")
    return TASK_SUITES[name]
