"""What must be true of a Unitree robot before its motors are taken, each with the sentence that the operator reads."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from ..core.parameters import param, validate
from ..core.robot import g1
from .unitree_receiver import UnitreeReceiver
from .unitree_wire import LowState

MODE_MACHINES = {
    5: "29 joints",
    6: "29 joints, waist locked",
    11: "29 joints, gears of 22.5",
    12: "29 joints, gears of 22.5, waist locked",
    **dict.fromkeys((13, 14, 15, 16), "29 joints, wrists of type 5010"),
}
"""Which G1 says which number."""
MOTOR_ERRORS = (
    *("overcurrent", "voltage peak", "voltage too high", "voltage drop", "chip too hot"),
    *("power stage too hot or too cold", "power stage's temperature is no measurement"),
    *("case too hot or too cold", "case's temperature is no measurement", "winding too hot"),
    *("rotor encoder 1", "rotor encoder 2", "output encoder", "calibration data", "abnormal reset", "locked"),
    *("chip not accepted", "being calibrated", "communication check", "driver too old"),
)
"""Of the error word, from its least significant bit (Unitree's list of faults of the G1)."""
_REAL_ERRORS = (1 << len(MOTOR_ERRORS)) - 1
"""The highest two bits say that nobody commands the motor, which is so before arming."""
_CHECKSUM_QUIET = 1.0
"""No wrong checksum for this long [s]."""
REMOTE_CHECKS = ("required", "neutral", "ignored")


@dataclass(frozen=True)
class UnitreeLimits:
    """Thresholds of the checks."""

    max_age: float = param(0.05, unit="s", lo=0.004, hi=1.0, doc="Greatest age of the newest LowState for arming.")
    max_temperature: float = param(
        85.0, unit="degC", lo=30.0, hi=120.0, doc="Hottest motor with which arming is allowed."
    )
    min_voltage: float = param(
        44.0, unit="V", lo=0.0, hi=60.0, doc="Least battery voltage for arming; a robot that reports 0 V is not judged."
    )
    refuse_motor_errors: bool = param(True, doc="Refuse to arm while a motor reports an error.")
    remote: str = param(
        "required",
        choices=REMOTE_CHECKS,
        doc="The robot's own remote, for arming: heard of and at rest; at rest; anything goes.",
    )

    def __post_init__(self) -> None:
        validate(self)


def first_trouble(limits: UnitreeLimits, receiver: UnitreeReceiver, mode_machines: Collection[int]) -> str:
    """What forbids to arm, and what to do about it; empty if nothing does.

    Args:
        limits: Thresholds.
        receiver: What the robot said.
        mode_machines: Robots that the policy may run on; empty: any G1 with 29 joints.
    """
    state = receiver.state
    if receiver.since_bad_checksum < _CHECKSUM_QUIET:
        return (
            f"{receiver.bad_checksums} LowState messages came with a wrong checksum, the newest "
            f"{receiver.since_bad_checksum:.1f} s ago; check cable and network, and that nothing else sends rt/lowstate"
        )
    if state is None:
        return _silence(receiver)
    if receiver.age > limits.max_age:
        return (
            f"the newest LowState arrived {receiver.age:.3f} s ago, at most {limits.max_age} s; is the robot still on, "
            "is the cable in?"
        )
    return (
        mode_machine_trouble(state.mode_machine, mode_machines)
        or _motor_trouble(limits, state)
        or _remote_trouble(limits, receiver)
    )


def mode_machine_trouble(reported: int, allowed: Collection[int]) -> str:
    """Why a robot with this number may not be commanded; empty if it may."""
    what = MODE_MACHINES.get(reported, "a robot that this stack does not know")
    if reported in (allowed or MODE_MACHINES):
        return ""
    wanted = ", ".join(f"{number} ({MODE_MACHINES.get(number, 'unknown')})" for number in allowed or MODE_MACHINES)
    return f"the robot reports mode_machine {reported} ({what}); the policy was made for {wanted}"


def _silence(receiver: UnitreeReceiver) -> str:
    if receiver.refused:
        return f"no LowState could be used so far, {receiver.refused} were refused; the newest: {receiver.last_refusal}"
    return (
        "no LowState has arrived; is the robot on (it takes a minute), is network_interface the one its cable is in, "
        "and does this machine have an address in 192.168.123.0/24?"
    )


def _motor_trouble(limits: UnitreeLimits, state: LowState) -> str:
    joint = int(np.argmax(state.temperature.max(axis=1)))
    hottest = float(state.temperature[joint].max())
    if hottest > limits.max_temperature:
        return (
            f"{g1.JOINT_NAMES[joint]} is at {hottest:.0f} degC, at most {limits.max_temperature:.0f}; let it cool down"
        )
    errors = state.motor_error & np.uint32(_REAL_ERRORS)
    if limits.refuse_motor_errors and errors.any():
        joint = int(np.argmax(errors != 0))
        what = ", ".join(text for bit, text in enumerate(MOTOR_ERRORS) if int(errors[joint]) >> bit & 1)
        return f"{g1.JOINT_NAMES[joint]} reports an error: {what} ({errors[joint]:#x}); switch the robot off and on"
    voltage = battery_voltage(state)
    if 0.0 < voltage < limits.min_voltage:
        return f"the battery is at {voltage:.1f} V, at least {limits.min_voltage:.1f} V; charge it"
    return ""


def battery_voltage(state: LowState) -> float:
    """As most motors see it [V]; 0 if they do not say."""
    return float(np.median(state.voltage))


def _remote_trouble(limits: UnitreeLimits, receiver: UnitreeReceiver) -> str:
    if limits.remote == "ignored":
        return ""
    if limits.remote == "required" and not receiver.remote_heard:
        return "the robot's remote has not been heard: switch it on and press any of its buttons"
    remote = receiver.remote
    if not remote.neutral:
        pressed = ", ".join(sorted(remote.pressed)) or "a stick is moved"
        return f"the robot's remote is not at rest ({pressed}); let go of it"
    return ""
