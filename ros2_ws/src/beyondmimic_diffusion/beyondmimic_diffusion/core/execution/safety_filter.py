r"""The last thing a command passes: limits on position, rate and torque, and a refusal of NaN.

Per joint, in this order:

.. math::
    q^* &\leftarrow \mathrm{clip}(q^*,\; q_{lo} + m,\; q_{hi} - m) \\
    q^* &\leftarrow \mathrm{clip}(q^*,\; q^*_{prev} - r\,\Delta t,\; q^*_{prev} + r\,\Delta t) \\
    |\tau_{ff} + k_p (q^* - q) + k_d (\dot q^* - \dot q)| &\le \tau_{max}

The torque bound first moves the target, as far as the first two lines let it; where that is not enough (a joint
already faster than its damping can brake within the limit) the gains are scaled, which is the torque that a
saturating motor would give. So a filtered command obeys all three at once, and filtering it again changes nothing.

Policies of the BeyondMimic kind use soft gains and ask for torque by targets *outside* the joint's range. The margin
may therefore be negative; its default is twice what a pretrained dancer (0.07 rad) and a walker with noisy actions
(0.06 rad) ask for. The rate limits leave room for the steps between 50 Hz set-points (a walker's knee steps by
up to 0.19 rad): throttling a balancing policy's legs is what makes it fall, see the test that walks through the filter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from ..parameters import param, validate
from ..types import Array, JointCommand
from .bounded import bounded

_ABSURD = 1e6
"""No angle, speed, gain or torque of a robot is this large (SI); treated like infinity, so that nothing overflows."""
_SOFTEST = 1e-6
"""A stiffness up to this counts as none [N m/rad]."""
_ROUNDING = 1e-9
"""Relative excess of torque that is floating point, not a violation (float64, a handful of operations)."""


@dataclass(frozen=True)
class JointLimits:
    """What the robot's joints can stand, in joint order; each array has shape (J,)."""

    position_low: Array
    """[rad]."""
    position_high: Array
    """[rad]."""
    velocity: Array
    """Greatest speed of the motor [rad/s]."""
    effort: Array
    """Greatest torque of the motor [N m]."""
    is_leg: NDArray[np.bool_]
    """True for the joints that balance: their targets may move as fast as the motor can."""


@dataclass(frozen=True)
class SafetyConfig:
    """What an operator may tune about the filter."""

    position_margin: float = param(
        -0.15,
        unit="rad",
        lo=-1.0,
        hi=0.5,
        doc="Distance that targets keep from the joint limits; negative: how far beyond them a target may ask for.",
    )
    leg_rate_scale: float = param(
        2.0, lo=0.1, hi=10.0, doc="Rate limit of leg targets as a multiple of the motor's greatest speed."
    )
    upper_body_rate: float = param(
        20.0,
        unit="rad/s",
        lo=0.1,
        hi=100.0,
        doc="Rate limit of waist and arm targets (never above the motor's speed).",
        live=True,
    )
    effort_scale: float = param(
        1.0, lo=0.05, hi=1.0, doc="Share of the motors' greatest torque that may be used.", live=True
    )

    def __post_init__(self) -> None:
        validate(self)


class FilterVerdict(Enum):
    """What the filter did with a command; the text is what the operator reads."""

    PASSED = "command inside every limit"
    CLAMPED = "command changed to stay inside the limits"
    REFUSED_COMMAND = "command holds NaN, infinity, a negative gain or the wrong number of joints; last safe one held"
    REFUSED_STATE = "measured joints hold NaN or infinity; last safe command held"


@dataclass(frozen=True)
class FilterReport:
    """What was changed, in numbers of joints."""

    verdict: FilterVerdict
    clamped_position: int = 0
    clamped_rate: int = 0
    clamped_torque: int = 0

    @property
    def refused(self) -> bool:
        """True where the command was replaced by the last safe one."""
        return self.verdict in (FilterVerdict.REFUSED_COMMAND, FilterVerdict.REFUSED_STATE)


_PASSED = FilterReport(FilterVerdict.PASSED)


