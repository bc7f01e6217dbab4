"""Walkers that follow a velocity command (holosoma's FastSAC and PPO policies)."""

from __future__ import annotations

import numpy as np
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.types import Array
from numpy.typing import NDArray

from .interface import CONTROL_DT, Expert, RobotBatch
from .onnx_policy import OnnxNetwork, holosoma_gains, model_path

ACTION_SCALE = 0.25
"""Radians per action unit."""
GAIT_PERIOD = 1.0
"""[s]."""
STAND_THRESHOLD = 0.01
"""Commands whose linear and angular parts are both below this mean: stand."""


class WalkerExpert(Expert):
    """Two feet half a gait period apart; both phases rest at pi while standing and restart at (0, pi)."""

    def __init__(self, name: str, file: str, skill_id: int):
        self.name = name
        self.skill_id = skill_id
        self._policy = OnnxNetwork(model_path(file))
        self.kp, self.kd = holosoma_gains(self._policy)
        self.action_scale = np.full(g1.NUM_JOINTS, ACTION_SCALE)

    def reset(self, robot: RobotBatch) -> None:
        """See :meth:`Expert.reset`; robots are taken to be standing."""
        batch = len(robot.joint_pos)
        self.last_action = np.zeros((batch, g1.NUM_JOINTS), dtype=np.float32)
        self._phase = np.full((batch, 2), np.pi)
        self._standing = np.ones(batch, dtype=bool)

    def restart(self, robot: RobotBatch, rows: NDArray[np.bool_]) -> None:
        """See :meth:`Expert.restart`."""
        self.last_action = np.where(rows[:, None], np.float32(0.0), self.last_action)
        self._phase[rows] = np.pi
        self._standing[rows] = True

    def act(self, robot: RobotBatch, command: Array) -> Array:
        """See :meth:`Expert.act`."""
        self._advance_phase(command)
        observation = self._observation(robot, command)
        (action,) = self._policy(["action"], actor_obs=observation)
        self.last_action = action
        return self.default_joint_pos + self.action_scale * action

    def _advance_phase(self, command: Array) -> None:
        stand = (np.linalg.norm(command[:, :2], axis=1) < STAND_THRESHOLD) & (np.abs(command[:, 2]) < STAND_THRESHOLD)
        moved = self._phase + 2.0 * np.pi * CONTROL_DT / GAIT_PERIOD
        moved = np.fmod(moved + np.pi, 2.0 * np.pi) - np.pi
        moved[self._standing & ~stand] = (0.0, np.pi)
        moved[stand] = np.pi
        self._phase, self._standing = moved, stand

    def _observation(self, robot: RobotBatch, command: Array) -> Array:
        """Terms in alphabetical order of their names upstream, shape (B, 100)."""
        terms = (
            self.last_action,
            0.25 * robot.ang_vel_b,
            command[:, 2:],
            command[:, :2],
            np.cos(self._phase),
            robot.joint_pos - self.default_joint_pos,
            0.05 * robot.joint_vel,
            robot.gravity_b,
            np.sin(self._phase),
        )
        return np.concatenate(terms, axis=1)
