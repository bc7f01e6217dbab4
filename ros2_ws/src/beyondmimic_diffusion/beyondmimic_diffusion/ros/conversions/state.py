"""Robot state, odometry, transforms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from beyondmimic_msgs import msg as bm
from geometry_msgs.msg import TransformStamped
from nav_msgs.msg import Odometry

from ...core.estimation import Uncertainty
from ...core.rotations import quat_conjugate, quat_from_yaw, quat_multiply, quat_rotate, quat_rotate_inverse, yaw_of
from ...core.types import Array, ImuSample, RobotState
from .geometry import assign_pose, assign_vector, floats, quat_from_msg, quat_to_msg, vector_from_msg
from .joints import JointMap
from .time import set_stamp, time_from_msg, time_to_msg


def robot_state_to_msg(
    state: RobotState,
    joint_names: Sequence[str],
    frame_id: str = "odom",
    odom_source: int = bm.RobotState.ODOM_NONE,
    imu: ImuSample | None = None,
    effort: Array | None = None,
    foot_contact: tuple[bool, bool] = (False, False),
    position_std: float = 0.0,
    receive_stamp: float = 0.0,
) -> bm.RobotState:
    """RobotState -> message; its twist is turned from world axes into pelvis axes."""
    msg = bm.RobotState(joint_names=list(joint_names), odom_source=odom_source, position_std=float(position_std))
    set_stamp(msg.header, state.stamp)
    msg.header.frame_id = frame_id
    msg.receive_stamp = time_to_msg(receive_stamp)
    msg.position, msg.velocity = floats(state.joint_pos), floats(state.joint_vel)
    if effort is not None:
        msg.effort = floats(effort)
    assign_pose(msg.root_pose, state.root_pos_w, state.root_quat_w)
    assign_vector(msg.root_twist.linear, quat_rotate_inverse(state.root_quat_w, state.root_lin_vel_w))
    assign_vector(msg.root_twist.angular, quat_rotate_inverse(state.root_quat_w, state.root_ang_vel_w))
    if imu is not None:
        assign_vector(msg.angular_velocity, imu.ang_vel_b)
        assign_vector(msg.linear_acceleration, imu.lin_acc_b)
    msg.foot_contact = [bool(c) for c in foot_contact]
    return msg


def robot_state_from_msg(msg: bm.RobotState, joints: JointMap) -> RobotState:
    """Message -> RobotState in internal joint order, velocities in world axes."""
    pose = msg.root_pose
    quat = quat_from_msg(pose.orientation)
    return RobotState(
        stamp=time_from_msg(msg.header.stamp),
        root_pos_w=np.array([pose.position.x, pose.position.y, pose.position.z]),
        root_quat_w=quat,
        root_lin_vel_w=quat_rotate(quat, vector_from_msg(msg.root_twist.linear)),
        root_ang_vel_w=quat_rotate(quat, vector_from_msg(msg.root_twist.angular)),
        joint_pos=joints.order(msg.joint_names, msg.position, "robot_state.position"),
        joint_vel=joints.order(msg.joint_names, msg.velocity, "robot_state.velocity"),
    )


def odometry_to_msg(
    state: RobotState,
    frame_id: str,
    child_frame_id: str,
    position_std: float = 0.0,
    uncertainty: Uncertainty | None = None,
) -> Odometry:
    """Pose in ``frame_id``, twist in ``child_frame_id`` (REP-105), with covariances.

    Args:
        state: What is told.
        frame_id: Of the pose.
        child_frame_id: Of the twist.
        position_std: Of the horizontal position [m]; the covariances follow from it where nothing else is known.
        uncertainty: The estimator's own covariances.
    """
    msg = Odometry(child_frame_id=child_frame_id)
    set_stamp(msg.header, state.stamp)
    msg.header.frame_id = frame_id
    assign_pose(msg.pose.pose, state.root_pos_w, state.root_quat_w)
    assign_vector(msg.twist.twist.linear, quat_rotate_inverse(state.root_quat_w, state.root_lin_vel_w))
    assign_vector(msg.twist.twist.angular, quat_rotate_inverse(state.root_quat_w, state.root_ang_vel_w))
    if uncertainty is None:
        variance = max(position_std**2, 1e-6)
        pose = np.diag([variance, variance, 1e-4, 1e-4, 1e-4, variance])
        uncertainty = Uncertainty(pose, np.diag([1e-2, 1e-2, 1e-2, 1e-3, 1e-3, 1e-3]))
    msg.pose.covariance, msg.twist.covariance = uncertainty.pose.ravel(), uncertainty.twist.ravel()
    return msg


def root_from_odometry(msg: Odometry) -> tuple[float, Array, Array, Array, Array]:
    """Stamp [s], position, quaternion wxyz, and linear and angular velocity in world axes."""
    pose, twist = msg.pose.pose, msg.twist.twist
    quat = quat_from_msg(pose.orientation)
    position = np.array([pose.position.x, pose.position.y, pose.position.z])
    linear, angular = (
        quat_rotate(quat, vector_from_msg(twist.linear)),
        quat_rotate(quat, vector_from_msg(twist.angular)),
    )
    return time_from_msg(msg.header.stamp), position, quat, linear, angular


def base_transforms(state: RobotState, odom: str, footprint: str, base: str) -> list[TransformStamped]:
    """odom -> base_footprint -> pelvis of one moment; both go into one message, with one stamp (REP-120).

    The footprint lies below the pelvis on the floor and has its heading.
    """
    yaw = quat_from_yaw(yaw_of(state.root_quat_w))
    below = np.array([state.root_pos_w[0], state.root_pos_w[1], 0.0])
    above = np.array([0.0, 0.0, state.root_pos_w[2]])
    return [
        transform_to_msg(state.stamp, odom, footprint, below, yaw),
        transform_to_msg(state.stamp, footprint, base, above, quat_multiply(quat_conjugate(yaw), state.root_quat_w)),
    ]


def transform_to_msg(stamp: float, parent: str, child: str, position: Array, quat: Array) -> TransformStamped:
    """Pose of ``child`` in ``parent`` as a transform."""
    msg = TransformStamped(child_frame_id=child)
    set_stamp(msg.header, stamp)
    msg.header.frame_id = parent
    assign_vector(msg.transform.translation, position)
    msg.transform.rotation = quat_to_msg(quat)
    return msg
