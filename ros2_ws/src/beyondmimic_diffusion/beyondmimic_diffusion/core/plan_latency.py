"""How old a plan is when it arrives, and how often plans can be made: what the planner reckons with.

A planner that is later than it reckons with falls: its robot has moved on along an older plan that it knows nothing of.
One that knows continues what was promised. But a longer promise reacts later to pushes, so a plan that is a little late
now and then is no reason to promise more.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np

_TOLERATED = 0.005
"""A typical plan may be this late before more is promised [s]."""
_FIRST_LOOK = 5
"""Plans before anything is changed."""
_WINDOW = 25
"""Newest plans that count."""
_FITS = 0.1
"""Share of a step by which a plan may take longer than its steps without being given one more."""


class PlanLatency:
    """Latency to reckon with: at least the configured one, in steps of one set-point."""

    def __init__(self, configured: float, setpoint_dt: float, most: float, window: int = _WINDOW):
        """
        Args:
            configured: Where it starts, and what it never goes below [s].
            setpoint_dt: Size of its steps [s].
            most: What it never goes above [s].
            window: Newest plans that count.
        """
        self.latency = configured
        """What the planner should reckon with [s]."""
        self._least, self._step, self._most = configured, setpoint_dt, max(configured, most)
        self._ages: deque[float] = deque(maxlen=window)
        self._sent: deque[float] = deque(maxlen=window)
        self._told = math.nan

    def reset(self) -> None:
        """Forget the measurements; what was learned stays."""
        self._ages.clear()
        self._sent.clear()
        self._told = math.nan

    def tell(self, latency: float) -> None:
        """What the executor has measured, from observation to arrival: 90th percentile of its newest plans [s]."""
        self._told = latency

    @property
    def way(self) -> float:
        """What the way to the executor adds to the age at which plans are sent [s]; 0 until the executor tells."""
        if math.isnan(self._told) or len(self._sent) < _FIRST_LOOK:
            return 0.0
        return max(0.0, self._told - float(np.percentile(self._sent, 90.0)))

    def send(self, age: float) -> float:
        """Take the age at which one plan is sent [s]; returns the latency to reckon with from now on."""
        self._sent.append(age)
        return self.add(age + self.way)

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


class PlanPace:
    """On which of the policy's steps a plan is made: on each, or on every second, third ... where one takes longer.

    Irregular times (jitter, another program) are reckoned with by their 90th percentile: a slower pace that is kept is
    better than a faster one that is not.
    """

    def __init__(self, step_dt: float, most: int = 5):
        """
        Args:
            step_dt: The policy's step [s].
            most: Steps from plan to plan that are never exceeded.
        """
        self.steps = 1
        """Policy steps from plan to plan."""
        self._step, self._most = step_dt, most
        self._times: deque[float] = deque(maxlen=_WINDOW)

    def reset(self) -> None:
        """Forget the measurements; the pace stays."""
        self._times.clear()

    def add(self, time: float) -> int:
        """Take the time after which the planner was free again [s]; returns the steps from plan to plan from now on."""
        self._times.append(time)
        if len(self._times) < _FIRST_LOOK:
            return self.steps
        needed = int(np.ceil(float(np.percentile(self._times, 90.0)) / self._step - _FITS))
        steps = min(max(needed, 1), self._most)
        if steps > self.steps or (steps < self.steps and len(self._times) == self._times.maxlen):
            self.steps = steps
            self._times.clear()
        return self.steps
