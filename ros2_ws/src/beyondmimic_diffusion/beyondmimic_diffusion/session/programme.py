"""What a session asks of the robot, in order: places to reach, legs of commanded velocity, and what stands around."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.errors import ConfigError
from ..core.tasks import Scene, composed, forest
from .tour import WITHOUT_PLANNER, Leg, Tour, load_tour

TOURS = ("joystick", "waypoints", "forest", "composed", "planner_lost")
WAYPOINTS = 5
NEAREST, FARTHEST = 1.0, 4.0
"""Distance of a waypoint from the one before [m]."""
_WAYPOINT_TIME, _FOREST_TIME = 20.0, 60.0
"""In which a place must be reached [s]; as the evaluation has it."""
_COMPOSED_TIME = 40.0
"""[s]; up to 4.5 m round pillars, and a turn on arrival."""
_DRIVE_SPEED, _DRIVE_WAY = 0.35, 2.5
"""Between pillars by velocity commands [m/s], and about how far that leads [m]."""
_NARROW = 0.45
"""Pillars are to be this near to the pelvis's way there [m]; its hands reach out by 0.3 m and it sways."""
_ASIDE = 75.0
"""Ways up to this far from the straight one home are looked at [deg]."""


@dataclass(frozen=True)
class Reach:
    """A place to walk to, asked for through the action ``reach_waypoint``."""

    name: str
    target: tuple[float, float]
    """x, y in the odometry's frame [m]."""
    heading: float | None = None
    """To face on arrival [rad]; None: anything."""
    timeout: float = _WAYPOINT_TIME
    """[s]."""


@dataclass(frozen=True)
class Programme:
    """A tour with all that belongs to it."""

    tour: str
    stages: tuple[Reach | Tour, ...]
    scene: Scene | None = None
    """None: a bare floor."""


def make_programme(tour: str, seed: int, duration: float | None = None) -> Programme:
    """A tour by its name, drawn from a seed where it has something to draw.

    Args:
        tour: One of :data:`TOURS`, or a YAML file with a list of legs.
        seed: Of scenes and waypoints; the same one gives the same tour.
        duration: Of legs of velocity [s]; None: their own.

    Raises:
        ConfigError: No such tour, or a duration for one that ends when its goals are reached.
    """
    if duration is not None and tour in TOURS and tour != "joystick":
        raise ConfigError(f"tour '{tour}' ends by itself; a duration can be given to the tour 'joystick' only")
    if tour == "waypoints":
        return Programme(tour, waypoints(seed))
    if tour == "forest":
        scene = forest(seed)
        return Programme(tour, (Reach("through the forest", _goal(scene), None, _FOREST_TIME),), scene)
    if tour == "composed":
        return _composed(seed)
    if tour == "planner_lost":
        return Programme(tour, (Tour(WITHOUT_PLANNER),))
    if tour != "joystick" and not Path(tour).is_file():
        raise ConfigError(f"no tour '{tour}'; choose {', '.join(TOURS)}, or give a YAML file with a list of legs")
    legs = Tour() if tour == "joystick" else load_tour(tour)
    return Programme("joystick", (legs if duration is None else legs.fitted(duration),))


def waypoints(seed: int, count: int = WAYPOINTS) -> tuple[Reach, ...]:
    """Places 1 to 4 m from one another, of which each lies in another direction, all around."""
    rng = np.random.default_rng([seed, 5])
    sector = 2.0 * math.pi / count
    directions = sector * (rng.permutation(count) + rng.uniform(-0.4, 0.4, count))
    distances = rng.uniform(NEAREST, FARTHEST, count)
    places = np.cumsum(distances[:, None] * np.column_stack([np.cos(directions), np.sin(directions)]), axis=0)
    return tuple(Reach(f"waypoint {i + 1}", (float(x), float(y))) for i, (x, y) in enumerate(places))


def _composed(seed: int) -> Programme:
    """To a place behind pillars, looking back between them on arrival; then there by velocity commands.

    The commands lead so close to a pillar that it takes the obstacle cost to keep the hands off it.
    """
    scene = composed(seed)
    goal = _goal(scene)
    home = math.atan2(scene.start[1] - goal[1], scene.start[0] - goal[0])
    headings = home + np.radians(np.arange(-_ASIDE, _ASIDE + 1.0, 5.0))
    gaps = np.array([_gap_ahead(scene, goal, heading) for heading in headings])
    heading = float(headings[np.argmin(np.abs(gaps - _NARROW))])
    legs = Tour((Leg("between pillars", 8.0, vx=_DRIVE_SPEED), Leg("turn", 6.0, yaw_rate=0.4), Leg("stop", 4.0)))
    return Programme("composed", (Reach("behind pillars", goal, heading, _COMPOSED_TIME), legs), scene)


def _gap_ahead(scene: Scene, place: tuple[float, float], heading: float) -> float:
    """Least distance of pillars to the pelvis on the straight way that is driven from a place [m]."""
    way = np.linspace(0.0, _DRIVE_WAY, 60)[:, None] * np.array([math.cos(heading), math.sin(heading)])
    return scene.clearance(np.column_stack([way + place, np.full(60, 0.75)]))


def _goal(scene: Scene) -> tuple[float, float]:
    if scene.goal is None:
        raise ConfigError(f"scene '{scene.name}' has no goal; a tour needs one")
    return scene.goal
