"""Goals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from beyondmimic_msgs import msg as bm

from ...core.errors import GoalError
from ...core.guidance.clip import ClipGoal
from ...core.guidance.clip_library import ClipLibrary
from ...core.guidance.goals import (
    Goal,
    HeadingGoal,
    JoystickGoal,
    KeyframeGoal,
    ObstacleScene,
    WaypointGoal,
)
from ...core.guidance.ranges import MAX_TERMS
from ...core.rotations import quat_from_yaw
from ..frames import plain
from .clip import clip_from_term, clip_to_term
from .custom_term import custom_goal
from .geometry import quat_to_msg, yaw_from_pose
from .keyframe import keyframe_from_msg, keyframes_to_msg
from .time import set_stamp, time_from_msg, time_to_msg

TERM = bm.GuidanceTerm


@dataclass(frozen=True)
class FrameNames:
    """In which frames goals travel."""

    odom: str = "odom"
    base: str = "pelvis"


def goals_to_msg(
    goals: Sequence[Goal],
    seq: int,
    stamp: float,
    expires: float = math.inf,
    names: FrameNames | None = None,
    with_scene: bool = False,
) -> bm.GuidanceGoal:
    """Goals as the full set of active terms.

    Args:
        goals: Velocities, waypoints, headings, keyframes, clips.
        seq: Number of the message.
        stamp: When it is given [s].
        expires: From then on it does not count [s]; a goal that expires sooner counts. Infinity becomes zero.
        names: Frames; None: defaults.
        with_scene: Adds the term that keeps clear of ``guidance/scene``.
    """
    names = names or FrameNames()
    msg = bm.GuidanceGoal(seq=seq, global_scale=1.0)
    set_stamp(msg.header, stamp)
    msg.header.frame_id = names.odom
    expires = min([expires, *(goal.expires for goal in goals)])
    if math.isfinite(expires):
        msg.expires = time_to_msg(expires)
    terms = []
    for goal in goals:
        terms.extend(_terms(goal, stamp, names))
    msg.terms = [*terms, scene_term()] if with_scene else terms
    return msg


def velocity_goal_to_msg(goal: JoystickGoal, seq: int, stamp: float, base_frame: str = "pelvis") -> bm.GuidanceGoal:
    """A velocity goal alone."""
    return goals_to_msg((goal,), seq, stamp, names=FrameNames(base=base_frame))


def scene_term() -> bm.GuidanceTerm:
    """Keep clear of ``guidance/scene``."""
    return TERM(type=TERM.SDF, name="obstacles", weight=1.0)


def _terms(goal: Goal, stamp: float, names: FrameNames) -> list[bm.GuidanceTerm]:
    if isinstance(goal, JoystickGoal):
        term = TERM(type=TERM.VELOCITY, name="velocity", weight=1.0)
        set_stamp(term.velocity.header, stamp)
        term.velocity.header.frame_id = names.base
        twist = term.velocity.twist
        twist.linear.x, twist.linear.y = (float(v) for v in np.asarray(goal.vel_xy_c))
        twist.angular.z = float(goal.yaw_rate)
        return [term]
    if isinstance(goal, WaypointGoal):
        return _waypoint_terms(goal, stamp, names)
    if isinstance(goal, HeadingGoal):
        return [_heading_term(float(goal.heading_w), stamp, names)]
    if isinstance(goal, KeyframeGoal):
        term = TERM(type=TERM.KEYFRAME, name="keyframe", weight=1.0)
        term.keyframes = keyframes_to_msg((goal,), names.odom, names.base)
        return [term]
    if isinstance(goal, ClipGoal):
        return [clip_to_term(goal, stamp, names.odom)]
    raise GoalError(
        f"a {type(goal).__name__} has no message; velocities, waypoints, headings, keyframes and clips have"
    )


def _waypoint_terms(goal: WaypointGoal, stamp: float, names: FrameNames) -> list[bm.GuidanceTerm]:
    term = TERM(type=TERM.WAYPOINT, name="waypoint", weight=1.0, waypoint_passing=not bool(goal.stop))
    term.waypoint.pose.position.x, term.waypoint.pose.position.y = (float(v) for v in np.asarray(goal.position_xy_w))
    term.waypoint_speed = 0.0 if goal.max_speed is None else float(goal.max_speed)
    set_stamp(term.waypoint.header, stamp)
    term.waypoint.header.frame_id = names.odom
    return [term] if goal.heading_w is None else [term, _heading_term(float(goal.heading_w), stamp, names)]


def _heading_term(heading_w: float, stamp: float, names: FrameNames) -> bm.GuidanceTerm:
    term = TERM(type=TERM.HEADING, name="heading", weight=1.0)
    set_stamp(term.waypoint.header, stamp)
    term.waypoint.header.frame_id = names.odom
    term.waypoint.pose.orientation = quat_to_msg(quat_from_yaw(heading_w))
    return term


def goals_from_msg(
    msg: bm.GuidanceGoal,
    names: FrameNames | None = None,
    scene: ObstacleScene | None = None,
    custom: bool = False,
    clips: ClipLibrary | None = None,
) -> tuple[Goal, ...]:
    """All terms with a weight, as goals; none if the message asks for no guidance. A heading joins a waypoint.

    Args:
        msg: With all places in the odometry's frame.
        names: Frames; None: defaults.
        scene: What the SDF term stands for; None: no scene is known.
        custom: Whether users' costs are served.
        clips: The policy's motions; None: it has none.

    Raises:
        GoalError: NaN, another frame, something that is not served, or a scale or weight that nobody filled in: it is
            refused, never served by halves.
    """
    _require_acting(msg)
    names = names or FrameNames()
    expires = time_from_msg(msg.expires) or math.inf
    terms = list(msg.terms)
    for term in terms:
        if term.type != TERM.CUSTOM:
            _require_plain(term)
    heading = next((heading_of(t, names) for t in terms if t.type == TERM.HEADING), None)
    joined = any(term.type == TERM.WAYPOINT for term in terms)
    given = time_from_msg(msg.header.stamp)
    goals: list[Goal] = []
    for term in terms:
        if term.type == TERM.WAYPOINT:
            goals.append(_waypoint(term, heading, expires, names))
        elif term.type == TERM.KEYFRAME:
            goals.extend(_keyframes(term, given, expires, names))
        elif term.type == TERM.CLIP:
            _require_frame(term, names)
            goals.append(clip_from_term(term, clips or ClipLibrary(), expires))
        elif term.type == TERM.CUSTOM:
            goals.append(custom_goal(term, expires, custom))
        elif not (term.type == TERM.HEADING and joined):
            goals.append(_plain_goal(term, names, scene, expires))
    _require_together(goals)
    return tuple(goals)


def _plain_goal(term: bm.GuidanceTerm, names: FrameNames, scene: ObstacleScene | None, expires: float) -> Goal:
    """Terms that stand for themselves."""
    if term.type == TERM.VELOCITY:
        twist = term.velocity.twist
        return JoystickGoal((twist.linear.x, twist.linear.y), twist.angular.z, expires=expires)
    if term.type == TERM.HEADING:
        return HeadingGoal(heading_of(term, names), expires=expires)
    if term.type == TERM.SDF:
        return _obstacles(term, scene, expires)
    raise GoalError(f"guidance term '{term.name}' has type {term.type}; served are 0 to 5 and CUSTOM (255)")


def _waypoint(term: bm.GuidanceTerm, heading: float | None, expires: float, names: FrameNames) -> WaypointGoal:
    _require_frame(term, names)
    position = term.waypoint.pose.position
    speed = float(term.waypoint_speed) if term.waypoint_speed != 0.0 else None
    return WaypointGoal(
        (position.x, position.y), heading, max_speed=speed, stop=not term.waypoint_passing, expires=expires
    )


def _obstacles(term: bm.GuidanceTerm, scene: ObstacleScene | None, expires: float) -> ObstacleScene:
    if scene is None:
        raise GoalError(
            f"guidance term '{term.name}' asks to keep clear of a scene, but none has come on guidance/scene"
        )
    return ObstacleScene(scene.sdf_w, stamp=scene.stamp, expires=expires)


def _keyframes(term: bm.GuidanceTerm, given: float, expires: float, names: FrameNames) -> list[KeyframeGoal]:
    if not term.keyframes:
        raise GoalError(f"guidance term '{term.name}' has no keyframes; give at least one")
    frames = (keyframe_from_msg(frame, given, names.odom, names.base) for frame in term.keyframes)
    return [replace(goal, expires=expires) for goal in frames]


def _require_acting(msg: bm.GuidanceGoal) -> None:
    """Refuse what a message holds that nobody filled in, and names that occur twice."""
    if msg.global_scale == 0.0:
        raise GoalError(
            f"goal {msg.seq}: global_scale is 0, as in a message that nobody filled in: nothing would act; set 1 "
            "(and no terms for an unguided robot)"
        )
    if msg.global_scale != 1.0:
        raise GoalError(f"goal {msg.seq}: global_scale {msg.global_scale}; give 1, and set planner.guidance_scale")
    if len(msg.terms) > MAX_TERMS:
        raise GoalError(f"goal {msg.seq} has {len(msg.terms)} terms; up to {MAX_TERMS} are served")
    for term in msg.terms:
        if term.weight == 0.0:
            raise GoalError(
                f"guidance term '{term.name}': weight is 0, as in a message that nobody filled in: it would not act; "
                "set 1, or leave the term out"
            )
    given = [term.name for term in msg.terms if term.name]
    twice = sorted({name for name in given if given.count(name) > 1})
    if twice:
        raise GoalError(f"goal {msg.seq}: two guidance terms have the name '{twice[0]}'; give each its own")
    kinds = [term.type for term in msg.terms]
    for kind, what in ((TERM.HEADING, "headings"), (TERM.SDF, "scenes to keep clear of")):
        if kinds.count(kind) > 1:
            raise GoalError(f"goal {msg.seq} has {kinds.count(kind)} {what}; one can be served at a time")


def heading_of(term: bm.GuidanceTerm, names: FrameNames) -> float:
    """Heading that a term asks for [rad].

    Raises:
        GoalError: Another frame than the odometry's, or no orientation.
    """
    _require_frame(term, names)
    return yaw_from_pose(term.waypoint.pose, f"guidance term '{term.name}'")


def _require_frame(term: bm.GuidanceTerm, names: FrameNames) -> None:
    frame = plain(term.waypoint.header.frame_id)
    if frame not in ("", plain(names.odom)):
        raise GoalError(
            f"guidance term '{term.name}' is in frame '{frame}', right is '{names.odom}'; "
            "goals in other frames go to guidance/set_terms or goal_pose, which transform them"
        )


def _require_together(goals: Sequence[Goal]) -> None:
    moving = [type(goal).__name__ for goal in goals if isinstance(goal, JoystickGoal | WaypointGoal | ClipGoal)]
    if len(moving) > 1:
        raise GoalError(
            f"terms for {' and '.join(moving)}: one velocity, one waypoint or one clip can be followed at a time"
        )


def _require_plain(term: bm.GuidanceTerm) -> None:
    """Refuse what would change how a term counts: weights are the planner's parameters (group steering)."""
    plain_values = (
        ("weight", 1.0), ("scale_limit", 0.0), ("first_step", 0), ("last_step", 0),
        ("waypoint_softness", 0.0), ("sdf_margin", 0.0),
    )  # fmt: skip
    asked = {name: getattr(term, name) for name, value in plain_values if getattr(term, name) != value}
    if asked:
        raise GoalError(
            f"guidance term '{term.name}': {asked} cannot be given with a goal; set the planner's parameters"
        )
