"""Follow a planar velocity."""

from __future__ import annotations

import numpy as np

from ..errors import GoalError
from ..types import Array
from .cost import GuidanceCost, register_cost
from .features import PlanFeatures, PlanGradient

AVERAGES = ("mean", "per_step")
TURNS = ("commanded", "predicted", "none")


@register_cost("joystick")
class JoystickCost(GuidanceCost):
    r"""Follow a planar velocity given in the robot's heading frame.

    ``average="per_step"`` (with ``turn="none"``: BeyondMimic v3 eq. 7, literally):

    .. math:: G = \tfrac12 \sum_i \| u_i - g \|^2

    ``average="mean"`` (ours, what works in closed loop: a walking pelvis sways by 0.15 m/s, and the literal cost fights
    that sway):

    .. math:: G = \tfrac{H}{2} \| \bar u - g \|^2, \quad \bar u = \tfrac1H \sum_i u_i

    The factor H makes both gradients the same size: :math:`\partial G/\partial u_i = \bar u - g`, so that a guidance
    scale of 1 moves the predicted mean exactly to the goal.

    :math:`u_i = R_z(-\psi_i)\,v_i` is the velocity in a frame that turns along the horizon, since "forward" turns with
    a turning robot. ``turn`` chooses :math:`\psi_i`: ``"commanded"``: :math:`\omega t_i`, exact and smooth;
    ``"predicted"``: the predicted heading, held fixed by the gradient, so that a robot that cannot walk sideways
    does not turn instead; ``"none"``: zero, the paper's.
    """

    def __init__(
        self,
        vel_xy_c: Array,
        yaw_rate: Array | float = 0.0,
        average: str = "mean",
        turn: str = "commanded",
    ):
        """
        Args:
            vel_xy_c: Goal velocity, x forward, y left [m/s], shape (2,) or (B, 2).
            yaw_rate: Commanded yaw rate [rad/s], scalar or (B,); used by ``turn="commanded"`` only.
            average: ``"mean"`` or ``"per_step"``.
            turn: ``"commanded"``, ``"predicted"`` or ``"none"``.
        """
        if average not in AVERAGES or turn not in TURNS:
            raise GoalError(f"average '{average}', turn '{turn}': allowed are {AVERAGES} and {TURNS}")
        self.vel_xy_c = np.asarray(vel_xy_c, dtype=np.float64)
        self.yaw_rate = np.asarray(yaw_rate, dtype=np.float64)
        self.average = average
        self.turn = turn
        self._turned: tuple[Array, Array, Array] | None = None
        """Times of the plan that was seen last, with cosine and sine of the heading at each."""

    def value_and_gradient(self, plan: PlanFeatures) -> tuple[Array, PlanGradient]:
        """Cost [(m/s)^2], shape (B,), and its gradient by the root's velocity."""
        cos, sin = self._cos_sin(plan)  # (B, H) or (1, H)
        vx, vy = plan.root_lin_vel_c[..., 0], plan.root_lin_vel_c[..., 1]  # (B, H)
        ex = cos * vx + sin * vy - self.vel_xy_c[..., :1]
        ey = cos * vy - sin * vx - self.vel_xy_c[..., 1:]
        count = 1
        if self.average == "mean":
            count = ex.shape[1]
            ex, ey = ex.sum(axis=1, keepdims=True) / count, ey.sum(axis=1, keepdims=True) / count  # (B, 1)
        gradient = np.zeros(plan.root_lin_vel_c.shape)
        gradient[..., 0] = cos * ex - sin * ey
        gradient[..., 1] = sin * ex + cos * ey
        return 0.5 * count * (ex * ex + ey * ey).sum(axis=1), PlanGradient(root_lin_vel_c=gradient)

    def _cos_sin(self, plan: PlanFeatures) -> tuple[Array, Array]:
        if self.turn == "predicted":
            return np.cos(plan.yaw_c), np.sin(plan.yaw_c)
        if self._turned is None or self._turned[0] is not plan.times:
            rate = np.atleast_1d(self.yaw_rate) if self.turn == "commanded" else np.zeros(1)
            psi = rate[:, None] * plan.times
            self._turned = plan.times, np.cos(psi), np.sin(psi)
        return self._turned[1:]
