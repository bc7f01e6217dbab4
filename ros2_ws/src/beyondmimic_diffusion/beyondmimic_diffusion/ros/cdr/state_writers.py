"""Writers of what the estimator publishes: ``robot_state``, ``odom`` (and ``ground_truth/odom``), ``/tf``."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence

import numpy as np
from beyondmimic_msgs import msg as bm
from geometry_msgs.msg import TransformStamped
from nav_msgs.msg import Odometry
from tf2_msgs.msg import TFMessage

from ...core.estimation import Uncertainty
from ...core.types import Array, ImuSample, RobotState
from .layout import FixedLayout
from .rotate import rotated
from .writers import STAMP_AT, pack_stamp

_ROOT = struct.Struct("<19d")
"""Pose (position, quaternion xyzw), twist, gyroscope, accelerometer."""
_POSE = struct.Struct("<7d")
_TWIST = struct.Struct("<6d")
_FLAGS = struct.Struct("<??B")
_FLOAT = struct.Struct("<f")
_LEAST_VARIANCE = 1e-6
"""Of a horizontal position that is called exact [m^2]."""


class RobotStateWriter:
    """``beyondmimic_msgs/RobotState``; the twist is turned from world axes into pelvis axes."""

    def __init__(self, joint_names: Sequence[str], frame_id: str):
        zeros = [0.0] * len(joint_names)
        arrays = ("position", "velocity", "effort")
        message = bm.RobotState(joint_names=list(joint_names), **dict.fromkeys(arrays, zeros))
        message.header.frame_id = frame_id
        root = ("root_pose", "root_twist", "angular_velocity", "linear_acceleration")
        flags = ("foot_contact", "odom_source", "position_std")
        layout = FixedLayout(message, ("header.stamp", "receive_stamp", *arrays, *root, *flags))
        self._buffer = bytearray(layout.template)
        self._position, self._velocity, self._effort = layout.rows(self._buffer, *arrays)
        self._root = layout.doubles("root_pose.position.x", 19)
        self._received = layout.places["receive_stamp.sec"].offset
        self._flags = layout.places["foot_contact"].offset
        self._std = layout.places["position_std"].offset

    def write(
        self,
        state: RobotState,
        imu: ImuSample,
        effort: Array,
        odom_source: int,
        foot_contact: tuple[bool, bool],
        position_std: float,
        receive_stamp: float,
    ) -> bytes:
        """The serialised message.

        Args:
            state: What is believed.
            imu: The sample that it was made from.
            effort: Measured torques [N m], shape (J,).
            odom_source: One of the message's ``ODOM_*``.
            foot_contact: Whether the left and the right foot carry load.
            position_std: Of the planar root position [m].
            receive_stamp: When the newest sample arrived [s].
        """
        buffer = self._buffer
        pack_stamp(buffer, STAMP_AT, state.stamp)
        pack_stamp(buffer, self._received, receive_stamp)
        self._position[:], self._velocity[:], self._effort[:] = state.joint_pos, state.joint_vel, effort
        w, x, y, z = quat = state.root_quat_w.tolist()
        inverse = (w, -x, -y, -z)
        linear, angular = rotated(inverse, state.root_lin_vel_w), rotated(inverse, state.root_ang_vel_w)
        pose = (*state.root_pos_w.tolist(), *quat[1:], w)
        _ROOT.pack_into(buffer, self._root, *pose, *linear, *angular, *imu.ang_vel_b, *imu.lin_acc_b)
        _FLAGS.pack_into(buffer, self._flags, bool(foot_contact[0]), bool(foot_contact[1]), odom_source)
        _FLOAT.pack_into(buffer, self._std, position_std)
        return bytes(buffer)


class OdometryWriter:
    """``nav_msgs/Odometry``: pose in its frame, twist in the child's axes (REP-105), with covariances."""

    def __init__(self, frame_id: str, child_frame_id: str):
        message = Odometry(child_frame_id=child_frame_id)
        message.header.frame_id = frame_id
        layout = FixedLayout(message, ("header.stamp", "pose", "twist"))
        self._buffer = bytearray(layout.template)
        self._pose = layout.doubles("pose.pose.position.x", 7 + 36 + 6 + 36)
        self._twist = layout.places["twist.twist.linear.x"].offset
        self._pose_cov = layout.rows(self._buffer, "pose.covariance")[0]
        self._twist_cov = layout.rows(self._buffer, "twist.covariance")[0]
        self._twist_cov[:] = np.diag([1e-2, 1e-2, 1e-2, 1e-3, 1e-3, 1e-3]).ravel()
        self._usual_twist_cov = self._twist_cov.copy()

    def write(self, state: RobotState, position_std: float = 0.0, uncertainty: Uncertainty | None = None) -> bytes:
        """The serialised message.

        Args:
            state: What is told.
            position_std: Of the horizontal position [m]; the covariances follow from it where nothing else is known.
            uncertainty: The estimator's own covariances.
        """
        buffer = self._buffer
        pack_stamp(buffer, STAMP_AT, state.stamp)
        w, x, y, z = state.root_quat_w.tolist()
        inverse = (w, -x, -y, -z)
        _POSE.pack_into(buffer, self._pose, *state.root_pos_w, x, y, z, w)
        twist = (*rotated(inverse, state.root_lin_vel_w), *rotated(inverse, state.root_ang_vel_w))
        _TWIST.pack_into(buffer, self._twist, *twist)
        if uncertainty is None:
            self._pose_cov[:] = 0.0
            self._pose_cov[[14, 21, 28]] = 1e-4
            self._pose_cov[[0, 7, 35]] = max(position_std**2, _LEAST_VARIANCE)
            self._twist_cov[:] = self._usual_twist_cov
        else:
            self._pose_cov[:], self._twist_cov[:] = uncertainty.pose.ravel(), uncertainty.twist.ravel()
        return bytes(buffer)


class BaseTransformsWriter:
    """``tf2_msgs/TFMessage`` with odom -> base_footprint -> pelvis of one moment (REP-120).

    The footprint lies below the pelvis on the floor and has its heading.
    """

    def __init__(self, odom: str, footprint: str, base: str):
        message = TFMessage(transforms=[TransformStamped(child_frame_id=child) for child in (footprint, base)])
        for transform, parent in zip(message.transforms, (odom, footprint), strict=True):
            transform.header.frame_id = parent
        paths = [f"transforms.{i}." for i in range(2)]
        layout = FixedLayout(message, [p + name for p in paths for name in ("header.stamp", "transform")])
        self._buffer = bytearray(layout.template)
        self._stamps = [layout.places[p + "header.stamp.sec"].offset for p in paths]
        self._poses = [layout.doubles(p + "transform.translation.x", 7) for p in paths]

    def write(self, state: RobotState) -> bytes:
        """The serialised message."""
        buffer = self._buffer
        for offset in self._stamps:
            pack_stamp(buffer, offset, state.stamp)
        px, py, pz = state.root_pos_w.tolist()
        w, x, y, z = state.root_quat_w.tolist()
        half = 0.5 * math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))
        c, s = math.cos(half), math.sin(half)
        tilt = (c * x + s * y, c * y - s * x, c * z - s * w, c * w + s * z)  # xyzw: the heading taken out
        _POSE.pack_into(buffer, self._poses[0], px, py, 0.0, 0.0, 0.0, s, c)
        _POSE.pack_into(buffer, self._poses[1], 0.0, 0.0, pz, *tilt)
        return bytes(buffer)
