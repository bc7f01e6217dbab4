"""What can be wrong with the simulated sensors; for fault tests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..core.types import ImuSample, JointSample

SENSOR_FAULTS = ("none", "silent", "nan", "old", "future")
"""Nothing; no messages; NaN; stamps of a second ago; stamps of a second to come."""
_SHIFT = 1.0
"""How far wrong stamps are off [s]."""


def faulty(fault: str, imu: ImuSample, joints: JointSample) -> tuple[ImuSample, JointSample] | None:
    """The samples as a broken sensor would send them; None: it sends nothing.

    Args:
        fault: One of :data:`SENSOR_FAULTS`.
        imu: As measured.
        joints: As measured.
    """
    if fault == "silent":
        return None
    if fault == "nan":
        nan = np.full(len(joints.position), np.nan)
        return replace(imu, quat_w=np.full(4, np.nan)), replace(joints, position=nan)
    shift = {"old": -_SHIFT, "future": _SHIFT}.get(fault, 0.0)
    if shift == 0.0:
        return imu, joints
    return replace(imu, stamp=max(0.0, imu.stamp + shift)), replace(joints, stamp=max(0.0, joints.stamp + shift))
