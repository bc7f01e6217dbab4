"""Come to a stand."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..parameters import param, validate
from ..types import RobotState
from .motion import MeanVelocity
from .task import STANDING, Task, TaskCode, TaskUpdate, check_timeout, failed, succeeded


@dataclass(frozen=True)
class StandTaskConfig:
    """When a robot stands."""

    speed_tolerance: float = param(
        0.15,
        unit="m/s",
        lo=0.01,
        hi=1.0,
        doc="Standing below this planar speed, averaged over average_time.",
        live=True,
    )
    average_time: float = param(1.0, unit="s", lo=0.1, hi=5.0, doc="Time over which the speed is averaged.")
    hold_time: float = param(1.0, unit="s", lo=0.0, hi=60.0, doc="Done after standing for this long.")

    def __post_init__(self) -> None:
        validate(self)


class Stand(Task):
    """Bring the robot to rest; done when it has stood for a while.

    ``TaskUpdate.distance`` is the averaged planar speed [m/s].
    """

    def __init__(self, *, config: StandTaskConfig | None = None, timeout: float = math.inf):
        """
        Args:
            config: None: defaults.
            timeout: Give up after this [s].

        Raises:
            TaskRefusedError: A timeout that is none.
        """
        super().__init__()
        self.config = config or StandTaskConfig()
        self._timeout = check_timeout(timeout)
        self._velocity = MeanVelocity(self.config.average_time)
        self._since = math.nan
        self._now = math.nan

    @property
    def speed(self) -> float:
        """Planar speed, averaged [m/s]."""
        return self._velocity.speed

    @property
    def standing_for(self) -> float:
        """How long it has been standing [s]."""
        return 0.0 if math.isnan(self._since) else self._now - self._since

    def _step(self, state: RobotState, elapsed: float) -> TaskUpdate:
        self._velocity.add(state)
        self._now = state.stamp
        if not (self._velocity.full and self._velocity.speed <= self.config.speed_tolerance):
            self._since = math.nan
        elif math.isnan(self._since):
            self._since = state.stamp
        if not math.isnan(self._since) and self.standing_for >= self.config.hold_time - 1e-9:
            return succeeded(self.speed)
        if elapsed >= self._timeout:
            return failed(
                TaskCode.TIMEOUT, f"not at rest after {self._timeout:.0f} s: {self.speed:.2f} m/s", self.speed
            )
        return TaskUpdate(STANDING, distance=self.speed)
