"""What the executor knows of the stream of plans, and its one verdict about it. All times are robot time.

A plan is *used* from ``max(arrival, take-over)`` on. Its successor is due when the plan says so, or else a period
later; the period is measured, so that a planner that needs longer than a step is slow and not late::

    used                     due        due + tolerance        due + coast_limit    end (trusted set-points used up)
    |------- TIMELY/SLOW -----|---------------|------ LATE ---------|------ LOST ----------|

What follows a gap counts as RECOVERING until plans have come without another one for ``resume_time``.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from ..types import Plan

_WINDOW = 25
"""Newest plans that count: a second of a planner that keeps up."""
_MOST = 0.9
"""Share of plans that keep what is reckoned with."""
_SLOW = 1.25
"""From so many nominal periods on a stream is slow."""
_TOLERANCE = 0.25
"""A plan may come later than expected by this share of the expected period."""
_ROUNDING = 1e-6
"""Stamps near 1.7e9 s are good to 2.4e-7 s in float64; a limit is passed only beyond this [s]."""
_KEPT = 8
"""Plans that are playing or will."""


class StreamVerdict(Enum):
    """How the stream is: (number in ``ExecutorState.plan_stream``, text for the operator)."""

    NONE = (0, "no plan has come yet")
    TIMELY = (1, "plans come at each step")
    SLOW = (2, "plans come steadily, but not at each step")
    LATE = (3, "the next plan is overdue")
    LOST = (4, "no plan covers the present")
    RECOVERING = (5, "plans come again, not yet for long enough")

    @property
    def code(self) -> int:
        """Number in ``ExecutorState.plan_stream``."""
        return self.value[0]

    @property
    def sentence(self) -> str:
        """Text for the operator."""
        return self.value[1]


@dataclass(frozen=True)
class StreamLimits:
    """What is expected of a stream before it is measured, and how much of a gap is borne."""

    period: float = 0.04
    """Nominal time from plan to plan [s]."""
    grace: float = 0.01
    """Least time that a due plan may be missing before it is late [s]."""
    coast_limit: float = 0.1
    """Time past due after which the stream is lost [s]."""
    resume_time: float = 0.5
    """How long a stream must have come without a gap to be trusted again [s]."""


class _Use(NamedTuple):
    """One plan's part in the stream [s]."""

    start: float
    due: float
    late: float
    end: float


class PlanStream:
    """Told of each accepted plan; asked at any time."""

    def __init__(self, limits: StreamLimits | None = None):
        """
        Args:
            limits: The defaults if None.
        """
        self._limits = limits or StreamLimits()
        self._session: int | None = None
        self.reset()

    def reset(self) -> None:
        """Forget everything, as after a jump of the clock."""
        self._uses: deque[_Use] = deque(maxlen=_KEPT)
        self._gaps: deque[float] = deque(maxlen=_WINDOW)
        self._latencies: deque[float] = deque(maxlen=_WINDOW)
        self._unbroken_since = math.inf
        self.period = math.nan
        """From plan to plan, median [s]; NaN before the second plan."""
        self.latency = math.nan
        """From a plan's observation to its arrival, 90th percentile [s]; NaN before the first plan."""
        self.expected_period = self._limits.period
        """After which a plan is due unless the last one says otherwise: 90th percentile, at least nominal [s]."""

    def add(self, plan: Plan, now: float) -> None:
        """Take note of a plan that was accepted.

        Args:
            plan: The plan.
            now: Time of its arrival [s].
        """
        if plan.session_id != self._session:
            self._session = plan.session_id
            self.reset()
        start = max(now, take_over(plan))
        if not self._uses or self._broken(self._uses[-1], start):
            self._unbroken_since = start
        if self._uses and start > self._uses[-1].start:
            self._gaps.append(start - self._uses[-1].start)
            self.period = _quantile(self._gaps, 0.5)
            self.expected_period = max(self._limits.period, _quantile(self._gaps, _MOST))
        while self._uses and self._uses[-1].start >= start:
            self._uses.pop()  # never played: the newer plan takes over no later
        self._latencies.append(now - plan.observation_stamp)
        self.latency = _quantile(self._latencies, _MOST)
        end = end_of(plan)
        due = max(start + self.expected_period, plan.successor_due or -math.inf)
        late = due + max(self._limits.grace, _TOLERANCE * self.expected_period)
        self._uses.append(_Use(start, min(due, end), min(late, end), end))

    def verdict(self, now: float) -> StreamVerdict:
        """How the stream is at ``now`` [s]."""
        use = self._in_use(now)
        if use is None:
            return StreamVerdict.RECOVERING if self._uses else StreamVerdict.NONE
        if self._lost(use, now):
            return StreamVerdict.LOST
        if now > use.late + _ROUNDING:
            return StreamVerdict.LATE
        if self.steady_for(now) < self._limits.resume_time - _ROUNDING:
            return StreamVerdict.RECOVERING
        return StreamVerdict.SLOW if self.expected_period > _SLOW * self._limits.period else StreamVerdict.TIMELY

    def alive(self, now: float) -> bool:
        """Whether a plan of this stream covers ``now`` [s], or will: no other planner may break in."""
        return self.verdict(now) not in (StreamVerdict.NONE, StreamVerdict.LOST)

    def steady_for(self, now: float) -> float:
        """How long plans have been coming without a gap [s]; 0 while there is one."""
        use = self._in_use(now)
        if use is None or self._broken(use, now):
            return 0.0
        return max(0.0, now - self._unbroken_since)

    def due(self, now: float) -> float:
        """When the successor of the plan in use is due [s]; infinity without one."""
        use = self._in_use(now)
        return math.inf if use is None else use.due

    def _in_use(self, now: float) -> _Use | None:
        return next((use for use in reversed(self._uses) if use.start <= now + _ROUNDING), None)

    def _lost(self, use: _Use, now: float) -> bool:
        limit = max(self._limits.coast_limit, use.late - use.due)
        return now >= use.end - _ROUNDING or now > use.due + limit + _ROUNDING

    def _broken(self, use: _Use, now: float) -> bool:
        """Whether a successor that is used from ``now`` on comes too late."""
        return now > use.end + _ROUNDING or now > use.late + _ROUNDING


def take_over(plan: Plan) -> float:
    """When a plan begins to play if it is there by then [s]."""
    return plan.stamp + plan.first_step * plan.step_dt


def end_of(plan: Plan) -> float:
    """When the last set-point that may be played has been played [s]."""
    return min(plan.stamp + plan.trusted_steps * plan.step_dt, plan.valid_until)


def _quantile(values: deque[float], share: float) -> float:
    """Linear between the ordered values, as ``np.quantile``, which takes a tick's time for 25 of them."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])
