"""Shortest ways over a map, kept at a distance from obstacles. The search is scikit-image's."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import GoalError
from ..parameters import param, validate
from ..types import Array
from .occupancy_map import OccupancyMap
from .route import Route

_ESCAPE_COST = 20.0
"""How many times longer a metre counts inside the robot's radius, where only a way out leads."""


class NoRouteError(GoalError):
    """There is no way from here to there on this map."""


@dataclass(frozen=True)
class RouteConfig:
    """How far from obstacles a route keeps, and how finely it is given."""

    robot_radius: float = param(0.35, unit="m", lo=0.05, hi=1.0, doc="Clearance of the pelvis that is never given up.")
    soft_clearance: float = param(0.8, unit="m", lo=0.05, hi=3.0, doc="Clearance below which a way counts as longer.")
    soft_cost: float = param(6.0, lo=0.0, hi=100.0, doc="How many times longer a metre along robot_radius counts.")
    spacing: float = param(0.1, unit="m", lo=0.01, hi=1.0, doc="Distance between the points of a route.")

    def __post_init__(self) -> None:
        validate(self)

    @property
    def reach(self) -> float:
        """Clearance from which on more makes no difference to a route [m]."""
        return max(self.soft_clearance, self.robot_radius) + 0.3


class RoutePlanner:
    """Finds routes on the newest map."""

    def __init__(self, occupancy_map: OccupancyMap, config: RouteConfig | None = None):
        """
        Args:
            occupancy_map: What is known of the floor.
            config: None: defaults.
        """
        self.config = config or RouteConfig()
        self._version = 0
        self._take(occupancy_map)

    @property
    def map(self) -> OccupancyMap:
        """What routes are planned on."""
        return self._map

    @property
    def version(self) -> int:
        """Counts the maps taken; a task that sees another number checks its route."""
        return self._version

    def update_map(self, occupancy_map: OccupancyMap) -> None:
        """Plan on another map from now on."""
        self._take(occupancy_map)
        self._version += 1

    def is_free(self, xy_w: ArrayLike) -> NDArray[np.bool_]:
        """Whether the robot may stand at places, shape (...): on the map, and clear of obstacles by its radius."""
        return self._map.contains(xy_w) & (self._map.clearance_at(xy_w) >= self.config.robot_radius - 1e-9)

    def route(self, start_xy_w: ArrayLike, goal_xy_w: ArrayLike) -> Route:
        """The cheapest way; it begins exactly at the start and ends exactly at the goal.

        Args:
            start_xy_w: [m], shape (2,). Nearer to an obstacle than the robot's radius: the way leads out first.
            goal_xy_w: [m], shape (2,).

        Raises:
            NoRouteError: Start or goal off the map, goal too near an obstacle, or no way between them.
        """
        start, goal = self._place("start", start_xy_w), self._place("goal", goal_xy_w)
        clearance = float(self._map.clearance_at(goal))
        if clearance < self.config.robot_radius - 1e-9:
            raise NoRouteError(
                f"goal ({goal[0]:.2f}, {goal[1]:.2f}) has {clearance:.2f} m of clearance; "
                f"the robot needs {self.config.robot_radius:.2f} m"
            )
        costs = self._costs_from(start)
        indices = self._search(costs, start, goal)
        points = self._pulled(costs, np.vstack([start, self._map.centres(indices), goal]))
        return Route(_resampled(points, self.config.spacing), self.is_free)

    def _take(self, occupancy_map: OccupancyMap) -> None:
        self._map = occupancy_map
        clearance, config = occupancy_map.clearance, self.config
        width = max(config.soft_clearance - config.robot_radius, 1e-9)
        nearness = np.clip((config.soft_clearance - clearance) / width, 0.0, 1.0)
        self._costs = np.where(clearance >= config.robot_radius, 1.0 + (config.soft_cost - 1.0) * nearness**2, -1.0)

    def _place(self, name: str, xy_w: ArrayLike) -> Array:
        place = np.asarray(xy_w, dtype=np.float64)
        if place.shape != (2,) or not np.all(np.isfinite(place)):
            raise NoRouteError(f"{name} {place.tolist()} is not a place; give x and y [m]")
        if not self._map.contains(place):
            raise NoRouteError(f"{name} ({place[0]:.2f}, {place[1]:.2f}) lies outside the map")
        return place

    def _costs_from(self, start: Array) -> Array:
        """Cost per cell; around a start inside the robot's radius, ways that do not lead closer are opened."""
        clearance = float(self._map.clearance_at(start))
        if clearance >= self.config.robot_radius:
            return self._costs
        reach = 2.0 * self.config.robot_radius / self._map.resolution
        grid = np.moveaxis(np.indices(self._costs.shape), 0, -1) + 0.5  # (X, Y, 2)
        near = np.linalg.norm(grid - self._map.cells(start), axis=-1) <= reach + 1.0
        outward = self._map.clearance >= min(clearance, 0.0) - self._map.resolution
        return np.where((self._costs < 0.0) & near & outward, _ESCAPE_COST, self._costs)

    def _search(self, costs: Array, start: Array, goal: Array) -> NDArray[np.intp]:
        """Cells of the cheapest way, shape (C, 2)."""
        from skimage.graph import MCP_Geometric  # brings all of SciPy: most of those who import this plan no route

        first, last = (self._nearest_open(costs, place) for place in (start, goal))
        search = MCP_Geometric(costs, fully_connected=True)
        reached, _ = search.find_costs([first], [last])
        if not np.isfinite(reached[last]):
            raise NoRouteError(
                f"no way from ({start[0]:.2f}, {start[1]:.2f}) to ({goal[0]:.2f}, {goal[1]:.2f}) "
                f"with {self.config.robot_radius:.2f} m of clearance"
            )
        return np.array(search.traceback(last), dtype=np.intp)

    def _nearest_open(self, costs: Array, place: Array) -> tuple[int, int]:
        """The cell of a place, or an open one beside it (clearance is linear between centres, cells are not)."""
        i, j = np.minimum(self._map.cells(place).astype(int), np.array(costs.shape) - 1)
        if costs[i, j] < 0.0:
            low = np.maximum([i - 1, j - 1], 0)
            open_cells = np.argwhere(costs[low[0] : i + 2, low[1] : j + 2] >= 0.0) + low
            if len(open_cells):
                apart = np.linalg.norm(open_cells + 0.5 - self._map.cells(place), axis=1)
                i, j = open_cells[np.argmin(apart)]
        return int(i), int(j)

    def _pulled(self, costs: Array, points: Array) -> Array:
        """The same way with fewer corners: a straight line replaces a stretch that costs no less."""
        kept = self._candidates(costs, points)
        spent = np.zeros(len(kept))  # cost of the way so far; a step across a blocked corner counts as an escape
        for i, (a, b) in enumerate(pairwise(kept)):
            spent[i + 1] = spent[i] + min(self._line_cost(costs, a, b), _ESCAPE_COST * float(np.linalg.norm(b - a)))
        out, i = [kept[0]], 0
        while i < len(kept) - 1:
            j = len(kept) - 1
            while j > i + 1 and self._line_cost(costs, kept[i], kept[j]) > spent[j] - spent[i] + 1e-9:
                j -= 1
            out.append(kept[j])
            i = j
        return np.array(out)

    def _candidates(self, costs: Array, points: Array) -> Array:
        """Possible corners: every third cell, and those between where leaving them out would cut a blocked one."""
        chosen = sorted({0, len(points) - 1, *range(1, len(points) - 1, 3)})
        out = [points[0]]
        for first, last in pairwise(chosen):
            blocked = np.isinf(self._line_cost(costs, points[first], points[last]))
            out.extend(points[first + 1 : last + 1] if blocked else points[last : last + 1])
        return np.array(out)

    def _line_cost(self, costs: Array, start: Array, end: Array) -> float:
        """Cost of a straight line [m]; infinite through a blocked cell."""
        length = float(np.linalg.norm(end - start))
        count = max(2, int(np.ceil(2.0 * length / self._map.resolution)))
        line = start + (np.arange(count) + 0.5)[:, None] / count * (end - start)
        index = np.clip(self._map.cells(line).astype(int), 0, np.array(costs.shape) - 1)
        along = costs[index[:, 0], index[:, 1]]
        return float(np.mean(along)) * length if np.all(along >= 0.0) else np.inf


def _resampled(points: Array, spacing: float) -> Array:
    """Points at equal distances along a polyline, its ends kept."""
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    count = max(2, int(np.ceil(along[-1] / spacing)) + 1)
    at = np.linspace(0.0, along[-1], count)
    return np.stack([np.interp(at, along, points[:, k]) for k in (0, 1)], axis=-1)
