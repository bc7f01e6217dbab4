"""``guidance/active``: everything in force as one message, on change and again and again."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Sequence
from dataclasses import fields

import numpy as np
from beyondmimic_msgs.msg import GuidanceGoal, GuidanceTerm
from rclpy.publisher import Publisher

from ..core.errors import GoalError
from ..core.guidance.clip import ClipGoal
from ..core.guidance.clip_library import ClipLibrary
from ..core.guidance.goal_judge import GoalJudge
from ..core.guidance.goals import Goal, KeyframeGoal, ObstacleScene
from ..core.guidance.teleop import VelocityTask
from ..core.state import CharacterFrame
from ..core.tasks import STANDING, TaskCode
from .conversions import (
    FrameNames,
    goals_from_msg,
    goals_to_msg,
    placed_goal,
    scene_term,
    set_stamp,
    time_from_msg,
    time_to_msg,
)
from .obstacle_store import ObstacleStore
from .task_desk import TaskDesk
from .transforms import TransformBuffer

_IDLE_PERIOD = 0.5
"""A goal that does not change is repeated this often, on the robot's clock [s]."""
_MUST_EXPIRE = (GuidanceTerm.VELOCITY, GuidanceTerm.CLIP)
"""After its end a clip asks for nothing: the robot must be told to stand."""
_LIFETIME = 2.0
"""The planner stands when a goal other than standing is not repeated for this long [s]: this node may have died."""


class GoalWriter:
    """Composes sticks or task or terms with the obstacles, and numbers what it publishes."""

    def __init__(
        self,
        publisher: Publisher,
        teleop: VelocityTask,
        desk: TaskDesk,
        store: ObstacleStore,
        names: FrameNames,
        avoid: bool,
        clips: ClipLibrary,
        judge: GoalJudge,
        custom: bool,
    ):
        """
        Args:
            publisher: Of ``guidance/active``.
            teleop: The operator's velocity command.
            desk: Knows what tasks and terms ask for.
            store: Knows whether there are obstacles.
            names: Frames.
            avoid: Whether obstacles join every goal.
            clips: Motions that can be followed.
            judge: Of terms that come by service.
            custom: Whether users' costs are served.
        """
        self._publisher = publisher
        self._teleop = teleop
        self._desk = desk
        self._store = store
        self._names = names
        self._keeps_clear = avoid
        self._clips = clips
        self._judge = judge
        self._custom = custom
        self.seq = 0
        """Number of the newest message."""
        self._last: GuidanceGoal | None = None
        self._key: object = None
        self._at = -math.inf

    def reset(self) -> None:
        """Publish at the next tick in any case."""
        self._key = None

    @property
    def words(self) -> str:
        """The goal in force, for diagnostics."""
        return "none" if self._last is None else " + ".join(term.name for term in self._last.terms) or "unguided"

    def tick(self, now: float) -> None:
        """Publish if something changed, or it is time to repeat; ``now`` is the robot's clock [s]."""
        age = now - self._at  # on the robot's clock, on which goals expire
        renew = self._teleop.active(time.monotonic()) and age >= 0.5 * self._teleop.timeout
        if renew or age < 0.0 or age >= _IDLE_PERIOD or self._wanted(now) != self._key:
            self.publish(now)

    def publish(self, now: float) -> None:
        """Publish now."""
        terms = self._terms(now)
        msg = self._from_goals(now) if terms is None else self._from_terms(terms, now)
        self.seq += 1
        msg.seq = self.seq
        self._publisher.publish(msg)
        self._last, self._key, self._at = msg, self._wanted(now), now

    def set_terms(
        self, goal: GuidanceGoal, frames: TransformBuffer, now: float, frame: CharacterFrame | None = None
    ) -> int:
        """Put terms in force that came by service; returns their number.

        Args:
            goal: The terms.
            frames: Bring them into the odometry's frame.
            now: The robot's clock [s].
            frame: Where the robot is; None: nobody knows.

        Raises:
            GoalError: They cannot be served, or are expired, or others steer.
            ConfigError: A module with user costs cannot be imported.
        """
        if not time_from_msg(goal.header.stamp):
            set_stamp(goal.header, now)
        expires = time_from_msg(goal.expires)
        if expires and expires <= now:
            raise GoalError(f"the goal expired {now - expires:.1f} s ago by our clock")
        placed = placed_goal(goal, frames, self._names)
        goals = goals_from_msg(placed, self._names, ObstacleScene(stamp=now), self._custom, self._clips)
        _require_ahead(goals, now)
        self._judge.judge(goals, now, frame)
        if not expires and any(term.type in _MUST_EXPIRE for term in placed.terms):
            raise GoalError("velocities and clips must expire: give the goal's `expires`")
        if self._desk.operator_steers():
            raise GoalError("the operator steers; let go of the sticks, or stop cmd_vel")
        self._desk.drop(TaskCode.PREEMPTED, "replaced by guidance/set_terms")
        self._desk.terms = placed
        self.publish(now)
        return self.seq

    def _wanted(self, now: float) -> object:
        """What is asked for, whenever and for how long, in a form that compares."""
        terms = self._terms(now)
        asked = id(terms) if terms is not None else tuple(_values(goal) for goal in self._goals(now))
        return self._avoid(), asked

    def _avoid(self) -> bool:
        return self._keeps_clear and not self._store.empty

    def _terms(self, now: float) -> GuidanceGoal | None:
        """Terms from the service, if they count now."""
        terms = self._desk.terms
        if terms is not None and time_from_msg(terms.expires) and time_from_msg(terms.expires) <= now:
            terms = self._desk.terms = None
        return None if self._desk.operator_steers() or self._desk.leaving_clip else terms

    def _from_terms(self, terms: GuidanceGoal, now: float) -> GuidanceGoal:
        msg = copy.copy(terms)
        until = time_from_msg(terms.expires) or math.inf
        msg.expires = time_to_msg(min(until, now + _LIFETIME))
        if self._avoid() and all(term.type != GuidanceTerm.SDF for term in terms.terms):
            msg.terms = [*terms.terms, scene_term()]
        return msg

    def _from_goals(self, now: float) -> GuidanceGoal:
        goals = self._goals(now)
        standing = [_values(goal) for goal in goals] == [_values(goal) for goal in STANDING]
        expires = math.inf if standing else now + _LIFETIME  # standing needs no renewal
        return goals_to_msg(goals, self.seq, now, expires, self._names, self._avoid())

    def _goals(self, now: float) -> tuple[Goal, ...]:
        if self._desk.leaving_clip:
            return self._desk.goals()
        if self._desk.job is None or self._desk.operator_steers():
            return (self._teleop.goal(time.monotonic(), now),)
        return self._desk.goals()


def _require_ahead(goals: Sequence[Goal], now: float) -> None:
    """Refuse what is over before it begins: the robot would be asked for nothing."""
    for goal in goals:
        end = math.inf
        if isinstance(goal, KeyframeGoal):
            end = goal.due + goal.hold
        elif isinstance(goal, ClipGoal):
            end = goal.start + goal.until
        if end <= now:
            what = "keyframe" if isinstance(goal, KeyframeGoal) else "clip"
            raise GoalError(f"the {what}'s time was over {now - end:.1f} s ago by our clock; give one that lies ahead")


def _values(goal: Goal) -> tuple[object, ...]:
    """A goal without its expiry, as plain values."""
    own = (getattr(goal, item.name) for item in fields(goal) if item.name != "expires")
    return type(goal).__name__, *(value.tolist() if isinstance(value, np.ndarray) else value for value in own)
