"""What every Stage 1 policy looks like to the collector: joint targets at 50 Hz for a batch of robots."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.types import Array, RobotState
from numpy.typing import NDArray

CONTROL_DT = 0.02
"""Spacing of an expert's joint targets [s]."""


@dataclass(frozen=True)
class RobotBatch:
    """What the experts may see of B robots. Most see no position and no linear velocity."""

    root_quat_w: Array
    """Pelvis orientation wxyz, shape (B, 4)."""
    ang_vel_b: Array
    """Gyro, in pelvis axes [rad/s], shape (B, 3)."""
    joint_pos: Array
    """[rad], shape (B, J)."""
    joint_vel: Array
    """[rad/s], shape (B, J)."""
    root_pos_w: Array | None = None
    """Pelvis origin [m], shape (B, 3); only trackers with state estimation look at it."""
    root_lin_vel_b: Array | None = None
    """Velocity of the pelvis origin in pelvis axes [m/s], shape (B, 3); likewise."""

    @staticmethod
    def of(state: RobotState) -> RobotBatch:
        """One robot as a batch of one."""
        quat = np.asarray(state.root_quat_w)[None]
        return RobotBatch(
            quat,
            rotate_inverse(quat, state.root_ang_vel_w[None]),
            state.joint_pos[None],
            state.joint_vel[None],
            state.root_pos_w[None],
            rotate_inverse(quat, state.root_lin_vel_w[None]),
        )

    @staticmethod
    def of_coordinates(qpos: Array, qvel: Array, joint_offset: Array | float = 0.0) -> RobotBatch:
        """Robots given as MuJoCo's coordinates, qpos (B, 36) and qvel (B, 35).

        Args:
            joint_offset: What the encoders read too much [rad].
        """
        quat = qpos[:, 3:7]
        lin_vel_b = rotate_inverse(quat, qvel[:, :3])
        return RobotBatch(quat, qvel[:, 3:6], qpos[:, 7:] + joint_offset, qvel[:, 6:], qpos[:, :3], lin_vel_b)

    @property
    def gravity_b(self) -> Array:
        """Unit vector of gravity in pelvis axes, shape (B, 3)."""
        return rotate_inverse(self.root_quat_w, np.broadcast_to([0.0, 0.0, -1.0], (len(self.root_quat_w), 3)))


def rotate_inverse(quat: Array, vec: Array) -> Array:
    """World vectors (B, 3) in the axes of bodies with orientation wxyz (B, 4)."""
    w, xyz = quat[:, :1], quat[:, 1:]
    t = 2.0 * np.cross(vec, xyz)
    return vec + w * t + np.cross(t, xyz)


class Expert(ABC):
    """A policy that moves B robots at once and keeps each one's memory (last action, gait phase, motion time)."""

    name: str
    skill_id: int
    """Written into each frame of a data set; see ``catalog.py``."""
    kp: Array
    """Gains the policy was trained with [N m/rad], shape (J,)."""
    kd: Array
    """[N m s/rad], shape (J,)."""
    action_scale: Array
    """Radians per action unit, shape (J,)."""
    default_joint_pos: Array = g1.DEFAULT_JOINT_POS
    """What an action of zero means [rad], shape (J,)."""

    @abstractmethod
    def reset(self, robot: RobotBatch) -> None:
        """Forget everything and get ready for these B robots."""

    @abstractmethod
    def restart(self, robot: RobotBatch, rows: NDArray[np.bool_]) -> None:
        """Begin anew on some of the robots, from where they are now.

        Args:
            robot: All B robots.
            rows: True for those that begin anew, shape (B,).
        """

    @abstractmethod
    def act(self, robot: RobotBatch, command: Array) -> Array:
        """Joint targets [rad] for the next 20 ms, shape (B, J); also moves the memory on by one step.

        Args:
            robot: What is seen now.
            command: Forward and lateral velocity [m/s] and yaw rate [rad/s], shape (B, 3); trackers ignore it.
        """

    def observe_executed(self, target: Array) -> None:
        """Tell the expert what was sent to the motors in place of its last targets (B, J) [rad]; e.g. with noise."""
        self.last_action = ((target - self.default_joint_pos) / self.action_scale).astype(np.float32)
