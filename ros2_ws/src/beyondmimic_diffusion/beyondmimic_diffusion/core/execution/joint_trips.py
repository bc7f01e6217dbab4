"""Joints that flail, and motors that are too hot."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np

from ..parameters import param, validate
from ..types import Array, RobotState


@dataclass(frozen=True)
class JointTripConfig:
    """Speeds and temperatures at which the executor gives up."""

    trip_speed: float = param(
        20.0, unit="rad/s", lo=1.0, hi=100.0, doc="Speed beyond which a joint counts as flailing."
    )
    trip_joints: int = param(3, lo=1, hi=29, doc="So many flailing joints at once mean that control is lost.")
    trip_time: float = param(0.02, unit="s", lo=0.0, hi=1.0, doc="How long they must flail to count.")
    hot: float = param(90.0, unit="degC", lo=40.0, hi=150.0, doc="Winding temperature at which the robot is damped.")
    cool: float = param(85.0, unit="degC", lo=30.0, hi=150.0, doc="Below this it may be armed again.")

    def __post_init__(self) -> None:
        validate(self)


class JointTrip(Enum):
    """What is wrong with the joints, the worst first."""

    FLAIL = "several joints are faster than the trip speed"
    HOT = "a motor is too hot"
    NONE = "joints are well"


class JointTrips:
    """Called once per tick with the newest usable state."""

    def __init__(self, config: JointTripConfig | None = None) -> None:
        """
        Args:
            config: The defaults if None.
        """
        self._config = config or JointTripConfig()
        self.reset()

    def reset(self) -> None:
        """Forget everything, as at start-up."""
        self._calm_at = 0.0
        self.hot = False
        """Whether a motor has been too hot and has not cooled down since."""
        self.hottest = math.nan
        """Highest temperature in the newest state [degC]; NaN where none is measured."""

    def check(self, state: RobotState, running: float) -> JointTrip:
        """Look at one tick.

        Args:
            state: Finite.
            running: Steady time without pauses [s].
        """
        config = self._config
        if _count_faster(state.joint_vel, config.trip_speed) < config.trip_joints:
            self._calm_at = running
        self._feel(state)
        if running - self._calm_at >= config.trip_time and running > self._calm_at:
            return JointTrip.FLAIL
        return JointTrip.HOT if self.hot else JointTrip.NONE

    def _feel(self, state: RobotState) -> None:
        """Temperatures; those that are no numbers are of no sensor."""
        if state.joint_temperature is None or not np.isfinite(state.joint_temperature).any():
            return
        self.hottest = float(np.nanmax(state.joint_temperature[np.isfinite(state.joint_temperature)]))
        if self.hottest >= self._config.hot:
            self.hot = True
        elif self.hottest < self._config.cool:
            self.hot = False


def _count_faster(speeds: Array, limit: float) -> int:
    """How many of the finite ``speeds`` (J,) [rad/s] are beyond ``limit``; none where the sum of squares is smaller."""
    return 0 if np.vdot(speeds, speeds) < limit * limit else int(np.count_nonzero(np.abs(speeds) > limit))
