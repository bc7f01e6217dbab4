"""Recorded motions: which one, and where and when it begins; their states stay in the policy's folder."""

from __future__ import annotations

import numpy as np
from beyondmimic_msgs import msg as bm

from ...core.errors import GoalError
from ...core.guidance.clip import ClipGoal
from ...core.guidance.clip_library import ClipLibrary
from ...core.rotations import quat_from_yaw
from .geometry import quat_to_msg, yaw_from_pose
from .time import duration_from_msg, duration_to_msg, set_stamp, time_from_msg, time_to_msg


def clip_to_term(goal: ClipGoal, stamp: float, odom_frame: str) -> bm.GuidanceTerm:
    """A clip that is followed, as a term given at ``stamp`` [s]."""
    term = bm.GuidanceTerm(type=bm.GuidanceTerm.CLIP, name="clip", weight=1.0, clip=goal.clip.name)
    term.clip_start = time_to_msg(goal.start)
    term.clip_until, term.clip_spacing = duration_to_msg(goal.until), duration_to_msg(goal.spacing)
    set_stamp(term.waypoint.header, stamp)
    term.waypoint.header.frame_id = odom_frame
    origin = term.waypoint.pose
    origin.position.x, origin.position.y = (float(v) for v in np.asarray(goal.xy_w))
    origin.orientation = quat_to_msg(quat_from_yaw(goal.yaw_w))
    return term


def clip_from_term(term: bm.GuidanceTerm, clips: ClipLibrary, expires: float) -> ClipGoal:
    """A term, in the odometry's frame, as a goal.

    Raises:
        GoalError: An unknown clip, a time it does not have, no start, or no heading.
    """
    clip, start = clips.named(term.clip), time_from_msg(term.clip_start)
    if not start:
        raise GoalError(f"guidance term '{term.name}' has no clip_start; give when the clip's first state is due")
    origin, spacing = term.waypoint.pose, duration_from_msg(term.clip_spacing)
    return ClipGoal(
        clip=clip,
        start=start,
        xy_w=np.array([origin.position.x, origin.position.y]),
        yaw_w=yaw_from_pose(origin, f"guidance term '{term.name}'"),
        until=duration_from_msg(term.clip_until) or clip.duration,
        expires=expires,
        **({"spacing": spacing} if spacing else {}),
    )
