"""Goals."""

from __future__ import annotations

import math

from beyondmimic_msgs import msg as bm

from ...core.errors import GoalError
from ...core.guidance.goals import Goal, HeadingGoal, JoystickGoal
from ...core.rotations import yaw_of
from .geometry import quat_from_msg
from .time import set_stamp, time_from_msg, time_to_msg


def velocity_goal_to_msg(goal: JoystickGoal, seq: int, stamp: float, base_frame: str = "pelvis") -> bm.GuidanceGoal:
    """A velocity goal as the full set of active terms; an expiry of infinity becomes zero, as the message has it."""
    msg = bm.GuidanceGoal(seq=seq, global_scale=1.0)
    set_stamp(msg.header, stamp)
    msg.header.frame_id = "odom"
    if math.isfinite(goal.expires):
        msg.expires = time_to_msg(goal.expires)
    term = bm.GuidanceTerm(type=bm.GuidanceTerm.VELOCITY, name="velocity", weight=1.0)
    set_stamp(term.velocity.header, stamp)
    term.velocity.header.frame_id = base_frame
    term.velocity.twist.linear.x, term.velocity.twist.linear.y = (float(v) for v in goal.vel_xy_c)
    term.velocity.twist.angular.z = float(goal.yaw_rate)
    msg.terms = [term]
    return msg


def goals_from_msg(msg: bm.GuidanceGoal) -> tuple[Goal, ...]:
    """All terms with a weight, as goals; none if the message asks for no guidance.

    Raises:
        GoalError: NaN, or something that the planner does not serve: it is refused, never served by halves.
    """
    if msg.global_scale == 0.0:
        return ()
    if msg.global_scale != 1.0:
        raise GoalError(f"goal {msg.seq}: global_scale {msg.global_scale}; give 0 or 1, and set planner.guidance_scale")
    expires = time_from_msg(msg.expires) or math.inf
    goals: list[Goal] = []
    for term in msg.terms:
        if term.weight == 0.0:
            continue
        _require_plain(term)
        if term.type == bm.GuidanceTerm.VELOCITY:
            twist = term.velocity.twist
            goals.append(JoystickGoal((twist.linear.x, twist.linear.y), twist.angular.z, expires=expires))
        elif term.type == bm.GuidanceTerm.HEADING:
            heading = float(yaw_of(quat_from_msg(term.waypoint.pose.orientation)))
            goals.append(HeadingGoal(heading, expires=expires))
        else:
            raise GoalError(
                f"guidance term '{term.name}' has type {term.type}; served are VELOCITY (0) and HEADING (4)"
            )
    return tuple(goals)


def _require_plain(term: bm.GuidanceTerm) -> None:
    """Refuse what would change how a term counts: weights are the planner's parameters (group steering)."""
    asked = {
        name: getattr(term, name)
        for name, plain in (("weight", 1.0), ("scale_limit", 0.0), ("first_step", 0), ("last_step", 0))
        if getattr(term, name) != plain
    }
    if asked:
        raise GoalError(
            f"guidance term '{term.name}': {asked} cannot be given with a goal; set the planner's parameters"
        )
