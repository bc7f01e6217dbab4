"""Watches whether a simulated robot touches obstacles: the physics' own verdict."""

from __future__ import annotations

import math

import numpy as np

from .gap import robot_geoms
from .mujoco_g1 import MujocoG1
from .obstacles import obstacle_geoms

_APART = 0.2
"""A touch is a new one if there was none for this long [s]."""


class Witness:
    """Counts touches between the robot and the obstacles."""

    def __init__(self, sim: MujocoG1):
        """
        Args:
            sim: Robot among obstacles.
        """
        self._sim = sim
        self._obstacles = np.flatnonzero(obstacle_geoms(sim.model)).tolist()
        self._robot = np.flatnonzero(robot_geoms(sim.model)).tolist()
        self._last_touch = -math.inf
        self.touches = 0
        """Touches so far; leaning on an obstacle counts once."""
        self.last = ""
        """Who touched what, at the last touch."""

    @property
    def needed(self) -> bool:
        """Whether there is anything to watch."""
        return bool(self._obstacles)

    def look(self) -> bool:
        """To be called after each step; True if a new touch has begun."""
        if not self.needed or not self._sim.touches_obstacle():
            return False
        now = self._sim.stamp
        begun = now - self._last_touch > _APART
        self._last_touch = now
        if begun:
            self.touches += 1
            self.last = self._pair()
        return begun

    def _pair(self) -> str:
        model, data = self._sim.model, self._sim.data
        for pair in data.contact.geom:
            for mine, other in (pair, pair[::-1]):
                if other in self._obstacles and mine in self._robot:
                    return f"{model.body(model.geom_bodyid[mine]).name} and {model.geom(other).name}"
        return ""
