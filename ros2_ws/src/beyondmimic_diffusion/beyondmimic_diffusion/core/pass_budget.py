"""How many passes a plan takes, so that planning keeps to its share of the period.

A pass more costs a fixed time, and what else a plan needs does not depend on the passes::

    time of a plan = fixed + passes * per_pass

At the start both are measured by the caller. Later the times of the plans themselves decide: their 90th percentile
over the budget takes one pass away; one comes back when the percentile, scaled to a pass more, leaves a fifth of the
budget free. A pass that came back too early is tried again after twice the time: a machine at the limit settles.
No clock is read here.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np

_PERCENT = 90.0
_FEWEST = 25
"""Plans before a pass is taken away: a second at 25 Hz."""
_PATIENCE = 250
"""Plans before a pass is given back for the first time; doubled whenever it had to be taken away again."""
_MOST_PATIENCE = 8000
_FREE = 0.8
"""Share of the budget that a plan with a pass more may need."""


class PlanCost(NamedTuple):
    """What a plan costs on this machine."""

    fixed: float
    """Time of everything but the passes [s]."""
    per_pass: float
    """Time of one pass, guidance included [s]."""

    def of(self, passes: int) -> float:
        """Time of a plan [s]."""
        return self.fixed + passes * self.per_pass


class PassBudget:
    """Number of passes for the next plan: at most the policy's own, at least what it allows."""

    def __init__(self, seconds: float, most: int, least: int, cost: PlanCost | None = None):
        """
        Args:
            seconds: Time that a plan may take.
            most: Passes on a fast machine.
            least: Passes on the slowest.
            cost: As measured at the start; None: begin with ``most``.
        """
        self.seconds = seconds
        self.most, self.least = most, min(least, most)
        self.passes = most
        """For the next plan."""
        self.note = f"{most} passes, the policy's own"
        """How the number came about, for the operator."""
        self._times: deque[float] = deque(maxlen=_PATIENCE)
        self._since_change, self._patience = 0, _PATIENCE
        if cost is not None:
            self._begin(cost)

    @property
    def adjustable(self) -> bool:
        """Whether there is anything to choose."""
        return self.least < self.most

    def add(self, elapsed: float) -> int:
        """Take the time of one plan with the present passes [s]; returns the passes of the next."""
        if not self.adjustable:
            return self.passes
        self._times.append(elapsed)
        self._since_change += 1
        if self._since_change < _FEWEST:
            return self.passes
        if self._since_change % _FEWEST and elapsed <= self.seconds:
            return self.passes  # nothing new: the percentile is looked at once a second, or after a slow plan
        slow = float(np.percentile(tuple(self._times)[-2 * _FEWEST :], _PERCENT))
        if slow > self.seconds and self.passes > self.least:
            self._patience = min(2 * self._patience, _MOST_PATIENCE)
            self._change(self.passes - 1, slow)
        elif self.passes < self.most and self._since_change >= self._patience:
            typical = float(np.percentile(self._times, _PERCENT))
            if typical * (self.passes + 1) / self.passes <= _FREE * self.seconds:
                self._change(self.passes + 1, typical)
        return self.passes

    def _begin(self, cost: PlanCost) -> None:
        while self.passes > self.least and cost.of(self.passes) > self.seconds:
            self.passes -= 1
        took = f"{1e3 * cost.of(self.passes):.1f} ms a plan of {1e3 * self.seconds:.1f} ms"
        if self.passes < self.most:
            took += f"; {self.most} passes would take {1e3 * cost.of(self.most):.1f} ms"
        self.note = f"{self.passes} passes ({self.least} .. {self.most}): {took}"

    def _change(self, passes: int, slow: float) -> None:
        self.note = (
            f"{passes} passes ({self.least} .. {self.most}) after {self.passes}: 90 % of the plans took up to "
            f"{1e3 * slow:.1f} ms of {1e3 * self.seconds:.1f} ms"
        )
        self.passes = passes
        self._times.clear()
        self._since_change = 0
