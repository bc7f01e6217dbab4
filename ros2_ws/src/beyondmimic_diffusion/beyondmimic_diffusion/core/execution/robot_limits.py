"""The G1's joint limits as the safety filter wants them."""

from __future__ import annotations

import numpy as np

from ..robot import g1
from .safety_filter import JointLimits

_LEG_PARTS = ("hip_", "knee", "ankle_")


def g1_limits() -> JointLimits:
    """Limits of the 29 joints; hips, knees and ankles balance, so their targets may move as fast as the motors."""
    is_leg = np.array([g1.joint_part(name).startswith(_LEG_PARTS) for name in g1.JOINT_NAMES])
    low, high = g1.JOINT_POS_LIMITS[:, 0], g1.JOINT_POS_LIMITS[:, 1]
    return JointLimits(low, high, g1.VELOCITY_LIMITS, g1.EFFORT_LIMITS, is_leg)
