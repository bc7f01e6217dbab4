"""Many shapes of one kind asked at once: one pass of array operations instead of a loop over shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..types import Array

if TYPE_CHECKING:
    from .sdf_shapes import Primitive


class Stack:
    """K primitives of one kind, each at its own velocity.

    The distance to all of them is computed first, its gradient for the nearest one only.
    """

    def __init__(self, parts: Sequence[Primitive], velocities: Sequence[Array]):
        """
        Args:
            parts: At least one, all of one class, where they are at time 0.
            velocities: [m/s], each of shape (..., 3).
        """
        self._kind = type(parts[0])
        self._values = {name: _stacked([getattr(part, name) for part in parts], -2) for name in self._kind.VECTORS}
        self._values |= {name: _stacked([getattr(part, name) for part in parts], -1) for name in self._kind.SCALARS}
        self._moves = any(np.any(velocity) for velocity in velocities)
        self._velocities = _stacked(list(velocities), -2)
        self._all = self._kind.of(**self._values)

    def near(self, points: Array, time: Array | float, reach: float) -> Stack | None:
        """Those that come within ``reach`` [m] of any of the points; as ``SignedDistance.near``."""
        seen = points[..., None, :]
        if self._moves:
            seen = seen - np.asarray(time)[..., None, None] * self._velocities
        distance = self._all.distance(seen)  # (..., K)
        keep = np.any(distance <= reach, axis=tuple(range(distance.ndim - 1)))
        if keep.all():
            return self
        return self._subset(np.flatnonzero(keep)) if keep.any() else None

    def _subset(self, rows: NDArray[np.intp]) -> Stack:
        made = Stack.__new__(Stack)
        made._kind, made._moves = self._kind, self._moves
        made._values = {
            name: value[..., rows, :] if name in self._kind.VECTORS else value[..., rows]
            for name, value in self._values.items()
        }
        made._velocities = self._velocities[..., rows, :]
        made._all = self._kind.of(**made._values)
        return made

    def distance_at(self, points: Array, time: Array | float = 0.0) -> Array:
        """Distance to the nearest of them; as ``SignedDistance.distance_at``."""
        seen = points[..., None, :]
        if self._moves:
            seen = seen - np.asarray(time)[..., None, None] * self._velocities
        return self._all.distance(seen).min(axis=-1)

    def query(self, points: Array, time: Array | float = 0.0) -> tuple[Array, Array]:
        """Distance to the nearest of them, and its gradient; as ``SignedDistance.query``."""
        seen = points[..., None, :]  # (..., 1, 3)
        if self._moves:
            seen = seen - np.asarray(time)[..., None, None] * self._velocities
        nearest = np.argmin(self._all.distance(seen), axis=-1)  # (...)
        chosen = {name: _chosen(value, nearest, name in self._kind.VECTORS) for name, value in self._values.items()}
        if self._moves:
            points = points - np.asarray(time)[..., None] * _chosen(self._velocities, nearest, True)
        return self._kind.of(**chosen).query(points)


def _stacked(values: list[Array], axis: int) -> Array:
    return np.stack(np.broadcast_arrays(*values), axis=axis)


def _chosen(value: Array, nearest: NDArray[np.intp], vector: bool) -> Array:
    """The entries of the nearest shapes: vectors (..., K, 3) give (..., 3), scalars (..., K) give (...)."""
    if value.ndim == (2 if vector else 1):
        return value[nearest]
    index = nearest[..., None, None] if vector else nearest[..., None]
    tail = value.shape[-2:] if vector else value.shape[-1:]
    lead = np.broadcast_shapes(value.shape[: -len(tail)], nearest.shape)
    taken = np.take_along_axis(np.broadcast_to(value, (*lead, *tail)), index, axis=-2 if vector else -1)
    return taken[..., 0, :] if vector else taken[..., 0]
