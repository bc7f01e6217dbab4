"""ROS time for loops that tick faster than ``/clock`` does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from rclpy.clock import JumpThreshold, ROSClock, TimeJump
from rclpy.duration import Duration
from rclpy.node import Node

JUMP = 0.5
"""A forward step of ROS time larger than this is a jump, not progress [s]."""
_SMOOTHING = 0.1
"""Share of the newest step in the estimate of how fast simulated time runs."""
_FASTEST = 20.0
"""Simulated seconds per second beyond which a step was delayed on its way, not fast."""


class _Anchor(NamedTuple):
    """The newest ``/clock`` message; replaced as a whole, so that another thread never sees half of it."""

    stamp: float
    at: float
    step: float
    rate: float


class LoopClock:
    """ROS time in seconds; under simulated time it runs on between two ``/clock`` messages.

    Simulated time is extrapolated with the steady clock, at the rate at which it has lately been running, by at most
    one step of ``/clock``. It never runs backwards between two jumps, and stands still while the simulator is paused.
    :meth:`now` may be called from any thread.
    """

    def __init__(
        self,
        node: Node,
        on_jump: Callable[[float], None] | None = None,
        steady: Callable[[], float] = time.monotonic,
    ):
        """
        Args:
            node: Node whose clock is followed.
            on_jump: Called with the step [s] when time goes backwards or leaps ahead by more than ``JUMP``.
            steady: Steady clock [s].
        """
        self._clock = node.get_clock()
        self._on_jump = on_jump
        self._steady = steady
        self._anchor = _Anchor(self._clock.now().nanoseconds * 1e-9, steady(), 0.0, 1.0)
        self._last = 0.0
        self._seen = False
        threshold = JumpThreshold(
            min_forward=Duration(nanoseconds=1), min_backward=Duration(nanoseconds=-1), on_clock_change=True
        )
        self._handle = self._clock.create_jump_callback(threshold, post_callback=self._on_update)

    @property
    def simulated(self) -> bool:
        """True if time comes from ``/clock``."""
        return isinstance(self._clock, ROSClock) and self._clock.ros_time_is_active

    def now(self) -> float:
        """Time of the node's clock [s]."""
        if not self.simulated:
            return self._clock.now().nanoseconds * 1e-9
        anchor = self._anchor
        ahead = min(anchor.rate * (self._steady() - anchor.at), anchor.step)
        self._last = max(self._last, anchor.stamp + ahead)
        return self._last

    def _on_update(self, jump: TimeJump) -> None:
        step = jump.delta.nanoseconds * 1e-9
        before, at = self._anchor, self._steady()
        stamp = self._clock.now().nanoseconds * 1e-9
        leap = step < 0.0 or step > JUMP or not self._seen
        if leap:
            self._anchor = _Anchor(stamp, at, 0.0, 1.0)
            self._last = 0.0
            if self._seen and self._on_jump is not None:
                self._on_jump(step)
        else:
            rate = min(step / max(at - before.at, 1e-4), _FASTEST)
            self._anchor = _Anchor(stamp, at, step, before.rate + _SMOOTHING * (rate - before.rate))
        self._seen = True
