"""Obstacles as things to bump into: from signed distances, as guidance has them, to MuJoCo geoms.

One description serves both sides, so that what the policy is told and what the robot can touch cannot differ. What
moves becomes a mocap body, led along by :meth:`~.mujoco_g1.MujocoG1.advance`: it pushes and is not pushed back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import mujoco
import numpy as np

from ..core.errors import RobotModelError
from ..core.guidance.sdf import Box, Capsule, Cylinder, HalfSpace, Moving, SignedDistance, Sphere, Union
from ..core.rotations import quat_from_yaw
from ..core.types import Array

PREFIX = "obstacle_"
"""Of the names of obstacle geoms, and of the bodies of moving ones."""
COLOR = (0.80, 0.45, 0.25, 1.0)
_COLLIDES_AS, _COLLIDES_WITH = 2, 1
"""Obstacles meet the robot (1, 1), but neither each other nor the floor (0, 1)."""


def add_obstacles(spec: mujoco.MjSpec, obstacles: Sequence[SignedDistance]) -> None:
    """Add a geom for each primitive; to be called before the model is compiled.

    Args:
        spec: From :func:`~..core.robot.model.build_spec`.
        obstacles: Primitives, unions of them, and those in motion, where they are at time 0 of the simulation.

    Raises:
        RobotModelError: A shape that no geom stands for, e.g. a grid.
    """
    for number, (shape, velocity) in enumerate(_pieces(obstacles)):
        name = f"{PREFIX}{number}"
        body = spec.worldbody.add_body(name=name, mocap=True) if np.any(velocity) else spec.worldbody
        geom = body.add_geom(name=name, rgba=list(COLOR), condim=1)
        geom.contype, geom.conaffinity = _COLLIDES_AS, _COLLIDES_WITH
        _form(geom, shape)


def mocap_velocities(obstacles: Sequence[SignedDistance]) -> Array:
    """Velocity of each moving piece [m/s], in the order of the mocap bodies, shape (moving, 3)."""
    return np.array([velocity for _, velocity in _pieces(obstacles) if np.any(velocity)]).reshape(-1, 3)


def obstacle_geoms(model: mujoco.MjModel) -> Array:
    """Which geoms are obstacles, bool, shape (ngeom,)."""
    return np.array([model.geom(i).name.startswith(PREFIX) for i in range(model.ngeom)])


def _pieces(shapes: Sequence[SignedDistance], velocity: Array | None = None) -> Iterator[tuple[SignedDistance, Array]]:
    """Primitives and their velocities [m/s], (3,)."""
    carried = np.zeros(3) if velocity is None else velocity
    for shape in shapes:
        if isinstance(shape, Union):
            yield from _pieces(shape.parts, carried)
        elif isinstance(shape, Moving):
            yield from _pieces([shape.part], carried + shape.velocity)
        else:
            yield shape, carried


def _form(geom: mujoco.MjsGeom, shape: SignedDistance) -> None:
    if isinstance(shape, Sphere):
        geom.type, geom.pos, geom.size[0] = mujoco.mjtGeom.mjGEOM_SPHERE, shape.center, shape.radius
    elif isinstance(shape, Capsule):
        geom.type, geom.size[0] = mujoco.mjtGeom.mjGEOM_CAPSULE, shape.radius
        geom.fromto = [*shape.start, *(shape.start + shape.axis)]
    elif isinstance(shape, Cylinder):
        geom.type, geom.pos = mujoco.mjtGeom.mjGEOM_CYLINDER, shape.center
        geom.size[:2] = shape.radius, shape.half_height
    elif isinstance(shape, Box):
        geom.type, geom.pos, geom.size = mujoco.mjtGeom.mjGEOM_BOX, shape.center, shape.half_size
        geom.quat = quat_from_yaw(float(shape.yaw))
    elif isinstance(shape, HalfSpace):
        geom.type, geom.pos, geom.size = mujoco.mjtGeom.mjGEOM_PLANE, shape.point, [0.0, 0.0, 0.05]
        mujoco.mju_quatZ2Vec(geom.quat, shape.normal)
    else:
        raise RobotModelError(
            f"no geom stands for a {type(shape).__name__}; obstacles that can be touched are made of spheres, "
            "capsules, cylinders, boxes and half-spaces"
        )
