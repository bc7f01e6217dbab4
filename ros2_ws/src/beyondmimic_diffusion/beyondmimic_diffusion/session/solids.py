"""Obstacles as things to look at: from plain data to what a picture can show."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..core.tasks import Obstacle
from ..core.types import Array


@dataclass(frozen=True)
class Solid:
    """One obstacle, in the words of MuJoCo's geoms."""

    kind: str
    """``sphere``, ``capsule``, ``cylinder`` or ``box``; upright."""
    size: tuple[float, float, float]
    """Radius; radius, half length; radius, half height; half edges [m]; the rest is 0."""
    pos_w: tuple[float, float, float]
    """Centre [m]."""
    yaw: float = 0.0
    """Heading of its x axis [rad]."""

    def outline_xy(self, corners: int = 32) -> Array:
        """Its shadow on the floor as a polygon [m], (C, 2)."""
        if self.kind == "box":
            signs = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)], dtype=float)
            c, s = math.cos(self.yaw), math.sin(self.yaw)
            return np.array(self.pos_w[:2]) + (signs * self.size[:2]) @ np.array([[c, s], [-s, c]])
        angle = np.linspace(0.0, 2.0 * math.pi, corners, endpoint=False)
        return np.array(self.pos_w[:2]) + self.size[0] * np.column_stack([np.cos(angle), np.sin(angle)])


def solid_of(obstacle: Obstacle, time: float = 0.0) -> Solid:
    """What an obstacle looks like at a time of its scene [s]."""
    there, size = obstacle.at(time), obstacle.size
    if obstacle.shape == "sphere":
        return Solid("sphere", (size[0], 0.0, 0.0), there.center)
    if obstacle.shape == "box":
        return Solid("box", (0.5 * size[0], 0.5 * size[1], 0.5 * size[2]), there.center, obstacle.yaw)
    return Solid(obstacle.shape, (size[0], 0.5 * size[1], 0.0), there.center)
