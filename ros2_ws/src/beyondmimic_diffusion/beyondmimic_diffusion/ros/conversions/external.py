"""Poses from outside: odometry of others, and where an operator says that the robot is."""

from __future__ import annotations

import math

import numpy as np
from geometry_msgs.msg import PoseWithCovarianceStamped
from nav_msgs.msg import Odometry

from ...core.errors import GoalError
from ...core.estimation import ExternalPose
from ...core.types import Array
from ..frames import plain
from .geometry import yaw_from_pose
from .time import time_from_msg


def external_pose_from_msg(msg: Odometry) -> ExternalPose:
    """Where somebody else sees the pelvis; variances that are not positive count as not told.

    Raises:
        GoalError: The orientation is NaN or was not filled in.
    """
    pose = msg.pose.pose
    covariance = np.asarray(msg.pose.covariance, dtype=np.float64).reshape(6, 6)
    return ExternalPose(
        time_from_msg(msg.header.stamp),
        np.array([pose.position.x, pose.position.y, pose.position.z]),
        yaw_from_pose(pose, "external_odom"),
        _told(float(np.max(np.diag(covariance)[:3]))),
        _told(float(covariance[5, 5])),
    )


def place_from_msg(msg: PoseWithCovarianceStamped, odom_frame: str) -> tuple[Array, float, Array]:
    """Place (2,) [m], heading [rad], and their covariance (3, 3); what is not positive semidefinite counts as zero.

    Raises:
        GoalError: Another frame than the odometry's, NaN, or an orientation that nobody filled in.
    """
    frame = plain(msg.header.frame_id)
    if frame != plain(odom_frame):
        raise GoalError(f"initialpose is in frame '{frame}'; the estimate can be set in '{odom_frame}' only")
    pose = msg.pose.pose
    heading = yaw_from_pose(pose, "initialpose")
    place = np.array([pose.position.x, pose.position.y])
    if not np.all(np.isfinite(place)):
        raise GoalError(f"initialpose: place {place.tolist()} is not finite")
    chosen = np.asarray(msg.pose.covariance, dtype=np.float64).reshape(6, 6)[np.ix_((0, 1, 5), (0, 1, 5))]
    chosen = 0.5 * (chosen + chosen.T)
    valid = bool(np.all(np.isfinite(chosen))) and float(np.min(np.linalg.eigvalsh(chosen))) >= 0.0
    return place, heading, chosen if valid else np.zeros((3, 3))


def _told(variance: float) -> float:
    return variance if math.isfinite(variance) and variance > 0.0 else 0.0
