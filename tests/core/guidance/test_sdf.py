"""Signed distances against plain single-point oracles."""

from __future__ import annotations

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import GoalError
from beyondmimic_diffusion.core.guidance.sdf import Box, Capsule, Cylinder, HalfSpace, Moving, Placed, Sphere, Union
from beyondmimic_diffusion.core.rotations import rotate_yaw

from tests.reference import sdf as oracle
from tests.reference.finite_differences import gradient

CENTER, START, END, HALF = (0.3, -0.2, 0.5), (0.1, 0.2, -0.4), (0.6, -0.3, 0.9), (0.4, 0.2, 0.3)
NORMAL = np.array([1.0, 2.0, 2.0]) / 3.0
SHAPES = {
    "sphere": (Sphere(CENTER, 0.4), lambda p: oracle.sphere(p, CENTER, 0.4)),
    "capsule": (Capsule(START, END, 0.45), lambda p: oracle.segment(p, START, END) - 0.45),
    "box": (Box(CENTER, HALF, 0.7), lambda p: oracle.box(p, CENTER, HALF, 0.7)),
    "cylinder": (Cylinder(CENTER, 0.3, 0.5), lambda p: oracle.cylinder(p, CENTER, 0.3, 0.5)),
    "half-space": (HalfSpace((0.5, 0.0, 0.0), 5.0 * NORMAL), lambda p: float((p - [0.5, 0.0, 0.0]) @ NORMAL)),
    "union": (
        Union([Sphere(CENTER, 0.4), Box((-0.5, 0.5, 0.0), HALF)]),
        lambda p: min(oracle.sphere(p, CENTER, 0.4), oracle.box(p, (-0.5, 0.5, 0.0), HALF, 0.0)),
    ),
}


@pytest.fixture
def points(rng) -> np.ndarray:
    return rng.uniform(-1.2, 1.2, (4, 5, 6, 3))


@pytest.mark.parametrize("name", SHAPES)
def test_distance_equals_the_oracle_inside_and_outside(points, name):
    shape, truth = SHAPES[name]
    expected = np.array([truth(p) for p in points.reshape(-1, 3)]).reshape(points.shape[:-1])
    assert expected.min() < 0.0 < expected.max()  # both sides are met
    np.testing.assert_allclose(shape.query(points)[0], expected, atol=1e-8)


@pytest.mark.parametrize("name", SHAPES)
def test_gradient_is_the_derivative_and_has_length_one(points, name):
    shape, _ = SHAPES[name]
    _, direction = shape.query(points)
    np.testing.assert_allclose(direction, gradient(lambda p: float(np.sum(shape.query(p)[0])), points), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(direction, axis=-1), 1.0, atol=1e-12)


@pytest.mark.parametrize("name", SHAPES)
def test_centres_and_edges_give_a_finite_unit_direction(name):
    shape, _ = SHAPES[name]
    distance, direction = shape.query(np.array([CENTER, START, END, (0.0, 0.0, 0.0)]))
    assert np.all(np.isfinite(distance))
    np.testing.assert_allclose(np.linalg.norm(direction, axis=-1), 1.0, atol=1e-12)


def test_a_moving_shape_is_where_its_velocity_took_it(points):
    moving = Moving(Sphere(CENTER, 0.4), (0.5, -0.2, 0.0))
    times = 0.1 * np.arange(5)
    distance, direction = moving.query(points, times[:, None])
    for i, t in enumerate(times):
        there, towards = Sphere(np.array(CENTER) + t * np.array([0.5, -0.2, 0.0]), 0.4).query(points[:, i])
        np.testing.assert_allclose(distance[:, i], there, atol=1e-12)
        np.testing.assert_allclose(direction[:, i], towards, atol=1e-12)


def test_each_robots_character_frame_sees_the_same_world(points):
    xy, yaw = np.array([[1.0, 2.0], [0.0, 0.0], [-0.3, 0.4], [5.0, 5.0]]), np.array([0.3, -2.0, 1.5, 0.0])
    shape, _ = SHAPES["box"]
    distance, direction = Placed(shape, xy, yaw).query(points)
    for b in range(4):
        world = rotate_yaw(points[b], yaw[b]) + np.append(xy[b], 0.0)
        there, towards = shape.query(world)
        np.testing.assert_allclose(distance[b], there, atol=1e-12)
        np.testing.assert_allclose(rotate_yaw(direction[b], yaw[b]), towards, atol=1e-12)


def test_parameters_may_differ_from_robot_to_robot(points):
    centers = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    distance, _ = Sphere(centers[:, None, None], 0.2).query(points)
    for b in range(4):
        np.testing.assert_allclose(distance[b], Sphere(centers[b], 0.2).query(points[b])[0])


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Sphere((np.nan, 0.0, 0.0), 0.1), "centre .* not finite"),
        (lambda: Sphere(CENTER, -0.1), "radius .* negative"),
        (lambda: HalfSpace(CENTER, (0.0, 0.0, 0.0)), "no direction"),
        (lambda: Union([]), "at least one"),
    ],
)
def test_a_shape_that_makes_no_sense_is_refused(make, text):
    with pytest.raises(GoalError, match=text):
        make()
