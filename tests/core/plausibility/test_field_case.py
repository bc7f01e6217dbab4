"""An accelerometer in g, as a public driver sends it: the estimate runs away, and both judges say why."""

from __future__ import annotations

import numpy as np
import pytest
from beyondmimic_diffusion.core.estimation import StateEstimator
from beyondmimic_diffusion.core.execution.robot_limits import g1_sensor_judge
from beyondmimic_diffusion.core.plausibility import implausible_estimate
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.types import ImuSample, JointSample


def stand(gravity: float, knee_torque: float, seconds: float):
    """What the judge says at half a second, and what is wrong with the estimate at the end."""
    estimator, judge = StateEstimator(), g1_sensor_judge()
    effort = np.zeros(g1.NUM_JOINTS)
    for side in ("left", "right"):
        effort[g1.JOINT_NAMES.index(f"{side}_knee_joint")] = knee_torque
        effort[g1.JOINT_NAMES.index(f"{side}_ankle_pitch_joint")] = knee_torque / 4
    said, state = "", None
    for k in range(int(seconds * 250)):
        imu = ImuSample(1.0 + k / 250, np.array([1.0, 0, 0, 0]), np.zeros(3), np.array([0.0, 0.0, gravity]))
        joints = JointSample(imu.stamp, np.array(g1.DEFAULT_JOINT_POS), np.zeros(g1.NUM_JOINTS), effort)
        judge.take(imu, joints)
        state = estimator.update(imu, joints)
        if k == 140:
            said = "; ".join(map(str, judge.findings()))
    assert state is not None
    return said, implausible_estimate(state)


@pytest.mark.parametrize("knee_torque", [0.0, -20.0, 20.0])
def test_an_accelerometer_in_g_is_named_within_half_a_second(knee_torque):
    said, _ = stand(1.0, knee_torque, 0.6)
    assert said == "accelerometer: at rest it reads 1 m/s^2, 9.81 expected; it looks like g instead of m/s^2"


def test_the_estimate_that_it_leads_to_without_contact_is_named_as_well():
    _, wrong = stand(1.0, 0.0, 5.0)
    assert "the accelerometer's unit" in wrong


@pytest.mark.parametrize("knee_torque", [0.0, -20.0, 20.0])
def test_in_metres_per_second_squared_nothing_is_said(knee_torque):
    assert stand(9.81, knee_torque, 2.0) == ("", "")
