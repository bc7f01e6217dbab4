"""Sensors that stop, stammer, jump in time or go mad, and a robot that hangs."""

from dataclasses import replace

import numpy as np
import pytest
from beyondmimic_diffusion.core.estimation import OdometrySource, SampleFault, StateEstimator
from beyondmimic_diffusion.core.rotations import quat_rotate_inverse
from beyondmimic_diffusion.core.types import ImuSample, JointSample
from beyondmimic_diffusion.sim.mujoco_g1 import MujocoG1

DT = 0.004


@pytest.fixture(scope="module")
def standing():
    """Samples of a robot that stands still for 2 s in the pose in which MuJoCo puts it down, and the truth."""
    truth, zero = MujocoG1(sensors=False).state(), np.zeros(29)
    log = []
    for i in range(500):
        imu = ImuSample(i * DT, np.array([1.0, 0, 0, 0]), np.zeros(3), np.array([0.0, 0.0, 9.81]))
        log.append((imu, JointSample(i * DT, truth.joint_pos, zero, zero), truth))
    return log


@pytest.fixture(scope="module")
def shared():
    return StateEstimator()


@pytest.fixture
def estimator(shared, standing):
    """Has seen a second of it."""
    shared.reset()
    for fault in shared.faults:
        shared.faults[fault] = 0
    for imu, joints, _ in standing[:250]:
        shared.update(imu, joints)
    return shared


def test_a_standing_robot_is_seen_at_rest_at_its_height_on_both_feet(estimator, standing):
    for sample in standing[250:]:
        state = estimator.update(*sample[:2])
    truth = standing[-1][2]
    assert estimator.foot_contact == (True, True)
    assert estimator.source is OdometrySource.LEG
    np.testing.assert_allclose(state.root_pos_w, truth.root_pos_w, atol=0.01)
    np.testing.assert_allclose(state.root_lin_vel_w, truth.root_lin_vel_w, atol=0.02)
    up = quat_rotate_inverse(state.root_quat_w, np.array([0, 0, 1.0]))
    true = quat_rotate_inverse(truth.root_quat_w, np.array([0, 0, 1.0]))
    assert np.degrees(np.linalg.norm(np.cross(up, true))) < 1.0
    assert estimator.faults == dict.fromkeys(SampleFault, 0)


BROKEN = {
    "gyro": lambda imu, joints: (replace(imu, ang_vel_b=np.array([np.nan, 0, 0])), joints),
    "accelerometer": lambda imu, joints: (replace(imu, lin_acc_b=np.array([0, np.inf, 0])), joints),
    "joint": lambda imu, joints: (imu, replace(joints, position=np.full(29, np.nan))),
    "joint velocity": lambda imu, joints: (imu, replace(joints, velocity=np.full(29, -np.inf))),
    "stamp": lambda imu, joints: (replace(imu, stamp=np.nan), joints),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_sample_with_nan_or_infinity_is_left_out_and_counted_and_the_next_one_is_used(what, estimator, standing):
    for imu, joints, _ in standing[250:255]:
        assert estimator.update(*BROKEN[what](imu, joints)) is None
    assert estimator.faults[SampleFault.NOT_FINITE] == 5
    state = estimator.update(*standing[255][:2])
    np.testing.assert_allclose(state.root_pos_w, standing[255][2].root_pos_w, atol=0.01)
    assert estimator.kalman.restarts == 0


def test_readings_beyond_any_sensor_are_left_out(estimator, standing):
    imu, joints, _ = standing[250]
    assert estimator.update(replace(imu, ang_vel_b=np.array([0, 0, 400.0])), joints) is None
    assert estimator.update(replace(imu, lin_acc_b=np.array([0, 0, 4000.0])), joints) is None
    assert estimator.faults[SampleFault.ABSURD] == 2


def test_a_sample_that_comes_twice_or_late_is_left_out(estimator, standing):
    assert estimator.update(*standing[249][:2]) is None
    assert estimator.update(*standing[240][:2]) is None
    assert estimator.faults[SampleFault.LATE] == 2
    assert estimator.update(*standing[250][:2]) is not None


def test_effort_that_is_nan_is_not_needed(estimator, standing):
    imu, joints, truth = standing[250]
    state = estimator.update(imu, replace(joints, effort=np.full(29, np.nan)))
    np.testing.assert_allclose(state.root_pos_w, truth.root_pos_w, atol=0.01)


@pytest.mark.parametrize("gap", [0.5, 5.0, -3.0])
def test_after_a_gap_or_a_jump_of_time_the_place_is_kept_and_the_motion_found_again(gap, estimator, standing):
    before, restarts = estimator.position_std, estimator.kalman.restarts
    truth = standing[-1][2]
    for imu, joints, _ in standing[250:]:
        state = estimator.update(replace(imu, stamp=imu.stamp + gap), joints)
        assert state is not None
        assert np.all(np.isfinite(state.root_pos_w))
    assert estimator.kalman.restarts == restarts + 1
    np.testing.assert_allclose(state.root_pos_w, truth.root_pos_w, atol=0.02)
    np.testing.assert_allclose(state.root_lin_vel_w, 0.0, atol=0.03)
    if gap > 0:
        assert estimator.position_std > before + 0.4 * gap  # it may have been carried away meanwhile


def test_a_stream_that_stutters_within_the_allowed_gap_goes_on(estimator, standing):
    restarts = estimator.kalman.restarts
    samples = standing[260:490:15]  # 60 ms apart
    for imu, joints, _ in samples:
        state = estimator.update(imu, joints)
    truth = samples[-1][2]
    assert estimator.kalman.restarts == restarts
    np.testing.assert_allclose(state.root_pos_w, truth.root_pos_w, atol=0.02)


def test_a_reset_forgets_everything_and_stands_at_the_new_place(estimator, standing):
    estimator.reset(np.array([2.0, 3.0]), 0.4)
    assert estimator.source is OdometrySource.NONE
    assert estimator.uncertainty is None
    state = estimator.update(*standing[0][:2])
    np.testing.assert_allclose(state.root_pos_w[:2], [2.0, 3.0], atol=5e-3)


def test_the_covariances_of_odometry_are_symmetric_and_positive(estimator):
    for matrix in estimator.uncertainty:
        np.testing.assert_allclose(matrix, matrix.T, atol=1e-12)
        assert np.linalg.eigvalsh(matrix).min() > 0.0
