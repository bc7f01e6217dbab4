"""The actions: from a request to a task, and from a task's progress to feedback and result."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
from beyondmimic_msgs.action import ReachKeyframe as ReachKeyframeAction
from beyondmimic_msgs.action import ReachWaypoint as ReachWaypointAction
from beyondmimic_msgs.action import Stand as StandAction
from builtin_interfaces.msg import Time

from ..core.parameters import param, validate
from ..core.robot import g1
from ..core.robot.kinematics import Kinematics
from ..core.route import RouteConfig, RoutePlanner
from ..core.tasks import (
    ClipTaskConfig,
    KeyframeTaskConfig,
    ReachKeyframe,
    ReachWaypoint,
    Stand,
    StandTaskConfig,
    Task,
    TaskCode,
    TaskRefusedError,
    TaskUpdate,
    WaypointTaskConfig,
)
from ..core.types import RobotState
from .conversions import (
    FrameNames,
    duration_from_msg,
    duration_to_msg,
    keyframe_from_msg,
    placed_pose,
    time_from_msg,
    yaw_from_pose,
)
from .obstacle_store import ObstacleStore
from .transforms import TransformBuffer

_NEAREST = {TaskCode.STALE_CLOCK: TaskCode.NOT_READY}
"""For actions that lack a code."""
_FUTURE = 0.5
"""A goal stamped so much ahead of our clock comes from another clock [s]."""


@dataclass(frozen=True)
class TasksConfig:
    """What an operator may choose about tasks."""

    waypoint_timeout: float = param(
        120.0, unit="s", lo=1.0, hi=3600.0, doc="Waypoints not reached in this time are given up."
    )
    stand_timeout: float = param(10.0, unit="s", lo=1.0, hi=600.0, doc="Standing not reached in this time is given up.")
    goal_max_age: float = param(10.0, unit="s", lo=0.1, hi=3600.0, doc="Goals stamped longer ago are refused.")
    waypoint: WaypointTaskConfig = field(default_factory=WaypointTaskConfig)
    keyframe: KeyframeTaskConfig = field(default_factory=KeyframeTaskConfig)
    clip: ClipTaskConfig = field(default_factory=ClipTaskConfig)
    stand: StandTaskConfig = field(default_factory=StandTaskConfig)
    route: RouteConfig = field(default_factory=RouteConfig)

    def __post_init__(self) -> None:
        validate(self)


@dataclass
class TaskWorld:
    """What a task is made from."""

    config: Callable[[], TasksConfig]
    frames: TransformBuffer
    names: FrameNames
    store: ObstacleStore
    avoid: bool
    """Whether routes are sought; without obstacles avoided, tasks go straight."""


@dataclass
class Progress:
    """What feedback tells besides the task itself."""

    update: TaskUpdate
    state: RobotState
    cost: float
    planner_state: int


class TaskAction(ABC):
    """One action's half of the work that knows its messages."""

    name: str
    action_type: Any

    @abstractmethod
    def make(self, goal: Any, world: TaskWorld, state: RobotState, now: float) -> Task:
        """The task for a request.

        Raises:
            TaskRefusedError: With the code for the client.
            FrameError: A frame is unknown.
            GoalError: Anything else that cannot be served.
        """

    @abstractmethod
    def feedback(self, task: Any, progress: Progress) -> Any:
        """Where a running task is."""

    @abstractmethod
    def fill(self, result: Any, task: Any, state: RobotState | None, elapsed: float) -> None:
        """What a result holds besides code and message; ``task`` is None if none was made."""

    def result(self, code: TaskCode, message: str, task: Task | None, state: RobotState | None, elapsed: float) -> Any:
        """The result, with the action's own number for a code."""
        kind = self.action_type.Result
        result = kind(error_msg=message)
        known = code if hasattr(kind, code.name) else _NEAREST.get(code, TaskCode.UNKNOWN)
        result.error_code = getattr(kind, known.name)
        self.fill(result, task, state, elapsed)
        return result


class WaypointTaskAction(TaskAction):
    """``reach_waypoint``."""

    name = "reach_waypoint"
    action_type = ReachWaypointAction

    def make(self, goal: Any, world: TaskWorld, state: RobotState, now: float) -> ReachWaypoint:
        """Walk to a planar pose."""
        config = world.config()
        require_not_negative(goal, "position_tolerance", "heading_tolerance", "speed_limit")
        timeout = duration_of(goal, "timeout", config.waypoint_timeout)
        _require_fresh(goal.pose.header.stamp, now, config.goal_max_age)
        pose = placed_pose(goal.pose, world.frames, world.names.odom).pose
        target = np.array([pose.position.x, pose.position.y])
        heading = yaw_from_pose(pose, "pose") if goal.use_heading else None
        settings = config.waypoint
        if goal.position_tolerance > 0.0:
            settings = replace(settings, position_tolerance=float(goal.position_tolerance))
        if goal.heading_tolerance > 0.0:
            settings = replace(settings, heading_tolerance=float(goal.heading_tolerance))
        planner = None
        if world.avoid:
            planner = RoutePlanner(world.store.floor((state.root_pos_w[:2], target), config.route.reach), config.route)
        return ReachWaypoint(
            target,
            heading,
            config=settings,
            route=planner,
            timeout=timeout,
            max_speed=float(goal.speed_limit) if goal.speed_limit > 0.0 else None,
        )

    def feedback(self, task: Any, progress: Progress) -> Any:
        """Way left, heading error, time."""
        update = progress.update
        message = ReachWaypointAction.Feedback(cost=progress.cost, planner_state=progress.planner_state)
        message.distance = float(update.distance)
        message.heading_error = float(task.heading_error(progress.state))
        message.estimated_time = duration_to_msg(finite(update.predicted_time))
        return message

    def fill(self, result: Any, task: Any, state: RobotState | None, elapsed: float) -> None:
        """Distance at the end."""
        result.elapsed = duration_to_msg(elapsed)
        result.final_distance = math.nan
        if task is not None and state is not None:
            result.final_distance = float(np.linalg.norm(task.target_xy_w - state.root_pos_w[:2]))


