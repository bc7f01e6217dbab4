"""ROS time for loops that tick faster than ``/clock`` does: a thin adapter of :class:`core.timeline.Clock`."""

from __future__ import annotations

import time
from collections.abc import Callable

from rclpy.clock import JumpThreshold, ROSClock, TimeJump
from rclpy.duration import Duration
from rclpy.node import Node

# by its full name, so that this file can also be loaded by its path, beside a stand-in for rclpy
from beyondmimic_diffusion.core.timeline.clock import JUMP, Clock

__all__ = ["JUMP", "LoopClock"]


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
        self._source = node.get_clock()
        self._on_jump = on_jump
        self.clock = Clock(self._ros_time(), steady)
        """What is told the steps of ``/clock``."""
        threshold = JumpThreshold(
            min_forward=Duration(nanoseconds=1), min_backward=Duration(nanoseconds=-1), on_clock_change=True
        )
        self._handle = self._source.create_jump_callback(threshold, post_callback=self._on_update)

    @property
    def simulated(self) -> bool:
        """True if time comes from ``/clock``."""
        return isinstance(self._source, ROSClock) and self._source.ros_time_is_active

    def now(self) -> float:
        """Robot time: that of the node's clock [s]."""
        return self.clock.robot_time() if self.simulated else self._ros_time()

    def _ros_time(self) -> float:
        return self._source.now().nanoseconds * 1e-9

    def _on_update(self, jump: TimeJump) -> None:
        step = jump.delta.nanoseconds * 1e-9
        if self.clock.tell(self._ros_time(), step) and self._on_jump is not None:
            self._on_jump(step)
