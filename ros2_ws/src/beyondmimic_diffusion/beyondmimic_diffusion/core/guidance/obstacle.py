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
    """

    uses_key_points = True

    def __init__(
        self,
        sdf_c: SignedDistance,
        radii: ArrayLike,
        barrier: RelaxedBarrier | None = None,
        time_offset: float = 0.0,
    ):
        """
        Args:
            sdf_c: Distance to the obstacles, in the character frame.
            radii: Sphere radius of each key point [m], scalar or (M,).
            barrier: B; None: its defaults.
            time_offset: Stamp of the newest observation minus that of the scene [s]; matters for moving obstacles.
        """
        self.sdf_c = sdf_c
        self.radii = np.asarray(radii, dtype=np.float64)
        if not np.all(np.isfinite(self.radii)) or np.any(self.radii < 0.0):
            raise GoalError(f"radii {self.radii.tolist()} of key points must be metres, zero or more")
        self.barrier = barrier or RelaxedBarrier()
        self.time_offset = float(time_offset)

    def value_and_gradient(self, plan: PlanFeatures) -> tuple[Array, PlanGradient]:
        """Cost (a pure number), shape (B,), and its gradient by the key points [1/m]."""
        points = plan.key_points("obstacle")  # (B, H, M, 3)
        distance, normal = self.sdf_c.query(points, (plan.times + self.time_offset)[:, None])
        value, slope = self.barrier(distance - self.radii)  # (B, H, M)
        return np.sum(value, axis=(1, 2)), PlanGradient(key_pos_c=slope[..., None] * normal)
