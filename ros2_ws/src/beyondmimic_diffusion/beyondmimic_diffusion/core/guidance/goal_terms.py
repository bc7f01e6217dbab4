"""From a goal to the costs that serve it: the one table a new goal is added to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import GoalError
from ..parameters import param, validate
from ..types import Array
from .composer import CostTerm
from .goals import Goal, HeadingGoal, JoystickGoal
from .heading import HeadingCost, YawRateCost
from .joystick import AVERAGES, TURNS, JoystickCost

if TYPE_CHECKING:
    from ..state.representation import CharacterFrame


@dataclass(frozen=True)
class VelocityConfig:
    """How a velocity goal is served."""

    weight: float = param(1.0, lo=0.0, hi=100.0, doc="Weight of the planar velocity cost.")
    average: str = param("mean", choices=AVERAGES, doc="Cost on the mean predicted velocity, or on each step (eq. 7).")
    turn: str = param("commanded", choices=TURNS, doc="Which heading the goal velocity turns with over the horizon.")
    yaw_weight: float = param(1.0, lo=0.0, hi=100.0, doc="Weight of the turning cost.")
    yaw_cost: str = param(
        "ramp",
        choices=("ramp", "mean_rate", "rate"),
        doc="Turning as a heading ramp, as the mean rate or as each rate.",
    )


@dataclass(frozen=True)
class HeadingConfig:
    """How a heading goal is served."""

    weight: float = param(1.0, lo=0.0, hi=100.0, doc="Weight of the heading cost.")
    max_rate: float = param(0.8, unit="rad/s", lo=0.0, hi=4.0, doc="How fast a goal heading may be approached.")


@dataclass(frozen=True)
class GoalConfig:
    """How each kind of goal is served."""

    velocity: VelocityConfig = field(default_factory=VelocityConfig)
    heading: HeadingConfig = field(default_factory=HeadingConfig)

    def __post_init__(self) -> None:
        validate(self)


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


def goal_terms(goals: Sequence[Goal], context: GoalContext, config: GoalConfig | None = None) -> tuple[CostTerm, ...]:
    """The costs of all goals that have not expired.

    Args:
        goals: At most one of each kind.
        context: Where and when.
        config: Weights and variants; None: defaults.

    Raises:
        GoalError: A goal of unknown kind.
    """
    terms: list[CostTerm] = []
    for goal in goals:
        if type(goal) not in _TABLE:
            known = ", ".join(kind.__name__ for kind in _TABLE)
            raise GoalError(f"no cost serves a {type(goal).__name__}; served are {known}")
        if not goal.expired(context.stamp):
            terms.extend(_TABLE[type(goal)](goal, context, config or GoalConfig()))
    return tuple(terms)


def velocity_terms(vel_xy_c: Array, yaw_rate: Array, config: VelocityConfig) -> list[CostTerm]:
    """Terms that follow a planar velocity (2,) or (B, 2) [m/s] and a yaw rate, scalar or (B,) [rad/s]."""
    if config.yaw_cost == "ramp":
        turning: Any = HeadingCost(yaw_rate=yaw_rate)
    else:
        turning = YawRateCost(yaw_rate, "mean" if config.yaw_cost == "mean_rate" else "per_step")
    return [
        CostTerm("velocity", JoystickCost(vel_xy_c, yaw_rate, config.average, config.turn), config.weight),
        CostTerm("turning", turning, config.yaw_weight),
    ]


def heading_error(heading_w: Array | float, context: GoalContext) -> Array:
    """World heading as seen from the character frame [rad], wrapped by the cost."""
    return np.asarray(heading_w) - np.asarray(context.frame.yaw)


def _joystick(goal: JoystickGoal, context: GoalContext, config: GoalConfig) -> list[CostTerm]:
    velocity = np.asarray(goal.vel_xy_c) + np.asarray(context.vel_offset_c)
    yaw_rate = np.asarray(goal.yaw_rate) + np.asarray(context.yaw_rate_offset)
    return velocity_terms(velocity, yaw_rate, config.velocity)


def _heading(goal: HeadingGoal, context: GoalContext, config: GoalConfig) -> list[CostTerm]:
    cost = HeadingCost(heading_error(goal.heading_w, context), max_rate=config.heading.max_rate)
    return [CostTerm("heading", cost, config.heading.weight)]


_TABLE: dict[type, Callable[[Any, GoalContext, GoalConfig], list[CostTerm]]] = {
    JoystickGoal: _joystick,
    HeadingGoal: _heading,
}
