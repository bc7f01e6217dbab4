"""Take up poses at given times."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..guidance.goals import Goal, KeyframeGoal
from ..guidance.ranges import MAX_AHEAD
from ..parameters import param, validate
from ..rotations import rotate_yaw, yaw_of
from ..types import Array, RobotState
from .task import STANDING, Task, TaskCode, TaskRefusedError, TaskUpdate, failed, succeeded

KeyPoints = Callable[[RobotState], Array]
"""Positions of all key points in the world [m], shape (M, 3); for the G1 ``Kinematics.key_points(state)[0]``."""


@dataclass(frozen=True)
class KeyframeTaskConfig:
    """When a keyframe counts as reached."""

    position_tolerance: float = param(
        0.15,
        unit="m",
        lo=0.005,
        hi=2.0,
        doc="Largest mean distance of the chosen key points from their goals.",
        live=True,
    )
    window: float = param(
        0.1,
        unit="s",
        lo=0.02,
        hi=2.0,
        doc="The mean is taken from the keyframe's time on over its hold, at least this.",
    )

    def __post_init__(self) -> None:
        validate(self)


class ReachKeyframe(Task):
    """Pass through keyframes, one after the other.

    Judged is the mean distance between the chosen key points and their goals, averaged over time from ``due`` to
    ``due + max(hold, window)``. ``TaskUpdate.distance`` is that distance now [m], for the keyframe aimed at.
    """

    def __init__(
        self,
        keyframes: KeyframeGoal | Sequence[KeyframeGoal],
        key_points: KeyPoints,
        key_point_names: Sequence[str],
        *,
        config: KeyframeTaskConfig | None = None,
        base: tuple[Goal, ...] = STANDING,
        now: float = -math.inf,
    ):
        """
        Args:
            keyframes: In order of time.
            key_points: Where the robot's key points are.
            key_point_names: Their names, M of them.
            config: None: defaults.
            base: What the robot is guided by besides; e.g. a velocity to walk at until then.
            now: Keyframes due before this are refused [s].

        Raises:
            TaskRefusedError: None, unknown key points, times that overlap or are past.
        """
        super().__init__()
        self.config = config or KeyframeTaskConfig()
        self.keyframes = (keyframes,) if isinstance(keyframes, KeyframeGoal) else tuple(keyframes)
        self._key_points = key_points
        self._names = tuple(key_point_names)
        self._base = base
        self._check(now)
        self._index = 0
        self._samples: list[float] = []
        self.errors: list[float] = []
        """Mean error of each keyframe that has passed [m]."""

    @property
    def current(self) -> int:
        """Index of the keyframe aimed at."""
        return min(self._index, len(self.keyframes) - 1)

    def error(self, state: RobotState, index: int | None = None) -> Array:
        """Distances of a keyframe's key points from their goals now [m], shape (M',); by default of the current one."""
        goal = self.keyframes[self.current if index is None else index]
        rows = [self._names.index(name) for name in goal.key_points]
        points = np.asarray(self._key_points(state))[rows]
        if goal.frame == "local":
            points = rotate_yaw(points - np.asarray(state.root_pos_w), -yaw_of(state.root_quat_w))
        return np.linalg.norm(points - np.asarray(goal.positions), axis=-1)

    def _check(self, now: float) -> None:
        if not self.keyframes:
            raise TaskRefusedError(TaskCode.INVALID_GOAL, "no keyframes; give at least one")
        for goal in self.keyframes:
            unknown = [name for name in goal.key_points if name not in self._names]
            if unknown:
                raise TaskRefusedError(
                    TaskCode.INVALID_GOAL, f"keyframe with key points {unknown}; known are {list(self._names)}"
                )
        if self.keyframes[0].due < now:
            raise TaskRefusedError(
                TaskCode.STALE_CLOCK, f"keyframe due at {self.keyframes[0].due:.2f} s; it is {now:.2f} s already"
            )
        if math.isfinite(now) and self.keyframes[-1].due > now + MAX_AHEAD:
            raise TaskRefusedError(
                TaskCode.STALE_CLOCK,
                f"keyframe due in {self.keyframes[-1].due - now:.0f} s; up to {MAX_AHEAD:.0f} s ahead are served; have "
                "both clocks the same use_sim_time?",
            )
        for before, after in pairwise(self.keyframes):
            if after.due < before.due + max(before.hold, self.config.window):
                raise TaskRefusedError(
                    TaskCode.INVALID_GOAL,
                    f"keyframe due at {after.due:.2f} s comes before the one of {before.due:.2f} s is over",
                )

    def _step(self, state: RobotState, elapsed: float) -> TaskUpdate:
        goal = self.keyframes[self._index]
        distance = float(np.mean(self.error(state)))
        end = goal.due + max(goal.hold, self.config.window)
        if state.stamp >= goal.due - 1e-9:
            self._samples.append(distance)
        if state.stamp >= end - 1e-9:
            self.errors.append(float(np.mean(self._samples)))
            if self.errors[-1] > self.config.position_tolerance:
                return failed(
                    TaskCode.MISSED,
                    f"keyframe {self._index} of {len(self.keyframes)} missed by {self.errors[-1]:.2f} m "
                    f"(mean of its key points); allowed is {self.config.position_tolerance:.2f} m",
                    self.errors[-1],
                )
            self._index, self._samples = self._index + 1, []
            if self._index == len(self.keyframes):
                return succeeded(self.errors[-1], self._base)
            goal, distance = self.keyframes[self._index], float(np.mean(self.error(state)))
        last = self.keyframes[-1]
        left = last.due + max(last.hold, self.config.window) - state.stamp
        return TaskUpdate((*self._base, goal), distance=distance, predicted_time=left)
