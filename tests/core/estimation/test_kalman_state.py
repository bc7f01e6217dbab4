"""The error's algebra and every Jacobian of the filter, against finite differences."""

from dataclasses import replace

import numpy as np
import pytest
from beyondmimic_diffusion.core.estimation import ContactAidedFilter, FootKinematics, KalmanConfig
from beyondmimic_diffusion.core.estimation.foot_geometry import leg_values
from beyondmimic_diffusion.core.estimation.kalman_model import error_transition, foot_jacobian, heading_terms
from beyondmimic_diffusion.core.estimation.kalman_state import (
    SIZE,
    FilterState,
    corrected,
    error,
    left_jacobian,
    moved,
    quaternion,
    rotation,
    rotation_vector,
    turns,
    unseen,
)
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.rotations import quat_from_matrix, quat_from_rotvec, quat_to_matrix
from beyondmimic_diffusion.core.types import ImuSample

EPS = 1e-6


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def some_state(rng):
    zero = np.zeros((SIZE, SIZE))
    return FilterState(
        quat_to_matrix(quat_from_rotvec(rng.normal(0.0, 0.5, 3))), rng.normal(0, 1, 3), rng.normal(0, 3, 3),
        rng.normal(0, 3, (2, 3)), rng.normal(0, 1, 2), rng.normal(0, 0.1, 3), rng.normal(0, 0.3, 3), zero,
    )  # fmt: skip


def off_by(true, xi):
    """A belief with this error."""
    return corrected(true, -xi, true.covariance)


@pytest.mark.parametrize("size", [0.0, 1e-9, 1e-5, 1e-3, 0.4, 2.5])
def test_the_rotation_of_a_vector_is_the_quaternions_and_its_vector_comes_back(size, rng):
    axis = rng.normal(size=3)
    vector = size * axis / np.linalg.norm(axis)
    np.testing.assert_allclose(rotation(vector), quat_to_matrix(quat_from_rotvec(vector)), atol=1e-14)
    np.testing.assert_allclose(rotation_vector(rotation(vector)), vector, atol=1e-12)
    np.testing.assert_allclose(quaternion(rotation(vector)), quat_from_matrix(rotation(vector)), atol=1e-14)


@pytest.mark.parametrize("axis", np.vstack([np.eye(3), -np.eye(3), [[0.6, 0.8, 0.0], [-0.6, 0.0, 0.8]]]))
@pytest.mark.parametrize("angle", [3.1, np.pi])
def test_quaternions_of_half_turns_lose_nothing(axis, angle):
    matrix = quat_to_matrix(quat_from_rotvec(angle * axis))
    np.testing.assert_allclose(quat_to_matrix(quaternion(matrix)), matrix, atol=1e-12)


@pytest.mark.parametrize("size", [0.0, 1e-6, 9e-4, 2e-3, 1.5])
def test_the_left_jacobian_is_the_mean_of_the_rotations_on_the_way(size):
    """J(phi) is the integral of exp(s phi) over s in 0..1; Simpson's rule on 200 intervals is good to 1e-10."""
    vector = size * np.array([0.6, 0.0, 0.8])
    shares, weights = np.linspace(0, 1, 201), np.ones(201)
    weights[1:-1:2], weights[2:-1:2] = 4, 2
    mean = sum(w * rotation(s * vector) for s, w in zip(shares, weights, strict=True)) / 600
    np.testing.assert_allclose(left_jacobian(vector), mean, atol=1e-9)


def test_correcting_by_the_error_gives_the_truth(rng):
    true, believed = some_state(rng), some_state(rng)
    got = corrected(believed, error(believed, true), believed.covariance)
    for name in ("R_wb", "vel_w", "pos_w", "feet_w", "heading", "gyro_bias", "acc_bias"):
        np.testing.assert_allclose(getattr(got, name), getattr(true, name), atol=1e-10)


def test_the_transition_is_what_predicting_does_to_small_errors(rng):
    """Truth and belief integrate the same readings; what is left over is of order dt^2 times rates of a few 1/s."""
    dt, true = 1e-4, some_state(rng)
    first = ImuSample(0.0, np.array([1.0, 0, 0, 0]), rng.normal(0, 1, 3), rng.normal(0, 5, 3))
    second = replace(first, stamp=dt)
    got = np.empty((SIZE, SIZE))
    for k in range(SIZE):
        states = []
        for state in (off_by(true, EPS * np.eye(SIZE)[k]), true):
            kalman = ContactAidedFilter(KalmanConfig())
            kalman.start(first, 0.0, np.zeros(3))
            kalman.state = state
            kalman.predict(second)
            states.append(kalman.state)
        got[:, k] = error(*states) / EPS
    expected = error_transition(true, dt)
    np.testing.assert_allclose(got, expected, atol=20 * dt**2 + 1e-8)
    assert np.abs(expected - np.eye(SIZE)).max() > 100 * dt**2  # so the tolerance cannot hide the derivative


