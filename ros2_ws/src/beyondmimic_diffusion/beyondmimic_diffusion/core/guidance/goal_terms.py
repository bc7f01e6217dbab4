"""From a goal to the costs that serve it: the one table a new goal is added to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import GoalError
from ..robot import g1
from ..rotations import rotate_yaw, wrap_angle
from ..types import Array
from .barrier import RelaxedBarrier
from .clearance import ClearanceCost
from .composer import CostTerm
from .cost import GuidanceCost, make_cost
from .goal_config import GoalConfig, PassesConfig, VelocityConfig
from .goals import CustomGoal, Goal, HeadingGoal, JoystickGoal, KeyframeGoal, ObstacleScene, WaypointGoal
from .heading import HeadingCost, YawRateCost
from .joystick import JoystickCost
from .keyframe import KeyframeCost
from .obstacle import ObstacleCost
from .sdf import Placed
from .user_cost import load_cost_modules, wants_context
from .waypoint import WaypointCost, waypoint_velocity

if TYPE_CHECKING:
    from ..state.representation import CharacterFrame


_DEFAULTS = GoalConfig()
_PASSING = 0.05
"""Braking distance before a waypoint that is only passed: keeps the direction defined [m]."""


@dataclass(frozen=True)
class GoalContext:
    """What is known when a goal becomes costs."""

    frame: CharacterFrame
    """Character frame of the newest observation in the world, one or one per robot."""
    stamp: float
    """Stamp of that observation [s]."""
    step_dt: float
    """Spacing of the predicted states [s]."""
    horizon: int
    """Number of predicted states H."""
    vel_offset_c: Array | float = 0.0
    """Added to each goal velocity by the integrator [m/s], shape (2,) or (B, 2)."""
    yaw_rate_offset: Array | float = 0.0
    """Added to each goal yaw rate [rad/s], scalar or (B,)."""
    key_point_names: tuple[str, ...] = ()
    """The policy's key points; empty if its state has none."""
    key_point_radii: Array | float = 0.0
    """Radius of the sphere each stands for [m], scalar or (M,)."""


def goal_terms(goals: Sequence[Goal], context: GoalContext, config: GoalConfig | None = None) -> tuple[CostTerm, ...]:
    """The costs of all goals that have not expired.

    Args:
        goals: Of any kinds; two that use a cost of the same name (joystick and waypoint velocity) do not go together.
        context: Where and when.
        config: Weights and variants; None: defaults.

    Raises:
        GoalError: A goal of unknown kind, or with key points that the policy does not have.
    """
    terms: list[CostTerm] = []
    for goal in goals:
        if type(goal) not in _TABLE:
            known = ", ".join(kind.__name__ for kind in _TABLE)
            raise GoalError(f"no cost serves a {type(goal).__name__}; served are {known}")
        if not goal.expired(context.stamp):
            terms.extend(_TABLE[type(goal)](goal, context, config or _DEFAULTS))
    if goals and config is not None:
        asked = {goal.cost for goal in goals if isinstance(goal, CustomGoal)}
        for name in config.custom.weights().keys() - asked:
            terms.extend(_custom(CustomGoal(name), context, config))
    return _numbered(terms)


def _numbered(terms: Sequence[CostTerm]) -> tuple[CostTerm, ...]:
    """Several keyframes in one horizon are several terms: the second is called ``keyframe_2``."""
    out: list[CostTerm] = []
    for term in terms:
        before = sum(other.name.startswith("keyframe") for other in out)
        again = term.name == "keyframe" and before > 0
        out.append(replace(term, name=f"keyframe_{before + 1}") if again else term)
    return tuple(out)


def goal_velocity(
    goals: Sequence[Goal], context: GoalContext, config: GoalConfig | None = None
) -> tuple[Array, Array] | None:
    """The planar velocity [m/s] and yaw rate [rad/s] that the goals ask for now, without the integrator's offsets.

    This is what the integrator's error is taken against. None if no goal in force asks for a velocity.
    """
    config = config or _DEFAULTS
    for goal in goals:
        if goal.expired(context.stamp):
            continue
        if isinstance(goal, JoystickGoal):
            return np.asarray(goal.vel_xy_c), np.asarray(goal.yaw_rate)
        if isinstance(goal, WaypointGoal) and config.waypoint.mode == "velocity":
            return _waypoint_velocity(goal, context, config), np.zeros(np.shape(context.frame.yaw))
    return None


