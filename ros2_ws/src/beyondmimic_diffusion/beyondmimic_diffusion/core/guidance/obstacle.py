"""Keep key points clear of obstacles."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..errors import GoalError
from ..types import Array
from .barrier import RelaxedBarrier
from .cost import GuidanceCost, register_cost
from .features import PlanFeatures, PlanGradient
from .sdf import SignedDistance


@register_cost("obstacle")
class ObstacleCost(GuidanceCost):
    r"""A barrier on the clearance of every key point (BeyondMimic v3, eq. 9).

    .. math:: G = \sum_i \sum_b B(\mathrm{SDF}(p_{b,i}) - r_b)

    Each key point stands for a sphere of radius :math:`r_b`. Use it on consistent positions (``CostTerm.consistent``):
    on the predicted positions alone it tears them from the predicted velocities (ours). It avoids locally and knows no
    way round: routes are a planner's job.

    With ``extrapolation`` the last predicted state goes on at its planar root velocity for that time, in steps as long
    as the plan's, and the sum over i goes on with it (ours): a horizon of 0.64 s sees a pillar when it is too late.
    """

    uses_key_points = True

    def __init__(
        self,
        sdf_c: SignedDistance,
        radii: ArrayLike,
        barrier: RelaxedBarrier | None = None,
        time_offset: float = 0.0,
        extrapolation: float = 0.0,
        step_dt: float = 0.04,
    ):
        """
        Args:
            sdf_c: Distance to the obstacles, in the character frame.
            radii: Sphere radius of each key point [m], scalar or (M,).
            barrier: B; None: its defaults.
            time_offset: Stamp of the newest observation minus that of the scene [s]; matters for moving obstacles.
            extrapolation: Time beyond the last predicted state that is looked at [s].
            step_dt: Spacing of the states looked at there [s].
        """
        self.sdf_c = sdf_c
        self.radii = np.asarray(radii, dtype=np.float64)
        if not np.all(np.isfinite(self.radii)) or np.any(self.radii < 0.0):
            raise GoalError(f"radii {self.radii.tolist()} of key points must be metres, zero or more")
        self.barrier = barrier or RelaxedBarrier()
        self.time_offset = float(time_offset)
        if not extrapolation >= 0.0 or not step_dt > 0.0:
            raise GoalError(f"obstacle cost: extrapolation {extrapolation} s in steps of {step_dt} s; none is negative")
        self._beyond = step_dt * np.arange(1, round(extrapolation / step_dt) + 1)  # (E,), after the last state [s]

    def value_and_gradient(self, plan: PlanFeatures) -> tuple[Array, PlanGradient]:
        """Cost (a pure number), shape (B,), and its gradient by the key points [1/m]."""
        points, times = plan.key_points("obstacle"), plan.times  # (B, H, M, 3)
        ahead = len(self._beyond)
        if ahead:
            drift = np.zeros((plan.batch, ahead, 1, 3))
            drift[:, :, 0, :2] = self._beyond[:, None] * plan.root_lin_vel_c[:, -1:, :2]
            points = np.concatenate([points, points[:, -1:] + drift], axis=1)  # (B, H + E, M, 3)
            times = np.concatenate([times, times[-1] + self._beyond])
        distance, normal = self.sdf_c.query(points, (times + self.time_offset)[:, None])
        value, slope = self.barrier(distance - self.radii)  # (B, H + E, M)
        push = slope[..., None] * normal
        if not ahead:
            return np.sum(value, axis=(1, 2)), PlanGradient(key_pos_c=push)
        own, later = push[:, :-ahead].copy(), push[:, -ahead:]
        own[:, -1] += np.sum(later, axis=1)
        velocity = np.zeros(plan.root_lin_vel_c.shape)
        velocity[:, -1, :2] = np.einsum("e,bemi->bi", self._beyond, later[..., :2])
        return np.sum(value, axis=(1, 2)), PlanGradient(key_pos_c=own, root_lin_vel_c=velocity)
