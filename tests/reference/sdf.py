"""Signed distances of single points by slow, plain routes. Imports nothing from core."""

from __future__ import annotations

import math
from collections.abc import Sequence

Point = Sequence[float]


def sphere(p: Point, center: Point, radius: float) -> float:
    return math.dist(p, center) - radius


def segment(p: Point, start: Point, end: Point) -> float:
    """Distance to a line segment by ternary search: along it the distance is convex."""
    low, high = 0.0, 1.0
    for _ in range(200):
        a, b = low + (high - low) / 3.0, high - (high - low) / 3.0
        if math.dist(p, _between(start, end, a)) < math.dist(p, _between(start, end, b)):
            high = b
        else:
            low = a
    return math.dist(p, _between(start, end, 0.5 * (low + high)))


def box(p: Point, center: Point, half_size: Point, yaw: float) -> float:
    """Outside: distance to the nearest point of the box. Inside: minus the distance to the nearest face."""
    dx, dy = p[0] - center[0], p[1] - center[1]
    local = (
        math.cos(yaw) * dx + math.sin(yaw) * dy,
        -math.sin(yaw) * dx + math.cos(yaw) * dy,
        p[2] - center[2],
    )
    nearest = [min(max(x, -h), h) for x, h in zip(local, half_size, strict=True)]
    if nearest == list(local):
        return -min(h - abs(x) for x, h in zip(local, half_size, strict=True))
    return math.dist(local, nearest)


def cylinder(p: Point, center: Point, radius: float, half_height: float) -> float:
    """Upright; as the box, with the circle's edge instead of the four sides."""
    radial, height = math.hypot(p[0] - center[0], p[1] - center[1]), p[2] - center[2]
    if radial <= radius and abs(height) <= half_height:
        return -min(radius - radial, half_height - abs(height))
    return math.dist((radial, height), (min(radial, radius), min(max(height, -half_height), half_height)))


def _between(start: Point, end: Point, share: float) -> list[float]:
    return [a + share * (b - a) for a, b in zip(start, end, strict=True)]
