"""Who steers: the operator's sticks, a task, terms given by service, or nobody. One at a time, and the sticks first."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from beyondmimic_msgs.msg import GuidanceGoal
from rclpy.action.server import ServerGoalHandle
from rclpy.node import Node

from ..core.errors import BeyondMimicError
from ..core.guidance.goals import Goal
from ..core.guidance.teleop import VelocityTask
from ..core.tasks import (
    STANDING,
    FinishClip,
    PlayClip,
    ReachWaypoint,
    Task,
    TaskCode,
    TaskRefusedError,
    TaskStatus,
    TaskUpdate,
)
from ..core.types import RobotState
from .deferred_action import ABORTED, CANCELED, SUCCEEDED, DeferredActionServer
from .frames import FrameError
from .readiness import Readiness
from .task_actions import Progress, TaskAction, TaskWorld

_FEEDBACK_PERIOD = 0.1
"""[s]."""
_FLOOR_PERIOD = 1.0
"""Routes are checked against new obstacles at most this often [s]."""


@dataclass
class Job:
    """A task under way."""

    action: TaskAction
    task: Task
    handle: ServerGoalHandle | None
    """None: it came by a topic, nobody waits for its end."""
    since: float
    """Our clock at its start [s]."""
    floor_version: int
    goals: tuple[Goal, ...] = STANDING
    fed_back: float = 0.0
    floor_checked: float = 0.0


class TaskDesk:
    """Starts tasks, advances the one under way and ends it, and knows what the planner shall be guided by."""

    def __init__(
        self,
        node: Node,
        actions: Sequence[TaskAction],
        world: TaskWorld,
        readiness: Readiness,
        teleop: VelocityTask,
        now: Callable[[], float],
        serving: Callable[[], bool],
    ):
        """
        Args:
            node: Owner of the action servers.
            actions: What can be asked for.
            world: What tasks are made from.
            readiness: Knows whether there is a robot to do it.
            teleop: The operator's velocity command; kept by the caller.
            now: Our clock [s].
            serving: Whether goals are taken at all.
        """
        self._node = node
        self._world = world
        self._readiness = readiness
        self._teleop = teleop
        self._now = now
        self.job: Job | None = None
        self.terms: GuidanceGoal | None = None
        """Given by service, with an expiry or without; in the odometry's frame."""
        self.last_end = ""
        """How the last task ended, for diagnostics."""
        self._way_back: FinishClip | None = None
        """Leads out of the pose that a clip was left in; before anything else is done."""
        self._leaving = False
        """The way back is being taken."""
        self._back_goals: tuple[Goal, ...] = STANDING
        self._servers = {
            action.name: DeferredActionServer(
                node,
                action.action_type,
                action.name,
                lambda handle, a=action: self.start(a, handle.request, handle),
                serving,
            )
            for action in actions
        }

    def destroy(self) -> None:
        """Remove the action servers."""
        for server in self._servers.values():
            server.destroy()
        self._servers = {}

    def start(self, action: TaskAction, goal: Any, handle: ServerGoalHandle | None) -> None:
        """Begin a task; one that cannot be done ends at once with the reason, and leaves the one under way alone."""
        now = self._now()
        try:
            job = self._made(action, goal, handle, now)
        except FrameError as error:
            self._refuse(action, handle, TaskCode.UNKNOWN_FRAME, str(error))
        except TaskRefusedError as error:
            self._refuse(action, handle, error.code, str(error))
        except BeyondMimicError as error:  # a GoalError, or a tolerance that no parameter could have
            self._refuse(action, handle, TaskCode.INVALID_GOAL, str(error))
        else:
            self.drop(TaskCode.PREEMPTED, f"replaced by a newer goal for {action.name}")
            self.job = job
            self._node.get_logger().info(f"{action.name} begins")

    def _made(self, action: TaskAction, goal: Any, handle: ServerGoalHandle | None, now: float) -> Job:
        trouble = self._readiness.trouble()
        if trouble is not None:
            raise TaskRefusedError(*trouble)
        if self.operator_steers():
            raise TaskRefusedError(TaskCode.TELEOP, "the operator steers; let go of the sticks, or stop cmd_vel")
        state = self._readiness.state()
        if state is None:
            raise TaskRefusedError(TaskCode.NOT_READY, "robot_state cannot be read; see the log")
        version = self._world.store.floor_version
        return Job(action, action.make(goal, self._world, state, now), handle, now, version)

    def operator_steers(self) -> bool:
        """A command other than zero is in force."""
        return self._teleop.moving(time.monotonic())

    def tick(self) -> None:
        """Advance the task under way."""
        if self.operator_steers():
            self.drop(TaskCode.TELEOP, "the operator steers")
        job = self.job
        if job is None and self._way_back is None:
            return
        trouble = self._readiness.trouble(under_way=True)
        state = self._readiness.state()
        if trouble is not None:
            self._way_back, self._leaving = None, False  # whatever comes next, it does not begin in that pose
        waits = trouble is None and state is not None and self._goes_back(state)
        if job is None or (waits and (job.handle is None or not job.handle.is_cancel_requested)):
            return
        if job.handle is not None and job.handle.is_cancel_requested:
            self._end(job, CANCELED, TaskCode.CANCELED, "cancelled by the client; standing")
            return
        if trouble is not None or state is None:
            self._end(job, ABORTED, *(trouble or (TaskCode.NOT_READY, "robot_state cannot be read; see the log")))
            return
        self._look_at_floor(job, state)
        update = job.task.update(state)
        job.goals = update.goals
        if update.status is TaskStatus.RUNNING:
            self._feed_back(job, update, state)
        elif update.status is TaskStatus.SUCCEEDED:
            self._end(job, SUCCEEDED, TaskCode.NONE, update.message)
        else:
            self._end(job, ABORTED, update.code, update.message)

    def drop(self, code: TaskCode, message: str) -> None:
        """End what is under way, task or terms, and stand."""
        self.terms = None
        if self.job is not None:
            self._end(self.job, ABORTED, code, message)

    @property
    def leaving_clip(self) -> bool:
        """Whether the robot is on its way out of a clip; sticks, terms and tasks wait for that."""
        return self._leaving

    def goals(self) -> tuple[Goal, ...]:
        """What tasks ask for now."""
        if self._leaving:
            return self._back_goals
        return STANDING if self.job is None else self.job.goals

    def _goes_back(self, state: RobotState) -> bool:
        """Take the way back out of a clip, if there is one and anything waits for it; whether it is being taken."""
        way = self._way_back
        if way is None:
            return False
        if not self._leaving:
            if self.job is None and self.terms is None and not self.operator_steers():
                return False
            self._leaving = True
        if way.started is None:
            self._node.get_logger().info(f"clip '{way.clip.name}' is played to its end first: it leads back to a stand")
        update = way.update(state)
        self._back_goals = update.goals
        if update.done:
            self._way_back, self._leaving = None, False
        return self._leaving

    def target(self) -> ReachWaypoint | None:
        """The waypoint task under way, for displays."""
        task = None if self.job is None else self.job.task
        return task if isinstance(task, ReachWaypoint) else None

    def _look_at_floor(self, job: Job, state: RobotState) -> None:
        """Tell a task of obstacles that came or went since it began."""
        store, now = self._world.store, time.monotonic()
        task = job.task if isinstance(job.task, ReachWaypoint) else None
        planner = None if task is None else task.planner
        if task is None or planner is None or store.floor_version == job.floor_version:
            return
        if now - job.floor_checked < _FLOOR_PERIOD:
            return
        job.floor_version, job.floor_checked = store.floor_version, now
        planner.update_map(store.floor((state.root_pos_w[:2], task.target_xy_w), planner.config.reach))

    def _feed_back(self, job: Job, update: TaskUpdate, state: RobotState) -> None:
        now = time.monotonic()
        if job.handle is None or now - job.fed_back < _FEEDBACK_PERIOD:
            return
        job.fed_back = now
        progress = Progress(update, state, self._readiness.cost, self._readiness.planner_state)
        job.handle.publish_feedback(job.action.feedback(job.task, progress))

    def _end(self, job: Job, end: str, code: TaskCode, message: str) -> None:
        self.job = None
        if isinstance(job.task, PlayClip) and code is not TaskCode.NOT_READY:
            self._way_back = job.task.remainder()
            self._leaving = self._way_back is not None and code is not TaskCode.NONE  # a pose asked for is kept
            self._back_goals = STANDING
        elapsed = self._now() - job.since
        self._tell(job.action, code, message)
        if job.handle is not None:
            result = job.action.result(code, message, job.task, self._readiness.state(), elapsed)
            self._servers[job.action.name].conclude(job.handle, end, result)

    def _refuse(self, action: TaskAction, handle: ServerGoalHandle | None, code: TaskCode, message: str) -> None:
        self._tell(action, code, message)
        if handle is not None:
            result = action.result(code, message, None, None, 0.0)
            self._servers[action.name].conclude(handle, ABORTED, result)

    def _tell(self, action: TaskAction, code: TaskCode, message: str) -> None:
        text = f"{action.name}: {code.name}" + (f": {message}" if message else "")
        self.last_end = text
        logger = self._node.get_logger()
        if code in (TaskCode.NONE, TaskCode.CANCELED, TaskCode.PREEMPTED):
            logger.info(text)
        else:
            logger.warning(text)
