"""Keeps simulated time beside the steady clock, and measures how well."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

_FORGIVE = 0.1
"""A delay longer than this is not made up for by running fast [s]."""
_HURRY = 2.5
"""Greatest speed at which a delay is made up for, in multiples of the factor. Nodes live in simulated time: a simulator
that stands still harms nobody, but one that then leaps takes from the planner the time that it counts on."""
_WINDOW = 1.0
"""Length of the measurement of the real-time factor [s]."""


class Pacer:
    """Called once per slice of simulated time."""

    def __init__(
        self,
        factor: float = 1.0,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ):
        """
        Args:
            factor: Simulated seconds per second.
            now: Steady clock [s].
            sleep: Waits for so many seconds.
        """
        self._now, self._sleep = now, sleep
        self.set_factor(factor)

    def set_factor(self, factor: float) -> None:
        """Aim at another factor from now on."""
        self._factor = factor
        self.pause()

    def aim(self, factor: float) -> None:
        """As :meth:`set_factor`, but go on measuring and making up for delays: for small changes, again and again."""
        self._factor = factor

    @property
    def measured(self) -> float:
        """Real-time factor over the last second; the factor aimed at before anything was measured."""
        if len(self._marks) < 2 or self._marks[-1][0] <= self._marks[0][0]:
            return self._factor
        (t0, s0), (t1, s1) = self._marks[0], self._marks[-1]
        return (s1 - s0) / (t1 - t0)

    def pause(self) -> None:
        """Time stood still on purpose; start measuring and pacing anew."""
        self._due = self._before = self._now()
        self._simulated = 0.0
        self._marks: deque[tuple[float, float]] = deque([(self._due, 0.0)])

    def wait(self, simulated: float) -> None:
        """Wait until ``simulated`` more seconds of simulated time may have passed."""
        self._simulated += simulated
        self._due += simulated / self._factor
        now = self._now()
        if now - self._due > _FORGIVE:
            self._due = now - _FORGIVE
        until = max(self._due, self._before + simulated / (_HURRY * self._factor))
        if until > now:
            self._sleep(until - now)
        self._mark()

    def passed(self, simulated: float) -> None:
        """So much simulated time has passed at its own pace, as in lockstep; it is only measured [s]."""
        self._simulated += simulated
        self._due = self._now()
        self._mark()

    def _mark(self) -> None:
        self._before = now = self._now()
        self._marks.append((now, self._simulated))
        while now - self._marks[0][0] > _WINDOW and len(self._marks) > 2:
            self._marks.popleft()
