"""Joints, by name: samples, commands, IMU."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any, cast

import numpy as np
from beyondmimic_msgs import msg as bm
from sensor_msgs.msg import Imu, JointState

from ...core.errors import BeyondMimicError
from ...core.types import Array, ImuSample, JointCommand, JointSample
from .geometry import quat_from_msg, vector_from_msg
from .time import time_from_msg


class MessageError(BeyondMimicError):
    """A message whose arrays and names do not fit together, or that names unknown joints."""


class JointMap:
    """Puts arrays that follow a message's joint names into the robot's order."""

    def __init__(self, joint_names: Sequence[str]):
        """
        Args:
            joint_names: The robot's joints in internal order.
        """
        self.names = list(joint_names)
        self._last: list[str] = self.names
        self._index: np.ndarray | None = None

    def order(self, names: Collection[str], values: Collection[float], what: str) -> Array:
        """Values in internal order, float64, shape (J,); joints that the robot does not have are left out.

        Raises:
            MessageError: A joint is missing, or there are not as many values as names.
        """
        if names != self._last:
            self._index = self.index(names, what)
            self._last = list(names)
        if len(values) != len(names):
            raise MessageError(f"{what}: {len(values)} values for {len(names)} joint names; give one value per name")
        array_ = np.asarray(cast(Any, values), dtype=np.float64)
        return array_.copy() if self._index is None else array_[self._index]

    def index(self, names: Collection[str], what: str) -> np.ndarray | None:
        """Where each of the robot's joints is among ``names``; None if they are the robot's own, in its order.

        Raises:
            MessageError: A joint is missing.
        """
        if list(names) == self.names:
            return None
        position = {name: i for i, name in enumerate(names)}
        missing = [name for name in self.names if name not in position]
        if missing:
            raise MessageError(f"{what}: joints {missing} are missing; it names {list(names)}")
        return np.array([position[name] for name in self.names])


def joint_sample_from_msg(msg: JointState, joints: JointMap) -> JointSample:
    """JointState -> sample in internal order; a velocity or effort that was not sent is NaN."""
    nothing = np.full(len(joints.names), math.nan)
    return JointSample(
        stamp=time_from_msg(msg.header.stamp),
        position=joints.order(msg.name, msg.position, "joint_states.position"),
        velocity=joints.order(msg.name, msg.velocity, "joint_states.velocity") if len(msg.velocity) else nothing,
        effort=joints.order(msg.name, msg.effort, "joint_states.effort") if len(msg.effort) else nothing,
    )


def joint_command_from_msg(msg: bm.JointCommand, joints: JointMap) -> JointCommand:
    """JointCommand message -> command in internal order."""
    ordered = {
        field: joints.order(msg.joint_names, getattr(msg, field), f"joint command {field}")
        for field in ("position", "velocity", "kp", "kd", "effort")
    }
    return JointCommand(stamp=time_from_msg(msg.header.stamp), tau_ff=ordered.pop("effort"), **ordered)


def imu_sample_from_msg(msg: Imu) -> ImuSample:
    """Imu -> sample.

    Raises:
        MessageError: The IMU gives no orientation (``orientation_covariance[0]`` is -1).
    """
    if msg.orientation_covariance[0] < 0.0:
        raise MessageError("imu/data has no orientation (covariance -1); an IMU with its own attitude filter is needed")
    return ImuSample(
        stamp=time_from_msg(msg.header.stamp),
        quat_w=quat_from_msg(msg.orientation),
        ang_vel_b=vector_from_msg(msg.angular_velocity),
        lin_acc_b=vector_from_msg(msg.linear_acceleration),
    )
