"""Statistics of durations over a window of the newest samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..types import Array


@dataclass(frozen=True)
class LatencySummary:
    """What a status message says about a duration; NaN where nothing was measured."""

    count: int
    """Samples since construction or reset, also those that have left the window."""
    p50: float
    """Median of the window [s]."""
    p99: float
    """99th percentile of the window [s]."""
    max: float
    """Greatest of the window [s]."""
    p01: float
    """1st percentile of the window [s]: the worst case of a slack."""


class LatencyWindow:
    """Ring of the newest durations; adding is constant time, percentiles are computed when asked for."""

    def __init__(self, capacity: int = 1000) -> None:
        """
        Args:
            capacity: Samples kept, at least 1.
        """
        self._ring = np.full(capacity, np.nan)
        self._count = 0

    def reset(self) -> None:
        """Forget every sample."""
        self._count = 0

    def add(self, duration: float) -> None:
        """Add one duration [s]; negative ones are allowed (slack)."""
        self._ring[self._count % len(self._ring)] = duration
        self._count += 1

    def percentile(self, percent: float) -> float:
        """Percentile of the window [s], linear between samples; NaN if it is empty."""
        return _between(self._sorted(), percent)

    def summary(self) -> LatencySummary:
        """Count, percentiles and greatest value."""
        window = self._sorted()
        percentiles = (_between(window, percent) for percent in (50.0, 99.0, 100.0, 1.0))
        return LatencySummary(self._count if len(window) else 0, *percentiles)

    def _sorted(self) -> Array:
        return np.sort(self._ring[: min(self._count, len(self._ring))])


def _between(ordered: Array, percent: float) -> float:
    """Percentile of sorted numbers, linear between them; NaN if there are none.

    ``np.percentile`` gives the same and takes a hundred times as long, several times in each status message.
    """
    if not len(ordered):
        return float("nan")
    place = (len(ordered) - 1) * percent / 100.0
    below = min(int(place), len(ordered) - 2) if len(ordered) > 1 else 0
    low, high = float(ordered[below]), float(ordered[min(below + 1, len(ordered) - 1)])
    return low + (place - below) * (high - low)
