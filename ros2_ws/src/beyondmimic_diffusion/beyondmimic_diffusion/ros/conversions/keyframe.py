"""Keyframes: poses of key points at given times."""

from __future__ import annotations

import array
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from beyondmimic_msgs import msg as bm
from geometry_msgs.msg import Pose

from ...core.errors import GoalError
from ...core.guidance.goals import KeyframeGoal
from ...core.robot import g1
from ..frames import IDENTITY, Transform, plain
from .geometry import vector_from_msg
from .time import set_stamp, time_from_msg

_STEP_DT = 0.04
"""Spacing of predicted states, for keyframes that are given by step [s]."""
_ANCHORS = {point.body: point.name for point in reversed(g1.KEY_POINTS) if not any(point.offset_b)}
"""Body -> the key point at its origin."""


class Frames(Protocol):
    """Where frames are (``TransformBuffer``)."""

    def lookup(self, target: str, source: str, stamp: float | None = None) -> Transform:
        """What turns coordinates of ``source`` into ``target``."""
        ...


def keyframe_from_msg(
    msg: bm.Keyframe,
    given: float,
    odom_frame: str = "odom",
    base_frame: str = "pelvis",
    frames: Frames | None = None,
) -> KeyframeGoal:
    """A keyframe as a goal.

    Args:
        msg: The keyframe.
        given: When it was given [s]; steps are counted from there.
        odom_frame: Places are wanted in this frame.
        base_frame: Poses in this one are relative to the robot.
        frames: To bring other frames to the odometry's; None: others are refused.

    Raises:
        GoalError: Unknown bodies or frame, orientations, or arrays of different lengths.
    """
    if not msg.body_names or len(msg.poses) != len(msg.body_names) or len(msg.mask) not in (0, len(msg.body_names)):
        raise GoalError(
            f"keyframe with {len(msg.body_names)} bodies, {len(msg.poses)} poses and {len(msg.mask)} masks; "
            "give as many poses as bodies, and as many masks or none"
        )
    if any(mask != bm.Keyframe.POSITION for mask in msg.mask):
        raise GoalError(f"keyframe with masks {list(msg.mask)}; only POSITION (1) is served, orientations are not")
    due = time_from_msg(msg.header.stamp) or given + (msg.step + 1) * _STEP_DT
    points = np.array([vector_from_msg(pose.position) for pose in msg.poses])
    local = plain(msg.header.frame_id) == plain(base_frame)
    if not local:
        points = _placed(msg.header.frame_id, odom_frame, frames).point(points)
    return KeyframeGoal(
        tuple(key_point(name) for name in msg.body_names), points, due, "local" if local else "world", float(msg.hold)
    )


def _placed(frame_id: str, odom_frame: str, frames: Frames | None) -> Transform:
    if plain(frame_id) == plain(odom_frame):
        return IDENTITY
    if frames is None:
        raise GoalError(f"keyframe in frame '{frame_id}'; right is '{odom_frame}' or the robot's base")
    return frames.lookup(odom_frame, frame_id)


def key_point(name: str) -> str:
    """The key point of this name, or the one at the origin of the body of this name.

    Raises:
        GoalError: Neither exists.
    """
    if name in g1.KEY_POINT_NAMES:
        return name
    if name in _ANCHORS:
        return _ANCHORS[name]
    raise GoalError(f"keyframe asks for body '{name}'; known key points are {', '.join(g1.KEY_POINT_NAMES)}")


def keyframes_to_msg(
    goals: Sequence[KeyframeGoal], odom_frame: str = "odom", base_frame: str = "pelvis"
) -> list[bm.Keyframe]:
    """Goals as keyframes."""
    return [_keyframe(goal, odom_frame, base_frame) for goal in goals]


def _keyframe(goal: KeyframeGoal, odom_frame: str, base_frame: str) -> bm.Keyframe:
    msg = bm.Keyframe(hold=goal.hold, body_names=list(goal.key_points))
    set_stamp(msg.header, goal.due)
    msg.header.frame_id = base_frame if goal.frame == "local" else odom_frame
    poses = []
    for point in np.asarray(goal.positions):
        pose = Pose()
        pose.position.x, pose.position.y, pose.position.z = (float(v) for v in point)
        poses.append(pose)
    msg.poses = poses
    msg.mask = array.array("B", [bm.Keyframe.POSITION] * len(poses))
    return msg
