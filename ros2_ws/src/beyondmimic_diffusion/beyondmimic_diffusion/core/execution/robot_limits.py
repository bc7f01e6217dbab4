"""What the executor's parts must know of the G1: joint limits, and the joints it balances with."""

from __future__ import annotations

import numpy as np

from ..plausibility import SensorJudge
from ..robot import g1
from ..types import Array
from .ankles import AnkleController
from .safety_filter import JointLimits
from .standing import StandingConfig

_LEG_PARTS = ("hip_", "knee", "ankle_")


def g1_knees() -> list[int]:
    """Indices of the knees."""
    return [i for i, name in enumerate(g1.JOINT_NAMES) if name.endswith("_knee_joint")]


def g1_ankles(config: StandingConfig, stand_pose: Array) -> AnkleController:
    """Standing on the G1's four ankle joints."""
    pitch, roll = (
        [i for i, name in enumerate(g1.JOINT_NAMES) if f"ankle_{axis}" in name] for axis in ("pitch", "roll")
    )
    return AnkleController(config, stand_pose, pitch, roll)


def g1_sensor_judge() -> SensorJudge:
    """Knows what a G1's sensors can read."""
    return SensorJudge(g1.JOINT_NAMES, g1.JOINT_POS_LIMITS, g1.VELOCITY_LIMITS)


def g1_limits() -> JointLimits:
    """Limits of the 29 joints; hips, knees and ankles balance, so their targets may move as fast as the motors."""
    is_leg = np.array([g1.joint_part(name).startswith(_LEG_PARTS) for name in g1.JOINT_NAMES])
    low, high = g1.JOINT_POS_LIMITS[:, 0], g1.JOINT_POS_LIMITS[:, 1]
    return JointLimits(low, high, g1.VELOCITY_LIMITS, g1.EFFORT_LIMITS, is_leg)
