"""Notices that another process has stopped working, by a counter that it must keep raising."""

from __future__ import annotations

import math


class ProgressWatch:
    """Adds up how long the counter has stood still while we were looking.

    A look that comes late, because the whole machine stood still or because we did, counts for ``longest_look`` at
    most: the other process must have had its chance to work, and to be seen working.

    Who also tells when the counter was raised last needs few looks: the standstill is then known to the microsecond
    however long ago the look before was. A time that cannot be true, for the counter was raised between the two looks,
    is of another machine's or container's clock; the counter alone must do then, and is looked at more often.
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
        self._dated = True  # whether times can be believed
        self.silence = 0.0
        """Standstill so far [s]."""

    def stopped(self, progress: int, steady_now: float, raised_at: float = math.nan) -> bool:
        """Whether the counter has stood still for the timeout.

        Args:
            progress: The counter now.
            steady_now: Monotonic clock [s].
            raised_at: When it was raised last, on the same clock [s]; NaN: not known.
        """
        since_look = min(max(steady_now - self._looked, 0.0), self._longest_look)
        if progress != self._progress:
            self._progress = progress
            self._dated = 0.0 <= steady_now - raised_at <= since_look  # False for NaN
            self.silence = steady_now - raised_at if self._dated else 0.0
        else:
            self.silence += since_look
        self._looked = steady_now
        return self.silence >= self._timeout

    @property
    def patience(self) -> float:
        """How long the next look may wait [s]: until the timeout, and so briefly that a late one counts in full."""
        longest = 0.8 * self._longest_look if self._dated else 0.08 * self._timeout
        return min(max(self._timeout - self.silence, 0.0), longest)
