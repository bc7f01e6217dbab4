"""Turn at a rate, or to a heading."""

from __future__ import annotations

import numpy as np

from ..errors import GoalError
from ..rotations import wrap_angle
from ..types import Array
from .cost import GuidanceCost, register_cost
from .features import PlanFeatures, PlanGradient
from .joystick import AVERAGES


@register_cost("yaw_rate")
class YawRateCost(GuidanceCost):
    r"""Turn at a rate (ours; BM4 shows yaw commands without a formula).

    ``average="per_step"``: :math:`G = \tfrac12 \sum_i (\omega_{z,i} - g)^2`;
    ``average="mean"``: :math:`G = \tfrac{H}{2} (\bar\omega_z - g)^2`, which lets the pelvis swing within a stride.
    """

    def __init__(self, yaw_rate: Array | float, average: str = "mean"):
        """
        Args:
            yaw_rate: Goal [rad/s], scalar or (B,).
            average: ``"mean"`` or ``"per_step"``.
        """
        if average not in AVERAGES:
            raise GoalError(f"average '{average}' is unknown; allowed are {AVERAGES}")
        self.yaw_rate = np.asarray(yaw_rate, dtype=np.float64)
        self.average = average

    def value_and_gradient(self, plan: PlanFeatures) -> tuple[Array, PlanGradient]:
        """Cost [(rad/s)^2], shape (B,), and its gradient by the angular velocity."""
        error = plan.root_ang_vel_c[..., 2] - self.yaw_rate[..., None]  # (B, H)
        if self.average == "mean":
            error = np.broadcast_to(error.mean(axis=1, keepdims=True), error.shape)
        gradient = np.zeros(plan.root_ang_vel_c.shape)
        gradient[..., 2] = error
        return 0.5 * np.sum(error**2, axis=1), PlanGradient(root_ang_vel_c=gradient)


@register_cost("heading")
class HeadingCost(GuidanceCost):
    r"""Turn to a heading, or along a heading ramp (ours).

    .. math:: G = \tfrac12 \sum_i \mathrm{wrap}(\psi_i - \psi^*_i)^2, \qquad
              \psi^*_i = \mathrm{clip}(\psi^*, \pm \omega_{max} t_i) + \omega t_i

    With :math:`\psi^* = 0` it is the ramp :math:`\omega t` by which a yaw-rate command is best given: a heading cannot
    be met by swinging back and forth. With :math:`\omega = 0` it is a goal heading, approached no faster than
    :math:`\omega_{max}`, so that a goal behind the robot does not ask for half a turn within one plan.
    """

    def __init__(self, yaw_c: Array | float = 0.0, yaw_rate: Array | float = 0.0, max_rate: float = float("inf")):
        """
        Args:
            yaw_c: Goal heading in the character frame [rad], scalar or (B,); wrapped to (-pi, pi].
            yaw_rate: Slope of the ramp [rad/s], scalar or (B,).
            max_rate: How fast the goal heading may be approached [rad/s].
        """
        self.yaw_c = wrap_angle(np.asarray(yaw_c, dtype=np.float64))
        self.yaw_rate = np.asarray(yaw_rate, dtype=np.float64)
        self.max_rate = float(max_rate)
        self._ramp: tuple[Array, Array] | None = None
        """Times of the plan that was seen last, with the goal at each."""

    def value_and_gradient(self, plan: PlanFeatures) -> tuple[Array, PlanGradient]:
        """Cost [rad^2], shape (B,), and its gradient by the heading."""
        if self._ramp is None or self._ramp[0] is not plan.times:
            reach = self.max_rate * plan.times
            goal = np.minimum(np.maximum(self.yaw_c[..., None], -reach), reach) + self.yaw_rate[..., None] * plan.times
            self._ramp = plan.times, goal
        error = wrap_angle(plan.yaw_c - self._ramp[1])  # (B, H)
        return 0.5 * (error * error).sum(axis=1), PlanGradient(yaw_c=error)
