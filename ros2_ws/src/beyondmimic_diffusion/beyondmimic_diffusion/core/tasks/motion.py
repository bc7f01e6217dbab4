"""What tasks measure: mean velocity over a second, and progress."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from ..types import Array, RobotState


class MeanVelocity:
    """Planar root velocity averaged over time: a walking robot sways, and a standing one does too."""

    def __init__(self, window: float = 1.0):
        """
        Args:
            window: [s].
        """
        self.window = window
        self._samples: deque[tuple[float, Array]] = deque()

    def add(self, state: RobotState) -> None:
        """Take a newer state in."""
        self._samples.append((state.stamp, np.array(state.root_lin_vel_w[:2], dtype=np.float64)))
        while len(self._samples) > 1 and self._samples[1][0] <= state.stamp - self.window + 1e-9:
            self._samples.popleft()

    @property
    def full(self) -> bool:
        """True once the samples reach back over the whole window."""
        return len(self._samples) > 1 and self._samples[-1][0] - self._samples[0][0] >= self.window - 1e-9

    @property
    def speed(self) -> float:
        """Length of the mean velocity [m/s] (trapezoid rule: stamps need not be even); NaN before the first sample."""
        if not self._samples:
            return math.nan
        if len(self._samples) == 1:
            return float(np.linalg.norm(self._samples[0][1]))
        stamps = np.array([stamp for stamp, _ in self._samples])
        values = np.array([value for _, value in self._samples])
        mean = np.trapezoid(values, stamps, axis=0) / (stamps[-1] - stamps[0])
        return float(np.linalg.norm(mean))


class ProgressWatch:
    """Tells when what is left has not become less for a while."""

    def __init__(self, least: float, patience: float):
        """
        Args:
            least: What counts as progress, in the unit of what is left.
            patience: Time without progress that is borne [s].
        """
        self.least = least
        self.patience = patience
        self.reset()

    def reset(self) -> None:
        """Forget the best value: what is left is measured anew (another route)."""
        self._best = math.inf
        self._since = math.nan

    def stuck(self, left: float, now: float) -> bool:
        """Take in what is left at ``now`` [s]; True if the last progress is longer ago than patience."""
        if math.isnan(self._since) or left <= self._best - self.least:
            self._best, self._since = left, now
        return now - self._since > self.patience
