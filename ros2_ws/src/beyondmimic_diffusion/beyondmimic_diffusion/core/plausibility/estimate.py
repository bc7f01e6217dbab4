"""An estimate that no robot can have."""

from __future__ import annotations

import math

import numpy as np

from ..types import RobotState

_HEIGHTS = (0.0, 2.0)
"""Of the pelvis above the floor it stands on [m]."""
_FASTEST = 5.0
"""A G1 runs at most at 3.3 m/s; falling from its own height ends at 4 [m/s]."""
_FARTHEST = 1e5
"""Of the odometry's origin [m]."""


def implausible_estimate(state: RobotState, on_level_floor: bool = True) -> str:
    """What is wrong with an estimate, in a sentence; empty if nothing is.

    Args:
        state: The estimate.
        on_level_floor: Heights are measured from the floor under the robot, as leg odometry does.
    """
    parts = (state.root_pos_w, state.root_quat_w, state.root_lin_vel_w, state.root_ang_vel_w)
    if not all(np.isfinite(part).all() for part in parts):
        return "the estimate holds NaN or infinity; a sensor feeds them in"
    height, speed = float(state.root_pos_w[2]), math.hypot(*state.root_lin_vel_w)
    if speed > _FASTEST:
        return (
            f"the estimate moves at {speed:.1f} m/s, at most {_FASTEST:g} expected; "
            "the accelerometer's unit or the contact of the feet is wrong"
        )
    if on_level_floor and not _HEIGHTS[0] < height < _HEIGHTS[1]:
        return (
            f"the estimate has the pelvis at {height:.2f} m, {_HEIGHTS[0]:g} to {_HEIGHTS[1]:g} expected; "
            "the accelerometer's unit or the contact of the feet is wrong"
        )
    distance = float(np.abs(state.root_pos_w).max())
    if distance > _FARTHEST:
        return f"the estimate is {distance:.3g} m from its origin; external poses are in another unit"
    return ""
