"""A way, and where to aim on it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..types import Array

IsFree = Callable[[Array], NDArray[np.bool_]]
"""Whether the robot may stand at places (..., 2) [m]."""
_SIGHT_STEP = 0.04
"""How densely a line of sight is looked at [m]."""


class Route:
    """A polyline from start to goal, in the world."""

    def __init__(self, points_w: ArrayLike, is_free: IsFree):
        """
        Args:
            points_w: Its corners and samples [m], shape (P, 2), P >= 1.
            is_free: Tells where a straight line may not go.
        """
        self.points_w: Array = np.array(points_w, dtype=np.float64)
        self._is_free = is_free
        steps = np.linalg.norm(np.diff(self.points_w, axis=0), axis=1)
        self._along = np.concatenate([[0.0], np.cumsum(steps)])  # (P,)

    @property
    def goal_xy_w(self) -> Array:
        """Its end [m], shape (2,)."""
        return self.points_w[-1]

    @property
    def length(self) -> float:
        """[m]."""
        return float(self._along[-1])

    def at(self, along: float) -> Array:
        """Point at a distance from the start [m], shape (2,); the ends beyond them."""
        return np.array([np.interp(along, self._along, self.points_w[:, k]) for k in (0, 1)])

    def nearest(self, xy_w: ArrayLike) -> tuple[float, float]:
        """Where on the route a place is nearest to: distance along it from the start, and distance from it [m]."""
        place = np.asarray(xy_w, dtype=np.float64)
        if len(self.points_w) == 1:
            return 0.0, float(np.linalg.norm(place - self.points_w[0]))
        start, step = self.points_w[:-1], np.diff(self.points_w, axis=0)  # (P - 1, 2)
        square = np.maximum(np.sum(step**2, axis=1), 1e-18)
        share = np.clip(np.sum((place - start) * step, axis=1) / square, 0.0, 1.0)
        apart = np.linalg.norm(start + share[:, None] * step - place, axis=1)
        best = int(np.argmin(apart))
        return float(self._along[best] + share[best] * np.sqrt(square[best])), float(apart[best])

    def remaining(self, xy_w: ArrayLike) -> float:
        """Way left from a place [m]: to the route, then along it."""
        along, apart = self.nearest(xy_w)
        return apart + self.length - along

    def deviation(self, xy_w: ArrayLike) -> float:
        """Distance of a place from the route [m]."""
        return self.nearest(xy_w)[1]

    def ahead(self, xy_w: ArrayLike, distance: float = 0.9) -> Array:
        """Where to aim at from a place: the point ``distance`` further along the route, or nearer if it is hidden.

        Seen from a corner, the far point lies behind an obstacle: then the farthest point of the route in sight counts,
        and if none is, the nearest point of the route.

        Args:
            xy_w: Where the robot is [m], shape (2,).
            distance: How far ahead [m].

        Returns:
            A point of the route [m], shape (2,).
        """
        place = np.asarray(xy_w, dtype=np.float64)
        along, _ = self.nearest(place)
        for reach in np.arange(distance, 0.0, -0.1):
            point = self.at(along + reach)
            if self.sees(place, point):
                return point
        return self.at(along)

    def ends_within(self, xy_w: ArrayLike, distance: float) -> bool:
        """True if the way left along the route is at most ``distance`` [m]."""
        return self.length - self.nearest(xy_w)[0] <= distance

    def sees(self, start_w: Array, end_w: Array) -> bool:
        """Whether the straight line is free, apart from a blocked stretch that the robot stands in already."""
        count = max(2, int(np.ceil(np.linalg.norm(end_w - start_w) / _SIGHT_STEP)) + 1)
        free = self._is_free(start_w + np.linspace(0.0, 1.0, count)[:, None] * (end_w - start_w))
        first = int(np.argmax(free))
        return bool(free[-1]) and bool(np.all(free[first:]))

    def is_free(self, is_free: IsFree | None = None) -> bool:
        """Whether all its points are free, on its own map or on a newer one."""
        free = (is_free or self._is_free)(self.points_w)
        first = int(np.argmax(free))  # a route may begin in a blocked zone that the robot has to leave
        return bool(free[-1]) and bool(np.all(free[first:]))