class SafetyFilter:
    """Clamps joint commands; remembers the last safe one."""

    def __init__(self, limits: JointLimits, config: SafetyConfig | None = None) -> None:
        """
        Args:
            limits: Of the robot, shapes (J,).
            config: The defaults if None.
        """
        self._limits = limits
        self._num_joints = len(limits.effort)
        self._shape = (self._num_joints,)
        self._last: JointCommand | None = None
        self.configure(config or SafetyConfig())

    def configure(self, config: SafetyConfig) -> None:
        """Keep to these settings from the next command on; the last safe command stays."""
        limits, margin = self._limits, config.position_margin
        middle = 0.5 * (limits.position_low + limits.position_high)
        self._low = np.minimum(limits.position_low + margin, middle)  # (J,)
        self._high = np.maximum(limits.position_high - margin, middle)
        upper_rate = np.minimum(config.upper_body_rate, limits.velocity)
        self._rate = np.where(limits.is_leg, config.leg_rate_scale * limits.velocity, upper_rate)
        self._effort = config.effort_scale * limits.effort
        self._torque_bound = self._effort * (1.0 + _ROUNDING)

    def reset(self) -> None:
        """Forget the last command: the next one may start from wherever the joints are."""
        self._last = None

    def filter(
        self, command: JointCommand, state_joint_pos: Array, state_joint_vel: Array, dt: float
    ) -> tuple[JointCommand, FilterReport]:
        """Make a command safe.

        Args:
            command: What the controller wants, arrays of shape (J,); the result may share them.
            state_joint_pos: Measured [rad], shape (J,).
            state_joint_vel: Measured [rad/s], shape (J,).
            dt: Time since the previous call [s].

        Returns:
            A command inside every limit, and what was changed.
        """
        if not (bounded(_ABSURD, state_joint_pos, state_joint_vel) and len(state_joint_pos) == self._num_joints):
            return self._refuse(command, FilterVerdict.REFUSED_STATE)
        if not self._sound(command) or not math.isfinite(dt):
            return self._refuse(command, FilterVerdict.REFUSED_COMMAND, state_joint_pos)

        kp, wanted = command.kp, command.position
        previous = state_joint_pos if self._last is None else self._last.position
        low, high = self._low, self._high
        reach = self._rate * max(dt, 0.0)  # (J,)
        driven = kp > _SOFTEST  # (J,); elsewhere the target has no effect and follows the joint
        if np.count_nonzero(driven) < self._num_joints:
            kp, wanted = np.where(driven, kp, 0.0), np.where(driven, wanted, state_joint_pos)
            low, high = np.where(driven, low, -np.inf), np.where(driven, high, np.inf)
            reach = np.where(driven, reach, np.inf)
        inside = np.minimum(np.maximum(wanted, low), high)
        limited = np.minimum(np.maximum(inside, previous - reach), previous + reach)
        rest = command.tau_ff + command.kd * (command.velocity - state_joint_vel)  # (J,) that no target can change
        torque = rest + kp * (limited - state_joint_pos)
        if np.count_nonzero(np.abs(torque) > self._torque_bound) == 0:
            safe = JointCommand(command.stamp, limited, command.velocity, kp, command.kd, command.tau_ff)
            by_torque = 0
        else:
            target, scale = self._bound_torque(kp, limited, torque, rest, previous, reach, state_joint_pos)
            safe = JointCommand(
                command.stamp, target, command.velocity, scale * kp, scale * command.kd, scale * command.tau_ff
            )
            by_torque = int(np.count_nonzero((target != limited) | (scale < 1.0)))
        self._last = safe
        by_position, by_rate = np.count_nonzero(inside != wanted), np.count_nonzero(limited != inside)
        if not (by_position or by_rate or by_torque):
            return safe, _PASSED
        return safe, FilterReport(FilterVerdict.CLAMPED, int(by_position), int(by_rate), by_torque)

    def _bound_torque(
        self, kp: Array, target: Array, torque: Array, rest: Array, previous: Array, reach: Array, pos: Array
    ) -> tuple[Array, Array]:
        """Target and gain scale with which the motor's torque stays inside its limit, each (J,).

        Args:
            kp: Stiffness; 0 where the joint is not driven.
            target: Inside the limits of position and rate.
            torque: Of that target.
            rest: The part of it that no target can change.
            previous: Target of the last command.
            reach: How far from it the target may be.
            pos: Measured.
        """
        over = np.abs(torque) > self._torque_bound
        stiffness = np.maximum(kp, _SOFTEST)
        wanted = pos + (np.clip(torque, -self._effort, self._effort) - rest) / stiffness
        low = np.maximum(np.minimum(self._low, target), previous - reach)
        high = np.minimum(np.maximum(self._high, target), previous + reach)
        target = np.where(over & (kp > 0.0), np.clip(wanted, low, high), target)
        torque = rest + kp * (target - pos)
        excess = np.abs(torque) > self._torque_bound
        return target, np.where(excess, self._effort / np.maximum(np.abs(torque), 1e-12), 1.0)

    def _sound(self, command: JointCommand) -> bool:
        kp, kd = command.kp, command.kd
        for array in (command.position, command.velocity, kp, kd, command.tau_ff):
            if np.shape(array) != self._shape or not bounded(_ABSURD, array):
                return False
        return np.count_nonzero(kp < 0.0) == 0 and np.count_nonzero(kd < 0.0) == 0

    def _refuse(
        self, command: JointCommand, verdict: FilterVerdict, state_joint_pos: Array | None = None
    ) -> tuple[JointCommand, FilterReport]:
        if self._last is not None:
            return replace(self._last, stamp=command.stamp), FilterReport(verdict)
        zero = np.zeros(self._num_joints)
        position = zero if state_joint_pos is None else np.array(state_joint_pos)
        return JointCommand(command.stamp, position, zero, zero, zero, zero), FilterReport(verdict)
