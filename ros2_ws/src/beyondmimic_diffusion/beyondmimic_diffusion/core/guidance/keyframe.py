"""Have chosen key points at chosen places."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from ..errors import GoalError
from ..types import Array
from .cost import GuidanceCost, register_cost
from .features import PlanFeatures, PlanGradient

FRAMES = ("local", "character")


@register_cost("keyframe")
class KeyframeCost(GuidanceCost):
    r"""Squared error of chosen key points, at every state the cost is shown (ours).

    .. math:: G = \tfrac12 \sum_i \sum_{b \in K} \| p_{b,i} - g_b \|^2

    ``CostTerm.first_step`` and ``last_step`` say when. In frame ``"local"`` the error is taken relative to the pelvis
    and its heading: a pose, wherever the robot is; in ``"character"`` it is a place. (In-betweening by clean tokens,
    CLOC eq. 6, is the sampler's affair.)
    """

    uses_key_points = True

    def __init__(self, indices: Sequence[int], positions: ArrayLike, frame: str = "local"):
        """
        Args:
            indices: Which key points, shape (M',), each once.
            positions: Their goals [m], shape (M', 3) or (B, M', 3).
            frame: ``"local"`` or ``"character"``.
        """
        self.indices = np.asarray(indices, dtype=np.intp)
        self.positions = np.asarray(positions, dtype=np.float64)
        if frame not in FRAMES:
            raise GoalError(f"keyframe cost: frame '{frame}' is unknown; allowed are {FRAMES}")
        if self.positions.shape[-2:] != (len(self.indices), 3) or len(set(self.indices.tolist())) != len(self.indices):
            raise GoalError(
                f"keyframe cost: {len(self.indices)} key points and positions of shape {self.positions.shape}; "
                "right is (M', 3) for M' different key points"
            )
        self.frame = frame

    def value_and_gradient(self, plan: PlanFeatures) -> tuple[Array, PlanGradient]:
        """Cost [m^2], shape (B,), and its gradient by the key points."""
        points = plan.key_points("keyframe")
        if self.frame == "local" and plan.key_pos_l is not None:
            points = plan.key_pos_l
        goal = self.positions if self.positions.ndim == 2 else self.positions[:, None]  # (B, 1, M', 3)
        error = points[..., self.indices, :] - goal  # (B, H, M', 3)
        gradient = np.zeros(points.shape)
        gradient[..., self.indices, :] = error
        value = 0.5 * np.sum(error**2, axis=(1, 2, 3))
        if self.frame == "local":
            return value, PlanGradient(key_pos_l=gradient)
        return value, PlanGradient(key_pos_c=gradient)
