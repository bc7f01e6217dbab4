"""Obstacles as plain data, the same for guidance, map, simulator, message and file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from ..errors import GoalError
from ..guidance.ranges import check_size
from ..guidance.sdf import Box, Capsule, Cylinder, Moving, SignedDistance, Sphere, Union
from ..route.occupancy_map import OccupancyMap
from ..types import Array

SIZES = {"sphere": 1, "box": 3, "cylinder": 2, "capsule": 2}
"""Numbers in :attr:`Obstacle.size` by shape."""


@dataclass(frozen=True)
class Obstacle:
    """One solid."""

    name: str
    """Unique in a scene."""
    shape: str
    """``sphere``, ``box``, ``cylinder`` (upright) or ``capsule`` (upright)."""
    center: tuple[float, float, float]
    """At time 0 [m]."""
    size: tuple[float, ...]
    """[m]: sphere (radius), box (x, y, z edges), cylinder (radius, height), capsule (radius, length of its axis)."""
    yaw: float = 0.0
    """Heading of a box's x axis [rad]."""
    velocity: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """[m/s]."""

    def __post_init__(self) -> None:
        if self.shape not in SIZES:
            raise GoalError(f"obstacle '{self.name}': shape '{self.shape}' is unknown; known are {', '.join(SIZES)}")
        for name, count in (("center", 3), ("size", SIZES[self.shape]), ("velocity", 3)):
            object.__setattr__(self, name, self._numbers(name, count))
        if not all(edge > 0.0 for edge in self.size):
            raise GoalError(f"obstacle '{self.name}': size {self.size} m; each must be above zero")
        check_size(f"obstacle '{self.name}': size", self.size)
        if isinstance(self.yaw, bool) or not isinstance(self.yaw, int | float) or not math.isfinite(self.yaw):
            raise GoalError(f"obstacle '{self.name}': yaw {self.yaw!r} is not an angle")
        if not isinstance(self.name, str) or not self.name:
            raise GoalError(f"obstacle of shape {self.shape} has the name {self.name!r}; give it a text")

    def _numbers(self, name: str, count: int) -> tuple[float, ...]:
        try:
            array = np.array(getattr(self, name), dtype=np.float64)
        except (TypeError, ValueError):
            array = np.full(0, np.nan)
        if array.shape != (count,) or not np.all(np.isfinite(array)):
            raise GoalError(
                f"obstacle '{self.name}': {name} = {getattr(self, name)!r}; a {self.shape} has {count} finite numbers"
            )
        return tuple(float(value) for value in array)

    @property
    def moves(self) -> bool:
        """Whether it has a velocity."""
        return any(self.velocity)

    def at(self, time: float) -> Obstacle:
        """Where it is at a time [s]."""
        return replace(self, center=tuple(c + time * v for c, v in zip(self.center, self.velocity, strict=True)))

    def sdf(self) -> SignedDistance:
        """Its signed distance; time 0 of a query is this object's time 0."""
        if self.shape == "sphere":
            part: SignedDistance = Sphere(self.center, self.size[0])
        elif self.shape == "box":
            part = Box(self.center, 0.5 * np.array(self.size), self.yaw)
        elif self.shape == "cylinder":
            part = Cylinder(self.center, self.size[0], 0.5 * self.size[1])
        else:
            half = np.array([0.0, 0.0, 0.5 * self.size[1]])
            part = Capsule(np.array(self.center) - half, np.array(self.center) + half, self.size[0])
        return Moving(part, self.velocity) if self.moves else part


