"""Orientation from the IMU, against rotations known in closed form."""

import math

import numpy as np
import pytest
from beyondmimic_diffusion.core.estimation import ComplementaryAttitude, ImuAttitude
from beyondmimic_diffusion.core.rotations import quat_from_rotvec, quat_multiply, quat_rotate_inverse, quat_to_rotvec
from beyondmimic_diffusion.core.types import ImuSample

G = 9.81
DT = 0.002


def sample(stamp, quat, ang_vel_b=(0.0, 0.0, 0.0)):
    """A perfect IMU at rest or in pure rotation about its own origin."""
    lin_acc_b = quat_rotate_inverse(quat, np.array([0.0, 0.0, G]))
    return ImuSample(stamp, np.asarray(quat, float), np.asarray(ang_vel_b, float), lin_acc_b)


def angle_between(a, b):
    return float(np.linalg.norm(quat_to_rotvec(quat_multiply(a, np.asarray(b) * [1, -1, -1, -1]))))


def test_the_imus_own_orientation_is_taken_and_made_unit_length():
    quat = np.array([2.0, 0.0, 0.0, 2.0])
    np.testing.assert_allclose(ImuAttitude().update(sample(0.0, quat)), [math.sqrt(0.5), 0, 0, math.sqrt(0.5)])


@pytest.mark.parametrize("tilt", [(0.0, 0.0, 0.0), (0.5, 0.0, 0.0), (0.0, -1.2, 0.0), (0.3, 0.4, 0.0), (3.0, 0.0, 0.0)])
def test_the_first_sample_gives_the_tilt_of_a_robot_at_rest(tilt):
    quat = quat_from_rotvec(np.array(tilt))
    assert angle_between(ComplementaryAttitude().update(sample(0.0, quat)), quat) < 1e-9


def test_an_upside_down_robot_is_seen_as_upside_down():
    got = ComplementaryAttitude().update(sample(0.0, np.array([0.0, 1.0, 0.0, 0.0])))
    np.testing.assert_allclose(quat_rotate_inverse(got, np.array([0.0, 0.0, 1.0])), [0, 0, -1], atol=1e-12)


def test_a_perfect_gyro_at_constant_rate_is_integrated_exactly():
    """The rotation by w dt per sample is what the filter assumes, so only rounding is left after 2000 samples."""
    attitude, rate = ComplementaryAttitude(), np.array([0.3, -0.5, 0.8])
    for i in range(2001):
        quat = quat_from_rotvec(rate * i * DT)
        got = attitude.update(sample(i * DT, quat, rate))
    assert angle_between(got, quat) < 1e-9


def test_a_tilt_error_decays_with_the_time_constant_of_the_gain():
    """d(error)/dt = -k sin(error): tan(error/2) falls as exp(-k t)."""
    attitude, gain, start = ComplementaryAttitude(gain=0.5), 0.5, 0.4
    attitude.update(sample(0.0, quat_from_rotvec(np.array([start, 0.0, 0.0]))))
    level = np.array([1.0, 0.0, 0.0, 0.0])
    for i in range(1, 1001):
        got = attitude.update(sample(i * DT, level))
    expected = 2.0 * math.atan(math.tan(start / 2) * math.exp(-gain * 1000 * DT))
    assert angle_between(got, level) == pytest.approx(expected, rel=2e-3)  # Euler steps of 2 ms


def test_a_hard_acceleration_does_not_pull_the_attitude():
    attitude = ComplementaryAttitude(acceleration_band=2.0)
    level = np.array([1.0, 0.0, 0.0, 0.0])
    attitude.update(sample(0.0, level))
    for i in range(1, 101):
        got = attitude.update(ImuSample(i * DT, level, np.zeros(3), np.array([9.0, 0.0, G])))
    assert angle_between(got, level) < 1e-12
