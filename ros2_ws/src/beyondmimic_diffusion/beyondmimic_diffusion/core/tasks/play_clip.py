"""Come to a stand, follow a recorded motion up to a pose of it, and come to a stand again."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..errors import GoalError
from ..guidance.clip import Clip, ClipGoal
from ..parameters import param, validate
from ..rotations import rotate_yaw, yaw_of
from ..types import Array, RobotState
from .reach_keyframe import KeyPoints
from .stand import Stand, StandTaskConfig
from .task import STANDING, Task, TaskCode, TaskRefusedError, TaskUpdate, failed, succeeded


@dataclass(frozen=True)
class ClipTaskConfig:
    """How a clip is begun, followed and judged."""

    stand_timeout: float = param(6.0, unit="s", lo=0.5, hi=60.0, doc="Time for coming to a stand before the clip.")
    lead: float = param(0.04, unit="s", lo=0.0, hi=1.0, doc="Time from standing to the clip's first state.")
    spacing: float = param(0.16, unit="s", lo=0.02, hi=0.64, doc="Time between states of the clip that are held.")
    position_tolerance: float = param(
        0.1, unit="m", lo=0.005, hi=2.0, doc="Largest mean distance of all key points from the clip's last pose."
    )
    window: float = param(0.1, unit="s", lo=0.02, hi=2.0, doc="The mean is taken over this time before the end.")

    def __post_init__(self) -> None:
        validate(self)


class PlayClip(Task):
    """Follow a clip from its beginning to a pose of it; begins with a stand, from which clips start.

    Judged is the pose: key points relative to the pelvis, turned with its heading, so that a dance that drifts counts.
    ``TaskUpdate.distance`` is the mean distance of the key points from the clip's pose now [m]; NaN before it begins.
    """

    def __init__(
        self, clip: Clip, key_points: KeyPoints, *, until: float = math.inf, config: ClipTaskConfig | None = None
    ):
        """
        Args:
            clip: What to follow.
            key_points: Where the robot's key points are; all of the clip's, in its order.
            until: Time in the clip at which to stop [s]; inf: its end.
            config: None: defaults.

        Raises:
            TaskRefusedError: ``until`` is no time in the clip.
        """
        super().__init__()
        self.config = config or ClipTaskConfig()
        self.clip = clip
        self.until = clip.duration if math.isinf(until) and until > 0.0 else float(until)
        if not 0.0 < self.until <= clip.duration + 1e-6:
            raise TaskRefusedError(
                TaskCode.INVALID_GOAL, f"clip '{clip.name}' has no time {until} s; it is {clip.duration:.2f} s long"
            )
        self._key_points = key_points
        self._stand = Stand(config=StandTaskConfig(hold_time=0.2), timeout=self.config.stand_timeout)
        self._goal: ClipGoal | None = None
        self._samples: list[float] = []
        self._mean = math.nan

    @property
    def error(self) -> float:
        """Mean distance of the key points from the pose at its time [m]; NaN before that time."""
        return self._mean

    @property
    def goal(self) -> ClipGoal | None:
        """The clip as placed; None before it begins."""
        return self._goal

    def remainder(self) -> FinishClip | None:
        """What leads from where this task has come to back to standing; None where nothing is left of the clip.

        A pose of a clip may hold the robot: no velocity leads out of one that the data leave by the clip alone.
        """
        if self._goal is None or self.started is None:
            return None
        since = min(self._newest - self._goal.start, self.until)
        left = self.clip.duration - since
        return FinishClip(self.clip, since=since, config=self.config) if left > self.config.spacing else None

    def _step(self, state: RobotState, elapsed: float) -> TaskUpdate:
        if self._goal is None:
            before = self._stand.update(state)
            if not before.done:
                return TaskUpdate(before.goals, predicted_time=self.until + self.config.lead)
            if before.code is not TaskCode.NONE:
                return failed(before.code, f"clip '{self.clip.name}' not begun: {before.message}")
            self._goal = self._place(state)
        time = state.stamp - self._goal.start
        error = self._error(state, time)
        if time >= self.until - self.config.window - 1e-9:
            self._samples.append(error)
        if time < self.until - 1e-9:
            return TaskUpdate((self._goal,), distance=error, predicted_time=self.until - time)
        mean = self._mean = float(np.mean(self._samples))
        if mean > self.config.position_tolerance:
            return failed(
                TaskCode.MISSED,
                f"clip '{self.clip.name}' at {self.until:.2f} s missed by {mean:.2f} m (mean of the key points); "
                f"allowed is {self.config.position_tolerance:.2f} m",
                mean,
            )
        return succeeded(mean, STANDING)

    def _place(self, state: RobotState) -> ClipGoal:
        try:
            return ClipGoal(
                clip=self.clip,
                start=state.stamp + self.config.lead,
                xy_w=np.array(state.root_pos_w[:2]),
                yaw_w=float(yaw_of(state.root_quat_w)),
                until=self.until,
                spacing=max(self.config.spacing, self.clip.dt),
            )
        except GoalError as error:
            raise TaskRefusedError(TaskCode.INVALID_GOAL, str(error)) from error

    def _error(self, state: RobotState, time: float) -> float:
        """Mean distance of the key points from the clip's pose at a time of it [m]."""
        states = self.clip.states
        index = int(np.clip(round(time / self.clip.dt), 0, len(states.root_pos_w) - 1))
        wanted = _local(states.key_pos_w[index], states.root_pos_w[index], states.root_quat_w[index])
        found = _local(np.asarray(self._key_points(state)), state.root_pos_w, state.root_quat_w)
        return float(np.mean(np.linalg.norm(found - wanted, axis=-1)))


