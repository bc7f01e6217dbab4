"""Where the robot will be when a slow planner's plan can take over: physics, under the targets that are on their way.

Training commits at most two whole action tokens, and a robot that reacts to what it saw long ago falls. So a plan whose
latency is longer than a token is not made for the moment of the observation but for a later one, which is computed::

    observation t        plan.stamp = t + whole tokens of latency
    |---- promised ------|--0--|--1--|--2-- own set-points ...
         simulated

The robot is the nominal one on a flat floor. What differs from it is seen in the next observation.
"""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import ArrayLike

from .robot.kinematics import from_mujoco, to_mujoco
from .robot.model import foot_geom_ids, load_model
from .types import Array, RobotState

_SOLE_TOLERANCE = 0.005
"""An estimated root this much too high or too low is put where a foot touches the floor, while it is simulated [m]."""


class Foresight:
    """Simulates one robot for a moment; holds a scratch ``MjData``, so one object per thread."""

    def __init__(self, kp: ArrayLike, kd: ArrayLike, model: mujoco.MjModel | None = None):
        """
        Args:
            kp: Stiffness of the policy [N m/rad], shape (J,).
            kd: Damping of the policy [N m s/rad], shape (J,).
            model: A G1 with PD actuators on a floor; may be shared within the thread; by default one is made.
        """
        self._model = load_model() if model is None else model
        self._model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_SENSOR
        self._data = mujoco.MjData(self._model)
        self._kp = np.asarray(kp, dtype=np.float64)
        self._kd = np.asarray(kd, dtype=np.float64)
        self._feet = foot_geom_ids(self._model)

    def states(self, state: RobotState, targets: Array, dt: float) -> list[RobotState]:
        """The robot at the end of each target.

        Args:
            state: Where it is.
            targets: Joint targets that follow each other [rad], shape (n, J).
            dt: How long each is in force [s].
        """
        model, data = self._model, self._data
        model.actuator_biasprm[:, 1], model.actuator_biasprm[:, 2] = -self._kp, -self._kd
        mujoco.mj_resetData(model, data)
        data.qpos[:], data.qvel[:] = to_mujoco(state)
        mujoco.mj_kinematics(model, data)
        lowest = self._sole_height()
        lift = -lowest if abs(lowest) > _SOLE_TOLERANCE else 0.0
        data.qpos[2] += lift
        steps = round(dt / model.opt.timestep)
        found = []
        for number, target in enumerate(targets, start=1):
            data.ctrl[:] = self._kp * target
            mujoco.mj_step(model, data, steps)
            qpos = data.qpos.copy()
            qpos[2] -= lift
            found.append(from_mujoco(qpos, data.qvel, state.stamp + number * dt))
        return found

    def _sole_height(self) -> float:
        """Height of the lowest point of the feet [m]."""
        data, size = self._data, self._model.geom_size[self._feet]
        slope = np.abs(data.geom_xmat[self._feet, 8])  # capsules lie along their own z
        return float(np.min(data.geom_xpos[self._feet, 2] - size[:, 1] * slope - size[:, 0]))
