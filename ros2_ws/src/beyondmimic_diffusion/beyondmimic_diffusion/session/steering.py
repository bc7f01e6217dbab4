"""Where velocity commands come from: a tour's legs, or a person at the keyboard."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

from .teleop import KeyboardDriver, actions
from .tour import Tour


class Steering(Protocol):
    """Where the commands come from."""

    def command(self, t: float) -> tuple[float, float, float] | None:
        """Forward, left [m/s] and yaw rate [rad/s] at ``t`` [s] since it began; None: it is over."""
        ...

    def plans(self, t: float) -> bool:
        """Whether the planner is to run at ``t`` [s]."""
        ...

    def label(self, t: float) -> str:
        """What is being done, in a few words."""
        ...

    def share(self, t: float) -> float | None:
        """How much of it is over, None where that is not known."""
        ...


class TourSteering:
    """Follows a tour."""

    def __init__(self, tour: Tour):
        self._tour = tour

    def command(self, t: float) -> tuple[float, float, float] | None:
        """See :class:`Steering`."""
        return None if t >= self._tour.duration else self._tour.command(t)

    def plans(self, t: float) -> bool:
        """See :class:`Steering`."""
        return self._tour.plans(t)

    def label(self, t: float) -> str:
        """See :class:`Steering`."""
        leg = self._tour.leg_at(t)
        return leg.name if leg else ""

    def share(self, t: float) -> float | None:
        """See :class:`Steering`."""
        return t / self._tour.duration


class KeyboardSteering:
    """Follows the keys, until quit or until the time is up."""

    def __init__(
        self,
        driver: KeyboardDriver,
        keys: Callable[[], bytes],
        duration: float = math.inf,
        e_stop: Callable[[], object] = lambda: None,
    ):
        """
        Args:
            driver: Knows what keys mean.
            keys: Gives what was typed since the last call.
            duration: [s].
            e_stop: Called when the key for an emergency stop is pressed.
        """
        self._e_stop = e_stop
        self._driver = driver
        self._keys = keys
        self._duration = duration

    def command(self, t: float) -> tuple[float, float, float] | None:
        """See :class:`Steering`."""
        for action in actions(self._keys()):
            self._driver.press(action)
        if self._driver.emergency:
            self._driver.emergency = False
            self._e_stop()
        return None if self._driver.quit or t >= self._duration else self._driver.velocity

    def plans(self, t: float) -> bool:
        """See :class:`Steering`."""
        return True

    def label(self, t: float) -> str:
        """See :class:`Steering`."""
        return "by hand"

    def share(self, t: float) -> float | None:
        """See :class:`Steering`."""
        return None if math.isinf(self._duration) else t / self._duration
