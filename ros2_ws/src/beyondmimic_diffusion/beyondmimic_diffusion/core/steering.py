"""From goals to guidance terms, with the slow correction that makes a robot reach the velocity it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from .guidance.composer import CostTerm
from .guidance.goal_config import GoalConfig
from .guidance.goal_terms import GoalContext, goal_terms, goal_velocity
from .guidance.goals import Goal, JoystickGoal, ObstacleScene
from .guidance.integrator import GoalIntegrator
from .parameters import param, validate
from .rotations import wrap_angle
from .types import Array

_PELVIS_HEIGHT = 0.75
"""Of a walking G1 [m]."""


@dataclass(frozen=True)
class SteeringConfig:
    """Costs of each kind of goal, and the integrator behind velocity goals."""

    integrator_gain: float = param(
        0.8, unit="1/s", lo=0.0, hi=5.0, doc="Gain of the goal integrator; 0: off.", live=True
    )
    integrator_limit: float = param(
        0.3, unit="m/s", lo=0.0, hi=1.0, doc="Largest correction of the goal velocity.", live=True
    )
    integrator_min_speed: float = param(
        0.05, unit="m/s", lo=0.0, hi=1.0, doc="Goals below this stand still: the integrator is off; 0: always on."
    )
    integrator_clearance: float = param(
        1.2, unit="m", lo=0.0, hi=10.0, doc="Nearer than this to an obstacle the integrator is off; 0: never."
    )
    heading_gain: float = param(
        1.0,
        unit="1/s",
        lo=0.0,
        hi=5.0,
        doc="Near obstacles a velocity goal without turning holds its heading; 0: off.",
        live=True,
    )
    heading_limit: float = param(
        0.4, unit="rad/s", lo=0.0, hi=2.0, doc="Largest yaw rate that brings it back.", live=True
    )
    turn_gain: float = param(
        1.5,
        unit="1/s",
        lo=0.0,
        hi=5.0,
        doc="Turning on the spot goes after the heading that is due by now; 0: off.",
        live=True,
    )
    turn_lead: float = param(0.6, unit="rad", lo=0.0, hi=1.5, doc="How far that heading may be ahead.", live=True)
    goals: GoalConfig = field(default_factory=GoalConfig)

    def __post_init__(self) -> None:
        validate(self)


class Steering:
    """Turns goals into cost terms for B robots; holds their integrators."""

    def __init__(self, config: SteeringConfig, rows: int = 1):
        """
        Args:
            config: Weights and gains.
            rows: Robots B.
        """
        self.config = config
        self._integrator = GoalIntegrator(2, config.integrator_gain, config.integrator_limit, rows=rows)
        self._rows = rows
        self._held = np.full(rows, np.nan)
        """Heading that each robot holds [rad]; NaN: none."""
        self._due = np.full(rows, np.nan)
        """Heading that each robot should have by now, turning on the spot [rad]; NaN: it does not."""
        self._turn = np.zeros(rows)
        """Yaw rate that was asked for last [rad/s]."""

    def retune(self, config: SteeringConfig) -> None:
        """Steer with other gains from the next plan on; what the integrators have learned stays, within its limit."""
        self.config = config
        self._integrator.retune(config.integrator_gain, config.integrator_limit)

    def reset(self) -> None:
        """Forget what the integrators learned, and headings that were held."""
        self._integrator.reset()
        self._held[:] = np.nan
        self._due[:] = np.nan

    def terms(self, goals: Sequence[Goal], context: GoalContext, velocity_c: Array, dt: float) -> tuple[CostTerm, ...]:
        """Cost terms for the next plan.

        Args:
            goals: What the robots shall do.
            context: Where and when; its velocity offset is filled in here.
            velocity_c: Measured planar velocity in the character frame [m/s], shape (B, 2).
            dt: Time since the last plan [s].

        Raises:
            GoalError: No cost serves a goal of this type.
        """
        asked = goal_velocity(goals, context, self.config.goals)
        if asked is None:
            return goal_terms(goals, context, self.config.goals)
        wanted = np.broadcast_to(np.asarray(asked[0], dtype=np.float64), (self._rows, 2))
        offset = self._integrator.update(wanted - velocity_c, dt, wanted)
        standing = np.linalg.norm(wanted, axis=-1) < self.config.integrator_min_speed
        near = self._among_obstacles(goals, context)
        off = standing | near
        if off.any():
            self._integrator.reset(off)
            offset = np.where(off[:, None], 0.0, offset)
        if any(isinstance(goal, JoystickGoal) and not goal.expired(context.stamp) for goal in goals):
            rate = np.broadcast_to(np.asarray(asked[1], dtype=np.float64), (self._rows,))
            held = self._towards_held(near & ~standing & (rate == 0.0), context)
            due = self._towards_due(standing & (rate != 0.0), rate, dt, context)
            return goal_terms(
                goals, replace(context, yaw_rate_offset=held + due, vel_offset_c=offset), self.config.goals
            )
        self._held[:] = self._due[:] = np.nan
        return goal_terms(goals, replace(context, vel_offset_c=offset), self.config.goals)

    def _towards_held(self, holding: NDArray[np.bool_], context: GoalContext) -> Array:
        """Yaw rates [rad/s], shape (B,), that bring robots back to the heading they had when they came near obstacles.

        A barrier that pushes a walking robot turns it, too, and what it is then told to do, "forward", means the wall.
        """
        if not holding.any():
            self._held[:] = np.nan
            return np.zeros(self._rows)
        yaw = self._yaw(context)
        self._held = np.where(holding, np.where(np.isnan(self._held), yaw, self._held), np.nan)
        back = self.config.heading_gain * wrap_angle(np.where(holding, self._held - yaw, 0.0))
        return np.clip(back, -self.config.heading_limit, self.config.heading_limit)

    def _towards_due(self, turning: NDArray[np.bool_], rate: Array, dt: float, context: GoalContext) -> Array:
        """Yaw rates [rad/s], shape (B,), that make up what robots that turn on the spot are behind, or ahead.

        From standing feet the policy at times goes on standing; asked for more, it steps.
        """
        if not turning.any():
            self._due[:], self._turn = np.nan, np.array(rate)
            return np.zeros(self._rows)
        yaw, config = self._yaw(context), self.config
        goes_on = ~np.isnan(self._due) & (self._turn * rate > 0.0)
        behind = wrap_angle(np.where(goes_on, self._due - yaw, 0.0) + rate * dt)
        behind = np.where(turning, np.clip(behind, -config.turn_lead, config.turn_lead), 0.0)
        self._due, self._turn = np.where(turning, yaw + behind, np.nan), np.array(rate)
        return config.turn_gain * behind

    def _yaw(self, context: GoalContext) -> Array:
        return np.broadcast_to(np.asarray(context.frame.yaw, dtype=np.float64), (self._rows,))

    def _among_obstacles(self, goals: Sequence[Goal], context: GoalContext) -> NDArray[np.bool_]:
        """Whose pelvis is near an obstacle, shape (B,): what slows it there is the barrier, and not to be made good."""
        near = np.zeros(self._rows, dtype=bool)
        xy = np.broadcast_to(np.asarray(context.frame.xy, dtype=np.float64), (self._rows, 2))
        pelvis = np.column_stack([xy, np.full(self._rows, _PELVIS_HEIGHT)])
        for goal in goals:
            if isinstance(goal, ObstacleScene) and goal.sdf_w is not None and not goal.expired(context.stamp):
                near |= goal.sdf_w.query(pelvis, context.stamp - goal.stamp)[0] < self.config.integrator_clearance
        return near
