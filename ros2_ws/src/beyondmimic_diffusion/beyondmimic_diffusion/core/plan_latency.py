"""How old a plan is when it arrives: measured, and told to the planner in whole set-points.

A planner that is later than it reckons with falls: its robot has moved on along an older plan that it knows nothing of.
One that knows continues what was promised. But a longer promise reacts later to pushes, so a plan that is a little late
now and then is no reason to promise more.
"""

from __future__ import annotations

from collections import deque

import numpy as np

_TOLERATED = 0.005
"""A typical plan may be this late before more is promised [s]."""
_FIRST_LOOK = 5
"""Plans before anything is changed."""


class PlanLatency:
    """Latency to reckon with: at least the configured one, in steps of one set-point."""

    def __init__(self, configured: float, setpoint_dt: float, most: float, window: int = 25):
        """
        Args:
            configured: Where it starts, and what it never goes below [s].
            setpoint_dt: Size of its steps [s].
            most: What it never goes above; longer promises were not trained [s].
            window: Newest plans that count.
        """
        self.latency = configured
        """What the planner should reckon with [s]."""
        self._least, self._step, self._most = configured, setpoint_dt, max(configured, most)
        self._ages: deque[float] = deque(maxlen=window)

    def reset(self) -> None:
        """Forget the measurements; what was learned stays."""
        self._ages.clear()

    def add(self, age: float) -> float:
        """Take the age of one plan at its arrival [s]; returns the latency to reckon with from now on."""
        self._ages.append(age)
        if len(self._ages) < _FIRST_LOOK:
            return self.latency
        typical, most = np.percentile(self._ages, (50.0, 90.0))
        if typical > self.latency + _TOLERATED:
            self._set(self._in_steps(most))
        elif len(self._ages) == self._ages.maxlen:
            self._set(min(self.latency, self._in_steps(typical)))
        return self.latency

    def _in_steps(self, age: float) -> float:
        return float(np.clip(np.ceil(age / self._step - 1e-6) * self._step, self._least, self._most))

    def _set(self, latency: float) -> None:
        if latency != self.latency:
            self.latency = latency
            self._ages.clear()
