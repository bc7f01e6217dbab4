"""Which samples of a fast stream stand for a slower one."""

from __future__ import annotations

import math

_TOLERANCE = 1e-6
"""Stamps that are this much early still count as on the grid [s]."""


class StampGrid:
    """Picks the first sample at or after each multiple of a period.

    Where the stream hits the grid exactly (simulation), the samples picked lie exactly on it.
    """

    def __init__(self, period: float):
        """
        Args:
            period: Spacing of the grid [s].
        """
        self._period = period
        self.reset()

    def reset(self) -> None:
        """Forget the last pick (after a jump of the clock)."""
        self._cell: int | None = None

    def take(self, stamp: float) -> bool:
        """True if the sample with this stamp [s] is the first one of its cell; stamps that jump back start anew."""
        cell = math.floor((stamp + _TOLERANCE) / self._period)
        picked = cell != self._cell
        self._cell = cell
        return picked
