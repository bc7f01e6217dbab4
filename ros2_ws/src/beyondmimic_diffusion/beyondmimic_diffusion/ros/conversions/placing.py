"""Goals in any frame, brought into the odometry's."""

from __future__ import annotations

import copy

import numpy as np
from beyondmimic_msgs import msg as bm
from geometry_msgs.msg import PoseStamped

from ...core.errors import GoalError
from ...core.rotations import quat_from_yaw, yaw_of
from .geometry import quat_from_msg, quat_to_msg
from .guidance import TERM, FrameNames
from .keyframe import Frames, keyframe_from_msg, keyframes_to_msg
from .time import time_from_msg


def placed_goal(msg: bm.GuidanceGoal, frames: Frames, names: FrameNames) -> bm.GuidanceGoal:
    """A copy with all places in the odometry's frame.

    Raises:
        FrameError: A frame is unknown.
        GoalError: NaN, unknown bodies.
    """
    placed = copy.deepcopy(msg)
    given = time_from_msg(msg.header.stamp)
    for term in placed.terms:
        if term.type in (TERM.WAYPOINT, TERM.HEADING, TERM.CLIP):
            term.waypoint = placed_pose(term.waypoint, frames, names.odom)
        elif term.type == TERM.KEYFRAME:
            goals = [keyframe_from_msg(frame, given, names.odom, names.base, frames) for frame in term.keyframes]
            term.keyframes = keyframes_to_msg(goals, names.odom, names.base)
    return placed


def placed_pose(pose: PoseStamped, frames: Frames, odom_frame: str) -> PoseStamped:
    """A planar pose in the odometry's frame: position, and heading where an orientation was given.

    Raises:
        FrameError: Its frame is unknown, or not at its stamp.
        GoalError: NaN.
    """
    position = pose.pose.position
    point = np.array([position.x, position.y, position.z])
    quat = quat_from_msg(pose.pose.orientation)
    if not np.all(np.isfinite([*point, *quat])):
        raise GoalError(f"pose {point.tolist()}, {quat.tolist()} (wxyz) is not finite")
    stamp = time_from_msg(pose.header.stamp)
    frame = frames.lookup(odom_frame, pose.header.frame_id or odom_frame, stamp if stamp > 0.0 else None)
    placed = PoseStamped()
    placed.header.stamp, placed.header.frame_id = pose.header.stamp, odom_frame
    placed.pose.position.x, placed.pose.position.y, placed.pose.position.z = (float(v) for v in frame.point(point))
    length = float(np.linalg.norm(quat))
    turned = quat_from_yaw(yaw_of(frame.rotation(quat / length))) if length > 1e-6 else np.zeros(4)
    placed.pose.orientation = quat_to_msg(turned)
    return placed
