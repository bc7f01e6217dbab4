"""Cheapest way over a small grid by Dijkstra's algorithm, cell by cell. Imports nothing from core."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence

Cell = tuple[int, int]


def cheapest(costs: Sequence[Sequence[float]], start: Cell, goal: Cell) -> float:
    """Cost of the cheapest way between two cells' centres by steps to the eight neighbours.

    A step costs its length in cells times the mean of both cells' costs; a cell of negative cost is blocked.
    Infinite if there is no way.
    """
    best = {start: 0.0}
    queue = [(0.0, start)]
    while queue:
        spent, (i, j) = heapq.heappop(queue)
        if (i, j) == goal:
            return spent
        if spent > best[(i, j)]:
            continue
        for di in (-1, 0, 1):
            for dj in (-1, 0, 1):
                a, b = i + di, j + dj
                inside = 0 <= a < len(costs) and 0 <= b < len(costs[0])
                if (di, dj) == (0, 0) or not inside or costs[a][b] < 0.0:
                    continue
                total = spent + math.hypot(di, dj) * 0.5 * (costs[i][j] + costs[a][b])
                if total < best.get((a, b), math.inf):
                    best[(a, b)] = total
                    heapq.heappush(queue, (total, (a, b)))
    return math.inf
