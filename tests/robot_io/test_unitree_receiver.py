"""What is read from LowState, what is refused of it, and what forbids to arm: each with its sentence."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="robot_io speaks ROS 2")

from beyondmimic_diffusion.core.robot import g1  # noqa: E402
from beyondmimic_diffusion.robot_io.unitree_checks import (  # noqa: E402
    MODE_MACHINES,
    MOTOR_ERRORS,
    UnitreeLimits,
    first_trouble,
)
from beyondmimic_diffusion.robot_io.unitree_receiver import UnitreeReceiver  # noqa: E402
from beyondmimic_diffusion.robot_io.unitree_remote import encode_remote  # noqa: E402

ROS_AHEAD = 1.7e9
"""Our clock minus the steady one [s]."""


class Bench:
    """A receiver on clocks that only the test moves."""

    def __init__(self, make_bytes):
        self.now = 50.0
        self.pairs: list = []
        self._make_bytes = make_bytes
        self._tick = 0
        self.receiver = UnitreeReceiver(
            lambda: self.now + ROS_AHEAD, lambda: self.now, lambda imu, joints: self.pairs.append((imu, joints))
        )
        self.limits = UnitreeLimits(remote="neutral")

    def send(self, **fields) -> bytes:
        """A healthy LowState, 2 ms after the one before."""
        self._tick += 2
        self.now += 0.002
        cdr = self._make_bytes(**({"tick": self._tick} | fields))
        self.receiver.accept(cdr)
        return cdr

    def trouble(self, allowed=(5,), **limits) -> str:
        return first_trouble(UnitreeLimits(**{"remote": "neutral", **limits}), self.receiver, allowed)


@pytest.fixture
def bench(make_bytes):
    return Bench(make_bytes)


def test_a_message_becomes_an_imu_and_a_joint_sample_of_one_time(bench, rng):
    q, dq, tau = rng.normal(size=(3, 29)).astype(np.float32)
    attitude = np.array([0.5, 0.5, -0.5, 0.5])
    bench.send(q=q, dq=dq, tau_est=tau, quaternion_wxyz=attitude, gyroscope=[1, 2, 3], accelerometer=[4, 5, 6])
    imu, joints = bench.receiver.pair
    assert bench.pairs == [(imu, joints)]
    assert imu.stamp == joints.stamp == pytest.approx(bench.now + ROS_AHEAD, abs=1e-6)
    for got, sent in (
        (joints.position, q),
        (joints.velocity, dq),
        (joints.effort, tau),
        (imu.quat_w, attitude),
        (imu.ang_vel_b, [1, 2, 3]),
        (imu.lin_acc_b, [4, 5, 6]),
    ):
        np.testing.assert_array_equal(got, sent)


def test_a_message_that_was_late_is_stamped_when_it_was_measured(bench):
    bench.send()
    punctual = bench.receiver.pair[0].stamp
    bench.now += 0.030
    bench.send()
    assert bench.receiver.pair[0].stamp == pytest.approx(punctual + 0.002, abs=1e-6)


def test_damaged_messages_are_counted_and_never_become_samples(bench):
    good = bench.send()
    before = bench.receiver.pair
    damaged = bytearray(good)
    damaged[100] ^= 1
    bench.receiver.accept(bytes(damaged))
    bench.receiver.accept(good[:-1])
    assert (bench.receiver.received, bench.receiver.refused, bench.receiver.bad_checksums) == (1, 2, 1)
    assert bench.receiver.pair is before
    assert len(bench.pairs) == 1


@pytest.mark.parametrize(
    "fields",
    [{"quaternion_wxyz": np.zeros(4)}, {"quaternion_wxyz": np.full(4, np.nan)}, {"q": np.full(29, np.inf)}],
    ids=["no attitude", "NaN attitude", "infinite joints"],
)
def test_a_good_checksum_over_no_measurement_is_refused_too(bench, fields):
    bench.send(**fields)
    assert bench.receiver.pair is None
    assert "is no measurement" in bench.receiver.last_refusal


# ---------------------------------------------------------------- arming


def test_a_healthy_robot_may_be_armed(bench):
    bench.send()
    assert bench.trouble() == ""


def test_before_the_first_message_the_operator_is_asked_for_power_cable_and_address(bench):
    text = bench.trouble()
    assert text.startswith("no LowState has arrived")
    assert "192.168.123" in text


def test_messages_of_another_type_are_told_apart_from_silence(bench):
    bench.receiver.accept(bytes(100))
    assert bench.trouble() == (
        "no LowState could be used so far, 1 were refused; the newest: LowState: 100 bytes arrived, a unitree_hg "
        "LowState has 2092"
    )


def test_a_robot_that_falls_silent_may_not_be_armed(bench):
    bench.send()
    bench.now += 0.049
    assert bench.trouble() == ""
    bench.now += 0.002
    assert bench.trouble().startswith("the newest LowState arrived 0.051 s ago, at most 0.05 s")


def test_one_wrong_checksum_forbids_arming_for_a_second(bench):
    damaged = bytearray(bench.send())
    damaged[50] ^= 4
    bench.receiver.accept(bytes(damaged))
    bench.send()
    assert bench.trouble().startswith("1 LowState messages came with a wrong checksum, the newest 0.0 s ago")
    bench.now += 1.0
    bench.send()
    assert bench.trouble() == ""


@pytest.mark.parametrize("reported", [0, 4, 6, 9, 13])
def test_another_robot_than_the_policys_is_refused_by_both_numbers(bench, reported):
    bench.send(mode_machine=reported)
    what = MODE_MACHINES.get(reported, "a robot that this stack does not know")
    assert bench.trouble() == (
        f"the robot reports mode_machine {reported} ({what}); the policy was made for 5 (29 joints)"
    )


@pytest.mark.parametrize(("reported", "fine"), [(5, True), (13, True), (3, False)])
def test_a_policy_for_any_robot_still_needs_one_with_29_joints(bench, reported, fine):
    bench.send(mode_machine=reported)
    assert (bench.trouble(allowed=()) == "") == fine


def test_a_hot_motor_is_named(bench):
    temperature = np.full((29, 2), 35)
    temperature[9, 1] = 86
    bench.send(temperature=temperature)
    assert bench.trouble() == f"{g1.JOINT_NAMES[9]} is at 86 degC, at most 85; let it cool down"
    assert bench.trouble(max_temperature=90.0) == ""


@pytest.mark.parametrize("bit", range(len(MOTOR_ERRORS)), ids=str)
def test_each_error_of_a_motor_is_named_with_its_joint(bench, bit):
    errors = np.zeros(29, np.uint32)
    errors[21] = 1 << bit
    bench.send(motor_error=errors)
    assert bench.trouble().startswith(f"{g1.JOINT_NAMES[21]} reports an error: {MOTOR_ERRORS[bit]} ({1 << bit:#x})")
    assert bench.trouble(refuse_motor_errors=False) == ""


def test_motors_that_nobody_commands_yet_may_say_so(bench):
    bench.send(motor_error=np.full(29, 0xC0000000, np.uint32))
    assert bench.trouble() == ""


def test_an_empty_battery_is_refused_and_an_unknown_one_is_not(bench):
    bench.send(voltage=np.full(29, 43.0))
    assert bench.trouble() == "the battery is at 43.0 V, at least 44.0 V; charge it"
    bench.send(voltage=np.zeros(29))
    assert bench.trouble() == ""


def test_a_remote_that_is_not_at_rest_is_told_what_to_let_go_of(bench):
    bench.send(wireless_remote=encode_remote(["A", "L1"]))
    assert bench.trouble() == "the robot's remote is not at rest (A, L1); let go of it"
    bench.send(wireless_remote=encode_remote(left=(0.0, 0.5)))
    assert "a stick is moved" in bench.trouble()
    assert bench.trouble(remote="ignored") == ""


def test_a_required_remote_must_have_been_heard_once(bench):
    bench.send()
    assert "has not been heard: switch it on and press any" in bench.trouble(remote="required")
    bench.send(wireless_remote=encode_remote(["start"]))
    bench.send()
    assert bench.trouble(remote="required") == ""
