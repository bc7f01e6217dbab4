"""What is asked of the robot over time: legs of constant velocity, joined by ramps as a person's thumb would give."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import yaml

from ..core.errors import ConfigError

RAMP = 0.5
"""Time in which the command goes from one leg's velocity to the next one's [s]."""
SETTLE = 2.0
"""The steady part of a leg starts this long after the leg does [s]; ramp and change of gait are over by then."""
MIN_STEADY = 1.0
"""A leg whose steady part is shorter is driven, but not judged [s]."""
_STANDING_SHARE = 0.25
"""Of a short session, that may go into its first and into its last leg."""


@dataclass(frozen=True)
class Leg:
    """One stretch of constant command."""

    name: str
    duration: float
    """[s], the ramp at its start included."""
    vx: float = 0.0
    """Forward [m/s]."""
    vy: float = 0.0
    """To the left [m/s]."""
    yaw_rate: float = 0.0
    """To the left [rad/s]."""
    planner: bool = True
    """False: the planner's process is frozen meanwhile. Whatever is commanded, the robot is to come to a stand."""

    def __post_init__(self) -> None:
        numbers = (self.duration, self.vx, self.vy, self.yaw_rate)
        if not all(isinstance(x, int | float) and math.isfinite(x) for x in numbers) or self.duration <= 0.0:
            raise ConfigError(
                f"leg '{self.name}': duration, vx, vy, yaw_rate are {numbers}; "
                "finite numbers are needed, and a duration above zero"
            )
        if not isinstance(self.planner, bool):
            raise ConfigError(f"leg '{self.name}': planner is {self.planner!r}; true or false is needed")

    @property
    def velocity(self) -> tuple[float, float, float]:
        """Forward, left [m/s] and yaw rate [rad/s]."""
        return (self.vx, self.vy, self.yaw_rate)


STANDARD = (
    Leg("stand", 3.0),
    Leg("forward", 8.0, vx=0.5),
    Leg("back", 8.0, vx=-0.3),
    Leg("left", 8.0, vy=0.2),
    Leg("right", 8.0, vy=-0.2),
    Leg("turn left", 8.0, yaw_rate=0.5),
    Leg("turn right", 8.0, yaw_rate=-0.5),
    Leg("stop", 9.0),
)
"""The joystick tour: a minute that asks for everything once. The speeds lie inside the walker's own reach."""


WITHOUT_PLANNER = (
    Leg("stand", 3.0),
    Leg("forward", 6.0, vx=0.5),
    Leg("planner lost", 6.0, vx=0.5, planner=False),
    Leg("forward again", 6.0, vx=0.5),
    Leg("back", 6.0, vx=-0.3),
    Leg("planner lost again", 6.0, vx=-0.3, planner=False),
    Leg("back again", 6.0, vx=-0.3),
    Leg("stop", 5.0),
)
"""Twice the planner is frozen in the middle of a walk."""


@dataclass(frozen=True)
class Tour:
    """Legs, one after the other; the last one brings the robot to rest."""

    legs: tuple[Leg, ...] = STANDARD

    def __post_init__(self) -> None:
        if not self.legs:
            raise ConfigError("a tour needs at least one leg; got none")

    @property
    def duration(self) -> float:
        """Length of all legs together [s]."""
        return sum(leg.duration for leg in self.legs)

    def starts(self) -> list[float]:
        """When each leg begins, from the start of the tour [s]."""
        times, t = [], 0.0
        for leg in self.legs:
            times.append(t)
            t += leg.duration
        return times

    def command(self, t: float) -> tuple[float, float, float]:
        """Forward, left [m/s] and yaw rate [rad/s] at ``t`` [s] after the start; at rest before and after the tour."""
        before = (0.0, 0.0, 0.0)
        if t < 0.0:
            return before
        for leg, start in zip(self.legs, self.starts(), strict=True):
            if t < start + leg.duration:
                share = min(1.0, (t - start) / min(RAMP, leg.duration))
                vx, vy, wz = (a + share * (b - a) for a, b in zip(before, leg.velocity, strict=True))
                return (vx, vy, wz)
            before = leg.velocity
        return (0.0, 0.0, 0.0)

    def leg_at(self, t: float) -> Leg | None:
        """Leg being driven at ``t`` [s]; None outside the tour."""
        for leg, start in zip(self.legs, self.starts(), strict=True):
            if start <= t < start + leg.duration:
                return leg
        return None

    def plans(self, t: float) -> bool:
        """Whether the planner runs at ``t`` [s]."""
        leg = self.leg_at(t)
        return leg is None or leg.planner

    def fitted(self, duration: float) -> Tour:
        """The same tour made to last ``duration`` [s]: cut short, or with its middle legs gone round again.

        The first and the last leg stay where they are; in a short session each keeps at most a quarter of the time.
        """
        if not math.isfinite(duration) or duration <= 0.0:
            raise ConfigError(f"a tour of {duration} s; a time above zero is needed")
        if len(self.legs) < 3:
            factor = duration / self.duration
            return Tour(tuple(replace(leg, duration=leg.duration * factor) for leg in self.legs))
        longest = _STANDING_SHARE * duration
        first, *middle, last = self.legs
        first, last = (replace(leg, duration=min(leg.duration, longest)) for leg in (first, last))
        left = duration - first.duration - last.duration
        legs, index = [first], 0
        while left > 1e-9:
            leg = middle[index % len(middle)]
            legs.append(replace(leg, duration=min(leg.duration, left)))
            left -= legs[-1].duration
            index += 1
        return Tour((*legs, last))

    def timetable(self, start: float) -> list[dict[str, Any]]:
        """Legs with their absolute ``start`` and ``end`` [s], as they go into the recording."""
        return [
            asdict(leg) | {"start": start + t, "end": start + t + leg.duration}
            for leg, t in zip(self.legs, self.starts(), strict=True)
        ]


def load_tour(name: str) -> Tour:
    """A YAML file with a list of legs.

    Raises:
        ConfigError: No such file, or it holds something else.
    """
    path = Path(name)
    if not path.is_file():
        raise ConfigError(f"tour '{name}' is no file; one holds a YAML list of legs")
    try:
        entries = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise ConfigError(f"tour '{name}' is not YAML: {error}") from error
    return Tour(tuple(_leg(name, entry) for entry in _list_of_mappings(name, entries)))


def _list_of_mappings(name: str, entries: object) -> Sequence[dict[str, Any]]:
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigError(
            f"tour '{name}' must be a list like '- {{name: forward, duration: 8, vx: 0.5}}'; got {entries!r:.80}"
        )
    return entries


def _leg(tour: str, entry: dict[str, Any]) -> Leg:
    allowed = tuple(field.name for field in fields(Leg))
    unknown = [key for key in entry if key not in allowed]
    if unknown or "name" not in entry or "duration" not in entry:
        raise ConfigError(f"tour '{tour}', leg {entry}: allowed are {allowed}, the first two are needed")
    return Leg(**entry)
