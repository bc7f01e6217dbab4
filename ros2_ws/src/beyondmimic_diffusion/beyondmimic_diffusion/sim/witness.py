"""Watches how near a simulated robot comes to obstacles, and whether it touches them: the physics' own verdict."""

from __future__ import annotations

import math

import mujoco
import numpy as np

from ..core.robot.model import FLOOR_GEOM
from .mujoco_g1 import MujocoG1
from .obstacles import obstacle_geoms

REACH = 2.0
"""Gaps wider than this are not measured [m]."""
_APART = 0.2
"""A touch is a new one if there was none for this long [s]."""


class Witness:
    """Counts touches and measures the gap between the robot's collision shapes and the obstacles."""

    def __init__(self, sim: MujocoG1):
        """
        Args:
            sim: Robot among obstacles.
        """
        self._sim = sim
        model = sim.model
        is_obstacle = obstacle_geoms(model)
        solid = (model.geom_contype | model.geom_conaffinity) != 0
        self._obstacles = np.flatnonzero(is_obstacle).tolist()
        of_robot = np.logical_and(solid, np.logical_not(is_obstacle))
        of_robot[model.geom(FLOOR_GEOM).id] = False
        self._robot = np.flatnonzero(of_robot).tolist()
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

    def clearance(self) -> float:
        """Narrowest gap now [m]; negative where shapes overlap, infinite if none is within :data:`REACH`."""
        model, data = self._sim.model, self._sim.data
        mujoco.mj_kinematics(model, data)  # a step leaves the poses of its beginning
        nearest = REACH
        for obstacle in self._obstacles:
            for part in self._robot:
                nearest = min(nearest, mujoco.mj_geomDistance(model, data, part, obstacle, nearest, None))
        return nearest if nearest < REACH else math.inf

    def _pair(self) -> str:
        model, data = self._sim.model, self._sim.data
        for pair in data.contact.geom:
            for mine, other in (pair, pair[::-1]):
                if other in self._obstacles and mine in self._robot:
                    return f"{model.body(model.geom_bodyid[mine]).name} and {model.geom(other).name}"
        return ""
