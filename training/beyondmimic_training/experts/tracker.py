"""Whole-body trackers that dance a motion stored inside their own ONNX file (BeyondMimic's Stage 1, via holosoma)."""

from __future__ import annotations

import numpy as np
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.rotations import (
    quat_conjugate,
    quat_from_rotvec,
    quat_from_yaw,
    quat_multiply,
    quat_to_matrix,
    yaw_of,
)
from beyondmimic_diffusion.core.types import Array
from numpy.typing import NDArray

from .interface import Expert, RobotBatch
from .onnx_policy import OnnxPolicy, model_path

_WAIST = tuple(g1.JOINT_NAMES.index(f"waist_{part}_joint") for part in ("yaw", "roll", "pitch"))
_WAIST_AXES = ((0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
_MAX_FRAMES = 100_000


class TrackerExpert(Expert):
    """Tracks joint angles, joint velocities and the torso's orientation of its motion.

    After the end it holds the last pose. The motion's heading is turned so that it starts where the robot faces.
    """

    def __init__(self, name: str, file: str, skill_id: int, action_scale: Array | None = None):
        """
        Args:
            action_scale: Radians per action unit, shape (J,); BeyondMimic's 0.25 effort / kp unless given.
        """
        self.name = name
        self.skill_id = skill_id
        self._policy = OnnxPolicy(model_path(file), outputs=("actions",))
        self.kp, self.kd = self._policy.kp, self._policy.kd
        self.action_scale = 0.25 * g1.EFFORT_LIMITS / self.kp if action_scale is None else action_scale
        self.motion_joint_pos, self.motion_joint_vel, self.motion_torso_quat = _read_motion(file)

    @property
    def num_frames(self) -> int:
        """Length of the motion at 50 Hz."""
        return len(self.motion_joint_pos)

    def reset(self, robot: RobotBatch) -> None:
        """See :meth:`Expert.reset`; robots should be near the motion's first pose."""
        batch = len(robot.joint_pos)
        self.last_action = np.zeros((batch, g1.NUM_JOINTS), dtype=np.float32)
        self._frame = np.zeros(batch, dtype=np.int64)
        self._turn = self._heading(robot)

    def restart(self, robot: RobotBatch, rows: NDArray[np.bool_]) -> None:
        """See :meth:`Expert.restart`."""
        self.last_action = np.where(rows[:, None], np.float32(0.0), self.last_action)
        self._frame[rows] = 0
        self._turn = np.where(rows[:, None], self._heading(robot), self._turn)

    def _heading(self, robot: RobotBatch) -> Array:
        """Rotation about z that turns the motion to where each robot's torso faces, shape (B, 4)."""
        return quat_from_yaw(yaw_of(_torso_quat(robot)) - yaw_of(self.motion_torso_quat[0]))

    def act(self, robot: RobotBatch, command: Array) -> Array:
        """See :meth:`Expert.act`; the command is ignored."""
        seen, time = self._observation(robot), np.zeros((1, 1))  # the shipped networks take one robot at a time
        rows = [self._policy(["actions"], obs=row[None], time_step=time)[0] for row in seen]
        action = np.concatenate(rows)
        self._frame = np.minimum(self._frame + 1, self.num_frames - 1)
        self.last_action = action
        return self.default_joint_pos + self.action_scale * action

    def _observation(self, robot: RobotBatch) -> Array:
        """Terms in alphabetical order of their names upstream, shape (B, 154)."""
        batch = len(robot.joint_pos)
        motion = np.concatenate([self.motion_joint_pos[self._frame], self.motion_joint_vel[self._frame]], axis=1)
        wanted = quat_multiply(self._turn, self.motion_torso_quat[self._frame])
        error = quat_to_matrix(quat_multiply(quat_conjugate(_torso_quat(robot)), wanted))
        terms = (
            self.last_action,
            robot.ang_vel_b,
            robot.joint_pos - self.default_joint_pos,
            robot.joint_vel,
            motion,
            error[..., :2].reshape(batch, 6),
        )
        return np.concatenate(terms, axis=1)


def _read_motion(file: str) -> tuple[Array, Array, Array]:
    """Joint angles (T, J) [rad], joint velocities (T, J) [rad/s] and torso orientations wxyz (T, 4) at 50 Hz.

    The network clips its time index to the motion's length, so the last frame repeats for ever.
    """
    names = ("joint_pos", "joint_vel", "ref_quat_xyzw")
    motion = OnnxPolicy(model_path(file), outputs=names)
    observation = np.zeros((1, 154), dtype=np.float32)

    def frame(index: int) -> Array:
        parts = motion(list(names), obs=observation, time_step=np.array([[index]]))
        return np.concatenate([part.reshape(-1) for part in parts])

    last = frame(_MAX_FRAMES)
    low, high = 0, _MAX_FRAMES  # bisection for the first index from which on nothing changes
    while low < high:
        middle = (low + high) // 2
        if np.array_equal(frame(middle), last):
            high = middle
        else:
            low = middle + 1
    table = np.array([frame(i) for i in range(low + 1)])
    j = g1.NUM_JOINTS
    return table[:, :j], table[:, j : 2 * j], np.roll(table[:, 2 * j :], 1, axis=1)


def _torso_quat(robot: RobotBatch) -> Array:
    """Orientation of the torso: the pelvis's, then the three waist joints; shape (B, 4)."""
    quat = robot.root_quat_w
    for joint, axis in zip(_WAIST, _WAIST_AXES, strict=True):
        quat = quat_multiply(quat, quat_from_rotvec(robot.joint_pos[:, joint, None] * np.asarray(axis)))
    return quat
