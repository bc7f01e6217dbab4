r"""When a sample was measured, from a robot that stamps it with nothing but its own milliseconds.

With transport delay :math:`d_i \ge 0` and the robot's unknown offset :math:`o`, a sample of tick :math:`k_i` arrives at
:math:`r_i = o + k_i + d_i`. The least :math:`r_i - k_i` seen is the offset plus the least delay, and

.. math:: \text{stamp}_i = k_i + \min_{j \in \text{window}} (r_j - k_j)

is free of the delay's jitter; the least delay itself cannot be seen and is taken as none. The window lets the offset
follow a robot whose clock runs fast or slow: at 50 ppm it is wrong by at most window x 50e-6 = 0.5 ms.
"""

from __future__ import annotations

from collections import deque

_WRAP = 1 << 32
"""Ticks are 32 bits wide: 49.7 days."""
_RESTART = 1000
"""A tick that falls back by more than this is the robot's restart [ms]."""
_LEAST_STEP = 1e-6
"""Between two stamps [s]."""


class TickClock:
    """Running minimum of (time of arrival - tick), over a window that slides in steps of a tenth."""

    def __init__(self, window: float = 10.0):
        """
        Args:
            window: Length of the window [s].
        """
        self._step = window / 10.0
        self.restarts = 0
        """How often the robot's ticks began anew."""
        self.reset()

    def reset(self) -> None:
        """Forget the robot."""
        self._tick: int | None = None  # without wraps [ms]
        self._tick_before = -1
        self._minima: deque[tuple[float, float]] = deque(maxlen=10)  # (start of the step, least offset in it)
        self._least = float("inf")  # of all of them
        self._stamp = float("-inf")

    def stamp(self, tick: int, received: float) -> float:
        """Time at which a sample was measured, on the clock of ``received``; rises with the ticks [s].

        Args:
            tick: Of the sample [ms], as the robot counts it.
            received: Time of arrival [s], of a clock that never jumps.
        """
        unwrapped = self._unwrap(tick)
        measured = 1e-3 * unwrapped
        self._note(received, received - measured)
        stamp = measured + self._least
        if unwrapped > self._tick_before:  # the offset may have come down since; time must not
            stamp = max(stamp, self._stamp + _LEAST_STEP)
            self._stamp = stamp
        return stamp

    def _unwrap(self, tick: int) -> int:
        if self._tick is None:
            self._tick = tick
            return tick
        ahead = (tick - self._tick + _WRAP // 2) % _WRAP - _WRAP // 2
        if ahead < -_RESTART:
            self.reset()
            self.restarts += 1
            return self._unwrap(tick)
        unwrapped = self._tick + ahead
        self._tick_before = self._tick
        self._tick = max(self._tick, unwrapped)  # an old sample that was overtaken moves nothing
        return unwrapped

    def _note(self, received: float, offset: float) -> None:
        if not self._minima or received - self._minima[-1][0] >= self._step:
            self._minima.append((received, offset))
            self._least = min(least for _, least in self._minima)
        elif offset < self._minima[-1][1]:
            self._minima[-1] = (self._minima[-1][0], offset)
            self._least = min(self._least, offset)
