"""Writers of the messages that are sent in every cycle: sensors, commands, clock, heartbeat.

Each keeps one serialised message and fills in what changes. The bytes are what rclpy would have made of the same
content. A writer is for one thread.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from beyondmimic_msgs import msg as bm
from sensor_msgs.msg import Imu, JointState

from ...core.types import ImuSample, JointCommand, JointSample
from .layout import HEADER, FixedLayout

STAMP = struct.Struct("<iI")
"""Seconds and nanoseconds."""
STAMP_AT = 4
"""Offset of the stamp in a message that begins with a header."""
_NANO = 1_000_000_000
_ATTITUDE = struct.Struct("<4d")
_VECTOR = struct.Struct("<3d")


def pack_stamp(buffer: bytearray, offset: int, seconds: float) -> None:
    """Write a time, rounded to the nanosecond."""
    nanoseconds = round(seconds * 1e9)
    STAMP.pack_into(buffer, offset, nanoseconds // _NANO, nanoseconds % _NANO)


class JointStateWriter:
    """``sensor_msgs/JointState``."""

    def __init__(self, joint_names: Sequence[str]):
        zeros = [0.0] * len(joint_names)
        message = JointState(name=list(joint_names), position=zeros, velocity=zeros, effort=zeros)
        fields = ("position", "velocity", "effort")
        layout = FixedLayout(message, ("header.stamp", *fields))
        self._buffer = bytearray(layout.template)
        self._position, self._velocity, self._effort = layout.rows(self._buffer, *fields)

    def write(self, sample: JointSample) -> bytes:
        """The serialised message with the sample's content."""
        pack_stamp(self._buffer, STAMP_AT, sample.stamp)
        self._position[:], self._velocity[:], self._effort[:] = sample.position, sample.velocity, sample.effort
        return bytes(self._buffer)


class JointCommandWriter:
    """``beyondmimic_msgs/JointCommand``."""

    def __init__(self, joint_names: Sequence[str]):
        zeros = [0.0] * len(joint_names)
        fields = ("position", "velocity", "kp", "kd", "effort")
        message = bm.JointCommand(joint_names=list(joint_names), **dict.fromkeys(fields, zeros))
        layout = FixedLayout(message, ("header.stamp", *fields))
        self._buffer = bytearray(layout.template)
        self._rows = tuple(layout.rows(self._buffer, *fields))

    def write(self, command: JointCommand, stamp: float | None = None) -> bytes:
        """The serialised message with the command's content; ``stamp`` [s] takes the place of the command's own."""
        pack_stamp(self._buffer, STAMP_AT, command.stamp if stamp is None else stamp)
        position, velocity, kp, kd, effort = self._rows
        position[:], velocity[:], effort[:] = command.position, command.velocity, command.tau_ff
        kp[:], kd[:] = command.kp, command.kd
        return bytes(self._buffer)


class ImuWriter:
    """``sensor_msgs/Imu``; covariances are stated as unknown (all zero, REP-145)."""

    def __init__(self, frame_id: str):
        message = Imu()
        message.header.frame_id = frame_id
        changing = ("header.stamp", "orientation", "angular_velocity", "linear_acceleration")
        layout = FixedLayout(message, changing)
        self._buffer = bytearray(layout.template)
        self._orientation = layout.doubles("orientation.x", 4)
        self._gyro = layout.doubles("angular_velocity.x", 3)
        self._accelerometer = layout.doubles("linear_acceleration.x", 3)

    def write(self, sample: ImuSample) -> bytes:
        """The serialised message with the sample's content."""
        pack_stamp(self._buffer, STAMP_AT, sample.stamp)
        w, x, y, z = sample.quat_w
        _ATTITUDE.pack_into(self._buffer, self._orientation, x, y, z, w)
        _VECTOR.pack_into(self._buffer, self._gyro, *sample.ang_vel_b)
        _VECTOR.pack_into(self._buffer, self._accelerometer, *sample.lin_acc_b)
        return bytes(self._buffer)


class ClockWriter:
    """``rosgraph_msgs/Clock``."""

    def write(self, stamp: float) -> bytes:
        """The serialised message of a time [s]."""
        nanoseconds = round(stamp * 1e9)
        return HEADER + STAMP.pack(nanoseconds // _NANO, nanoseconds % _NANO)


class HeartbeatWriter:
    """``beyondmimic_msgs/Heartbeat``."""

    def __init__(self, node_name: str, period: float):
        """
        Args:
            node_name: Goes into the header's frame.
            period: Between two heartbeats [s].
        """
        message = bm.Heartbeat(period=period)
        message.header.frame_id = node_name
        layout = FixedLayout(message, ("header.stamp", "progress"))
        self._buffer = bytearray(layout.template)
        place = layout.places["progress"]
        self._progress = place.offset
        self._pack = struct.Struct({"<u8": "<Q", "<u4": "<I"}[place.dtype])

    def write(self, stamp_ns: int, progress: int) -> bytes:
        """The serialised message; ``stamp_ns`` is the node's clock [ns]."""
        STAMP.pack_into(self._buffer, STAMP_AT, stamp_ns // _NANO, stamp_ns % _NANO)
        self._pack.pack_into(self._buffer, self._progress, progress)
        return bytes(self._buffer)
