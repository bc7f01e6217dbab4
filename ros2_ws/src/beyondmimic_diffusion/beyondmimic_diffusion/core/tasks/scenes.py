"""Scenes drawn from a seed: as many unseen ones as are wanted, the same one for the same seed."""

from __future__ import annotations

import math

import numpy as np

from ..errors import GoalError
from ..route import NoRouteError, RouteConfig, RoutePlanner
from .scene import Obstacle, Scene

PILLAR_HEIGHT = 1.8
"""Higher than a G1 [m]."""
FOREST_PILLARS = 15
FOREST_SIZE = (8.0, 9.0)
"""Length along x, width along y [m]."""
FOREST_CLEARANCE = 0.40
"""Every forest has a way on which the pelvis keeps this distance from every pillar [m]."""
_MARGIN = 1.2
"""Free floor before and behind the forest [m]."""
_TRIES = 1000


def forest(seed: int, pillars: int = FOREST_PILLARS) -> Scene:
    """Upright pillars of 0.15 to 0.25 m radius in 8 x 9 m; the robot starts before them and shall reach the far side.

    Pillars overlap neither each other nor the strips of floor in which start and goal lie. A draw without a way of
    ``FOREST_CLEARANCE`` is thrown away and drawn anew from the same seed.
    """
    rng = np.random.default_rng([seed, 1])
    length, width = FOREST_SIZE
    for _ in range(_TRIES):
        placed: list[tuple[float, float, float]] = []
        while len(placed) < pillars:
            radius = rng.uniform(0.15, 0.25)
            x, y = rng.uniform(radius, length - radius), rng.uniform(radius, width - radius) - 0.5 * width
            if all(math.hypot(x - a, y - b) > radius + r for a, b, r in placed):
                placed.append((x, y, radius))
        start, goal = rng.uniform(-0.35 * width, 0.35 * width, 2)
        scene = Scene(
            f"forest_{seed}",
            tuple(_pillar(f"pillar_{i}", x, y, r) for i, (x, y, r) in enumerate(placed)),
            start=(-0.5 * _MARGIN, float(start), 0.0),
            goal=(length + 0.5 * _MARGIN, float(goal)),
            low=(-_MARGIN, -0.5 * width),
            high=(length + _MARGIN, 0.5 * width),
            seed=seed,
        )
        if _solvable(scene, FOREST_CLEARANCE):
            return scene
    raise GoalError(f"no forest of {pillars} pillars with a way through it in {_TRIES} draws; ask for fewer pillars")


def moving_obstacle(seed: int, max_obstacles: int = 2) -> Scene:
    """One or two upright capsules that cross the robot's straight way at 0.2 to 0.6 m/s while it passes there.

    The robot stands at the origin with any heading; its goal is 4 m away. Each obstacle is aimed at a point of the way
    at the moment a robot of 0.35 m/s would be there, give or take a second, and comes from the side.
    """
    rng = np.random.default_rng([seed, 2])
    direction = rng.uniform(-math.pi, math.pi)
    ahead = np.array([math.cos(direction), math.sin(direction)])
    distance, walking = 4.0, 0.35
    made = []
    for index in range(int(rng.integers(1, max_obstacles + 1))):
        radius, speed = rng.uniform(0.25, 0.3), rng.uniform(0.2, 0.6)
        meeting = rng.uniform(1.4, 3.2)
        when = meeting / walking + 1.0 + rng.uniform(-1.0, 1.0)  # a second to start walking
        across = direction + rng.choice([-1.0, 1.0]) * rng.uniform(math.radians(60.0), math.radians(120.0))
        velocity = speed * np.array([math.cos(across), math.sin(across)])
        begin = meeting * ahead - when * velocity
        made.append(_capsule(f"walker_{index}", begin, radius, velocity))
    heading = float(direction + rng.uniform(-0.5, 0.5))
    return Scene(
        f"moving_obstacle_{seed}",
        tuple(made),
        start=(0.0, 0.0, heading),
        goal=(float(distance * ahead[0]), float(distance * ahead[1])),
        low=(-6.0, -6.0),
        high=(6.0, 6.0),
        seed=seed,
    )


