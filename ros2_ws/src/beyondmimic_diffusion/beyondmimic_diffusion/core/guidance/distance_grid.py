"""Signed distance looked up in a grid: from an ESDF, or made from an occupancy grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import GoalError
from ..types import Array
from .sdf import SignedDistance


class DistanceGrid(SignedDistance):
    """Distances at the nodes of a regular grid, linear between them.

    Outside the grid the value of its nearest border point counts and the gradient along the axes left is zero: what is
    not mapped neither pushes nor pulls. A grid with one layer along an axis is the same everywhere along it.
    """

    def __init__(self, distances: ArrayLike, origin: ArrayLike, spacing: float):
        """
        Args:
            distances: [m], shape (X, Y, Z).
            origin: Place of node (0, 0, 0) [m], shape (3,).
            spacing: Between nodes [m].
        """
        self.distances = np.asarray(distances, dtype=np.float64)
        self.origin = np.asarray(origin, dtype=np.float64)
        self.spacing = float(spacing)
        if self.distances.ndim != 3 or self.distances.size == 0 or self.origin.shape != (3,):
            raise GoalError(
                f"distance grid of shape {self.distances.shape}, origin of shape {self.origin.shape}; "
                "right is (X, Y, Z) and (3,)"
            )
        if not np.all(np.isfinite(self.distances)) or not np.all(np.isfinite(self.origin)) or not self.spacing > 0.0:
            raise GoalError(f"distance grid: values and origin must be finite, spacing {spacing} more than zero")

    def query(self, points: Array, time: Array | float = 0.0) -> tuple[Array, Array]:
        """Trilinear look-up: exact on distances that are linear in x, y and z."""
        last = np.array(self.distances.shape) - 1
        place = (points - self.origin) / self.spacing
        inside = (place >= 0.0) & (place <= last) & (last > 0)
        place = np.clip(place, 0.0, last)
        cell = np.minimum(place.astype(np.intp), np.maximum(last - 1, 0))  # (..., 3)
        share = place - cell
        value = np.zeros(points.shape[:-1])
        gradient = np.zeros(points.shape)
        for corner in np.ndindex(2, 2, 2):
            up = np.array(corner)
            node = np.minimum(cell + up, last)
            at = self.distances[node[..., 0], node[..., 1], node[..., 2]]
            weight = np.where(up, share, 1.0 - share)  # (..., 3)
            value += at * np.prod(weight, axis=-1)
            for axis in range(3):
                others = np.delete(weight, axis, axis=-1)
                gradient[..., axis] += at * np.prod(others, axis=-1) * (1.0 if corner[axis] else -1.0)
        return value, np.where(inside, gradient / self.spacing, 0.0)


def distances_from_occupancy(occupied: NDArray[np.bool_], spacing: float) -> Array:
    """Signed distance [m] of each cell's centre to the border between occupied and free cells.

    Exact Euclidean distances between centres, by one pass of lower parabola envelopes per axis (here as a dense
    minimum: memory grows with the square of the longest edge; fine up to a few hundred cells), less half a cell.

    Args:
        occupied: True where something is, shape (X, Y) or (X, Y, Z).
        spacing: Size of a cell [m].
    """
    occupied = np.asarray(occupied, dtype=bool)
    to_occupied = _squared_distance(occupied)
    to_free = _squared_distance(~occupied)
    far = float(np.linalg.norm(occupied.shape))
    outside = np.minimum(np.sqrt(to_occupied), far) - 0.5
    depth = np.minimum(np.sqrt(to_free), far) - 0.5
    return spacing * np.where(occupied, -depth, outside)


def _squared_distance(target: NDArray[np.bool_]) -> Array:
    """Squared distance, in cells, of each cell to the nearest target cell; inf if there is none."""
    squared = np.where(target, 0.0, np.inf)
    for axis in range(target.ndim):
        index = np.arange(target.shape[axis], dtype=np.float64)
        apart = (index[:, None] - index[None, :]) ** 2  # (n, n)
        lines = np.moveaxis(squared, axis, -1)
        out = np.empty_like(lines)
        for place in np.ndindex(lines.shape[:-1]):
            out[place] = np.min(apart + lines[place], axis=-1)
        squared = np.moveaxis(out, -1, axis)
    return squared
