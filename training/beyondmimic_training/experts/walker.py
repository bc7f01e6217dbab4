"""Walkers that follow a velocity command (holosoma's FastSAC and PPO policies)."""

from __future__ import annotations

import numpy as np
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.robot.velocity_walker import (
    ACTION_SCALE,
    STANDING_PHASE,
    WALKER_FILES,
    pretrained_path,
    walker_observation,
)
from beyondmimic_diffusion.core.types import Array
from numpy.typing import NDArray

from .interface import CONTROL_DT, Expert, RobotBatch
from .onnx_policy import OnnxNetwork, holosoma_gains

GAIT_PERIOD = 1.0
"""[s]."""
STAND_THRESHOLD = 0.01
"""Commands whose linear and angular parts are both below this mean: stand."""


class WalkerExpert(Expert):
    """Two feet half a gait period apart; both phases rest at pi while standing and restart at (0, pi)."""

    def __init__(self, name: str, skill_id: int):
        self.name = name
        self.skill_id = skill_id
        self._policy = OnnxNetwork(pretrained_path(WALKER_FILES[name]))
        self.kp, self.kd = holosoma_gains(self._policy)
        self.action_scale = np.full(g1.NUM_JOINTS, ACTION_SCALE)

    def reset(self, robot: RobotBatch) -> None:
        """See :meth:`Expert.reset`; robots are taken to be standing."""
        batch = len(robot.joint_pos)
        self.last_action = np.zeros((batch, g1.NUM_JOINTS), dtype=np.float32)
        self._phase = np.full((batch, 2), STANDING_PHASE)
        self._standing = np.ones(batch, dtype=bool)

    def restart(self, robot: RobotBatch, rows: NDArray[np.bool_]) -> None:
        """See :meth:`Expert.restart`."""
        self.last_action = np.where(rows[:, None], np.float32(0.0), self.last_action)
        self._phase[rows] = STANDING_PHASE
        self._standing[rows] = True

    def act(self, robot: RobotBatch, command: Array) -> Array:
        """See :meth:`Expert.act`."""
        self._advance_phase(command)
        offset = robot.joint_pos - self.default_joint_pos
        observation = walker_observation(
            self.last_action, robot.ang_vel_b, command, self._phase, offset, robot.joint_vel, robot.gravity_b
        )
        (action,) = self._policy(["action"], actor_obs=observation)
        self.last_action = action
        return self.default_joint_pos + self.action_scale * action

    def _advance_phase(self, command: Array) -> None:
        stand = (np.linalg.norm(command[:, :2], axis=1) < STAND_THRESHOLD) & (np.abs(command[:, 2]) < STAND_THRESHOLD)
        moved = self._phase + 2.0 * np.pi * CONTROL_DT / GAIT_PERIOD
        moved = np.fmod(moved + np.pi, 2.0 * np.pi) - np.pi
        moved[self._standing & ~stand] = (0.0, np.pi)
        moved[stand] = STANDING_PHASE
        self._phase, self._standing = moved, stand
