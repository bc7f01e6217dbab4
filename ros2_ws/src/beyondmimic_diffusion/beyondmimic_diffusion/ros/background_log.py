"""A node's log for threads that must not wait for it.

rclpy keeps the interpreter to itself while it writes a message, publishes it on ``/rosout``, too, and all of that takes
longer than some ticks have.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from rclpy.impl.rcutils_logger import RcutilsLogger

from .background import Background


class BackgroundLog:
    """Messages are handed to a background thread, which gives them to the node's logger."""

    def __init__(self, logger: RcutilsLogger, background: Background):
        """
        Args:
            logger: The node's.
            background: Writes them.
        """
        self._logger, self._background = logger, background
        self._next: dict[tuple[str, int], float] = {}
        self.dropped = 0
        """Messages that were dropped since the last that was not; that one says so."""

    def info(self, text: str, throttle_duration_sec: float = 0.0) -> None:
        """Log; a line of code that throttles does so at most once in so many seconds, as with rclpy's logger."""
        self._hand_over(lambda: self._logger.info(text), throttle_duration_sec)

    def warning(self, text: str, throttle_duration_sec: float = 0.0) -> None:
        """See :meth:`info`."""
        self._hand_over(lambda: self._logger.warning(text), throttle_duration_sec)

    def error(self, text: str, throttle_duration_sec: float = 0.0) -> None:
        """See :meth:`info`."""
        self._hand_over(lambda: self._logger.error(text), throttle_duration_sec)

    def _hand_over(self, write: Callable[[], object], throttle: float) -> None:
        if throttle > 0.0 and not self._due(throttle):
            return
        if not self._background.do(write):
            self.dropped += 1
        elif self.dropped:
            dropped, self.dropped = self.dropped, 0
            note = f"{dropped} messages for the log were dropped"
            self._background.do(lambda: self._logger.warning(note))

    def _due(self, period: float) -> bool:
        caller = sys._getframe(3)  # who called info, warning or error
        key = (caller.f_code.co_filename, caller.f_lineno)
        now = time.monotonic()
        if now < self._next.get(key, 0.0):
            return False
        self._next[key] = now + period
        return True
