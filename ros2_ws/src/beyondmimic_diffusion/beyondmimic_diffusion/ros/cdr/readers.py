"""Readers of the messages of the control loop: serialised bytes in, the core's types out."""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from beyondmimic_msgs import msg as bm
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Imu, JointState

from ...core.types import Array, ImuSample, JointCommand, JointSample, RobotState
from ..conversions.joints import (
    JointMap,
    MessageError,
    imu_sample_from_msg,
    joint_command_from_msg,
    joint_sample_from_msg,
)
from ..conversions.state import robot_state_from_msg, root_from_odometry
from .layout import FixedLayout, LayoutError
from .rotate import rotated
from .writers import STAMP, STAMP_AT

T = TypeVar("T")
_MOST_LAYOUTS = 20
"""So often a layout is learnt, at a millisecond each; afterwards the last one stays."""
_IMU = struct.Struct("<4d9d3d9d3d")
"""Orientation xyzw, its covariance, gyroscope, its covariance, accelerometer."""
_POSE_AND_TWIST = struct.Struct("<13d")
POSE = struct.Struct("<7d")
"""Position, quaternion xyzw."""
_TWIST = struct.Struct("<6d")
_JOINT_STATE = ("position", "velocity", "effort")
_COMMAND = ("position", "velocity", "kp", "kd", "effort")


class Reader(ABC, Generic[T]):
    """Reads one topic. The first message, and any that is laid out differently from the last, goes through rclpy."""

    def __init__(self, message_type: Any, what: str, changing: Sequence[str]):
        """
        Args:
            message_type: Of the topic.
            what: Name for complaints.
            changing: Fields that differ from message to message.
        """
        self._message_type = message_type
        self._what = what
        self._changing = tuple(changing)
        self._layout: FixedLayout | None = None
        self._learnt = 0

    def read(self, raw: bytes) -> T:
        """The message's content.

        Raises:
            MessageError: These bytes are no such message, or one that must be refused.
        """
        if self._layout is not None and self._layout.matches(raw):
            return self._fast(raw)
        try:
            message = deserialize_message(raw, self._message_type)
        except Exception as error:  # rclpy has several unrelated types for this
            raise MessageError(f"{self._what}: {len(raw)} bytes that are no {self._message_type.__name__}") from error
        result = self._general(message)
        self._learn(message, raw)
        return result

    @abstractmethod
    def _general(self, message: Any) -> T:
        """From the decoded message."""

    @abstractmethod
    def _fast(self, raw: bytes) -> T:
        """From bytes that have the layout."""

    @abstractmethod
    def _prepare(self, layout: FixedLayout, message: Any) -> None:
        """Note where everything is.

        Raises:
            LayoutError: Such messages cannot be read as arrays.
        """

    def _changing_of(self, message: Any) -> tuple[str, ...]:
        """Paths of the fields that differ from message to message."""
        return self._changing

    def _learn(self, message: Any, raw: bytes) -> None:
        if self._learnt == _MOST_LAYOUTS:
            return  # a topic on which every message is laid out differently
        self._learnt += 1
        self._layout = None
        try:
            layout = FixedLayout(message, self._changing_of(message))
            if layout.matches(raw):
                self._prepare(layout, message)
                self._layout = layout
        except LayoutError:
            return  # the general path serves


class JointStateReader(Reader[JointSample]):
    """``joint_states``; see :func:`~..conversions.joints.joint_sample_from_msg`."""

    def __init__(self, joints: JointMap):
        super().__init__(JointState, "joint_states", ("header.stamp", *_JOINT_STATE))
        self._joints = joints

    def _general(self, message: JointState) -> JointSample:
        return joint_sample_from_msg(message, self._joints)

    def _prepare(self, layout: FixedLayout, message: JointState) -> None:
        self._rows = _Rows(layout, _JOINT_STATE)
        self._index = self._joints.index(message.name, "joint_states")

    def _fast(self, raw: bytes) -> JointSample:
        sec, nanosec = STAMP.unpack_from(raw, STAMP_AT)
        return JointSample(sec + nanosec * 1e-9, *self._rows.read(raw, self._index))


class JointCommandReader(Reader[JointCommand]):
    """``motor_command`` and ``applied_joint_commands``; see :func:`~..conversions.joints.joint_command_from_msg`."""

    def __init__(self, joints: JointMap):
        super().__init__(bm.JointCommand, "joint command", ("header.stamp", *_COMMAND))
        self._joints = joints

    def _general(self, message: bm.JointCommand) -> JointCommand:
        return joint_command_from_msg(message, self._joints)

    def _prepare(self, layout: FixedLayout, message: bm.JointCommand) -> None:
        self._rows = _Rows(layout, _COMMAND)
        self._index = self._joints.index(message.joint_names, "joint command")

    def _fast(self, raw: bytes) -> JointCommand:
        sec, nanosec = STAMP.unpack_from(raw, STAMP_AT)
        return JointCommand(sec + nanosec * 1e-9, *self._rows.read(raw, self._index))


