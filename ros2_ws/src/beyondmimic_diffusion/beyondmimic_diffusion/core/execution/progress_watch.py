"""Notices that another process has stopped working, by a counter that it must keep raising."""

from __future__ import annotations

import math


class ProgressWatch:
    """Adds up how long the counter has stood still while we were looking.

    A look that comes late, because the whole machine stood still or because we did, counts for ``longest_look`` at
    most: the other process must have had its chance to work, and to be seen working.
    """

    def __init__(self, timeout: float, longest_look: float) -> None:
        """
        Args:
            timeout: Standstill that means that it has stopped [s].
            longest_look: Most that the time between two looks counts for [s].
        """
        self._timeout = timeout
        self._longest_look = longest_look
        self.reset()

    def reset(self) -> None:
        """Begin anew, as before the first look."""
        self._progress: int | None = None
        self._looked = -math.inf
        self.silence = 0.0
        """Standstill so far [s]."""

    def stopped(self, progress: int, steady_now: float) -> bool:
        """Whether the counter has stood still for the timeout.

        Args:
            progress: The counter now.
            steady_now: Monotonic clock [s].
        """
        if progress != self._progress:
            self._progress, self.silence = progress, 0.0
        else:
            self.silence += min(max(steady_now - self._looked, 0.0), self._longest_look)
        self._looked = steady_now
        return self.silence >= self._timeout
