"""The filter in cases with closed forms, and its covariance by Monte Carlo."""

import math
from dataclasses import replace

import numpy as np
import pytest
from beyondmimic_diffusion.core.estimation import ContactAidedFilter, FootKinematics, FootReading, KalmanConfig
from beyondmimic_diffusion.core.estimation.kalman_state import (
    ACC,
    GYRO,
    POS,
    SIZE,
    THETA,
    VEL,
    corrected,
    error,
    rotation,
    rotation_vector,
)
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.types import ImuSample

DT = 0.004
G = np.array([0.0, 0.0, 9.81])
LEVEL = np.array([1.0, 0.0, 0.0, 0.0])
WEIGHTS = np.full((2, 6), 1.0 / 6.0)
BOTH = np.array([True, True])


@pytest.fixture(scope="module")
def kinematics():
    return FootKinematics()


def rest(stamp, gyro=(0.0, 0.0, 0.0), acc=(0.0, 0.0, 0.0)):
    """An IMU at rest and upright that reads this much too much."""
    return ImuSample(stamp, LEVEL, np.array(gyro, float), G + np.array(acc, float))


def reading(kinematics, joint_pos=g1.DEFAULT_JOINT_POS, standing=BOTH, joint_vel=None):
    vel = np.zeros((2, 6)) if joint_vel is None else joint_vel
    return FootReading(kinematics.see(joint_pos), vel, np.asarray(standing), WEIGHTS)


def started(config=None, height=0.7):
    kalman = ContactAidedFilter(config or KalmanConfig())
    kalman.start(rest(0.0), 0.0, np.array([0.0, 0.0, height]))
    return kalman


def stand(kalman, kinematics, seconds, begin=0.0, **imu):
    for i in range(1, round(seconds / DT) + 1):
        kalman.predict(rest(begin + i * DT, **imu))
        kalman.correct(reading(kinematics), DT)


def test_in_free_fall_the_position_is_the_parabola():
    kalman = started()
    weightless = ImuSample(0.0, LEVEL, np.zeros(3), np.zeros(3))
    kalman.restart(weightless, 0.0)
    for i in range(1, 101):
        kalman.predict(replace(weightless, stamp=i * DT))
    t = 100 * DT
    np.testing.assert_allclose(kalman.state.vel_w, -G * t, atol=1e-12)
    np.testing.assert_allclose(kalman.state.pos_w, [0, 0, 0.7 - 0.5 * 9.81 * t**2], atol=1e-12)


def test_on_a_circle_the_imu_alone_stays_on_it():
    """Radius 2 m at 1 rad/s, facing along: the specific force is v w to the left and gravity up."""
    kalman = started()
    around = ImuSample(0.0, LEVEL, np.array([0.0, 0.0, 1.0]), np.array([0.0, 2.0, 9.81]))
    kalman.restart(around, 0.0)
    kalman.state = replace(kalman.state, vel_w=np.array([2.0, 0.0, 0.0]))
    for i in range(1, 501):
        kalman.predict(replace(around, stamp=i * DT))
    t = 500 * DT
    np.testing.assert_allclose(kalman.state.vel_w, [2 * math.cos(t), 2 * math.sin(t), 0], atol=1e-4)  # (w dt)^2 / 24
    np.testing.assert_allclose(kalman.state.pos_w, [2 * math.sin(t), 2 - 2 * math.cos(t), 0.7], atol=1e-4)


def test_standing_tells_the_gyros_biases_and_keeps_the_place(kinematics):
    kalman = started(KalmanConfig(flat_floor=False))
    bias = np.array([0.02, -0.03, 0.015])
    stand(kalman, kinematics, 12.0, gyro=bias)
    std = np.sqrt(np.diag(kalman.state.covariance)[GYRO])
    np.testing.assert_allclose(kalman.state.gyro_bias, bias, atol=5e-3)
    assert (np.abs(kalman.state.gyro_bias - bias) < 3 * std).all()
    assert (std < 0.3 * KalmanConfig().gyro_bias).all()
    assert np.linalg.norm(kalman.state.pos_w - [0, 0, 0.7]) < 0.01
    assert np.linalg.norm(rotation_vector(kalman.state.R_wb)[2]) < math.radians(1.0)


def test_standing_tells_the_accelerometers_bias_along_the_vertical(kinematics):
    kalman = started(KalmanConfig(flat_floor=False))
    stand(kalman, kinematics, 6.0, acc=(0.0, 0.0, 0.2))
    assert kalman.state.acc_bias[2] == pytest.approx(0.2, abs=0.02)


def standing_height(kinematics):
    return -float(kinematics.see(g1.DEFAULT_JOINT_POS).contact(WEIGHTS)[0, 2])