class ImuReader(Reader[ImuSample]):
    """``imu/data``; see :func:`~..conversions.joints.imu_sample_from_msg`."""

    def __init__(self) -> None:
        numbers = ("orientation", "angular_velocity", "linear_acceleration")
        covariances = tuple(f"{name}_covariance" for name in numbers)
        super().__init__(Imu, "imu/data", ("header.stamp", *numbers, *covariances))

    def _general(self, message: Imu) -> ImuSample:
        return imu_sample_from_msg(message)

    def _prepare(self, layout: FixedLayout, message: Imu) -> None:
        self._at = layout.doubles("orientation.x", 4 + 9 + 3 + 9 + 3 + 9)

    def _fast(self, raw: bytes) -> ImuSample:
        values = _IMU.unpack_from(raw, self._at)
        if values[4] < 0.0:
            return self._general(deserialize_message(raw, Imu))  # is refused
        sec, nanosec = STAMP.unpack_from(raw, STAMP_AT)
        x, y, z, w = values[:4]
        numbers = np.array((w, x, y, z, *values[13:16], *values[25:28]))
        return ImuSample(sec + nanosec * 1e-9, numbers[:4], numbers[4:7], numbers[7:])


class RobotStateReader(Reader[RobotState]):
    """``robot_state``; see :func:`~..conversions.state.robot_state_from_msg`."""

    def __init__(self, joints: JointMap):
        own = ("receive_stamp", "source_tick", "root_pose", "root_twist", "angular_velocity", "linear_acceleration")
        flags = ("foot_contact", "odom_source", "position_std")
        super().__init__(bm.RobotState, "robot_state", ("header.stamp", *_JOINT_STATE, *own, *flags))
        self._joints = joints

    def _general(self, message: bm.RobotState) -> RobotState:
        return robot_state_from_msg(message, self._joints)

    def _prepare(self, layout: FixedLayout, message: bm.RobotState) -> None:
        self._rows = _Rows(layout, ("position", "velocity"))
        self._index = self._joints.index(message.joint_names, "robot_state")
        self._root = layout.doubles("root_pose.position.x", 13)

    def _fast(self, raw: bytes) -> RobotState:
        sec, nanosec = STAMP.unpack_from(raw, STAMP_AT)
        root = _moving(_POSE_AND_TWIST.unpack_from(raw, self._root))
        return RobotState(sec + nanosec * 1e-9, *root, *self._rows.read(raw, self._index))


class RootMotion(NamedTuple):
    """What an odometry message tells, velocities in world axes."""

    stamp: float
    """[s]."""
    position: Array
    """[m], shape (3,)."""
    quat: Array
    """wxyz, shape (4,)."""
    linear: Array
    """[m/s], shape (3,)."""
    angular: Array
    """[rad/s], shape (3,)."""


class OdometryReader(Reader[RootMotion]):
    """``ground_truth/odom``; see :func:`~..conversions.state.root_from_odometry`."""

    def __init__(self) -> None:
        super().__init__(Odometry, "odometry", ("header.stamp", "pose", "twist"))

    def _general(self, message: Odometry) -> RootMotion:
        return RootMotion(*root_from_odometry(message))

    def _prepare(self, layout: FixedLayout, message: Odometry) -> None:
        self._pose = layout.doubles("pose.pose.position.x", 7)
        self._twist = layout.doubles("twist.twist.linear.x", 6)

    def _fast(self, raw: bytes) -> RootMotion:
        sec, nanosec = STAMP.unpack_from(raw, STAMP_AT)
        values = (*POSE.unpack_from(raw, self._pose), *_TWIST.unpack_from(raw, self._twist))
        return RootMotion(sec + nanosec * 1e-9, *_moving(values))


def clock_seconds(raw: bytes) -> float:
    """Time of a serialised ``rosgraph_msgs/Clock`` [s].

    Raises:
        MessageError: These bytes are no such message.
    """
    if len(raw) < 12 or raw[0] != 0 or raw[1] not in (0, 1):
        raise MessageError(f"/clock: {len(raw)} bytes that are no Clock")
    sec, nanosec = struct.unpack_from("<iI" if raw[1] else ">iI", raw, 4)
    return sec + nanosec * 1e-9


def stamp_of(raw: bytes) -> float:
    """Stamp of a serialised message that begins with a header [s].

    Raises:
        MessageError: There are too few bytes for one.
    """
    if len(raw) < 12 or raw[0] != 0 or raw[1] not in (0, 1):
        raise MessageError(f"{len(raw)} bytes that hold no stamp")
    sec, nanosec = struct.unpack_from("<iI" if raw[1] else ">iI", raw, STAMP_AT)
    return sec + nanosec * 1e-9


class _Rows:
    """Arrays of one message, in internal joint order and double precision."""

    def __init__(self, layout: FixedLayout, fields: Sequence[str]):
        view = layout.rows(layout.template, *fields)
        self._shape, self._dtype, self._strides = view.shape, view.dtype, view.strides
        self._offset = layout.places[fields[0]].offset

    def read(self, raw: bytes, index: NDArray[np.integer] | None) -> Array:
        """Shape (fields, J)."""
        view = np.ndarray(self._shape, self._dtype, raw, self._offset, self._strides)
        return view.astype(np.float64) if index is None else view[:, index].astype(np.float64)


def _moving(values: tuple[float, ...]) -> tuple[Array, Array, Array, Array]:
    """Position, quaternion xyzw and twist in body axes -> position, quaternion wxyz, velocities in world axes."""
    x, y, z, w = values[3:7]
    quat = (w, x, y, z)
    numbers = np.array((*values[:3], *quat, *rotated(quat, values[7:10]), *rotated(quat, values[10:13])))
    return numbers[:3], numbers[3:7], numbers[7:10], numbers[10:]