def velocity_terms(vel_xy_c: Array, yaw_rate: Array, config: VelocityConfig) -> list[CostTerm]:
    """Terms that follow a planar velocity (2,) or (B, 2) [m/s] and a yaw rate, scalar or (B,) [rad/s]."""
    if config.yaw_cost == "ramp":
        turning: GuidanceCost = HeadingCost(yaw_rate=yaw_rate)
    else:
        turning = YawRateCost(yaw_rate, "mean" if config.yaw_cost == "mean_rate" else "per_step")
    passes = _passes(config)
    return [
        CostTerm("velocity", JoystickCost(vel_xy_c, yaw_rate, config.average, config.turn), config.weight, **passes),
        CostTerm("turning", turning, config.yaw_weight, **passes),
    ]


def _joystick(goal: JoystickGoal, context: GoalContext, config: GoalConfig) -> list[CostTerm]:
    velocity = np.asarray(goal.vel_xy_c) + np.asarray(context.vel_offset_c)
    yaw_rate = np.asarray(goal.yaw_rate) + np.asarray(context.yaw_rate_offset)
    return velocity_terms(velocity, yaw_rate, config.velocity)


def _heading(goal: HeadingGoal, context: GoalContext, config: GoalConfig) -> list[CostTerm]:
    return [_heading_term(goal.heading_w, context, config)]


def _heading_term(heading_w: Array | float, context: GoalContext, config: GoalConfig) -> CostTerm:
    error = wrap_angle(np.asarray(heading_w) - np.asarray(context.frame.yaw))
    settings = config.heading
    return CostTerm("heading", HeadingCost(error, max_rate=settings.max_rate), settings.weight, **_passes(settings))


def _waypoint(goal: WaypointGoal, context: GoalContext, config: GoalConfig) -> list[CostTerm]:
    """In mode "velocity" a waypoint without a heading keeps the one the robot has; eq. 8 leaves it free."""
    settings = config.waypoint
    turning = [] if goal.heading_w is None else [_heading_term(goal.heading_w, context, config)]
    if settings.mode == "velocity":
        velocity = _waypoint_velocity(goal, context, config) + np.asarray(context.vel_offset_c)
        moving, holding = velocity_terms(velocity, np.asarray(context.yaw_rate_offset), config.velocity)
        return [moving, *(turning or [holding])]
    consistent = settings.mode == "consistent"
    cost = WaypointCost(_to_character(goal.position_xy_w, context.frame), settings.softness)
    cap = settings.velocity_cap if consistent else None
    term = CostTerm("waypoint", cost, settings.weight, velocity_cap=cap, consistent=consistent, **_passes(settings))
    return [term, *turning]


def _waypoint_velocity(goal: WaypointGoal, context: GoalContext, config: GoalConfig) -> Array:
    place = _to_character(goal.position_xy_w, context.frame)
    speed = config.waypoint.max_speed if goal.max_speed is None else goal.max_speed
    slow = np.where(np.asarray(goal.stop), config.waypoint.slow_distance, _PASSING)
    return waypoint_velocity(place, speed, slow)


def _obstacles(goal: ObstacleScene, context: GoalContext, config: GoalConfig) -> list[CostTerm]:
    if goal.sdf_w is None:
        return []
    settings = config.obstacle
    shared: dict[str, Any] = {
        "sdf_c": Placed(goal.sdf_w, context.frame.xy, context.frame.yaw),
        "radii": context.key_point_radii,
        "barrier": RelaxedBarrier(settings.margin, settings.fade_start, settings.fade_end),
        "time_offset": context.stamp - goal.stamp,
        "extrapolation": settings.extrapolation,
        "step_dt": context.step_dt,
    }
    if settings.mode == "every":
        cost: GuidanceCost = ObstacleCost(**shared)
    else:
        weights, radii = _extensions(context.key_point_names)
        cost = ClearanceCost(**shared, extensions=weights, extension_radii=radii)
    return [
        CostTerm(
            "obstacle",
            cost,
            settings.weight,
            velocity_cap=settings.velocity_cap,
            consistent=settings.consistent,
            **_passes(settings),
        )
    ]


