"""Signed distances to obstacles and their gradients: unions, motion, placement; single shapes pass through here.

Conventions are those of :mod:`.sdf_shapes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import GoalError
from ..rotations import rotate_yaw
from ..types import Array
from .sdf_shapes import Box, Capsule, Cylinder, HalfSpace, Primitive, SignedDistance, Sphere, finite
from .sdf_stack import Stack

__all__ = [
    "Box",
    "Capsule",
    "Cylinder",
    "HalfSpace",
    "Moving",
    "Placed",
    "Primitive",
    "SignedDistance",
    "Sphere",
    "Union",
]


class Union(SignedDistance):
    """Several shapes: the nearest one counts. Primitives of one kind, moving ones too, are asked all at once."""

    def __init__(self, parts: Sequence[SignedDistance]):
        """
        Args:
            parts: At least one shape.
        """
        if not parts:
            raise GoalError("a union of no shapes has no distance; give at least one shape, or no scene")
        self.parts = tuple(parts)
        self._groups = _groups(self.parts)

    def query(self, points: Array, time: Array | float = 0.0) -> tuple[Array, Array]:
        """Distance to the nearest part (exact outside; inside overlapping parts a lower bound of the depth)."""
        distance, gradient = self._groups[0].query(points, time)
        for group in self._groups[1:]:
            other, slope = group.query(points, time)
            nearer = other < distance
            distance = np.where(nearer, other, distance)
            gradient = np.where(nearer[..., None], slope, gradient)
        return distance, gradient

    def distance_at(self, points: Array, time: Array | float = 0.0) -> Array:
        """See :meth:`SignedDistance.distance_at`."""
        distance = self._groups[0].distance_at(points, time)
        for group in self._groups[1:]:
            distance = np.minimum(distance, group.distance_at(points, time))
        return distance

    def near(self, points: Array, time: Array | float, reach: float) -> Union | None:
        """See :meth:`SignedDistance.near`; parts that stay away are left out."""
        found = [group.near(points, time, reach) for group in self._groups]
        groups: list[Any] = [group for group in found if group is not None]
        if not groups:
            return None
        made = Union.__new__(Union)
        made.parts, made._groups = self.parts, groups
        return made


class Moving(SignedDistance):
    """A shape that travels at a constant velocity."""

    def __init__(self, part: SignedDistance, velocity: ArrayLike):
        """
        Args:
            part: Where it is at time 0.
            velocity: [m/s], shape (..., 3).
        """
        self.part = part
        self.velocity = finite("velocity of a moving shape", velocity)

    def query(self, points: Array, time: Array | float = 0.0) -> tuple[Array, Array]:
        """Distance to the shape where it is at ``time``."""
        return self.part.query(points - np.asarray(time)[..., None] * self.velocity, time)

    def distance_at(self, points: Array, time: Array | float = 0.0) -> Array:
        """See :meth:`SignedDistance.distance_at`."""
        return self.part.distance_at(points - np.asarray(time)[..., None] * self.velocity, time)


class Placed(SignedDistance):
    """A shape given in the world, queried in character frames."""

    def __init__(self, part: SignedDistance, xy_w: ArrayLike, yaw_w: ArrayLike):
        """
        Args:
            part: The shape, in the world.
            xy_w: Origin of the character frame [m], shape (2,) or one per robot (B, 2).
            yaw_w: Its heading [rad], scalar or (B,).
        """
        self.part = part
        self.xy_w = finite("origin of a character frame", xy_w)
        self.yaw_w = finite("heading of a character frame", yaw_w)

    def query(self, points: Array, time: Array | float = 0.0) -> tuple[Array, Array]:
        """Distance and gradient, both in the character frame; the first axis of ``points`` (B, ..., 3) is the robot."""
        world, yaw = self._world(points)
        distance, gradient = self.part.query(world, time)
        return distance, rotate_yaw(gradient, -yaw)

    def distance_at(self, points: Array, time: Array | float = 0.0) -> Array:
        """See :meth:`SignedDistance.distance_at`."""
        return self.part.distance_at(self._world(points)[0], time)

    def near(self, points: Array, time: Array | float, reach: float) -> Placed | None:
        """See :meth:`SignedDistance.near`."""
        part = self.part.near(self._world(points)[0], time, reach)
        if part is None or part is self.part:
            return None if part is None else self
        return Placed(part, self.xy_w, self.yaw_w)

    def _world(self, points: Array) -> tuple[Array, Array]:
        """The points in the world, and each robot's heading in a shape that broadcasts against them."""
        inner = (1,) * (points.ndim - 2)
        yaw = self.yaw_w.reshape(*self.yaw_w.shape, *inner) if self.yaw_w.ndim else self.yaw_w
        xy = self.xy_w.reshape(len(self.xy_w), *inner, 2) if self.xy_w.ndim == 2 else self.xy_w
        world = rotate_yaw(points, yaw)
        world[..., :2] += xy
        return world, yaw


def _groups(parts: Sequence[SignedDistance]) -> list[SignedDistance | Stack]:
    """The parts, with two or more primitives of one kind replaced by their stack."""
    kinds: dict[type[Primitive], list[tuple[SignedDistance, Primitive, Array]]] = {}
    out: list[Any] = []
    for part in parts:
        inner, velocity = (part.part, part.velocity) if isinstance(part, Moving) else (part, np.zeros(3))
        if isinstance(inner, Primitive):
            kinds.setdefault(type(inner), []).append((part, inner, velocity))
        else:
            out.append(part)
    for members in kinds.values():
        if len(members) == 1:
            out.append(members[0][0])
        else:
            out.append(Stack([inner for _, inner, _ in members], [velocity for _, _, velocity in members]))
    return out
