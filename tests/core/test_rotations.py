"""Rotations against SciPy, and the algebra that must hold between them."""

import numpy as np
import pytest
from beyondmimic_diffusion.core import rotations as rot
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation, Slerp

EPS = 1e-12  # a few hundred float64 roundings
vectors = arrays(np.float64, 3, elements=st.floats(-10.0, 10.0))
rotvecs = vectors.map(lambda v: v / max(1.0, np.linalg.norm(v) / 3.1))  # shorter than pi: the logarithm is unique


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def random_quats(rng, *shape):
    quat = rng.standard_normal((*shape, 4))
    return quat / np.linalg.norm(quat, axis=-1, keepdims=True)


def scipy(quat):
    return Rotation.from_quat(np.reshape(quat, (-1, 4)), scalar_first=True)


def assert_same_rotation(a, b):
    np.testing.assert_allclose(np.abs(np.sum(a * b, axis=-1)), 1.0, atol=EPS)


def test_product_and_conjugate_compose_like_scipy(rng):
    a, b = random_quats(rng, 50), random_quats(rng, 50)
    assert_same_rotation(rot.quat_multiply(a, b), (scipy(a) * scipy(b)).as_quat(scalar_first=True))
    assert_same_rotation(rot.quat_conjugate(a), scipy(a).inv().as_quat(scalar_first=True))


def test_rotating_vectors_agrees_with_scipy_in_both_directions(rng):
    quat, vec = random_quats(rng, 50), rng.standard_normal((50, 3))
    np.testing.assert_allclose(rot.quat_rotate(quat, vec), scipy(quat).apply(vec), atol=EPS)
    np.testing.assert_allclose(rot.quat_rotate_inverse(quat, vec), scipy(quat).inv().apply(vec), atol=EPS)


def test_leading_dimensions_broadcast(rng):
    quat, vec = random_quats(rng, 5, 1), rng.standard_normal((7, 3))
    expected = np.stack([scipy(q).apply(vec) for q in quat])
    np.testing.assert_allclose(rot.quat_rotate(quat, vec), expected, atol=EPS)
    np.testing.assert_allclose(rot.rotate_yaw(vec, np.zeros((5, 1))), np.broadcast_to(vec, (5, 7, 3)), atol=0)


@given(rotvecs)
def test_exponential_agrees_with_scipy_and_the_logarithm_inverts_it(rotvec):
    quat = rot.quat_from_rotvec(rotvec)
    assert_same_rotation(quat, Rotation.from_rotvec(rotvec).as_quat(scalar_first=True))
    np.testing.assert_allclose(rot.quat_to_rotvec(quat), rotvec, atol=1e-11)
    np.testing.assert_allclose(rot.quat_to_rotvec(-quat), rotvec, atol=1e-11)


@pytest.mark.parametrize("length", [0.0, 1e-300, 1e-20, 1e-12, 1e-8, 1e-4])
def test_small_rotations_keep_their_relative_precision(length):
    rotvec = length * np.array([0.6, 0.0, -0.8])
    np.testing.assert_allclose(rot.quat_to_rotvec(rot.quat_from_rotvec(rotvec)), rotvec, rtol=1e-12, atol=0.0)


def test_matrices_agree_with_scipy_and_invert_also_at_half_turns(rng):
    half_turns = np.concatenate([np.zeros((4, 1)), [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.6, 0.8, 0]]], axis=1)
    quat = np.concatenate([random_quats(rng, 50), half_turns])
    matrix = rot.quat_to_matrix(quat)
    np.testing.assert_allclose(matrix, scipy(quat).as_matrix(), atol=EPS)
    assert_same_rotation(rot.quat_from_matrix(matrix), quat)


def test_yaw_is_scipys_first_zyx_angle(rng):
    quat = random_quats(rng, 100)
    np.testing.assert_allclose(rot.yaw_of(quat), scipy(quat).as_euler("ZYX")[:, 0], atol=1e-9)


def test_rotation_from_yaw_turns_x_axis_by_yaw_and_agrees_with_rotate_yaw(rng):
    yaw, vec = rng.uniform(-4, 4, 30), rng.standard_normal((30, 3))
    quat = rot.quat_from_yaw(yaw)
    np.testing.assert_allclose(rot.yaw_of(quat), rot.wrap_angle(yaw), atol=EPS)
    np.testing.assert_allclose(rot.rotate_yaw(vec, yaw), Rotation.from_euler("z", yaw[:, None]).apply(vec), atol=EPS)
    np.testing.assert_allclose(rot.rotate_yaw(vec[:, :2], yaw), rot.quat_rotate(quat, vec)[:, :2], atol=EPS)


@given(st.floats(-1e3, 1e3))
def test_wrapped_angle_is_the_same_angle_within_half_a_turn(angle):
    wrapped = rot.wrap_angle(angle)
    assert -np.pi <= wrapped <= np.pi
    np.testing.assert_allclose([np.cos(wrapped), np.sin(wrapped)], [np.cos(angle), np.sin(angle)], atol=1e-12)


def test_slerp_agrees_with_scipy_and_meets_its_ends(rng):
    a, b = random_quats(rng, 2)
    fractions = np.linspace(0.0, 1.0, 11)
    expected = Slerp([0.0, 1.0], scipy(np.stack([a, b])))(fractions).as_quat(scalar_first=True)
    assert_same_rotation(rot.slerp(a, b, fractions), expected)
    assert_same_rotation(rot.slerp(a, -b, fractions), expected)  # -b is the same rotation


def test_float32_input_stays_float32(rng):
    quat = random_quats(rng, 3).astype(np.float32)
    vec = np.ones((3, 3), np.float32)
    for result in (rot.quat_rotate(quat, vec), rot.quat_to_rotvec(quat), rot.quat_to_matrix(quat), rot.yaw_of(quat)):
        assert result.dtype == np.float32
