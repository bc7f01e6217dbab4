"""Wrong units, missing parts, frozen and jumping values are named; sound readings are not."""

from __future__ import annotations

import os

import numpy as np
import pytest
from beyondmimic_diffusion.core.execution.robot_limits import g1_limits
from beyondmimic_diffusion.core.plausibility import SensorJudge, implausible_estimate
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.rotations import quat_from_rotvec, quat_rotate_inverse
from beyondmimic_diffusion.core.types import ImuSample, JointSample, RobotState
from hypothesis import given, settings
from hypothesis import strategies as st

J = g1.NUM_JOINTS
RATE = 200.0
CASES = int(os.environ.get("CASES", "1000"))
UP = np.array([0.0, 0.0, 9.81])
DEGREES = 180.0 / np.pi


def make_judge() -> SensorJudge:
    limits = np.array([g1_limits().position_low, g1_limits().position_high]).T
    return SensorJudge(g1.JOINT_NAMES, limits, g1_limits().velocity)


def readings(seconds: float = 1.0, moving: bool = False):
    """What a robot at rest, or one that sways and bends its knees, reads: closed form, and a little noise."""
    rng = np.random.default_rng(0)
    for k in range(round(seconds * RATE)):
        t = k / RATE
        angle, rate = (0.2 * np.sin(4.0 * t), 0.8 * np.cos(4.0 * t)) if moving else (0.0, 0.0)
        bend, bending = (0.3 * np.sin(6.0 * t), 1.8 * np.cos(6.0 * t)) if moving else (0.0, 0.0)
        quat = quat_from_rotvec(np.array([angle, 0.0, 0.0]))
        position, velocity = np.array(g1.DEFAULT_JOINT_POS), np.zeros(J)
        position[[3, 9]] += bend
        velocity[[3, 9]] = bending
        noise = rng.normal(0.0, 0.002, 6)
        gyro, acc = np.array([rate, 0.0, 0.0]) + noise[:3], quat_rotate_inverse(quat, UP) + noise[3:]
        yield ImuSample(5.0 + t, quat, gyro, acc), JointSample(5.0 + t, position, velocity, np.zeros(J))


def said(change=lambda imu, joints: (imu, joints), *, moving: bool = False) -> str:
    judge = make_judge()
    for pair in readings(moving=moving):
        judge.take(*change(*pair))
    return "\n".join(map(str, judge.findings()))


def altered(part: str, function):
    """The stream with one field put through a function."""

    def change(imu, joints):
        source = imu if hasattr(imu, part) else joints
        changed = type(source)(**{**vars(source), part: function(getattr(source, part))})
        return (changed, joints) if source is imu else (imu, changed)

    return change


@pytest.mark.parametrize("moving", [False, True])
def test_sound_readings_are_not_complained_about(moving):
    assert said(moving=moving) == ""


@pytest.mark.parametrize(
    ("part", "function", "moving", "sentence"),
    [
        (
            "lin_acc_b",
            lambda a: a / 9.81,
            False,
            "accelerometer: at rest it reads 1 m/s^2, 9.81 expected; it looks like g",
        ),
        ("lin_acc_b", lambda a: 1e3 * a, False, "mm/s^2"),
        ("lin_acc_b", lambda a: 0.0 * a, False, "not filled in, or gravity was taken out"),
        ("lin_acc_b", lambda a: -a, False, "its sign is reversed"),
        ("lin_acc_b", lambda a: np.roll(a, 1), False, "90 deg away from the orientation's vertical"),
        ("lin_acc_b", lambda a: 1.4 * a, False, "its scale or calibration is wrong"),
        ("quat_w", lambda q: 0.0 * q, False, "IMU orientation: a quaternion of length 0, 1 expected"),
        ("quat_w", lambda q: 2.0 * q, False, "a quaternion of length 2"),
        ("ang_vel_b", lambda w: DEGREES * w, True, "gyro: 5. times what the orientation turns by; it looks like deg/s"),
        ("ang_vel_b", lambda w: 0.0 * w, True, "gyro: 0 rad while the orientation turned by"),
        ("ang_vel_b", lambda w: w + 1.0, False, "while the orientation stands still; a bias"),
        ("position", lambda q: DEGREES * q, False, "the readings look like degrees"),
        ("position", lambda q: q + 9.0, False, "rad, .* expected; an encoder offset"),
        ("velocity", lambda v: 0.0 * v, True, "joint velocities: all zero while a joint moved"),
        ("velocity", lambda v: DEGREES * v, True, "they look like deg/s"),
        ("velocity", lambda v: -v, True, "their sign is reversed"),
        ("velocity", lambda v: np.nan * v, False, "joint velocities: 50 of the last samples hold NaN"),
    ],
)
def test_what_cannot_be_right_is_named_with_expectation_and_likely_cause(part, function, moving, sentence):
    import re

    assert re.search(sentence.replace("^", r"\^"), said(altered(part, function), moving=moving))