def innovation(state, geometry, foot, weights):
    """Of one standing foot, straight from its definition."""
    axis = state.R_wb @ geometry.rotation_b[foot, :, 0]
    place = state.R_wb @ geometry.contact(weights)[foot] + state.pos_w - state.feet_w[foot]
    return np.append(place, state.heading[foot] - np.arctan2(axis[1], axis[0]))


@pytest.mark.parametrize("foot", [0, 1])
def test_the_feets_jacobian_is_the_innovations_derivative(foot, rng):
    geometry = FootKinematics().see(g1.DEFAULT_JOINT_POS + rng.normal(0, 0.2, 29))
    weights = np.full((2, 6), 1 / 6)
    true = some_state(rng)
    feet = geometry.contact(weights) @ true.R_wb.T + true.pos_w
    axes = geometry.rotation_b[:, :, 0] @ true.R_wb.T
    true = replace(true, feet_w=feet, heading=np.arctan2(axes[:, 1], axes[:, 0]))
    tilt, _ = heading_terms(axes[foot], true.R_wb @ geometry.joint_axes_b[foot].T)
    slopes = [
        (
            innovation(off_by(true, EPS * e), geometry, foot, weights)
            - innovation(off_by(true, -EPS * e), geometry, foot, weights)
        )
        / (2 * EPS)
        for e in np.eye(SIZE)
    ]
    np.testing.assert_allclose(foot_jacobian(foot, tilt), np.transpose(slopes), atol=1e-7)


def test_the_encoders_jacobians_are_derivatives_of_point_and_heading_of_the_foot(rng):
    kinematics, weights = FootKinematics(), np.full((2, 6), 1 / 6)
    joint_pos = g1.DEFAULT_JOINT_POS + rng.normal(0, 0.2, 29)
    geometry = kinematics.see(joint_pos)
    jacobian = geometry.jacobian(geometry.contact(weights))
    for joint in range(12):
        step = np.zeros(29)
        step[joint] = EPS
        ahead, behind = kinematics.see(joint_pos + step), kinematics.see(joint_pos - step)
        slope = (ahead.contact(weights) - behind.contact(weights)) / (2 * EPS)
        yaws = [np.arctan2(g.rotation_b[:, 1, 0], g.rotation_b[:, 0, 0]) for g in (ahead, behind)]
        foot, place = divmod(joint, 6)
        np.testing.assert_allclose(jacobian[foot, :, place], slope[foot], atol=1e-8)
        _, spin = heading_terms(geometry.rotation_b[foot, :, 0], geometry.joint_axes_b[foot].T)
        assert spin[place] == pytest.approx((yaws[0] - yaws[1])[foot] / (2 * EPS), abs=1e-8)
    assert leg_values(joint_pos).shape == (2, 6)


def test_moving_the_world_moves_the_error_as_the_covariance_says(rng):
    true, xi = some_state(rng), 1e-7 * rng.normal(size=SIZE)
    believed = replace(off_by(true, xi), covariance=np.outer(xi, xi))
    shift = np.array([5.0, -2.0, 0.5])
    there = moved(believed, 0.8, shift)
    again = error(there, moved(true, 0.8, shift))
    np.testing.assert_allclose(there.covariance, np.outer(again, again), rtol=1e-5, atol=1e-18)


def test_place_and_heading_of_everything_are_unseen_by_feet_and_untouched_by_motion(rng):
    """An error along those directions shows in no innovation, and motion keeps it what it is."""
    state = some_state(rng)
    directions, readings = unseen(state.pos_w)
    np.testing.assert_allclose(readings @ directions, np.eye(4), atol=1e-12)
    for foot in (0, 1):
        np.testing.assert_allclose(foot_jacobian(foot, np.zeros(2)) @ directions, 0.0, atol=1e-12)
    transition = error_transition(state, 0.01)
    np.testing.assert_allclose(transition @ directions, directions, atol=1e-12)


def test_turning_the_robot_alone_keeps_its_place_and_velocity(rng):
    true = some_state(rng)
    for axis, direction in zip(np.eye(3), turns(true).T, strict=True):
        believed = off_by(true, EPS * direction)
        np.testing.assert_allclose(believed.pos_w, true.pos_w, atol=10 * EPS**2)
        np.testing.assert_allclose(believed.vel_w, true.vel_w, atol=10 * EPS**2)
        np.testing.assert_allclose(rotation_vector(believed.R_wb @ true.R_wb.T), EPS * axis, atol=1e-12)
