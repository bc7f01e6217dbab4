"""Wrong units, missing parts, frozen and jumping values are named; sound readings are not."""

from __future__ import annotations

import math
import os
import re

import numpy as np
import pytest
from beyondmimic_diffusion.core.execution.robot_limits import g1_limits
from beyondmimic_diffusion.core.plausibility import ArmingGate, SensorJudge, implausible_estimate
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
        ("ang_vel_b", lambda w: w[[1, 0, 2]], True, "gyro: a turn about x is read on y; its axes are swapped"),
        ("ang_vel_b", lambda w: -w, True, "gyro: a turn about x is read on -x; its axes are swapped, reversed"),
        ("position", lambda q: np.where(np.arange(J) == 5, np.nan, q), False, "joint positions: 50 of the last 50"),
        ("velocity", lambda v: np.where(np.arange(J) == 3, 0.0, v), True, "velocity of left_knee_joint: zero while"),
        (
            "velocity",
            lambda v: np.nan * v,
            False,
            "joint velocities: NaN in all of the last 50 samples, rad/s expected; joint_states is sent without",
        ),
    ],
)
def test_what_cannot_be_right_is_named_with_expectation_and_likely_cause(part, function, moving, sentence):
    assert re.search(sentence.replace("^", r"\^"), said(altered(part, function), moving=moving))


def test_an_encoder_that_stands_while_its_velocity_goes_on_is_frozen():
    frozen = said(altered("position", lambda q: np.where(np.arange(J) == 3, 0.6, q)), moving=True)
    assert "encoder of left_knee_joint: the same 0.60 rad for half a second while its velocity adds up to" in frozen


def test_a_joint_that_does_not_move_beside_others_that_do_is_not_complained_about():
    def lock(imu, joints):
        locked = np.arange(J) == 9
        position, velocity = np.where(locked, 0.6, joints.position), np.where(locked, 0.0, joints.velocity)
        return imu, JointSample(joints.stamp, position, velocity, joints.effort)

    assert said(lock, moving=True) == ""


@pytest.mark.parametrize(
    ("temperature", "sentence"),
    [
        (np.full(J, 35.0), ""),
        (np.full(J, 308.0), "temperature of left_hip_pitch_joint: 308 degC, -40 to 160 expected; .* look like kelvin"),
        (np.where(np.arange(J) == 4, 255.0, 30.0), "temperature of left_ankle_pitch_joint: 255 degC, .* is broken"),
        (np.where(np.arange(J) == 4, np.nan, 30.0), "temperature of left_ankle_pitch_joint: nan degC"),
    ],
)
def test_temperatures_that_no_motor_has_are_named(temperature, sentence):
    text = said(lambda imu, joints: (imu, JointSample(**{**vars(joints), "temperature": temperature})))
    assert re.search(sentence, text) if sentence else text == ""


def stamped(pairs):
    """The same stamps for IMU and joints, as given."""
    return [
        (ImuSample(s, imu.quat_w, imu.ang_vel_b, imu.lin_acc_b), JointSample(s, j.position, j.velocity, j.effort))
        for (imu, j), s in pairs
    ]


def judged(pairs) -> str:
    judge = make_judge()
    for pair in pairs:
        judge.take(*pair)
    return "\n".join(map(str, judge.findings()))


def test_two_publishers_whose_stamps_alternate_are_named_as_that():
    stamps = [5.0 + 0.005 * k - 0.3 * (k % 2) for k in range(200)]
    text = judged(stamped(zip(readings(), stamps, strict=True)))
    assert re.search(r"joints: its stamps go back \d+ times in 64 messages, .* two publishers on joint_states", text)


def test_stamps_that_are_not_filled_in_are_named():
    assert "joints: its stamps are zero" in judged(stamped((pair, 0.0) for pair in readings()))
    assert "stamp stands at 7.000 s" in judged(stamped((pair, 7.0) for pair in readings()))


