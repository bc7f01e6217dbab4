"""The newest plans, sampled by time.

::

    plan 7   stamp |--0--|--1--|--2--|--3--|--4--|--5--| ... trusted_steps | never played
    plan 8               stamp |--0--|--1--|--2--|--3--| ...
                                     ^ stamp + first_step * step_dt: plan 8 takes over here, plan 7 plays until then

A plan that arrives late loses exactly the set-points whose time has passed, and nothing else.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from enum import Enum

import numpy as np

from ..parameters import param, validate
from ..timeline import PlanStream, take_over
from ..types import Array, Plan
from .interpolator import INTERPOLATIONS, PHASE_TOLERANCE, step_index

_REMEMBERED_SESSIONS = 64
_MAX_PENDING = 8
_ABSURD_ANGLE = 1e5
"""No joint target is as large [rad]."""
_ABSURD_TIME = 1e11
"""No stamp or step is as large [s]."""
MOST_SKIPPED = 25
"""A planner whose plans are being played has not lost so many in a row: an id that leaps further is somebody else's."""
_SHORTEST_STEP = 1e-4
"""Least spacing of set-points [s]."""


class PlanVerdict(Enum):
    """What became of an offered plan; the text is what the operator reads."""

    ACCEPTED = "plan accepted"
    NON_FINITE = "plan holds NaN, infinity or a number that no joint and no clock has"
    WRONG_JOINTS = "plan is for another number of joints than the robot has"
    MALFORMED = "plan's step_dt, first_step or trusted_steps contradict its set-points"
    ZERO_STAMP = "plan carries no stamp"
    FUTURE_STAMP = "plan starts more than one horizon in the future; do planner and executor share a clock?"
    OLD_OBSERVATION = "plan was made from a state that is too old"
    FOREIGN_SESSION = "plan comes from a second planner beside the one that is playing"
    OLD_SESSION = "plan comes from a planner session that another one has replaced"
    REPEATED_ID = "plan_id does not increase"
    EXPIRED = "plan's valid_until has passed"
    PLAYED_OUT = "every set-point of the plan that may be executed has passed"


class SampleStatus(Enum):
    """What the buffer can offer at one time; the text is what the operator reads."""

    OK = "inside the plan"
    BEFORE_START = "plan starts later; holding the previous target"
    EXHAUSTED = "plan has run out: its trusted set-points or its valid_until have passed"
    NO_PLAN = "no plan received yet"


@dataclass(frozen=True)
class PlanBufferConfig:
    """What an operator may tune about accepting plans."""

    max_observation_age: float = param(
        0.3, unit="s", lo=0.0, hi=5.0, doc="Greatest age of the state a plan was made from, when the plan arrives."
    )
    interpolation: str = param(
        "hold", choices=tuple(INTERPOLATIONS), doc="How the target between two set-points is found."
    )

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class PlanSample:
    """The joint target at one time, or why there is none."""

    status: SampleStatus
    joint_target: Array | None
    """[rad], shape (J,); None unless ``status`` is OK."""
    index: int
    """Set-point that is due; -1 without a plan."""
    age: float
    """Time since the playing plan took over [s]; infinity without a plan."""
    plan_id: int
    """Plan that is playing; -1 without one."""


