"""Robot time and steady time, each by its name.

*Robot time* is what stamps are in: the time of the world that the robot lives in, simulated or real. Whatever concerns
the robot's behaviour runs on it. *Steady time* never jumps; it only answers whether another process is alive.

A simulator tells its time in steps. Between two of them robot time runs on at the rate at which it has lately been
running, by at most one step::

    told      |stamp            |stamp + step
    robot     ....../-----------/      never further than one step beyond the newest stamp, never back
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import NamedTuple

JUMP = 0.5
"""A forward step of robot time larger than this is a jump, not progress [s]."""
_SMOOTHING = 0.1
"""Share of the newest step in the estimate of how long a told second takes."""
_FASTEST = 20.0
"""Told seconds per second beyond which a step was delayed on its way, not fast."""
_LONGEST_DELAY = 4.0
"""A step that took longer than so many usual ones counts as so many: the simulator was paused."""


class _Floor:
    """The latest time that was read of one time line, by whatever thread [s]."""

    def __init__(self, time: float):
        self._time = time
        self._lock = threading.Lock()

    def raised_to(self, time: float) -> float:
        """Raise it to ``time`` [s] if it is below; returns it."""
        with self._lock:
            self._time = max(self._time, time)
            return self._time


class _Anchor(NamedTuple):
    """One told time. Replaced as a whole, so that no thread sees half of it.

    The floor belongs to the time line: a jump replaces anchor and floor at once. A thread that is still reading the old
    anchor can only raise a floor that nobody looks at any more.
    """

    stamp: float
    at: float
    step: float
    rate: float
    floor: _Floor

    def read(self, steady: float) -> float:
        """Robot time at a steady time [s]; never less than what was read of this time line before."""
        return self.floor.raised_to(self.stamp + min(self.rate * (steady - self.at), self.step))


class Clock:
    """Robot time that runs on between the times it is told, and steady time. Readable from any thread."""

    def __init__(self, stamp: float = 0.0, steady: Callable[[], float] = time.monotonic):
        """
        Args:
            stamp: Robot time now [s].
            steady: Steady clock [s].
        """
        self._steady = steady
        self._told = False
        self._anchor = _Anchor(stamp, steady(), 0.0, 1.0, _Floor(stamp))

    def robot_time(self) -> float:
        """Robot time now [s]; stands still when nothing is told for longer than a step."""
        anchor = self._anchor
        return anchor.read(self._steady())

    def steady_time(self) -> float:
        """Steady time now [s]."""
        return self._steady()

    @property
    def rate(self) -> float:
        """Robot seconds per steady second lately."""
        return self._anchor.rate

    def tell(self, stamp: float, step: float) -> bool:
        """Take a new robot time in; called by one thread.

        Args:
            stamp: Robot time now [s].
            step: Difference to the one told before [s].

        Returns:
            Whether that was a jump: time ran backwards, or leapt ahead by more than ``JUMP``.
        """
        before, at = self._anchor, self._steady()
        first, self._told = not self._told, True
        if first or step < 0.0 or step > JUMP:
            self._anchor = _Anchor(stamp, at, 0.0, 1.0, _Floor(stamp))
            return not first
        self._anchor = _Anchor(stamp, at, step, _smoothed(before.rate, step, at - before.at), before.floor)
        return False


def _smoothed(rate: float, step: float, elapsed: float) -> float:
    """Rate of told time after one more step of it [s] that took so long [s].

    What is averaged is the time that a told second takes: messages that come late and early cancel out in it, while in
    the rate itself the early ones win, and robot time would run ahead.
    """
    if step <= 0.0:
        return rate
    before = 1.0 / rate
    pace = min(max(elapsed / step, 1.0 / _FASTEST), _LONGEST_DELAY * before)
    return 1.0 / (before + _SMOOTHING * (pace - before))
