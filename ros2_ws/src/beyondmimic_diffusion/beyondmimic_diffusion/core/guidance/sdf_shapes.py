"""Signed distances to single shapes and their gradients.

Distances are metres, positive outside. ``query`` takes points of any leading shape; parameters may be arrays that
broadcast against it (for instance centres of shape (B, 1, 1, 3): another scene for each robot of a batch). Away from
surfaces of equal distance (the medial axis) the gradient has length one; on them one of the valid directions is given.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from ..errors import GoalError
from ..rotations import rotate_yaw
from ..types import Array


class SignedDistance(ABC):
    """How far points are from a shape."""

    @abstractmethod
    def query(self, points: Array, time: Array | float = 0.0) -> tuple[Array, Array]:
        """Distance and its gradient.

        Args:
            points: [m], shape (..., 3).
            time: Seconds after the moment for which the shape was given; broadcasts against (...).

        Returns:
            Distance [m], shape (...), and gradient, shape (..., 3).
        """

    def distance_at(self, points: Array, time: Array | float = 0.0) -> Array:
        """The distance of :meth:`query` alone, shape (...); cheaper where the shape allows it."""
        return self.query(points, time)[0]

    def near(self, points: Array, time: Array | float, reach: float) -> SignedDistance | None:
        """What of this comes within ``reach`` of any of the points; None if nothing does.

        Wherever the whole is nearer than ``reach`` to one of the points, what is returned is as near.

        Args:
            points: [m], shape (..., 3).
            time: As for :meth:`query`.
            reach: [m].
        """
        return self if np.any(self.query(points, time)[0] <= reach) else None


class Primitive(SignedDistance):
    """A shape given by a few arrays of numbers, so that many of them can be asked at once."""

    VECTORS: ClassVar[tuple[str, ...]] = ()
    """Attributes of shape (..., 3)."""
    SCALARS: ClassVar[tuple[str, ...]] = ()
    """Attributes of shape (...)."""

    @classmethod
    def of(cls, **values: Array) -> Self:
        """One with these attributes, which are not checked again."""
        made = cls.__new__(cls)
        for name, value in values.items():
            setattr(made, name, value)
        return made

    @abstractmethod
    def distance(self, points: Array) -> Array:
        """Distance [m] of points (..., 3) alone, shape (...)."""

    def distance_at(self, points: Array, time: Array | float = 0.0) -> Array:
        """See :meth:`SignedDistance.distance_at`."""
        return self.distance(points)


class Sphere(Primitive):
    """A ball."""

    VECTORS = ("center",)
    SCALARS = ("radius",)

    def __init__(self, center: ArrayLike, radius: ArrayLike):
        """
        Args:
            center: [m], shape (..., 3).
            radius: [m].
        """
        self.center = finite("sphere centre", center)
        self.radius = _size("sphere radius", radius)

    def distance(self, points: Array) -> Array:
        """Distance to the ball."""
        return _norm(*_apart(points, self.center)) - self.radius

    def query(self, points: Array, time: Array | float = 0.0) -> tuple[Array, Array]:
        """Distance to the ball."""
        length, direction = _length_and_direction(points - self.center)
        return length - self.radius, direction


class Capsule(Primitive):
    """All points within a radius of a line segment; a tall vertical one is a pillar."""

    VECTORS = ("start", "axis")
    SCALARS = ("radius",)

    def __init__(self, start: ArrayLike, end: ArrayLike, radius: ArrayLike):
        """
        Args:
            start: One end of the segment [m], shape (..., 3).
            end: The other end.
            radius: [m].
        """
        self.start = finite("capsule start", start)
        self.axis = finite("capsule end", end) - self.start
        self.radius = _size("capsule radius", radius)

    def distance(self, points: Array) -> Array:
        """Distance to the capsule."""
        x, y, z = _apart(points, self.start)
        a, b, c = self.axis[..., 0], self.axis[..., 1], self.axis[..., 2]
        along = np.clip((x * a + y * b + z * c) / np.maximum(a * a + b * b + c * c, 1e-12), 0.0, 1.0)
        return _norm(x - along * a, y - along * b, z - along * c) - self.radius

    def query(self, points: Array, time: Array | float = 0.0) -> tuple[Array, Array]:
        """Distance to the capsule."""
        length, direction = _length_and_direction(self._offset(points))
        return length - self.radius, direction

    def _offset(self, points: Array) -> Array:
        """From the nearest point of the segment, shape (..., 3)."""
        offset = points - self.start
        square = np.maximum(_dot(self.axis, self.axis), 1e-12)
        along = np.clip(_dot(offset, self.axis) / square, 0.0, 1.0)
        return offset - along[..., None] * self.axis


class Box(Primitive):
    """A cuboid, turned about z."""

    VECTORS = ("center", "half_size")
    SCALARS = ("yaw",)

    def __init__(self, center: ArrayLike, half_size: ArrayLike, yaw: ArrayLike = 0.0):
        """
        Args:
            center: [m], shape (..., 3).
            half_size: Half of each edge [m], shape (..., 3).
            yaw: Heading of its x axis [rad].
        """
        self.center = finite("box centre", center)
        self.half_size = _size("box half_size", half_size)
        self.yaw = finite("box yaw", yaw)

    def distance(self, points: Array) -> Array:
        """Distance to the cuboid."""
        q = np.abs(rotate_yaw(points - self.center, -self.yaw)) - self.half_size
        return _length(np.maximum(q, 0.0)) + np.minimum(np.max(q, axis=-1), 0.0)

    def query(self, points: Array, time: Array | float = 0.0) -> tuple[Array, Array]:
        """Distance to the cuboid."""
        local = rotate_yaw(points - self.center, -self.yaw)
        distance, gradient = _corner_distance(np.abs(local) - self.half_size)
        return distance, rotate_yaw(gradient * np.where(local < 0.0, -1.0, 1.0), self.yaw)


class Cylinder(Primitive):
    """An upright cylinder."""

    VECTORS = ("center",)
    SCALARS = ("radius", "half_height")

    def __init__(self, center: ArrayLike, radius: ArrayLike, half_height: ArrayLike):
        """
        Args:
            center: [m], shape (..., 3).
            radius: [m].
            half_height: [m].
        """
        self.center = finite("cylinder centre", center)
        self.radius = _size("cylinder radius", radius)
        self.half_height = _size("cylinder half_height", half_height)

    def distance(self, points: Array) -> Array:
        """Distance to the cylinder."""
        x, y, z = _apart(points, self.center)
        beside = np.sqrt(x * x + y * y) - self.radius
        above = np.abs(z) - self.half_height
        outside, higher = np.maximum(beside, 0.0), np.maximum(above, 0.0)
        return np.sqrt(outside * outside + higher * higher) + np.minimum(np.maximum(beside, above), 0.0)

    def query(self, points: Array, time: Array | float = 0.0) -> tuple[Array, Array]:
        """Distance to the cylinder: a box in the plane of radius and height."""
        local = points - self.center
        radial, outward = _length_and_direction(local[..., :2])
        height = local[..., 2]
        distance, slope = _corner_distance(np.stack([radial - self.radius, np.abs(height) - self.half_height], axis=-1))
        up = np.where(height < 0.0, -1.0, 1.0) * slope[..., 1]
        return distance, np.concatenate([outward * slope[..., :1], up[..., None]], axis=-1)


class HalfSpace(Primitive):
    """Everything on the far side of a plane: a wall or the ground."""

    VECTORS = ("point", "normal")

    def __init__(self, point: ArrayLike, normal: ArrayLike):
        """
        Args:
            point: A point of the plane [m], shape (..., 3).
            normal: Points to the free side; any length but zero, shape (..., 3).
        """
        normal = finite("half-space normal", normal)
        length = np.linalg.norm(normal, axis=-1, keepdims=True)
        if np.any(length < 1e-9):
            raise GoalError(f"half-space normal {normal.tolist()} has no direction; give a vector that is not zero")
        self.point = finite("half-space point", point)
        self.normal = normal / length

    def distance(self, points: Array) -> Array:
        """Distance to the plane."""
        return _dot(points - self.point, self.normal)

    def query(self, points: Array, time: Array | float = 0.0) -> tuple[Array, Array]:
        """Distance to the plane."""
        distance = self.distance(points)
        return distance, np.broadcast_to(self.normal, (*distance.shape, 3))


def _dot(a: Array, b: Array) -> Array:
    return np.einsum("...i,...i->...", a, b)


def _length(vectors: Array) -> Array:
    square = vectors[..., 0] * vectors[..., 0]
    for i in range(1, vectors.shape[-1]):
        square += vectors[..., i] * vectors[..., i]
    return np.sqrt(square)


def _apart(points: Array, center: Array) -> tuple[Array, Array, Array]:
    """Points minus centre by components: for many shapes at once a third of the time of one (..., 3) difference."""
    return points[..., 0] - center[..., 0], points[..., 1] - center[..., 1], points[..., 2] - center[..., 2]


def _norm(x: Array, y: Array, z: Array) -> Array:
    return np.sqrt(x * x + y * y + z * z)


def _corner_distance(q: Array) -> tuple[Array, Array]:
    """Distance to the corner region of a box from excesses over its faces (..., D), for points in the positive part."""
    beyond = np.maximum(q, 0.0)
    outside = np.linalg.norm(beyond, axis=-1)
    depth = np.max(q, axis=-1)
    inside = (np.arange(q.shape[-1]) == np.argmax(q, axis=-1)[..., None]).astype(np.float64)
    gradient = np.where((depth > 0.0)[..., None], beyond / np.maximum(outside, 1e-12)[..., None], inside)
    return outside + np.minimum(depth, 0.0), gradient


def _length_and_direction(offset: Array) -> tuple[Array, Array]:
    """Norm along the last axis and unit vector; the first axis where the norm is zero."""
    length = _length(offset)
    nothing = length < 1e-12
    if not nothing.any():  # almost always
        return length, offset / length[..., None]
    first = np.zeros(offset.shape[-1])
    first[0] = 1.0
    return length, np.where(nothing[..., None], first, offset / np.where(nothing, 1.0, length)[..., None])


def finite(name: str, value: ArrayLike) -> Array:
    """A float64 array without NaN and infinity."""
    array = np.asarray(value, dtype=np.float64)
    if not np.all(np.isfinite(array)):
        raise GoalError(f"{name} = {array.tolist()} is not finite")
    return array


def _size(name: str, value: ArrayLike) -> Array:
    array = finite(name, value)
    if np.any(array < 0.0):
        raise GoalError(f"{name} = {array.tolist()} is negative; sizes are metres, zero or more")
    return array