class FinishClip(Task):
    """Follow a clip from a time of it to its end, from where the robot is; then stand.

    ``TaskUpdate.distance`` is NaN: nobody asked for a pose.
    """

    def __init__(self, clip: Clip, *, since: float, config: ClipTaskConfig | None = None):
        """
        Args:
            clip: What is under way.
            since: Time of the clip that the robot has come to [s]; times before it count as its beginning.
            config: None: defaults.

        Raises:
            TaskRefusedError: The clip is over by then.
        """
        super().__init__()
        self.clip = clip
        self.config = config or ClipTaskConfig()
        self._since = max(0.0, float(since))
        if not self._since < clip.duration:
            raise TaskRefusedError(
                TaskCode.INVALID_GOAL, f"clip '{clip.name}' is over at {since:.2f} s; it is {clip.duration:.2f} s long"
            )
        self._goal: ClipGoal | None = None

    def _step(self, state: RobotState, elapsed: float) -> TaskUpdate:
        if self._goal is None:
            self._goal = self._place(state)
        left = self._goal.start + self.clip.duration - state.stamp
        return TaskUpdate((self._goal,), predicted_time=left) if left > 0.0 else succeeded(math.nan)

    def _place(self, state: RobotState) -> ClipGoal:
        """The clip, laid so that its state of that time stands where the robot stands, and faces where it faces."""
        states = self.clip.states
        index = round(self._since / self.clip.dt)
        yaw = float(yaw_of(state.root_quat_w)) - float(
            yaw_of(states.root_quat_w[index]) - yaw_of(states.root_quat_w[0])
        )
        gone = states.root_pos_w[index] - states.root_pos_w[0]
        gone = rotate_yaw(np.asarray(gone), yaw - yaw_of(states.root_quat_w[0]))
        return ClipGoal(
            clip=self.clip,
            start=state.stamp + self.config.lead - self._since,
            xy_w=np.asarray(state.root_pos_w[:2]) - gone[:2],
            yaw_w=yaw,
            until=self.clip.duration,
            spacing=max(self.config.spacing, self.clip.dt),
        )


def _local(points: Array, root: Array, quat: Array) -> Array:
    """Points (M, 3) relative to the pelvis, turned with its heading."""
    return rotate_yaw(points - np.asarray(root), -yaw_of(quat))