def test_on_a_flat_floor_the_first_foot_tells_the_height_and_without_one_it_is_what_it_was(kinematics):
    """Also of a robot that hung 10 cm above the floor when it was started."""
    height = standing_height(kinematics)
    flat, hill = started(height=height + 0.1), started(KalmanConfig(flat_floor=False), height=height + 0.1)
    for kalman in (flat, hill):
        stand(kalman, kinematics, 0.5)
    assert flat.state.pos_w[2] == pytest.approx(height, abs=2e-3)
    assert hill.state.pos_w[2] == pytest.approx(height + 0.1, abs=5e-3)


def test_a_step_up_is_not_taken_for_the_floor(kinematics):
    """A foot that comes down 15 cm above a floor that is known fails the gate."""
    height = standing_height(kinematics)
    kalman = started(height=height)
    stand(kalman, kinematics, 1.0)
    on_a_step = reading(kinematics)
    points = on_a_step.geometry.points_b.copy()
    points[0, :, 2] += 0.15
    raised = replace(on_a_step.geometry, points_b=points)
    for i in range(1, 61):
        kalman.predict(rest(1.0 + i * DT))
        kalman.correct(on_a_step._replace(geometry=raised, standing=np.array([i > 30, True])), DT)
    assert kalman.anchored.all()
    assert kalman.state.pos_w[2] == pytest.approx(height, abs=5e-3)
    assert kalman.state.feet_w[0, 2] == pytest.approx(0.15, abs=0.01)


def sliding(kinematics, offset, speed):
    """Both legs in the default pose, but the left foot ``offset`` further forward and moving on at ``speed``."""
    standing = reading(kinematics)
    points = standing.geometry.points_b.copy()
    points[0, :, 0] += offset
    geometry = replace(standing.geometry, points_b=points)
    jacobian = geometry.jacobian(geometry.contact(WEIGHTS))[0]
    vel = np.zeros((2, 6))
    vel[0] = np.linalg.pinv(jacobian) @ [speed, 0.0, 0.0]
    return standing._replace(geometry=geometry, joint_vel=vel)


def test_a_foot_that_slips_at_constant_speed_moves_nobody_while_the_other_one_stands(kinematics):
    """The left foot slides forward at 0.3 m/s for half a second; a filter that trusted it would go back by 0.15 m."""
    kalman = started(KalmanConfig(flat_floor=False))
    stand(kalman, kinematics, 2.0)
    speeds = []
    for i in range(1, 126):
        kalman.predict(rest(2.0 + i * DT))
        kalman.correct(sliding(kinematics, 0.3 * i * DT, 0.3), DT)
        speeds.append(kalman.state.vel_w[0])
    assert abs(kalman.state.pos_w[0]) < 0.015
    assert np.max(np.abs(speeds)) < 0.06


def test_a_foot_found_elsewhere_has_slipped_and_is_put_down_anew(kinematics):
    kalman = started(KalmanConfig(flat_floor=False))
    stand(kalman, kinematics, 1.0)
    before = kalman.state.pos_w
    kalman.predict(rest(1.0 + DT))
    kalman.correct(sliding(kinematics, 0.15, 0.0), DT)
    assert kalman.slips == 1
    assert np.linalg.norm(kalman.state.pos_w - before) < 2e-3
    assert kalman.state.feet_w[0, 0] - kalman.state.feet_w[1, 0] == pytest.approx(0.15, abs=0.01)


def test_without_contact_the_uncertainty_grows_as_that_of_the_imu_alone_and_a_held_robot_stays_bounded(kinematics):
    kalman = started(KalmanConfig(air_time=1.0))
    stand(kalman, kinematics, 1.0)
    before = kalman.state.covariance[VEL, VEL]
    for i in range(1, 126):
        kalman.predict(rest(1.0 + i * DT))
        kalman.correct(reading(kinematics, standing=[False, False]), DT)
    noise = KalmanConfig().acc_noise ** 2 * 0.5
    assert (np.diag(kalman.state.covariance[VEL, VEL] - before) > noise).all()
    for i in range(126, 126 + 2500):
        kalman.predict(rest(1.0 + i * DT, acc=(0.1, 0.0, 0.0)))
        kalman.correct(reading(kinematics, standing=[False, False]), DT)
    assert np.linalg.norm(kalman.state.vel_w) < 0.1  # the bias alone would make 1 m/s of it
    stand(kalman, kinematics, 1.0, begin=1.0 + 2625 * DT)
    assert kalman.anchored.all()


