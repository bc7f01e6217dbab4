"""What the executor needs to know of the robot, straight from its sensors: no estimator stands between."""

from __future__ import annotations

import numpy as np

from ..types import ImuSample, JointSample, RobotState
from .attitude import to_world

_UNKNOWN = np.zeros(3)


def measured_state(imu: ImuSample, joints: JointSample) -> RobotState:
    """Joints, orientation and angular velocity as measured; position and velocity of the root are unknown and left 0.

    Args:
        imu: Newest IMU sample.
        joints: Newest joint sample; the older of the two stamps counts.
    """
    return RobotState(
        stamp=min(imu.stamp, joints.stamp),
        root_pos_w=_UNKNOWN,
        root_quat_w=imu.quat_w,
        root_lin_vel_w=_UNKNOWN,
        root_ang_vel_w=to_world(imu.quat_w, imu.ang_vel_b),
        joint_pos=joints.position,
        joint_vel=joints.velocity,
        joint_temperature=joints.temperature,
    )
