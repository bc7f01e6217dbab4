"""How near a simulated robot is to obstacles.

MuJoCo has a routine for distances between geoms (``mj_geomDistance``), but now and then it says 0 for a capsule and a
cylinder that are 0.2 m apart (version 3.11). All of the robot's collision shapes are spheres and capsules, so points
along their axes and the obstacles' own signed distance do.
"""

from __future__ import annotations

import mujoco
import numpy as np

from ..core.errors import RobotModelError
from ..core.guidance.sdf import SignedDistance
from ..core.robot.model import FLOOR_GEOM
from ..core.types import Array
from .mujoco_g1 import MujocoG1
from .obstacles import obstacle_geoms

SPACING = 0.02
"""Of the points along a capsule's axis [m]; the thinnest has a radius of 0.01 m."""


def robot_geoms(model: mujoco.MjModel) -> Array:
    """Which geoms are the robot's collision shapes, bool, shape (ngeom,)."""
    solid = (model.geom_contype | model.geom_conaffinity) != 0
    chosen = np.logical_and(solid, np.logical_not(obstacle_geoms(model)))
    chosen[model.geom(FLOOR_GEOM).id] = False
    return chosen


class GapMeter:
    """Measures the gap between the robot's collision shapes and what stands around."""

    def __init__(self, sim: MujocoG1, obstacles: SignedDistance):
        """
        Args:
            sim: The robot.
            obstacles: In the world; moving ones as they are at stamp 0.

        Raises:
            RobotModelError: The robot has a collision shape that is neither sphere nor capsule.
        """
        self._sim = sim
        self._obstacles = obstacles
        geoms, along = [], []
        for geom in np.flatnonzero(robot_geoms(sim.model)):
            kind, half = sim.model.geom_type[geom], float(sim.model.geom_size[geom, 1])
            if kind not in (mujoco.mjtGeom.mjGEOM_SPHERE, mujoco.mjtGeom.mjGEOM_CAPSULE):
                raise RobotModelError(f"geom '{sim.model.geom(geom).name}' is no sphere and no capsule")
            if kind == mujoco.mjtGeom.mjGEOM_SPHERE:
                half = 0.0
            places = np.linspace(-half, half, 2 * int(np.ceil(half / SPACING)) + 1)
            geoms += [geom] * len(places)
            along += places.tolist()
        self._geoms, self._along = np.array(geoms), np.array(along)[:, None]  # (P,), (P, 1)
        self._radii = sim.model.geom_size[self._geoms, 0].copy()  # (P,)

    def measure(self) -> float:
        """Narrowest gap now [m], too wide by 2 mm at most; negative where shapes overlap."""
        data = self._sim.data
        mujoco.mj_kinematics(self._sim.model, data)  # a step leaves the poses of its beginning
        axes = data.geom_xmat[self._geoms][:, 2::3]  # a capsule lies along its own z; (P, 3)
        points = data.geom_xpos[self._geoms] + self._along * axes
        return float(np.min(self._obstacles.query(points, self._sim.stamp)[0] - self._radii))