def test_a_slower_imu_beside_fast_joints_is_no_complaint():
    stamps = [5.0 + 0.02 * (k // 4) for k in range(200)]
    pairs = [
        (ImuSample(s, imu.quat_w, imu.ang_vel_b, imu.lin_acc_b), j)
        for (imu, j), s in zip(readings(), stamps, strict=True)
    ]
    assert judged(pairs) == ""


def fallen(pairs, shift=0.0):
    """The same robot on its back with its joints elsewhere."""
    turn = quat_from_rotvec(np.array([0.0, -1.5, 0.0]))
    acc = quat_rotate_inverse(turn, UP)
    return [
        (
            ImuSample(i.stamp + shift, turn, i.ang_vel_b, acc),
            JointSample(j.stamp + shift, -j.position, 0 * j.velocity, j.effort),
        )
        for i, j in pairs
    ]


@pytest.mark.parametrize("jump", [0.0, -4.0, 100.0], ids=["time goes on", "back", "ahead"])
def test_a_robot_that_is_put_elsewhere_is_not_complained_about_whatever_time_does(jump):
    judge = make_judge()
    for pair in fallen(readings(1.0)):
        judge.take(*pair)
    for imu, joints in readings(1.0):
        s = imu.stamp + 1.0 + jump
        judge.take(ImuSample(s, imu.quat_w, imu.ang_vel_b, imu.lin_acc_b), JointSample(**{**vars(joints), "stamp": s}))
        assert judge.findings() == []


def test_messages_of_two_robots_on_one_clock_are_named():
    mixed = [
        pair if k % 4 < 2 else other for k, (pair, other) in enumerate(zip(readings(), fallen(readings()), strict=True))
    ]
    assert re.search(r"the whole robot leaps \d+ times in .* messages of two robots", judged(mixed))


@pytest.mark.parametrize(("period", "count"), [(0.001, 500), (0.02, 26), (0.05, 11), (0.1, 6)])
def test_half_a_second_is_half_a_second_at_any_rate_of_samples(period, count):
    judge, imu, joints = make_judge(), *next(readings())
    taken = 0
    while not judge.ready:
        stamp = 5.0 + taken * period
        judge.take(
            ImuSample(stamp, imu.quat_w, imu.ang_vel_b, imu.lin_acc_b), JointSample(**{**vars(joints), "stamp": stamp})
        )
        taken += 1
    assert taken == pytest.approx(count, abs=0.02 / period + 1)


def test_the_gate_asks_for_half_a_second_names_what_is_wrong_and_then_opens():
    gate, pairs = ArmingGate(make_judge()), list(readings())
    assert gate.refusal() == ""  # no samples: the executor itself says so
    for pair in pairs[:40]:
        gate.watch(pair)
        gate.watch(pair)  # seen twice, counted once
    assert re.search(r"sensors were watched for 0\.\d\d s, 0\.5 s are needed before arming", gate.refusal())
    for pair in pairs[40:]:
        gate.watch(pair)
    assert gate.refusal() == "" and gate.ready
    in_g = ArmingGate(make_judge())
    for imu, joints in pairs:
        in_g.watch((ImuSample(imu.stamp, imu.quat_w, imu.ang_vel_b, imu.lin_acc_b / 9.81), joints))
    assert "accelerometer: at rest it reads 1 m/s^2, 9.81 expected; it looks like g" in in_g.refusal()


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
        joints = JointSample(k * spacing, np.resize(v, J), np.resize(v[::-1], J), np.zeros(J), np.resize(v, J))
        judge.take(ImuSample(k * spacing, v[:4], v[4:7], v[7:10]), joints)
    assert all(str(finding) for finding in judge.findings())


@settings(max_examples=CASES)
@given(st.lists(numbers, min_size=13, max_size=13), st.booleans())
def test_any_estimate_is_a_sentence_or_possible(values, level):
    v = np.array(values)
    odd = state(root_pos_w=v[:3], root_quat_w=v[3:7], root_lin_vel_w=v[7:10], root_ang_vel_w=v[10:])
    text = implausible_estimate(odd, level)
    assert text or (np.isfinite(v).all() and math.hypot(*v[7:10]) <= 5.0 and np.abs(v[:3]).max() <= 1e5)
