"""A whole state of the robot at a time to come: in-betweening by clean future tokens (Diffuse-CLoC eq. 6).

Unlike a :class:`~.goals.KeyframeGoal`, which is a cost on chosen key points, this one is *conditioned* on: the future
state token that is due then enters the network as a fact (level 0), and the plan is what the data know to lie between.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np

from ..errors import GoalError
from ..rotations import quat_from_yaw, quat_multiply, rotate_yaw, yaw_of
from ..state import StateSequence
from .goals import Goal


@dataclass(frozen=True, eq=False)
class StateKeyframeGoal(Goal):
    """Be in this state, at this place, at this time."""

    state: StateSequence = field(kw_only=True)
    """In the world; arrays without leading dimensions."""
    due: float = field(kw_only=True)
    """When, by the robot's clock [s]; matters only while it lies within the horizon of a plan."""

    def __post_init__(self) -> None:
        self._check_expiry()
        if not math.isfinite(self.due):
            raise GoalError(f"StateKeyframeGoal.due = {self.due} is not a time")
        for item in fields(self.state):
            value = np.asarray(getattr(self.state, item.name))
            if not np.all(np.isfinite(value)):
                raise GoalError(f"StateKeyframeGoal.state.{item.name} is not finite")
            if value.ndim != (2 if item.name.startswith("key_") else 1):
                raise GoalError(
                    f"StateKeyframeGoal.state.{item.name} has shape {value.shape}; give one state, no batch"
                )


def due_steps(
    keyframes: Sequence[StateKeyframeGoal], now: float, step_dt: float, horizon: int
) -> dict[int, StateKeyframeGoal]:
    """Which predicted state (0 = one step after ``now``) each keyframe in reach stands for; the later one wins."""
    steps = {round((goal.due - now) / step_dt) - 1: goal for goal in keyframes}
    return {step: goal for step, goal in steps.items() if 0 <= step < horizon}


def placed(state: StateSequence, xy_w: Sequence[float] | np.ndarray, yaw_w: float) -> StateSequence:
    """A state, or several, moved and turned as one so that the first is at ``xy_w`` [m], facing ``yaw_w`` [rad]."""
    whole = np.ndim(state.root_pos_w) == 1
    first = state if whole else state[0]
    turn = float(yaw_w) - float(yaw_of(first.root_quat_w))
    origin = np.array([*first.root_pos_w[:2], 0.0])
    goal = np.array([*np.asarray(xy_w, dtype=np.float64), 0.0])

    def point(value: np.ndarray) -> np.ndarray:
        return rotate_yaw(value - origin, turn) + goal

    return replace(
        state,
        root_pos_w=point(state.root_pos_w),
        root_quat_w=quat_multiply(quat_from_yaw(turn), state.root_quat_w),
        root_lin_vel_w=rotate_yaw(state.root_lin_vel_w, turn),
        root_ang_vel_w=rotate_yaw(state.root_ang_vel_w, turn),
        key_pos_w=point(state.key_pos_w),
        key_vel_w=rotate_yaw(state.key_vel_w, turn),
    )
