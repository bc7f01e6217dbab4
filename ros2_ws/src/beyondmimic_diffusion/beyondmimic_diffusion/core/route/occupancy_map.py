"""The floor as a grid of clearances: how far each place is from the nearest obstacle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import GoalError
from ..guidance.distance_grid import DistanceGrid, distances_from_large_occupancy, distances_from_occupancy
from ..guidance.sdf import Placed, SignedDistance
from ..rotations import rotate_yaw
from ..types import Array

BODY_HEIGHTS = (0.1, 0.4, 0.7, 1.0, 1.3)
"""Heights at which a standing G1 (1.32 m) is compared with an obstacle [m]."""
LARGE = 1_000_000
"""Cells from which on clearances are exact up to :data:`REACH` only."""
REACH = 3.5
"""More clearance than this makes no difference to a route or a barrier [m]."""
_MAX_CELLS = 4_000_000
"""A finer or larger grid is a unit error, not a map."""


class OccupancyMap:
    """Clearances at the centres of square cells.

    Cell (i, j) is the square whose corner lies at ``origin + resolution * (i, j)`` along the grid's own axes, which are
    the world's turned by ``yaw``. Beyond its edge the map says nothing.
    """

    def __init__(self, clearance: ArrayLike, resolution: float, origin_xy_w: ArrayLike, yaw_w: float = 0.0):
        """
        Args:
            clearance: Distance from each cell's centre to the nearest obstacle [m], negative inside, shape (X, Y);
                float32 stays so.
            resolution: Edge of a cell [m].
            origin_xy_w: Corner of cell (0, 0) in the world [m], shape (2,).
            yaw_w: Heading of the grid's first axis in the world [rad].
        """
        given = np.asarray(clearance)
        self.clearance = np.array(given, dtype=np.float32 if given.dtype == np.float32 else np.float64)
        self.resolution = float(resolution)
        self.origin_xy_w = np.array(origin_xy_w, dtype=np.float64)
        self.yaw_w = float(yaw_w)
        if self.clearance.ndim != 2 or self.clearance.size == 0 or self.origin_xy_w.shape != (2,):
            raise GoalError(
                f"map: clearances of shape {self.clearance.shape}, origin of shape {self.origin_xy_w.shape}; "
                "right is (X, Y) and (2,)"
            )
        placed = np.all(np.isfinite(self.origin_xy_w)) and np.isfinite(self.yaw_w)
        if not placed or not np.all(np.isfinite(self.clearance)) or not 0.0 < self.resolution < np.inf:
            raise GoalError(f"map: clearances, origin and yaw must be finite, resolution {resolution} m above zero")
        self.clearance.flags.writeable = False

    @classmethod
    def from_sdf(
        cls,
        sdf_w: SignedDistance | None,
        low_xy_w: Sequence[float],
        high_xy_w: Sequence[float],
        resolution: float = 0.05,
        heights: Sequence[float] = BODY_HEIGHTS,
        time: float = 0.0,
    ) -> OccupancyMap:
        """Sample a signed distance over a rectangle; the lowest value over the heights counts.

        Args:
            sdf_w: Distance to all obstacles in the world; None: nothing there.
            low_xy_w: Corner of the rectangle with the smaller coordinates [m].
            high_xy_w: The opposite one [m].
            resolution: Edge of a cell [m].
            heights: Where a body is [m].
            time: Moment at which moving obstacles are taken [s after the scene's stamp].
        """
        low, high = np.array(low_xy_w, dtype=np.float64), np.array(high_xy_w, dtype=np.float64)
        if not (np.all(np.isfinite([low, high])) and np.all(high > low) and resolution > 0.0):
            raise GoalError(f"map from {low.tolist()} to {high.tolist()} by {resolution} m has no area")
        size = np.maximum(np.ceil((high - low) / resolution - 1e-9), 1.0)
        if np.prod(size) > _MAX_CELLS:
            raise GoalError(f"map of {size.astype(int).tolist()} cells is too large; choose a coarser resolution")
        x, y = (low[k] + resolution * (np.arange(int(size[k])) + 0.5) for k in (0, 1))
        clearance = np.full((len(x), len(y)), 1e3)
        if sdf_w is not None:
            for z in heights:
                points = np.stack(np.meshgrid(x, y, [z], indexing="ij"), axis=-1)[:, :, 0]  # (X, Y, 3)
                clearance = np.minimum(clearance, sdf_w.query(points, time)[0])
        return cls(clearance, resolution, low)

    @classmethod
    def from_occupancy_grid(
        cls,
        data: ArrayLike,
        width: int,
        height: int,
        resolution: float,
        origin_xy_w: ArrayLike,
        yaw_w: float = 0.0,
        occupied_from: int = 50,
        unknown_is_free: bool = False,
    ) -> OccupancyMap:
        """From the plain contents of a ``nav_msgs/OccupancyGrid``.

        Args:
            data: Row by row along x: 0 free .. 100 occupied, -1 unknown, shape (height * width,).
            width: Cells along the grid's x.
            height: Cells along its y.
            resolution: Edge of a cell [m].
            origin_xy_w: Corner of its first cell in the world [m].
            yaw_w: Heading of its x axis in the world [rad].
            occupied_from: From this value on a cell counts as occupied.
            unknown_is_free: False: what is not known is not walked on.
        """
        cells = np.asarray(data)
        if width <= 0 or height <= 0 or cells.shape != (width * height,):
            raise GoalError(f"occupancy grid of {width} x {height} with {cells.size} values; both must agree")
        if not resolution > 0.0:
            raise GoalError(f"occupancy grid with cells of {resolution} m; more than zero is needed")
        grid = cells.reshape(height, width).T
        occupied = (grid >= occupied_from) | ((grid < 0) & (not unknown_is_free))
        if cells.size > LARGE:
            clearance = distances_from_large_occupancy(occupied, resolution, REACH)
        else:
            clearance = distances_from_occupancy(occupied, resolution)
        return cls(clearance, resolution, origin_xy_w, yaw_w)

    def copy(self) -> OccupancyMap:
        """One whose clearances are its own."""
        return OccupancyMap(self.clearance, self.resolution, self.origin_xy_w, self.yaw_w)

    def near(self, places_xy_w: ArrayLike, margin: float, most: int) -> OccupancyMap:
        """The part of the map around places, for routes between them.

        Args:
            places_xy_w: [m], shape (P, 2).
            margin: How far beyond them [m].
            most: Cells at most; with more, only every second, third .. is kept, at its own exact clearance.
        """
        places = self.cells(places_xy_w)
        span = margin / self.resolution
        size = np.array(self.clearance.shape)
        low = np.clip(np.floor(places.min(axis=0) - span), 0, size - 1).astype(int)
        high = np.clip(np.ceil(places.max(axis=0) + span), low + 1, size).astype(int)
        stride = max(1, int(np.ceil(np.sqrt(np.prod(high - low) / most))))
        if stride == 1 and np.all(high - low == size):
            return self
        first = np.minimum(low + stride // 2, high - 1)
        part = self.clearance[first[0] : high[0] : stride, first[1] : high[1] : stride]
        corner = first + 0.5 - 0.5 * stride  # of the coarse cell whose centre is that of the first one kept
        origin = rotate_yaw(corner * self.resolution, self.yaw_w) + self.origin_xy_w
        return OccupancyMap(part, self.resolution * stride, origin, self.yaw_w)

    def put_obstacle(
        self, sdf_w: SignedDistance, low_xy_w: ArrayLike, high_xy_w: ArrayLike, height: float, reach: float = REACH
    ) -> None:
        """Lower the clearances around one more obstacle, in place.

        Args:
            sdf_w: Its signed distance.
            low_xy_w: Corner of the rectangle around it with the smaller coordinates [m].
            high_xy_w: The opposite one [m].
            height: At which it is nearest to a body [m].
            reach: How far from it clearances matter [m].
        """
        low, high = np.asarray(low_xy_w), np.asarray(high_xy_w)
        corners = self.cells(np.array([low, high, [low[0], high[1]], [high[0], low[1]]]))
        span, size = reach / self.resolution, np.array(self.clearance.shape)
        first = np.clip(np.floor(corners.min(axis=0) - span), 0, size).astype(int)
        last = np.clip(np.ceil(corners.max(axis=0) + span) + 1, 0, size).astype(int)
        if np.any(last <= first):
            return
        indices = np.stack(np.meshgrid(*(np.arange(a, b) for a, b in zip(first, last, strict=True)), indexing="ij"), -1)
        places = self.centres(indices)  # (X, Y, 2)
        points = np.concatenate([places, np.full((*places.shape[:2], 1), height)], axis=-1)
        self.clearance.flags.writeable = True
        part = self.clearance[first[0] : last[0], first[1] : last[1]]
        np.minimum(part, sdf_w.query(points)[0], out=part, casting="same_kind")
        self.clearance.flags.writeable = False

    @property
    def occupied(self) -> NDArray[np.bool_]:
        """True where a cell's centre lies in an obstacle, shape (X, Y)."""
        return self.clearance < 0.0

    def cells(self, xy_w: ArrayLike) -> Array:
        """Places in units of cells, shape (..., 2); cell (i, j) spans [i, i + 1) x [j, j + 1)."""
        return rotate_yaw(np.asarray(xy_w, dtype=np.float64) - self.origin_xy_w, -self.yaw_w) / self.resolution

    def centres(self, indices: ArrayLike) -> Array:
        """Centres of cells in the world [m], shape (..., 2)."""
        local = (np.asarray(indices, dtype=np.float64) + 0.5) * self.resolution
        return rotate_yaw(local, self.yaw_w) + self.origin_xy_w

    def contains(self, xy_w: ArrayLike) -> NDArray[np.bool_]:
        """Whether places lie on the map, shape (...)."""
        place = self.cells(xy_w)
        return np.all((place >= 0.0) & (place < self.clearance.shape), axis=-1)

    def clearance_at(self, xy_w: ArrayLike) -> Array:
        """Distance to the nearest obstacle [m], linear between cell centres; off the map that of its edge; (...)."""
        place = self.cells(xy_w) - 0.5
        last = np.array(self.clearance.shape) - 1
        place = np.clip(place, 0.0, last)
        cell = np.minimum(place.astype(np.intp), np.maximum(last - 1, 0))
        u, v = np.moveaxis(place - cell, -1, 0)
        i, j = np.moveaxis(cell, -1, 0)
        i1, j1 = np.minimum(i + 1, last[0]), np.minimum(j + 1, last[1])
        c = self.clearance
        return (1 - u) * ((1 - v) * c[i, j] + v * c[i, j1]) + u * ((1 - v) * c[i1, j] + v * c[i1, j1])

    def sdf(self) -> SignedDistance:
        """The clearances as a signed distance in the world, the same at every height; for the obstacle cost."""
        half = 0.5 * self.resolution
        grid = DistanceGrid(self.clearance[:, :, None], (half, half, 0.0), self.resolution)
        # what `Placed` calls the character frame is the world here, seen from the grid's own axes
        return Placed(grid, rotate_yaw(-self.origin_xy_w, -self.yaw_w), -self.yaw_w)
