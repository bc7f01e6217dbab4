"""Since when a joint target has been in force."""

from __future__ import annotations

import math

_TOLERANCE = 1e-6
"""Stamps are good to this [s]; see ``action_executor``."""


class DueTimes:
    """Turns ticks, which always come a little after the set-point they play is due, into the due times themselves.

    The planner conditions on what was commanded at the times of its grid. A command stamped with the tick would count
    from one tick too late, and the look-up would find the set-point before it.
    """

    def __init__(self, step_dt: float):
        """
        Args:
            step_dt: Spacing of a plan's set-points [s].
        """
        self._step_dt = step_dt
        self._last = -math.inf

    def advance(self, now: float, plan_age: float) -> float | None:
        """Due time of the set-point in force [s], if it is a new one, else None.

        Args:
            now: Time of the tick [s].
            plan_age: Time since the playing plan took over [s]; not finite where no plan plays: the grid of the clock
                is used then.
        """
        phase = plan_age if math.isfinite(plan_age) else now
        due = now - (phase + _TOLERANCE) % self._step_dt + _TOLERANCE
        if self._last - 1.0 < due < self._last + 0.5 * self._step_dt:
            return None
        self._last = due
        return due
