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


def slow_union(parts, points, time) -> tuple[np.ndarray, np.ndarray]:
    """The nearest part of each single point, one after the other."""
    distance, direction = np.full(points.shape[:-1], np.inf), np.zeros(points.shape)
    times = np.broadcast_to(time, points.shape[:-1])
    for index in np.ndindex(points.shape[:-1]):
        for part in parts:
            there, towards = part.query(points[index], times[index])
            if there < distance[index]:
                distance[index], direction[index] = there, towards
    return distance, direction


def many(kind: str, rng) -> list:
    centers = rng.uniform(-1.2, 1.2, (7, 3))
    make = {
        "sphere": lambda c: Sphere(c, 0.1 + 0.1 * abs(c[0])),
        "capsule": lambda c: Capsule(c, c[::-1], 0.1 + 0.1 * abs(c[0])),
        "box": lambda c: Box(c, 0.1 + 0.2 * np.abs(c), c[1]),
        "cylinder": lambda c: Cylinder(c, 0.1 + 0.1 * abs(c[0]), 0.2 + abs(c[1])),
        "half-space": lambda c: HalfSpace(2.0 * c, -c),
        "moving": lambda c: Moving(Capsule(c, c[::-1], 0.2), 0.5 * c[[1, 2, 0]]),
    }
    if kind == "all":
        return [build(c) for build, c in zip(make.values(), centers, strict=False)] + many("sphere", rng)
    return [make[kind](c) for c in centers]


@pytest.mark.parametrize("kind", ["sphere", "capsule", "box", "cylinder", "half-space", "moving", "all"])
def test_a_union_of_many_equals_a_loop_over_its_parts(kind, points, rng):
    parts, times = many(kind, rng), np.linspace(0.04, 0.9, 5)[:, None]
    distance, direction = Union(parts).query(points, times)
    expected, slope = slow_union(parts, points, times)
    np.testing.assert_allclose(distance, expected, atol=1e-12)
    np.testing.assert_allclose(direction, slope, atol=1e-12)


def test_the_parts_of_a_union_may_differ_from_robot_to_robot(points, rng):
    centers, radii = rng.uniform(-1.0, 1.0, (3, 4, 1, 1, 3)), rng.uniform(0.1, 0.3, (3, 4, 1, 1))
    union = Union([Moving(Sphere(c, r), (0.5, 0.0, 0.0)) for c, r in zip(centers, radii, strict=True)])
    times = np.linspace(0.04, 0.9, 5)[:, None]
    distance, direction = union.query(points, times)
    for b in range(4):
        own = [Moving(Sphere(c[b, 0, 0], r[b, 0, 0]), (0.5, 0.0, 0.0)) for c, r in zip(centers, radii, strict=True)]
        expected, slope = slow_union(own, points[b], times)
        np.testing.assert_allclose(distance[b], expected, atol=1e-12)
        np.testing.assert_allclose(direction[b], slope, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_what_is_near_some_points_is_as_near_as_the_whole_wherever_that_is_within_reach(seed):
    rng = np.random.default_rng(seed)
    centres = rng.uniform(-4.0, 4.0, (12, 3))
    still = [Sphere(c, r) for c, r in zip(centres[:6], rng.uniform(0.1, 0.4, 6), strict=True)]
    moving = [Moving(Capsule(c, c + [0.0, 0.0, 1.5], 0.2), rng.normal(0.0, 0.5, 3)) for c in centres[6:11]]
    wall = HalfSpace((0.0, 3.5, 0.0), (0.0, -1.0, 0.0))
    whole = Placed(Union([*still, *moving, wall, Box(centres[11], (0.3, 0.3, 0.3))]), (0.5, -0.2), 0.4)
    points, times = rng.uniform(-1.5, 1.5, (1, 8, 3, 3)), np.linspace(0.0, 1.8, 8)[:, None]
    distance, gradient = whole.query(points, times)
    reach = float(np.quantile(distance, 0.5))
    felt = whole.near(points, times, reach)
    assert felt is not None
    reduced, slope = felt.query(points, times)
    inside = distance <= reach
    np.testing.assert_array_equal(reduced[inside], distance[inside])
    np.testing.assert_array_equal(slope[inside], gradient[inside])
    assert np.all(reduced >= distance)
    assert whole.near(points, times, float(distance.min()) - 0.01) is None
