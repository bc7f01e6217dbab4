"""Draws marks into a MuJoCo picture: obstacles, the goal, the route to it, and where the newest plan leads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import mujoco
import numpy as np

from ..core.types import Array
from .marks import Marks

Colour = tuple[float, float, float, float]
OBSTACLE: Colour = (0.80, 0.42, 0.30, 0.45)
GOAL: Colour = (0.16, 0.62, 0.30, 0.85)
ROUTE: Colour = (0.98, 0.75, 0.18, 0.9)
PLAN: Colour = (0.16, 0.45, 0.85, 0.9)
_POLE_HEIGHT, _POLE_RADIUS = 1.4, 0.02
_ROUTE_RADIUS, _PLAN_RADIUS = 0.02, 0.025
_DISC = 0.001
"""Half thickness of what lies flat on the floor [m]."""


def draw(scene: mujoco.MjvScene, marks: Marks) -> None:
    """Add the marks to a scene that is ready to be rendered; what does not fit in any more is left out."""
    if marks.route_xy is not None:
        corners = np.column_stack([marks.route_xy, np.full(len(marks.route_xy), _ROUTE_RADIUS)])
        _line(scene, corners, _ROUTE_RADIUS, ROUTE)
    if marks.goal_xy is not None:
        _goal(scene, marks.goal_xy, marks.goal_radius, marks.goal_heading)
    if marks.plan_w is not None:
        _line(scene, marks.plan_w, _PLAN_RADIUS, PLAN)
    for solid in marks.solids:
        _geom(scene, solid.kind, solid.size, solid.pos_w, OBSTACLE, solid.yaw)


def _goal(scene: mujoco.MjvScene, xy: Sequence[float], radius: float, heading: float | None) -> None:
    """A disc as large as the tolerance, a pole in its middle, an arrow for the heading."""
    _geom(scene, "cylinder", (radius, _DISC, 0.0), (*xy, 2 * _DISC), (*GOAL[:3], 0.5))
    _geom(
        scene,
        "cylinder",
        (_POLE_RADIUS, 0.5 * _POLE_HEIGHT, 0.0),
        (*xy, 0.5 * _POLE_HEIGHT),
        GOAL,
    )
    if heading is not None:
        tip = np.array([xy[0] + 2 * radius * math.cos(heading), xy[1] + 2 * radius * math.sin(heading), 0.03])
        _connect(scene, mujoco.mjtGeom.mjGEOM_ARROW, 0.04, np.array([*xy, 0.03]), tip, GOAL)


def _line(scene: mujoco.MjvScene, points: Array, radius: float, colour: Colour) -> None:
    for start, end in pairwise(np.asarray(points, dtype=np.float64)):
        if np.linalg.norm(end - start) > 1e-6:
            _connect(scene, mujoco.mjtGeom.mjGEOM_CAPSULE, radius, start, end, colour)


def _geom(
    scene: mujoco.MjvScene, kind: str, size: Sequence[float], pos_w: Sequence[float], colour: Colour, yaw: float = 0.0
) -> None:
    c, s = math.cos(yaw), math.sin(yaw)
    if scene.ngeom >= scene.maxgeom:
        return
    mujoco.mjv_initGeom(
        scene.geoms[scene.ngeom],
        getattr(mujoco.mjtGeom, f"mjGEOM_{kind.upper()}"),
        np.asarray(size, dtype=np.float64),
        np.asarray(pos_w, dtype=np.float64),
        np.array([c, -s, 0.0, s, c, 0.0, 0.0, 0.0, 1.0]),
        np.asarray(colour, dtype=np.float32),
    )
    scene.ngeom += 1


def _connect(
    scene: mujoco.MjvScene, kind: mujoco.mjtGeom, radius: float, start: Array, end: Array, colour: Colour
) -> None:
    if scene.ngeom >= scene.maxgeom:
        return
    geom = scene.geoms[scene.ngeom]
    mujoco.mjv_initGeom(geom, kind, np.zeros(3), np.zeros(3), np.eye(3).ravel(), np.asarray(colour, dtype=np.float32))
    mujoco.mjv_connector(geom, kind, radius, start, end)
    scene.ngeom += 1
