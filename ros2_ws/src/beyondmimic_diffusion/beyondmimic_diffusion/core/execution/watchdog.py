"""Notices silence, falls, joints that flail or are too hot, and clock jumps.

Durations run on the robot's clock, so that a simulation at a tenth of real time behaves as one at full speed. The
steady clock only tells whether the robot's clock stands still, and what of a step of it was really lived through.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from ..parameters import param, validate
from ..types import Array, RobotState
from .attitude import up_axis_w
from .bounded import bounded
from .joint_trips import JointTrip, JointTripConfig, JointTrips

_ABSURD = 1e5
"""No position, angle or speed of a robot is as large (SI)."""
_FUTURE_STAMP = 0.02
"""A state stamped this much after now was measured before the clock was set back [s]."""


@dataclass(frozen=True)
class WatchdogConfig:
    """Ages and angles at which the executor reacts."""

    state_warn: float = param(0.01, unit="s", lo=0.0, hi=1.0, doc="Age of the robot state from which we warn.")
    state_hold: float = param(0.05, unit="s", lo=0.001, hi=1.0, doc="Age of the robot state from which we hold.")
    state_damp: float = param(0.1, unit="s", lo=0.002, hi=1.0, doc="Age of the robot state from which we damp.")
    tilt_limit: float = param(math.radians(45.0), unit="rad", lo=0.1, hi=1.5, doc="Tilt that means a fall.")
    tilt_time: float = param(0.06, unit="s", lo=0.0, hi=1.0, doc="How long the tilt must last to count.")
    falling_tilt: float = param(math.radians(40.0), unit="rad", lo=0.1, hi=1.5, doc="Tilt from which a rate counts.")
    falling_rate: float = param(4.0, unit="rad/s", lo=0.5, hi=50.0, doc="Rate of tilting that, with it, means a fall.")
    clock_jump: float = param(0.5, unit="s", lo=0.05, hi=10.0, doc="Forward jump of the clock at which plans drop.")
    pause_after: float = param(
        0.03, unit="s", lo=0.005, hi=1.0, doc="Standstill of the clock after which the simulation counts as paused."
    )
    joints: JointTripConfig = field(default_factory=JointTripConfig)

    def __post_init__(self) -> None:
        validate(self)


class StateHealth(Enum):
    """How good the newest robot state is."""

    FRESH = "robot state is fresh"
    LATE = "robot state is late"
    STALE = "robot state is too old to go on"
    LOST = "robot state is lost"


class Fall(Enum):
    """Whether the robot is falling."""

    NONE = "upright"
    TILTED = "tilted beyond the limit for too long"
    FALLING = "tilted and tilting on"


@dataclass(frozen=True)
class WatchdogReport:
    """What was noticed at one tick."""

    health: StateHealth
    state_age: float
    """Robot time since a new, finite state was first seen, pauses excluded [s]; infinity before the first."""
    non_finite: bool
    """True where the newest state was thrown away for NaN or infinity."""
    fall: Fall
    tilt: float
    """Angle between the pelvis's z axis and the vertical [rad]; NaN before the first state."""
    trip: JointTrip
    """Whether the joints flail or are too hot."""
    paused: bool
    """True while the clock stands still."""
    running: float
    """Robot time since the first tick, pauses excluded [s]."""
    jumped: bool
    """True where the clock ran backwards or leapt ahead since the last tick."""