class PlanBuffer:
    """Holds the plan that is playing and those that will take over, and finds the target for any time."""

    def __init__(
        self, num_joints: int, config: PlanBufferConfig | None = None, stream: PlanStream | None = None
    ) -> None:
        """
        Args:
            num_joints: J of the robot.
            config: Limits and interpolation; the defaults if None.
            stream: Told of each accepted plan; one with the default limits if None.
        """
        self.stream = stream or PlanStream()
        """How the plans come."""
        self._num_joints = num_joints
        self._config = config or PlanBufferConfig()
        self._interpolate = INTERPOLATIONS[self._config.interpolation]
        self._session: int | None = None
        self._dead_sessions: deque[int] = deque(maxlen=_REMEMBERED_SESSIONS)
        self._last_id = -1
        self.verdicts: Counter[PlanVerdict] = Counter()
        """How often each verdict was given since construction."""
        self.reset()

    def reset(self) -> None:
        """Drop every plan, as after a jump of the clock; sessions, plan ids and counts are remembered."""
        self._current: Plan | None = None
        self._pending: deque[Plan] = deque(maxlen=_MAX_PENDING)
        self.stream.reset()

    def accept(self, plan: Plan, now: float) -> PlanVerdict:
        """Check a plan and, if it is sound, queue it.

        Args:
            plan: Newest output of the planner.
            now: Time of arrival [s].
        """
        verdict = self._judge(plan, now)
        self.verdicts[verdict] += 1
        if verdict is PlanVerdict.ACCEPTED:
            self._queue(plan)
            self.stream.add(plan, now)
        return verdict

    def sample(self, now: float) -> PlanSample:
        """Joint target for ``now`` [s]; times may be asked for in any order that does not run backwards."""
        while self._pending and take_over(self._pending[0]) <= now + self._slack(self._pending[0]):
            self._current = self._pending.popleft()
        plan = self._current
        if plan is None:
            status = SampleStatus.BEFORE_START if self._pending else SampleStatus.NO_PLAN
            return PlanSample(status, None, -1, float("inf"), -1)
        phase = (now - plan.stamp) / plan.step_dt
        index, age = step_index(phase), now - take_over(plan)
        if index < 0:
            return PlanSample(SampleStatus.BEFORE_START, None, index, age, plan.plan_id)
        if index >= plan.trusted_steps or now > plan.valid_until + self._slack(plan):
            return PlanSample(SampleStatus.EXHAUSTED, None, index, age, plan.plan_id)
        target = self._interpolate(plan.joint_targets[: plan.trusted_steps], phase)
        return PlanSample(SampleStatus.OK, target, index, age, plan.plan_id)

    def slack(self, now: float) -> float:
        """Time until the newest accepted plan takes over [s]; negative when it already has or there is none."""
        newest = self._pending[-1] if self._pending else self._current
        return take_over(newest) - now if newest is not None else float("-inf")

    def _queue(self, plan: Plan) -> None:
        if plan.session_id != self._session:
            if self._session is not None:
                self._dead_sessions.append(self._session)
            self._session = plan.session_id
        self._last_id = plan.plan_id
        while self._pending and take_over(self._pending[-1]) >= take_over(plan):
            self._pending.pop()  # the newer plan knows more and takes over no later
        self._pending.append(plan)

    def _judge(self, plan: Plan, now: float) -> PlanVerdict:
        times = (plan.stamp, plan.observation_stamp, plan.step_dt, plan.valid_until, plan.successor_due or 0.0)
        if not (_sane(plan.joint_targets, _ABSURD_ANGLE) and _sane(np.array(times), _ABSURD_TIME)):
            return PlanVerdict.NON_FINITE
        if plan.joint_targets.ndim != 2 or plan.joint_targets.shape[1] != self._num_joints:
            return PlanVerdict.WRONG_JOINTS
        num_points = plan.joint_targets.shape[0]
        if plan.step_dt < _SHORTEST_STEP or not 0 <= plan.first_step < plan.trusted_steps <= num_points:
            return PlanVerdict.MALFORMED
        if plan.stamp <= 0.0 or plan.observation_stamp <= 0.0:
            return PlanVerdict.ZERO_STAMP
        if plan.stamp - now > num_points * plan.step_dt:
            return PlanVerdict.FUTURE_STAMP
        if now - plan.observation_stamp > self._config.max_observation_age:
            return PlanVerdict.OLD_OBSERVATION
        if plan.session_id in self._dead_sessions:
            return PlanVerdict.OLD_SESSION
        if self._is_foreign(plan) and self.stream.alive(now):
            return PlanVerdict.FOREIGN_SESSION
        if plan.session_id == self._session and plan.plan_id <= self._last_id:
            return PlanVerdict.REPEATED_ID
        if now > plan.valid_until:
            return PlanVerdict.EXPIRED
        if step_index((now - plan.stamp) / plan.step_dt) >= plan.trusted_steps:
            return PlanVerdict.PLAYED_OUT
        return PlanVerdict.ACCEPTED

    def _is_foreign(self, plan: Plan) -> bool:
        """Of another session, or with a number that this one cannot have reached yet."""
        return plan.session_id != self._session or plan.plan_id > self._last_id + MOST_SKIPPED

    @staticmethod
    def _slack(plan: Plan) -> float:
        return PHASE_TOLERANCE * plan.step_dt


def _sane(values: Array, bound: float) -> bool:
    return bool((np.abs(values) < bound).all())  # False for NaN, too