class KeyframeTaskAction(TaskAction):
    """``reach_keyframe``."""

    name = "reach_keyframe"
    action_type = ReachKeyframeAction

    def __init__(self) -> None:
        self._kinematics = kinematics()

    def make(self, goal: Any, world: TaskWorld, state: RobotState, now: float) -> ReachKeyframe:
        """Pass through poses."""
        require_not_negative(goal, "position_tolerance", "orientation_tolerance")
        names = world.names
        settings = world.config().keyframe
        if goal.position_tolerance > 0.0:
            settings = replace(settings, position_tolerance=float(goal.position_tolerance))
        frames = [keyframe_from_msg(frame, now, names.odom, names.base, world.frames) for frame in goal.keyframes]
        return ReachKeyframe(
            frames, lambda s: self._kinematics.key_points(s)[0], g1.KEY_POINT_NAMES, config=settings, now=now
        )

    def feedback(self, task: Any, progress: Progress) -> Any:
        """Which keyframe, its error now, and when it is due."""
        message = ReachKeyframeAction.Feedback(cost=progress.cost, planner_state=progress.planner_state)
        message.current_keyframe = task.current
        message.time_left = duration_to_msg(task.keyframes[task.current].due - progress.state.stamp)
        message.position_error = float(progress.update.distance)
        return message

    def fill(self, result: Any, task: Any, state: RobotState | None, elapsed: float) -> None:
        """Mean error of each keyframe, NaN for those that did not come to pass."""
        count = 0 if task is None else len(task.keyframes)
        errors = [] if task is None else [float(error) for error in task.errors]
        result.position_error = [*errors, *[math.nan] * (count - len(errors))]
        result.orientation_error = [math.nan] * count


class StandTaskAction(TaskAction):
    """``stand``."""

    name = "stand"
    action_type = StandAction

    def make(self, goal: Any, world: TaskWorld, state: RobotState, now: float) -> Stand:
        """Come to rest."""
        require_not_negative(goal, "speed_tolerance")
        config = world.config()
        settings = config.stand
        if goal.speed_tolerance > 0.0:
            settings = replace(settings, speed_tolerance=float(goal.speed_tolerance))
        settings = replace(settings, hold_time=duration_of(goal, "hold_time", settings.hold_time))
        return Stand(config=settings, timeout=duration_of(goal, "timeout", config.stand_timeout))

    def feedback(self, task: Any, progress: Progress) -> Any:
        """How fast it still is."""
        message = StandAction.Feedback(planner_state=progress.planner_state, speed=float(task.speed))
        message.standing_for = duration_to_msg(task.standing_for)
        return message

    def fill(self, result: Any, task: Any, state: RobotState | None, elapsed: float) -> None:
        """Speed at the end."""
        result.final_speed = math.nan if task is None else float(task.speed)


@cache
def kinematics() -> Kinematics:
    """One per process: reading the model takes a moment."""
    return Kinematics()


def require_not_negative(goal: Any, *names: str) -> None:
    """Zero in these fields of a goal means the server's own value; less, or no number, is refused."""
    for name in names:
        value = getattr(goal, name)
        if not (math.isfinite(value) and value >= 0.0):
            raise TaskRefusedError(
                TaskCode.INVALID_GOAL, f"{name} is {value}; zero (the server's own) or a positive number is right"
            )


def duration_of(goal: Any, name: str, default: float) -> float:
    """A duration of a goal [s]; zero means the server's own."""
    value = duration_from_msg(getattr(goal, name))
    if value < 0.0:
        raise TaskRefusedError(TaskCode.INVALID_GOAL, f"{name} is {value} s; zero (the server's own) or more is right")
    return value or default


def _require_fresh(stamp: Time, now: float, max_age: float) -> None:
    given = time_from_msg(stamp)
    if given == 0.0:
        return
    age = now - given
    if age > max_age or age < -_FUTURE:
        raise TaskRefusedError(
            TaskCode.STALE_CLOCK,
            f"the goal is stamped {abs(age):.1f} s {'before' if age > 0.0 else 'after'} our clock; allowed are "
            f"{max_age:.1f} s before and {_FUTURE} s after (zero: now); is use_sim_time the same everywhere?",
        )


def finite(value: float) -> float:
    """For durations, which know no NaN: unknown is zero."""
    return value if math.isfinite(value) else 0.0
