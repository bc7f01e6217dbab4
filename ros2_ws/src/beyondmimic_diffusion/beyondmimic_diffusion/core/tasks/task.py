"""What a task is: it watches the robot and says what the planner shall be guided by, until it is done.

Tasks know no ROS and no clock: the stamp of the state is the time. Evaluation and the task server run the same ones.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum, IntEnum

from ..errors import GoalError
from ..guidance.goals import Goal, JoystickGoal
from ..types import RobotState

STANDING: tuple[Goal, ...] = (JoystickGoal(),)
"""What is asked of the robot when a task is over."""


class TaskStatus(Enum):
    """Where a task is."""

    RUNNING = "under way"
    SUCCEEDED = "done"
    FAILED = "given up; the code says why"


class TaskCode(IntEnum):
    """Why a task ended. An action's ``error_code`` of the same name is this number plus ``ACTION_CODES[action]``."""

    NONE = 0
    """All is well; 0 in each action too."""
    UNKNOWN = 1
    INVALID_GOAL = 2
    """NaN, a negative tolerance, a place beyond any map."""
    UNKNOWN_FRAME = 3
    STALE_CLOCK = 4
    """The goal's stamp and the robot's clock are too far apart."""
    INSIDE_OBSTACLE = 5
    NO_ROUTE = 6
    """The goal lies off the map, or no way leads there."""
    TIMEOUT = 7
    STUCK = 8
    """No progress for a while."""
    MISSED = 9
    """A keyframe's time passed outside its tolerance."""
    PREEMPTED = 10
    CANCELED = 11
    NOT_READY = 12
    """Planner or executor is not running or not armed."""
    ROBOT_FELL = 13
    TELEOP = 14
    """The operator steers."""


ACTION_CODES = {"ReachWaypoint": 100, "ReachKeyframe": 200, "Stand": 300, "PlayClip": 400}
"""What is added to a :class:`TaskCode` other than NONE in each action, so that a number tells its action too."""


class TaskRefusedError(GoalError):
    """A task that makes no sense; raised where it is made."""

    def __init__(self, code: TaskCode, message: str):
        """
        Args:
            code: For programs.
            message: For people, a sentence.
        """
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class TaskUpdate:
    """What a task says after a look at the robot."""

    goals: tuple[Goal, ...]
    """What the planner shall be guided by from now on; the scene of obstacles is added outside."""
    status: TaskStatus = TaskStatus.RUNNING
    code: TaskCode = TaskCode.NONE
    message: str = ""
    """For people, a sentence; empty while all is well."""
    distance: float = math.nan
    """What is left; each task says in which unit."""
    predicted_time: float = math.nan
    """Until it is done [s]."""

    @property
    def done(self) -> bool:
        """No longer running."""
        return self.status is not TaskStatus.RUNNING


class Task(ABC):
    """Something the robot shall do. Once it has ended, every later update is the one it ended with."""

    def __init__(self) -> None:
        self._started: float | None = None
        self._newest = -math.inf
        self._last: TaskUpdate | None = None

    @property
    def started(self) -> float | None:
        """Stamp of the first state seen [s]."""
        return self._started

    def update(self, state: RobotState) -> TaskUpdate:
        """Look at the robot; to be called at 10 to 50 Hz. A state not newer than the last one changes nothing."""
        if self._last is not None and (self._last.done or state.stamp <= self._newest):
            return self._last
        if self._started is None:
            self._started = state.stamp
        self._newest = state.stamp
        self._last = self._step(state, state.stamp - self._started)
        return self._last

    @abstractmethod
    def _step(self, state: RobotState, elapsed: float) -> TaskUpdate:
        """One look at a newer state, ``elapsed`` seconds after the first."""


def failed(code: TaskCode, message: str, distance: float = math.nan) -> TaskUpdate:
    """A task given up; the robot is asked to stand."""
    return TaskUpdate(STANDING, TaskStatus.FAILED, code, message, distance)


def succeeded(distance: float, goals: tuple[Goal, ...] = STANDING) -> TaskUpdate:
    """A task done."""
    return TaskUpdate(goals, TaskStatus.SUCCEEDED, distance=distance, predicted_time=0.0)


def check_timeout(timeout: float) -> float:
    """A time limit [s] above zero, infinity included.

    Raises:
        TaskRefusedError: Anything else.
    """
    if not timeout > 0.0:
        raise TaskRefusedError(TaskCode.INVALID_GOAL, f"timeout {timeout} s; give a time above zero, or inf for none")
    return float(timeout)
