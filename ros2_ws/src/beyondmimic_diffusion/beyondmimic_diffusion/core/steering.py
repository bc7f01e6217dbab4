"""From goals to guidance terms, with the slow correction that makes a robot reach the velocity it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from .guidance.composer import CostTerm
from .guidance.goal_config import GoalConfig
from .guidance.goal_terms import GoalContext, goal_terms, goal_velocity
from .guidance.goals import Goal, ObstacleScene
from .guidance.integrator import GoalIntegrator
from .parameters import param, validate
from .types import Array

_PELVIS_HEIGHT = 0.75
"""Of a walking G1 [m]."""


@dataclass(frozen=True)
class SteeringConfig:
    """Costs of each kind of goal, and the integrator behind velocity goals."""

    integrator_gain: float = param(0.8, unit="1/s", lo=0.0, hi=5.0, doc="Gain of the goal integrator; 0: off.")
    integrator_limit: float = param(0.3, unit="m/s", lo=0.0, hi=1.0, doc="Largest correction of the goal velocity.")
    integrator_min_speed: float = param(
        0.05, unit="m/s", lo=0.0, hi=1.0, doc="Goals below this stand still: the integrator is off; 0: always on."
    )
    integrator_clearance: float = param(
        1.2, unit="m", lo=0.0, hi=10.0, doc="Nearer than this to an obstacle the integrator is off; 0: never."
    )
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

    def reset(self) -> None:
        """Forget what the integrators learned."""
        self._integrator.reset()

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
        off = standing | self._among_obstacles(goals, context)
        if off.any():
            self._integrator.reset(off)
            offset = np.where(off[:, None], 0.0, offset)
        return goal_terms(goals, replace(context, vel_offset_c=offset), self.config.goals)

    def _among_obstacles(self, goals: Sequence[Goal], context: GoalContext) -> NDArray[np.bool_]:
        """Whose pelvis is near an obstacle, shape (B,): what slows it there is the barrier, and not to be made good."""
        near = np.zeros(self._rows, dtype=bool)
        xy = np.broadcast_to(np.asarray(context.frame.xy, dtype=np.float64), (self._rows, 2))
        pelvis = np.column_stack([xy, np.full(self._rows, _PELVIS_HEIGHT)])
        for goal in goals:
            if isinstance(goal, ObstacleScene) and goal.sdf_w is not None and not goal.expired(context.stamp):
                near |= goal.sdf_w.query(pelvis, context.stamp - goal.stamp)[0] < self.config.integrator_clearance
        return near
