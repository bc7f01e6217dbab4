"""Reach a place and stop there: as the paper's cost, and as a goal velocity."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..types import Array
from .cost import GuidanceCost, register_cost
from .features import PlanFeatures, PlanGradient


@register_cost("waypoint")
class WaypointCost(GuidanceCost):
    r"""Reach a planar goal and stop there (BeyondMimic v3, eq. 8).

    .. math:: G = \sum_i (1-e^{-2d_i})\,\|p_i-g\|^2 + e^{-2d_i}\,\|v_i\|^2, \quad d_i=\|p_i-g\|

    :math:`d_i` is treated as a constant by the gradient, as the paper says. Taken literally on the predicted positions
    it made all of 8 runs of an earlier trial of this recipe fall; on consistent positions (``CostTerm.consistent`` with
    ``velocity_cap`` 0.4 to 0.8 m/s) 16 of 24 arrived, by :func:`waypoint_velocity` 48 of 48.
    """

    def __init__(self, goal_xy_c: ArrayLike, softness: float = 2.0):
        """
        Args:
            goal_xy_c: Goal in the character frame [m], shape (2,) or (B, 2).
            softness: The 2 in the exponents [1/m].
        """
        self.goal_xy_c = np.asarray(goal_xy_c, dtype=np.float64)
        self.softness = float(softness)

    def value_and_gradient(self, plan: PlanFeatures) -> tuple[Array, PlanGradient]:
        """Cost [m^2 + (m/s)^2], shape (B,), and its gradient by the root's position and velocity."""
        offset = plan.root_pos_c[..., :2] - self.goal_xy_c[..., None, :]  # (B, H, 2)
        velocity = plan.root_lin_vel_c[..., :2]
        square = np.sum(offset**2, axis=-1)  # (B, H)
        arrived = np.exp(-self.softness * np.sqrt(square))  # eq. 8: held fixed by the gradient
        value = np.sum((1.0 - arrived) * square + arrived * np.sum(velocity**2, axis=-1), axis=1)
        position = np.zeros(plan.root_pos_c.shape)
        position[..., :2] = 2.0 * (1.0 - arrived)[..., None] * offset
        stopping = np.zeros(plan.root_lin_vel_c.shape)
        stopping[..., :2] = 2.0 * arrived[..., None] * velocity
        return value, PlanGradient(root_pos_c=position, root_lin_vel_c=stopping)


def waypoint_velocity(goal_xy_c: ArrayLike, max_speed: ArrayLike, slow_distance: ArrayLike) -> Array:
    """Goal velocity that leads to a waypoint [m/s]: straight there, slower from ``slow_distance`` on, zero at the goal.

    Args:
        goal_xy_c: Waypoint in the character frame [m], shape (..., 2).
        max_speed: [m/s], scalar or (...).
        slow_distance: Where braking begins [m], scalar or (...).
    """
    goal = np.asarray(goal_xy_c, dtype=np.float64)
    speed = np.asarray(max_speed, dtype=np.float64) / np.maximum(np.linalg.norm(goal, axis=-1), slow_distance)
    return goal * speed[..., None]
