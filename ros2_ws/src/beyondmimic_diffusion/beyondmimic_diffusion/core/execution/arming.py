"""What is checked before the robot may move, and before an emergency stop may be released."""

from __future__ import annotations

import numpy as np

from ..types import RobotState
from .executor_config import ArmingConfig
from .modes import Reason
from .safety_filter import JointLimits
from .watchdog import finite_state, tilt_angle


def check_robot(config: ArmingConfig, limits: JointLimits, now: float, state: RobotState | None) -> tuple[Reason, str]:
    """The first thing that is wrong with the robot's state, and its figures in words; ``Reason.OK`` if nothing is.

    Args:
        config: Thresholds.
        limits: Of the joints.
        now: Robot's clock [s].
        state: Newest state.
    """
    if state is None:
        return Reason.NO_STATE, ""
    if not finite_state(state):
        return Reason.NON_FINITE_STATE, ""
    age = abs(now - state.stamp)
    if age > config.max_state_age:
        return Reason.OLD_STATE, f"{age:.3f} s, at most {config.max_state_age} s"
    tilt = tilt_angle(state.root_quat_w)
    if tilt > config.max_tilt:
        return Reason.NOT_UPRIGHT, f"tilt {tilt:.2f} rad, at most {config.max_tilt:.2f} rad"
    joint = int(np.argmax(np.abs(state.joint_vel)))
    if abs(state.joint_vel[joint]) > config.max_joint_speed:
        return (
            Reason.NOT_STILL,
            f"joint {joint} at {state.joint_vel[joint]:.2f} rad/s, at most {config.max_joint_speed}",
        )
    low, high = limits.position_low - config.range_slack, limits.position_high + config.range_slack
    outside = np.maximum(low - state.joint_pos, state.joint_pos - high)  # (J,)
    joint = int(np.argmax(outside))
    if outside[joint] > 0.0:
        return Reason.OUT_OF_RANGE, (
            f"joint {joint} at {state.joint_pos[joint]:.2f} rad, allowed {low[joint]:.2f} .. {high[joint]:.2f}"
        )
    return Reason.OK, ""
