r"""How fast simulated time may run so that plans come in time: ``pacing: auto``. No clock, no thread, no ROS.

A plan takes :math:`w` seconds of the machine's time from its observation to its arrival; at real-time factor :math:`f`
its age is then :math:`f w` seconds of robot time, and the planner counts on an age of at most :math:`L`. So the machine
can keep up with

.. math:: f \le m L / w

with a margin :math:`m < 1`, and :math:`w` taken as a high percentile over the newest plans. The factor goes down
quickly and up slowly, and stays where it is in between. A simulator that does not reach its factor, because physics and
messages take too long, is not driven faster than it runs.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np

LEAST = 0.02
"""Slower than this is not tried."""
_WINDOW, _FIRST = 25, 5
"""Newest plans that count, and plans before anything is changed."""
_PERCENTILE = 91.0
"""Of the plans' times: two of 25 may be later, a single hiccup changes nothing."""
_MARGIN = 0.8
"""Share of the latency that plans may use up when the factor has just been lowered."""
_LATE = 0.92
"""Share from which the factor is lowered; in between nothing is changed."""
_SPARE = 0.7
"""Share below which it is raised."""
_DOWN, _UP = 0.3, 3.0
"""Time constants of lowering and raising [s]."""
_BEHIND, _PATIENCE = 0.92, 1.0
"""Share of the factor that the simulator must reach, and how long it may miss that [s]."""


class AutoPace:
    """Told of each plan; asked for the factor a few times a second."""

    def __init__(self, most: float, plan_latency: float):
        """
        Args:
            most: Greatest factor.
            plan_latency: Age at arrival that the planner counts on [s of robot time].
        """
        self._latency = plan_latency
        self.most = most
        self.factor = most
        """Simulated seconds per second to aim at."""
        self._times: deque[float] = deque(maxlen=_WINDOW)
        self._behind_for = 0.0

    def plan_came(self, age: float) -> None:
        """A plan has arrived.

        Args:
            age: Time since its observation [s of robot time].
        """
        if 0.0 < age < 10.0:  # else the clock was set meanwhile
            self._times.append(age / self.factor)

    @property
    def plan_time(self) -> float:
        """What a plan takes here from observation to arrival [s of the machine's time]; NaN before some have come."""
        return float(np.percentile(self._times, _PERCENTILE)) if len(self._times) >= _FIRST else math.nan

    def update(self, elapsed: float, reached: float) -> float:
        """The factor to aim at from now on.

        Args:
            elapsed: Since the last call [s of the machine's time].
            reached: Factor that the simulator has lately reached.
        """
        wanted = min(self._for_plans(), self._for_physics(elapsed, reached), self.most)
        if wanted < self.factor:
            self.factor = max(wanted, self.factor * math.exp(-elapsed / _DOWN), LEAST)
        elif wanted > self.factor:
            self.factor = min(wanted, self.factor * math.exp(elapsed / _UP))
        return self.factor

    def _for_plans(self) -> float:
        """As fast as plans permit; the factor in force where they are neither late nor have time to spare."""
        time = self.plan_time
        if math.isnan(time):
            return self.factor
        used = time * self.factor / self._latency
        if used > _LATE:
            return _MARGIN * self._latency / time
        return _SPARE * self._latency / time if used < _SPARE else self.factor

    def _for_physics(self, elapsed: float, reached: float) -> float:
        """While the simulator is behind, no more than now; after a second of it what it reaches; else no limit."""
        if reached >= _BEHIND * self.factor:
            self._behind_for = 0.0
            return math.inf
        self._behind_for += elapsed
        return reached if self._behind_for > _PATIENCE else self.factor