def test_the_covariance_stays_symmetric_and_positive_through_steps_slips_and_gaps(kinematics):
    kalman, rng = started(), np.random.default_rng(1)
    for i in range(1, 600):
        stamp = i * DT
        if i % 200 == 0:
            kalman.restart(rest(stamp), 0.3)
        kalman.predict(rest(stamp, gyro=rng.normal(0, 0.5, 3), acc=rng.normal(0, 3, 3)))
        pose = g1.DEFAULT_JOINT_POS + rng.normal(0, 0.05, 29)
        kalman.correct(reading(kinematics, pose, standing=rng.random(2) < 0.8, joint_vel=rng.normal(0, 1, (2, 6))), DT)
        P = kalman.state.covariance
        np.testing.assert_allclose(P, P.T, atol=1e-12)
        assert np.linalg.eigvalsh(P).min() > -1e-9


def test_turning_and_shifting_the_world_turns_and_shifts_the_estimate_and_nothing_else(kinematics):
    """The same readings from another place with another heading: equal but for that, far from the origin, too."""
    yaw, shift = 2.1, np.array([300.0, -40.0, 0.0])
    turn = rotation(np.array([0.0, 0.0, yaw]))
    here, there = started(), started()
    there.start(rest(0.0), yaw, turn @ [0, 0, 0.7] + shift)
    rng = np.random.default_rng(5)
    for i in range(1, 251):
        imu = rest(i * DT, gyro=rng.normal(0, 0.2, 3), acc=rng.normal(0, 1, 3))
        seen = reading(
            kinematics, g1.DEFAULT_JOINT_POS + rng.normal(0, 0.01, 29), standing=[i % 100 < 60, i % 100 > 40]
        )
        for kalman in (here, there):
            kalman.predict(imu)
            kalman.correct(seen, DT)
    np.testing.assert_allclose(there.state.R_wb, turn @ here.state.R_wb, atol=1e-7)
    np.testing.assert_allclose(there.state.vel_w, turn @ here.state.vel_w, atol=1e-7)
    np.testing.assert_allclose(there.state.pos_w, turn @ here.state.pos_w + shift, atol=1e-6)
    assert here.slips == there.slips


def nees_of_one_life(kinematics, rng, steps):
    """A robot at rest whose biases, first error and every reading's noise are drawn from what the filter is told."""
    config = KalmanConfig(foot_drift=1e-5, foot_turn=1e-5, slip_time=0.0, flat_floor=False, slip_gate=1000.0)
    kalman = started(config)
    truth = replace(
        kalman.state, gyro_bias=rng.normal(0, config.gyro_bias, 3), acc_bias=rng.normal(0, config.acc_bias, 3)
    )
    std = np.zeros(SIZE)
    std[THETA], std[VEL], std[POS] = 0.03, 0.1, 0.02
    first = std * rng.standard_normal(SIZE)
    first[GYRO], first[ACC] = -truth.gyro_bias, -truth.acc_bias
    std[GYRO], std[ACC], std[9:17] = config.gyro_bias, config.acc_bias, 1.0
    kalman.state = corrected(truth, -first, np.diag(std**2))
    geometry = kinematics.see(g1.DEFAULT_JOINT_POS)
    truth = replace(
        truth,
        feet_w=geometry.contact(WEIGHTS) + truth.pos_w,
        heading=np.arctan2(geometry.rotation_b[:, 1, 0], geometry.rotation_b[:, 0, 0]),
    )
    for i in range(1, steps + 1):
        truth = replace(
            truth,
            gyro_bias=truth.gyro_bias + config.gyro_bias_walk * math.sqrt(DT) * rng.standard_normal(3),
            acc_bias=truth.acc_bias + config.acc_bias_walk * math.sqrt(DT) * rng.standard_normal(3),
        )
        # the filter takes the mean of two readings, so each carries twice the variance of one of their intervals
        gyro = truth.gyro_bias + config.gyro_noise / math.sqrt(DT) * rng.standard_normal(3)
        acc = truth.acc_bias + config.acc_noise / math.sqrt(DT) * rng.standard_normal(3)
        kalman.predict(rest(i * DT, gyro=gyro, acc=acc))
        encoders = g1.DEFAULT_JOINT_POS + config.encoder_noise * rng.standard_normal(29)
        kalman.correct(reading(kinematics, encoders), DT)
    xi = error(kalman.state, truth)[:9]
    return float(xi @ np.linalg.solve(kalman.state.covariance[:9, :9], xi))


def test_the_normalised_error_squared_is_chi_square_when_the_world_is_as_the_filter_was_told(kinematics):
    """40 lives of 0.6 s, 9 numbers: chi-square with 360 degrees over 360 lies in 0.77 .. 1.26 in 99.9 % of cases."""
    rng = np.random.default_rng(11)
    mean = np.mean([nees_of_one_life(kinematics, rng, 150) for _ in range(40)]) / 9.0
    assert 0.77 < mean < 1.26
