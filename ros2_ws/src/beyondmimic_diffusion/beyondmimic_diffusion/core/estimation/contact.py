"""Which parts of the feet stand on the floor, judged by height and speed. Flat floor; no force sensor needed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..robot.g1 import FOOT_BODIES, KeyPoint
from ..types import Array

_OUTLINE = ((0.132, 0.0), (0.1, 0.026), (0.1, -0.026), (-0.044, 0.018), (-0.044, -0.018), (-0.054, 0.0))
"""x, y of the ends of the foot's collision capsules in the ankle-roll frame [m]."""
_SOLE_Z = -0.035
"""Height of the sole in that frame [m]: capsule axes at -0.025, radius 0.01."""

POINTS_PER_FOOT = len(_OUTLINE)
SOLE_POINTS: tuple[KeyPoint, ...] = tuple(
    KeyPoint(f"{body}_sole_{i}", body, (x, y, _SOLE_Z), 0.0)
    for body in FOOT_BODIES
    for i, (x, y) in enumerate(_OUTLINE)
)
"""Points of the left sole, then of the right, 2 * POINTS_PER_FOOT = F of them."""


def stance_weights(height: Array, speed: Array, height_band: float, speed_scale: float) -> Array:
    """How much each sole point is believed to stand still on the floor.

    Args:
        height: Of the points above any common level [m], shape (F,).
        speed: Of the points in the world, as predicted before this sample [m/s], shape (F,).
        height_band: A point this far above the lowest one is in the air [m].
        speed_scale: A point at this predicted speed counts half [m/s]; never zero, so a wrong prediction can recover.

    Returns:
        Weights of sum 1, shape (F,).
    """
    lift = (height - np.min(height)) / height_band
    near = np.maximum(0.0, 1.0 - lift) ** 2
    weights = near / (1.0 + (speed / speed_scale) ** 2)
    return weights / np.sum(weights)


def feet_in_contact(height: Array, height_band: float) -> NDArray[np.bool_]:
    """Whether the left and the right foot are on the floor, given that at least one is; shape (2,)."""
    lowest = np.min(height.reshape(2, POINTS_PER_FOOT), axis=1)  # (2,)
    return lowest - np.min(lowest) < height_band