def test_an_imu_that_repeats_itself_while_joints_move_is_frozen():
    first = next(readings(moving=True))[0]

    def freeze(imu, joints):
        return ImuSample(imu.stamp, first.quat_w, np.zeros(3), first.lin_acc_b), joints

    assert "it is frozen" in said(freeze, moving=True)


def test_a_joint_that_leaps_further_than_its_motor_turns_is_named():
    def leap(imu, joints):
        position = np.array(joints.position)
        position[22] += 1.0 * (imu.stamp > 5.9)
        return imu, JointSample(joints.stamp, position, joints.velocity, joints.effort)

    assert "encoder of right_shoulder_pitch_joint: leaps by +1.00 rad" in said(leap)


def test_nothing_is_said_before_half_a_second_was_seen():
    judge = make_judge()
    for imu, joints in list(readings(0.4)):
        judge.take(ImuSample(imu.stamp, 0.0 * imu.quat_w, imu.ang_vel_b, imu.lin_acc_b), joints)
    assert judge.findings() == []


def state(**changes) -> RobotState:
    z = np.zeros(3)
    values = {
        "stamp": 1.0,
        "root_pos_w": np.array([0.0, 0.0, 0.76]),
        "root_quat_w": np.array([1.0, 0.0, 0.0, 0.0]),
        "root_lin_vel_w": z,
        "root_ang_vel_w": z,
        "joint_pos": np.zeros(J),
        "joint_vel": np.zeros(J),
    }
    return RobotState(**{**values, **changes})


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, ""),
        ({"root_pos_w": np.array([0.0, 0.0, -100.0])}, "the pelvis at -100.00 m"),
        ({"root_lin_vel_w": np.array([0.0, 0.0, -41.0])}, "moves at 41.0 m/s"),
        ({"root_pos_w": np.array([2e6, 0.0, 0.8])}, "another unit"),
        ({"root_quat_w": np.full(4, np.nan)}, "NaN or infinity"),
    ],
)
def test_an_estimate_that_no_robot_can_have_is_named(changes, sentence):
    text = implausible_estimate(state(**changes))
    assert text == "" if not sentence else sentence in text


numbers = st.floats(allow_nan=True, allow_infinity=True, width=64)


@settings(max_examples=CASES)
@given(
    st.lists(numbers, min_size=12, max_size=12), st.sampled_from([0.0, 0.001, 0.005, 0.01, 0.05, -0.01]), st.booleans()
)
def test_any_stream_of_numbers_ends_in_sentences(values, spacing, alternate):
    judge = make_judge()
    for k in range(60):
        v = np.array(values) if k % 2 or not alternate else -np.array(values)
        joints = JointSample(k * spacing, np.resize(v, J), np.resize(v[::-1], J), np.zeros(J))
        judge.take(ImuSample(k * spacing, v[:4], v[4:7], v[7:10]), joints)
    assert all(str(finding) for finding in judge.findings())
