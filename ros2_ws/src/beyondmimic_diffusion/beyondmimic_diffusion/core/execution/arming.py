"""What is checked before the robot may move, and before an emergency stop may be released; each with its remedy."""

from __future__ import annotations

import numpy as np

from ..robot import g1
from ..types import RobotState
from .executor_config import ArmingConfig
from .modes import Reason
from .safety_filter import JointLimits
from .watchdog import finite_state, tilt_angle

REMEDIES = {
    Reason.NOT_DISARMED: "disarm (executor/disarm), or release the emergency stop (e_stop_reset), then arm",
    Reason.NO_STATE: "start what publishes joint_states and imu/data, or connect the robot",
    Reason.NON_FINITE_STATE: "mend or restart what measures it",
    Reason.OLD_STATE: "see that sensors arrive, and that all nodes have the same use_sim_time",
    Reason.NOT_UPRIGHT: "hold or hang the robot upright",
    Reason.NOT_STILL: "wait until it has come to rest, or hold it",
    Reason.OUT_OF_RANGE: "move the joint by hand, or check its zero",
    Reason.NO_PLAN_STREAM: "start the planner and wait for its plans (planner/status)",
    Reason.CLOCK_STANDS: "let the simulation go on",
    Reason.TOO_HOT: "let it cool down",
    Reason.NO_REMOTE: "switch it on, or set the parameter remote.required to false",
    Reason.REMOTE_NOT_NEUTRAL: "let go of its sticks",
    Reason.E_STOP_HELD: "let go of it",
    Reason.NOT_PLAYING: "arm it (executor/arm) and wait for TRACKING",
    Reason.CANNOT_STAND: "slow it down first, or set standing.enabled and standing.policy",
}
"""What an operator can do about each reason for which arming or releasing is refused."""


def refusal(reason: Reason, figures: str = "") -> str:
    """The answer to the operator: what, by how much, and what to do."""
    remedy = REMEDIES.get(reason, "")
    return f"{reason.sentence}{': ' if figures else ''}{figures}{'; ' if remedy else ''}{remedy}"


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
            f"{_name(joint)} at {state.joint_vel[joint]:.2f} rad/s, at most {config.max_joint_speed}",
        )
    low, high = limits.position_low - config.range_slack, limits.position_high + config.range_slack
    outside = np.maximum(low - state.joint_pos, state.joint_pos - high)  # (J,)
    joint = int(np.argmax(outside))
    if outside[joint] > 0.0:
        return Reason.OUT_OF_RANGE, (
            f"{_name(joint)} at {state.joint_pos[joint]:.2f} rad, allowed {low[joint]:.2f} .. {high[joint]:.2f}"
        )
    return Reason.OK, ""


def _name(joint: int) -> str:
    return g1.JOINT_NAMES[joint]