def _extensions(names: tuple[str, ...]) -> tuple[Array | None, Array]:
    """Weights (X, M) and radii (X,) of the body's parts beyond these key points; None if there are none."""
    known = [one for one in g1.EXTENSIONS if one.base in names and one.tip in names]
    if not known:
        return None, np.zeros(0)
    weights = np.zeros((len(known), len(names)))
    for row, one in zip(weights, known, strict=True):
        row[names.index(one.tip)], row[names.index(one.base)] = 1.0 + one.reach, -one.reach
    return weights, np.array([one.radius for one in known])


def _keyframe(goal: KeyframeGoal, context: GoalContext, config: GoalConfig) -> list[CostTerm]:
    """Active on the predicted states from ``due`` to ``due + hold``, as far as they lie in the horizon."""
    missing = [name for name in goal.key_points if name not in context.key_point_names]
    if missing:
        raise GoalError(f"keyframe asks for key points {missing}; the policy has {list(context.key_point_names)}")
    first = round((goal.due - context.stamp) / context.step_dt) - 1
    last = round((goal.due + goal.hold - context.stamp) / context.step_dt) - 1
    if last < 0 or first >= context.horizon:
        return []
    indices = [context.key_point_names.index(name) for name in goal.key_points]
    positions = np.asarray(goal.positions)
    if goal.frame == "local":
        cost = KeyframeCost(indices, positions, "local")
    else:
        xy, yaw = np.asarray(context.frame.xy), np.asarray(context.frame.yaw)
        origin = np.concatenate([xy, np.zeros((*xy.shape[:-1], 1))], axis=-1)  # (3,) or (B, 3)
        cost = KeyframeCost(indices, rotate_yaw(positions - origin[..., None, :], -yaw[..., None]), "character")
    settings = config.keyframe
    return [CostTerm("keyframe", cost, settings.weight, first_step=max(first, 0), last_step=last, **_passes(settings))]


def _custom(goal: CustomGoal, context: GoalContext, config: GoalConfig) -> list[CostTerm]:
    load_cost_modules(config.custom.modules)
    extra = {"context": context} if wants_context(goal.cost) else {}
    if extra and "context" in goal.parameters:
        raise GoalError(f"cost '{goal.cost}': the parameter 'context' is filled in by the planner; leave it out")
    cost = make_cost(goal.cost, **goal.parameters, **extra)
    weight = config.custom.weights().get(goal.cost, 1.0) if goal.weight is None else goal.weight
    return [
        CostTerm(
            goal.cost,
            cost,
            weight,
            clip=goal.clip,
            velocity_cap=goal.velocity_cap,
            first_step=goal.first_step,
            last_step=goal.last_step,
            lowest_level=goal.lowest_level,
            highest_level=goal.highest_level,
            consistent=goal.consistent,
        )
    ]


def _passes(settings: PassesConfig) -> dict[str, Any]:
    return {"lowest_level": settings.lowest_level, "highest_level": settings.highest_level}


def _to_character(xy_w: Array | tuple[float, float], frame: CharacterFrame) -> Array:
    """A place in the world as seen from the character frame [m], shape (..., 2)."""
    return rotate_yaw(np.asarray(xy_w) - np.asarray(frame.xy), -np.asarray(frame.yaw))


_TABLE: dict[type, Callable[[Any, GoalContext, GoalConfig], list[CostTerm]]] = {
    JoystickGoal: _joystick,
    WaypointGoal: _waypoint,
    HeadingGoal: _heading,
    ObstacleScene: _obstacles,
    KeyframeGoal: _keyframe,
    CustomGoal: _custom,
}
