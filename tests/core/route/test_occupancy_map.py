"""Clearances on the floor."""

from __future__ import annotations

import math

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import GoalError
from beyondmimic_diffusion.core.guidance.sdf import Box, Cylinder, HalfSpace, Moving, Sphere
from beyondmimic_diffusion.core.route import OccupancyMap


def test_clearance_round_a_pillar_is_the_distance_to_its_axis_less_its_radius(rng):
    pillar = Cylinder((0.5, -0.3, 0.9), 0.2, 0.9)
    found = OccupancyMap.from_sdf(pillar, (-2.0, -2.0), (2.0, 2.0), 0.05)
    for x, y in rng.uniform(-1.9, 1.9, (50, 2)):
        expected = math.hypot(x - 0.5, y + 0.3) - 0.2
        # linear between centres: off by at most h^2/8 times the curvature 1/r, or by h/2 at the axis itself
        allowed = 0.05**2 / 4.0 / max(expected + 0.2, 0.05) + 1e-9
        assert found.clearance_at((x, y)) == pytest.approx(expected, abs=allowed)


def test_what_is_lower_than_the_robot_or_above_it_counts_by_its_distance_to_the_body():
    lintel = Box((0.0, 0.0, 3.0), (1.0, 1.0, 0.2))
    step = Box((0.0, 0.0, 0.1), (0.2, 0.2, 0.1))
    free = OccupancyMap.from_sdf(lintel, (-1.0, -1.0), (1.0, 1.0), 0.1)
    low = OccupancyMap.from_sdf(step, (-1.0, -1.0), (1.0, 1.0), 0.1)
    assert free.clearance.min() == pytest.approx(3.0 - 0.2 - 1.3)
    assert low.clearance_at((0.0, 0.0)) < 0.0


def test_a_moving_obstacle_is_mapped_where_it_is_then():
    ball = Moving(Sphere((-1.0, 0.0, 0.7), 0.3), (0.5, 0.0, 0.0))
    later = OccupancyMap.from_sdf(ball, (-2.0, -2.0), (2.0, 2.0), 0.1, time=4.0)
    assert later.clearance_at((1.0, 0.0)) < 0.0 < later.clearance_at((-1.0, 0.0))


def test_a_floor_without_obstacles_is_free_everywhere():
    empty = OccupancyMap.from_sdf(None, (0.0, 0.0), (1.0, 2.0), 0.25)
    assert empty.clearance.shape == (4, 8) and not empty.occupied.any()


def test_an_occupancy_grid_is_read_row_by_row_and_turned_with_its_origin():
    data = np.zeros(6 * 4, dtype=np.int8)
    data[1 * 6 + 4] = 100  # x = 4, y = 1
    data[3 * 6 + 0] = -1  # unknown
    yaw, origin, edge = 0.6, np.array([2.0, -1.0]), 0.5
    found = OccupancyMap.from_occupancy_grid(data, 6, 4, edge, origin, yaw)
    rotation = np.array([[math.cos(yaw), -math.sin(yaw)], [math.sin(yaw), math.cos(yaw)]])
    occupied = {tuple(cell) for cell in np.argwhere(found.occupied)}
    assert occupied == {(4, 1), (0, 3)}
    place = origin + rotation @ (edge * np.array([4.5, 1.5]))
    np.testing.assert_allclose(found.centres((4, 1)), place)
    np.testing.assert_allclose(found.cells(place), (4.5, 1.5))
    assert found.clearance_at(place) == pytest.approx(-0.25)
    assert found.clearance_at(origin + rotation @ (edge * np.array([2.5, 1.5]))) == pytest.approx(0.75)


def test_what_is_unknown_may_be_declared_free():
    data = np.full(9, -1, dtype=np.int8)
    assert OccupancyMap.from_occupancy_grid(data, 3, 3, 0.1, (0.0, 0.0)).occupied.all()
    assert not OccupancyMap.from_occupancy_grid(data, 3, 3, 0.1, (0.0, 0.0), unknown_is_free=True).occupied.any()


def test_a_map_as_a_signed_distance_says_what_the_map_says_at_every_height(rng):
    clearance = rng.uniform(-0.5, 1.0, (7, 5))
    found = OccupancyMap(clearance, 0.2, (1.0, -2.0), 0.8)
    inner = found.centres(rng.uniform(0.0, 1.0, (20, 2)) * [6, 4])
    points = np.concatenate([inner, rng.uniform(0.0, 1.5, (20, 1))], axis=1)
    distance, slope = found.sdf().query(points[None])
    np.testing.assert_allclose(distance[0], found.clearance_at(inner), atol=1e-12)
    for axis in (0, 1):
        step = np.eye(2)[axis] * 1e-6
        expected = (found.clearance_at(inner + step) - found.clearance_at(inner - step)) / 2e-6
        np.testing.assert_allclose(slope[0, :, axis], expected, atol=1e-6)
    assert np.all(slope[..., 2] == 0.0)


def test_the_edge_belongs_to_the_map_and_what_is_beyond_does_not():
    found = OccupancyMap.from_sdf(HalfSpace((0.0, 0.0, 0.0), (1.0, 0.0, 0.0)), (0.0, 0.0), (1.0, 1.0), 0.1)
    np.testing.assert_array_equal(found.contains([[0.0, 0.5], [0.99, 0.99], [1.01, 0.5], [0.5, -0.01]]), [1, 1, 0, 0])


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: OccupancyMap(np.zeros(3), 0.1, (0.0, 0.0)), r"right is \(X, Y\)"),
        (lambda: OccupancyMap(np.full((2, 2), np.nan), 0.1, (0.0, 0.0)), "finite"),
        (lambda: OccupancyMap(np.zeros((2, 2)), 0.0, (0.0, 0.0)), "above zero"),
        (lambda: OccupancyMap.from_sdf(None, (1.0, 0.0), (0.0, 1.0)), "has no area"),
        (lambda: OccupancyMap.from_sdf(None, (0.0, 0.0), (1e6, 1e6)), "too large"),
        (lambda: OccupancyMap.from_occupancy_grid(np.zeros(5), 2, 3, 0.1, (0.0, 0.0)), "both must agree"),
        (lambda: OccupancyMap.from_occupancy_grid(np.zeros(6), 2, 3, 0.0, (0.0, 0.0)), "more than zero"),
    ],
)
def test_a_map_that_makes_no_sense_is_refused(make, text):
    with pytest.raises(GoalError, match=text):
        make()
