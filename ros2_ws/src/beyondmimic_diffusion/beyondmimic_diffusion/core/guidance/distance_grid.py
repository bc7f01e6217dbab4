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
        steps = np.array([self.distances.shape[1] * self.distances.shape[2], self.distances.shape[2], 1])
        node = cell @ steps  # (...), index into the flat grid
        i, j, k = np.where(last > 0, steps, 0)  # along an axis of one layer there is no next node
        u, v, w = share[..., 0], share[..., 1], share[..., 2]
        flat = self.distances.ravel()
        at = flat[node[..., None] + np.array([0, i, j, i + j, k, i + k, j + k, i + j + k])]  # (..., 8)
        low, high = at[..., :4], at[..., 4:]
        layer = low + w[..., None] * (high - low)  # (..., 4) at the point's height: corners 00, 10, 01, 11
        front = layer[..., :2] + v[..., None] * (layer[..., 2:] - layer[..., :2])  # (..., 2)
        value = front[..., 0] + u * (front[..., 1] - front[..., 0])
        beside, rise = layer[..., 2:] - layer[..., :2], high - low
        up = rise[..., :2] + v[..., None] * (rise[..., 2:] - rise[..., :2])
        gradient = np.empty(points.shape)
        gradient[..., 0] = front[..., 1] - front[..., 0]
        gradient[..., 1] = beside[..., 0] + u * (beside[..., 1] - beside[..., 0])
        gradient[..., 2] = up[..., 0] + u * (up[..., 1] - up[..., 0])
        return value, np.where(inside, gradient / self.spacing, 0.0)


_TILE = 512
"""Cells along the edge of a tile of a large map: short work, and little memory."""


def distances_from_large_occupancy(occupied: NDArray[np.bool_], spacing: float, reach: float) -> NDArray[np.float32]:
    """The same as :func:`distances_from_occupancy` up to ``reach`` [m], and ``reach`` beyond, for (X, Y) cells.

    Tile by tile, so that it needs little memory beside its result, and lets other threads run.
    """
    out = np.empty(occupied.shape, dtype=np.float32)
    halo = int(np.ceil(reach / spacing)) + 2
    for i in range(0, occupied.shape[0], _TILE):
        for j in range(0, occupied.shape[1], _TILE):
            low = max(i - halo, 0), max(j - halo, 0)
            around = occupied[low[0] : i + _TILE + halo, low[1] : j + _TILE + halo]
            own = slice(i - low[0], i - low[0] + _TILE), slice(j - low[1], j - low[1] + _TILE)
            if around.any():
                found = np.clip(distances_from_occupancy(around, spacing)[own], -reach, reach)
            else:
                found = np.full(around[own].shape, reach)
            out[i : i + _TILE, j : j + _TILE] = found
    return out


def distances_from_occupancy(occupied: NDArray[np.bool_], spacing: float) -> Array:
    """Signed distance [m] of each cell's centre to the border between occupied and free cells.

    Exact Euclidean distances between centres (SciPy's transform), less half a cell.

    Args:
        occupied: True where something is, shape (X, Y) or (X, Y, Z).
        spacing: Size of a cell [m].
    """
    occupied = np.asarray(occupied, dtype=bool)
    far = float(np.linalg.norm(occupied.shape))  # where there is nothing to be far from
    outside = _distance_to(occupied, far) - 0.5
    depth = _distance_to(~occupied, far) - 0.5
    return spacing * np.where(occupied, -depth, outside)


def _distance_to(target: NDArray[np.bool_], far: float) -> Array:
    """Distance, in cells, of each cell to the nearest target cell."""
    if not target.any():
        return np.full(target.shape, far)
    from scipy.ndimage import distance_transform_edt  # takes a third of a node's start; few need it

    return np.asarray(distance_transform_edt(~target), dtype=np.float64)
