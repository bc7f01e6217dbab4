"""The floor that a route is sought on: as large and as fine as the route needs, however much is known."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ..guidance.sdf import SignedDistance
from ..route.occupancy_map import BODY_HEIGHTS, REACH, OccupancyMap
from ..types import Array
from .scene import Obstacle

_CELLS = 90_000
"""Of the floor; a larger one is made coarser. A search over so many takes some hundredths of a second."""
_MANY = 100
"""Solids from which on those far from a route are not looked at for it."""
_MARGIN = 15.0
"""How far beyond robot and goal a map is looked at for ways round [m]."""


@dataclass(frozen=True)
class FloorExtent:
    """How the floor is laid out where there is no map."""

    resolution: float
    """Edge of a cell [m]."""
    margin: float
    """Floor beyond ends and obstacles [m]."""


def floor_between(
    places: Iterable[Array],
    still: Sequence[Obstacle],
    shapes: SignedDistance | None,
    known: OccupancyMap | None,
    extent: FloorExtent,
    reach: float = REACH,
) -> OccupancyMap:
    """Clearances around places (2,) [m] and what lies between them.

    Args:
        places: Where routes begin and end.
        still: Obstacles that do not move.
        shapes: Whatever else stands there; None: nothing.
        known: The map; None: there is none.
        extent: Of the floor without a map.
        reach: Clearance that makes no difference any more [m].
    """
    ends = np.array([np.asarray(place, dtype=np.float64)[:2] for place in places])
    if len(still) > _MANY:
        low, high = ends.min(axis=0) - _MARGIN, ends.max(axis=0) + _MARGIN
        still = [solid for solid in still if _meets(solid, low, high)]
    if known is not None:
        floor = known.near(ends, _MARGIN, _CELLS)
        floor = floor.copy() if shapes is None else _with(floor, shapes)
    else:
        points = np.array([*ends, *(np.array(solid.center[:2]) for solid in still)])
        low, high = points.min(axis=0) - extent.margin, points.max(axis=0) + extent.margin
        coarsest = math.sqrt(float(np.prod(high - low)) / _CELLS)
        floor = OccupancyMap.from_sdf(shapes, tuple(low), tuple(high), max(extent.resolution, coarsest))
    for solid in still:
        half, centre = half_width(solid), np.array(solid.center[:2])
        height = min(BODY_HEIGHTS, key=lambda z, solid=solid: abs(z - solid.center[2]))
        floor.put_obstacle(solid.sdf(), centre - half, centre + half, height, reach)
    return floor


def half_width(solid: Obstacle) -> float:
    """Half the edge of a square around a solid, however it is turned [m]."""
    return 0.5 * math.hypot(*solid.size[:2]) if solid.shape == "box" else solid.size[0]


def _meets(solid: Obstacle, low: Array, high: Array) -> bool:
    """Whether the square around a solid is in a rectangle, at least in part."""
    half, (x, y, _) = half_width(solid), solid.center
    return bool(low[0] <= x + half and x - half <= high[0] and low[1] <= y + half and y - half <= high[1])


def _with(floor: OccupancyMap, shapes: SignedDistance) -> OccupancyMap:
    """A map with more obstacles on it."""
    clearance = floor.clearance
    places = floor.centres(np.moveaxis(np.indices(clearance.shape), 0, -1))  # (X, Y, 2)
    for height in BODY_HEIGHTS:
        points = np.concatenate([places, np.full((*places.shape[:2], 1), height)], axis=-1)
        clearance = np.minimum(clearance, shapes.query(points)[0])
    return OccupancyMap(clearance, floor.resolution, floor.origin_xy_w, floor.yaw_w)