@dataclass(frozen=True)
class Scene:
    """Obstacles, where the robot starts, and where it shall go."""

    name: str
    obstacles: tuple[Obstacle, ...] = ()
    start: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """x, y [m], heading [rad]."""
    goal: tuple[float, float] | None = None
    """x, y [m]; None: there is no place to go to."""
    goal_heading: float | None = None
    """To face on arrival [rad]; None: anything."""
    low: tuple[float, float] = (-5.0, -5.0)
    """Corner of the known floor with the smaller coordinates [m]."""
    high: tuple[float, float] = (5.0, 5.0)
    """The opposite one [m]."""
    seed: int | None = None
    """What it was drawn from; None: not drawn."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "obstacles", tuple(self.obstacles))
        names = [obstacle.name for obstacle in self.obstacles]
        if len(set(names)) != len(names):
            raise GoalError(f"scene '{self.name}': obstacle names {names}; each may occur once")
        pairs = (("start", 3), ("low", 2), ("high", 2), *((("goal", 2),) if self.goal is not None else ()))
        for name, count in pairs:
            try:
                values = tuple(float(v) for v in getattr(self, name))
            except (TypeError, ValueError):
                values = ()
            if len(values) != count or not all(math.isfinite(v) for v in values):
                raise GoalError(
                    f"scene '{self.name}': {name} = {getattr(self, name)!r}; {count} finite numbers are needed"
                )
            object.__setattr__(self, name, values)
        if not (self.low[0] < self.high[0] and self.low[1] < self.high[1]):
            raise GoalError(f"scene '{self.name}': floor from {self.low} to {self.high} has no area")

    def sdf(self) -> SignedDistance | None:
        """Distance to the nearest obstacle, in the world; None if there is none."""
        return Union([obstacle.sdf() for obstacle in self.obstacles]) if self.obstacles else None

    def at(self, time: float) -> Scene:
        """The same scene with moving obstacles where they are at a time [s]."""
        return replace(self, obstacles=tuple(obstacle.at(time) for obstacle in self.obstacles))

    def map(self, resolution: float = 0.05, moving: bool = False) -> OccupancyMap:
        """The known floor; what moves is left to the obstacle cost unless asked for."""
        kept = [obstacle.sdf() for obstacle in self.obstacles if moving or not obstacle.moves]
        return OccupancyMap.from_sdf(Union(kept) if kept else None, self.low, self.high, resolution)

    def clearance(self, points_w: Array, time: float = 0.0) -> float:
        """Least distance of points (..., 3) to any obstacle at a time [m]; infinite without obstacles."""
        sdf = self.sdf()
        return math.inf if sdf is None else float(np.min(sdf.query(np.asarray(points_w), time)[0]))

    def to_dict(self) -> dict[str, Any]:
        """As plain lists, numbers and texts; defaults of obstacles are left out."""
        plain = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
        plain["obstacles"] = [_plain(obstacle) for obstacle in self.obstacles]
        return {key: value for key, value in plain.items() if value is not None}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Scene:
        """Inverse of :meth:`to_dict`.

        Raises:
            GoalError: Unknown or missing entries, or values that make no scene.
        """
        entries = _known(cls, data, "scene", ("name",))
        obstacles = entries.pop("obstacles", ())
        if not isinstance(obstacles, list | tuple):
            raise GoalError(f"scene '{entries['name']}': obstacles must be a list; got {obstacles!r:.80}")
        made = (Obstacle(**_known(Obstacle, one, "obstacle", ("name", "shape", "center", "size"))) for one in obstacles)
        return cls(obstacles=tuple(made), **entries)


def _plain(obstacle: Obstacle) -> dict[str, Any]:
    out = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(obstacle).items()}
    if not obstacle.moves:
        del out["velocity"]
    if obstacle.yaw == 0.0:
        del out["yaw"]
    return out


def _known(cls: type, data: object, what: str, needed: tuple[str, ...]) -> dict[str, Any]:
    """A mapping's entries, none unknown to the class and none of the needed ones missing."""
    if not isinstance(data, Mapping):
        raise GoalError(f"{what} must be a mapping; got {data!r:.80}")
    allowed = [item.name for item in fields(cls)]
    unknown, missing = [key for key in data if key not in allowed], [key for key in needed if key not in data]
    if unknown or missing:
        raise GoalError(
            f"{what} {data.get('name', '')!r}: unknown {unknown}, missing {missing}; it has {', '.join(allowed)}"
        )
    return dict(data)