class Watchdog:
    """Called once per tick; remembers what it saw last."""

    def __init__(self, config: WatchdogConfig | None = None) -> None:
        """
        Args:
            config: The defaults if None.
        """
        self._config = config or WatchdogConfig()
        self.joints = JointTrips(self._config.joints)
        self.reset()

    def reset(self) -> None:
        """Forget everything, as at start-up."""
        self.state: RobotState | None = None
        """Newest finite state."""
        self._now = self._steady = self._moved_at = -math.inf
        self._running = 0.0  # robot time without pauses [s]
        self._unmatched = 0.0  # steady time of which the robot's clock has not told yet [s]
        self._state_seen = -math.inf
        self._upright_at = 0.0
        self._tilt, self._tilt_rate = math.nan, 0.0
        self._non_finite = False
        self.joints.reset()

    def check(self, now: float, steady_now: float, state: RobotState | None) -> WatchdogReport:
        """Look at one tick.

        Args:
            now: Robot's clock [s]; stands still while a simulation is paused.
            steady_now: Monotonic clock [s].
            state: Newest state received, the same object again if nothing new came; None before the first.
        """
        jumped = self._advance_clocks(now, steady_now)
        paused = steady_now - self._moved_at > self._config.pause_after
        self._take(state, now)
        age = self._running - self._state_seen
        return WatchdogReport(
            health=self._health(age),
            state_age=age,
            non_finite=self._non_finite,
            fall=self._fall(),
            tilt=self._tilt,
            trip=JointTrip.NONE if self.state is None else self.joints.check(self.state, self._running),
            paused=paused and not jumped,
            running=self._running,
            jumped=jumped,
        )

    def _advance_clocks(self, now: float, steady_now: float) -> bool:
        first = math.isinf(self._now)
        elapsed = 0.0 if first else max(0.0, steady_now - self._steady)
        step = 0.0 if first else now - self._now
        if first or step != 0.0:
            self._moved_at = steady_now
        self._running += self._lived(step, elapsed)
        self._now, self._steady = now, steady_now
        return step < 0.0 or step - elapsed > self._config.clock_jump

    def _lived(self, step: float, elapsed: float) -> float:
        """What of a step of the robot's clock counts [s]: no more than the steady clock has seen.

        A clock that is told in lumps may stand still and leap within ``pause_after``; a longer standstill is a pause,
        and what follows it in one leap was not lived through.
        """
        available = self._unmatched + elapsed
        lived = min(max(step, 0.0), available)
        self._unmatched = min(available - lived, self._config.pause_after)
        return lived

    def _take(self, state: RobotState | None, now: float) -> None:
        """A state is new if its stamp is newer than the last one's, or the last one's is from a dead time line."""
        if state is None:
            return
        if self.state is not None:
            last = self.state.stamp
            if state.stamp == last or (state.stamp < last <= now + _FUTURE_STAMP):
                return
        self._non_finite = not finite_state(state)
        if not self._non_finite:
            self.state = state
            self._state_seen = self._running
            self._tilt, self._tilt_rate = tilt_and_rate(state.root_quat_w, state.root_ang_vel_w)

    def _health(self, age: float) -> StateHealth:
        if age >= self._config.state_damp:
            return StateHealth.LOST
        if age >= self._config.state_hold:
            return StateHealth.STALE
        return StateHealth.LATE if age >= self._config.state_warn else StateHealth.FRESH

    def _fall(self) -> Fall:
        if self.state is None:
            return Fall.NONE
        if self._tilt <= self._config.tilt_limit:
            self._upright_at = self._running
        elif self._running - self._upright_at >= self._config.tilt_time:
            return Fall.TILTED
        if self._tilt > self._config.falling_tilt and self._tilt_rate > self._config.falling_rate:
            return Fall.FALLING
        return Fall.NONE


def finite_state(state: RobotState) -> bool:
    """True where every number of the state is one that a robot can have and the quaternion has about length one."""
    quat = state.root_quat_w
    return (
        math.isfinite(state.stamp)
        and bounded(_ABSURD, state.joint_pos, state.joint_vel, quat, state.root_ang_vel_w)
        and bounded(_ABSURD, state.root_pos_w, state.root_lin_vel_w)
        and 0.25 < float(np.vdot(quat, quat)) < 4.0
    )


def tilt_angle(quat_w: Array) -> float:
    """Angle between the body's z axis and the vertical [rad]; quaternion wxyz of any length but 0."""
    return tilt_and_rate(quat_w, np.zeros(3))[0]


def tilt_and_rate(quat_w: Array, ang_vel_w: Array) -> tuple[float, float]:
    """Angle between the body's z axis and the vertical [rad], and the rate at which it grows [rad/s].

    With z the body's up axis in world axes, dz/dt = w x z and cos(tilt) = z_z, so
    d(tilt)/dt = -(w x z)_z / sin(tilt); 0 where the tilt is 0 (it has no direction there).

    Args:
        quat_w: Orientation wxyz of any length but 0, shape (4,).
        ang_vel_w: In world axes [rad/s], shape (3,).
    """
    x, y, z = up_axis_w(quat_w)
    sine = math.hypot(x, y)
    rate = 0.0 if sine < 1e-9 else -(float(ang_vel_w[0]) * y - float(ang_vel_w[1]) * x) / sine
    return math.atan2(sine, z), rate