def composed(seed: int, pillars: int = 4) -> Scene:
    """A waypoint behind a few pillars, with a heading to face on arrival.

    The goal is 3 to 4.5 m ahead; one pillar stands on the straight way, the others near it.
    """
    rng = np.random.default_rng([seed, 3])
    for _ in range(_TRIES):
        distance, bearing = rng.uniform(3.0, 4.5), rng.uniform(-0.5, 0.5)
        goal = distance * np.array([math.cos(bearing), math.sin(bearing)])
        placed = []
        for index in range(pillars):
            off = rng.uniform(-0.15, 0.15) if index == 0 else rng.uniform(-1.6, 1.6)
            along = rng.uniform(0.4, 0.7) if index == 0 else rng.uniform(0.25, 0.85)
            place = along * goal + off * np.array([-math.sin(bearing), math.cos(bearing)])
            placed.append((float(place[0]), float(place[1]), float(rng.uniform(0.15, 0.25))))
        scene = Scene(
            f"composed_{seed}",
            tuple(_pillar(f"pillar_{i}", *pillar) for i, pillar in enumerate(placed)),
            goal=(float(goal[0]), float(goal[1])),
            goal_heading=float(rng.uniform(-math.pi, math.pi)),
            low=(-2.0, -4.0),
            high=(6.5, 4.0),
            seed=seed,
        )
        apart = all(
            math.hypot(a[0] - b[0], a[1] - b[1]) > a[2] + b[2] for i, a in enumerate(placed) for b in placed[:i]
        )
        if apart and _solvable(scene, FOREST_CLEARANCE):
            return scene
    raise GoalError(f"no composed scene of {pillars} pillars with a way in {_TRIES} draws; ask for fewer pillars")


def corridor(seed: int, length: float = 5.0) -> Scene:
    """Two walls 1.4 to 1.8 m apart and a pillar at one of them; to be walked through by velocity commands."""
    rng = np.random.default_rng([seed, 4])
    width = rng.uniform(1.4, 1.8)
    side = float(rng.choice([-1.0, 1.0]))
    wall = (length, 0.2, PILLAR_HEIGHT)
    obstacles = [
        Obstacle(name, "box", (0.5 + 0.5 * length, sign * 0.5 * (width + 0.2), 0.5 * PILLAR_HEIGHT), wall)
        for name, sign in (("wall_left", 1.0), ("wall_right", -1.0))
    ]
    radius = rng.uniform(0.1, 0.15)
    obstacles.append(
        _pillar("pillar_0", 0.5 + rng.uniform(0.4, 0.6) * length, side * (0.5 * width - 0.5 * radius), radius)
    )
    return Scene(
        f"corridor_{seed}",
        tuple(obstacles),
        start=(-0.3, float(rng.uniform(-0.15, 0.15)), float(rng.uniform(-0.15, 0.15))),
        goal=(length + 1.2, 0.0),
        low=(-2.0, -2.5),
        high=(length + 3.0, 2.5),
        seed=seed,
    )


def _pillar(name: str, x: float, y: float, radius: float) -> Obstacle:
    center = (float(x), float(y), 0.5 * PILLAR_HEIGHT)
    return Obstacle(name, "cylinder", center, (float(radius), PILLAR_HEIGHT))


def _capsule(name: str, xy: np.ndarray, radius: float, velocity: np.ndarray) -> Obstacle:
    """Upright, its lower end on the floor."""
    center = (float(xy[0]), float(xy[1]), 0.5 * PILLAR_HEIGHT)
    size = (float(radius), PILLAR_HEIGHT - 2.0 * float(radius))
    return Obstacle(name, "capsule", center, size, velocity=(float(velocity[0]), float(velocity[1]), 0.0))


def _solvable(scene: Scene, clearance: float) -> bool:
    """Whether a way keeps this clearance all along, start and goal included."""
    assert scene.goal is not None
    planner = RoutePlanner(scene.map(resolution=0.1), RouteConfig(robot_radius=clearance))
    if not planner.is_free(np.array(scene.start[:2])):
        return False
    try:
        planner.route(np.array(scene.start[:2]), np.array(scene.goal))
    except NoRouteError:
        return False
    return True
