"""Distances looked up in a grid."""

from __future__ import annotations

import math

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import GoalError
from beyondmimic_diffusion.core.guidance.distance_grid import DistanceGrid, distances_from_occupancy

from tests.reference.finite_differences import gradient

ORIGIN = np.array([-1.0, -0.5, 0.2])


def nodes(shape: tuple[int, int, int], spacing: float) -> np.ndarray:
    return ORIGIN + spacing * np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)


def test_look_up_is_exact_on_linear_fields(rng):
    slope, offset = np.array([0.3, -0.8, 0.5]), 0.7
    grid = DistanceGrid(nodes((6, 5, 4), 0.25) @ slope + offset, ORIGIN, 0.25)
    points = ORIGIN + rng.uniform(0.0, 1.0, (3, 7, 3)) * 0.25 * np.array([5, 4, 3])
    distance, direction = grid.query(points)
    np.testing.assert_allclose(distance, points @ slope + offset, atol=1e-12)
    np.testing.assert_allclose(direction, np.broadcast_to(slope, points.shape), atol=1e-12)


def test_gradient_is_the_derivative_of_the_interpolated_field(rng):
    grid = DistanceGrid(rng.normal(size=(5, 5, 5)), ORIGIN, 0.3)
    points = ORIGIN + rng.uniform(0.05, 1.15, (12, 3))
    expected = gradient(lambda p: float(np.sum(grid.query(p)[0])), points)
    np.testing.assert_allclose(grid.query(points)[1], expected, atol=1e-6)


def test_outside_the_border_value_counts_without_a_push(rng):
    values = rng.normal(size=(3, 3, 3))
    grid = DistanceGrid(values, ORIGIN, 0.5)
    distance, direction = grid.query(ORIGIN + np.array([[-9.0, -9.0, -9.0], [9.0, 0.5, 0.5]]))
    np.testing.assert_allclose(distance, [values[0, 0, 0], values[2, 1, 1]])
    assert np.all(direction[0] == 0.0) and direction[1, 0] == 0.0


def test_a_single_layer_is_the_same_at_every_height(rng):
    grid = DistanceGrid(rng.normal(size=(4, 4, 1)), ORIGIN, 0.5)
    points = np.array([[-0.4, 0.1, -3.0], [-0.4, 0.1, 8.0]])
    distance, direction = grid.query(points)
    assert distance[0] == distance[1] and np.all(direction[:, 2] == 0.0) and np.any(direction[:, :2] != 0.0)


def test_distances_from_occupancy_equal_a_search_over_all_cells(rng):
    occupied = rng.random((9, 7)) < 0.2
    found = distances_from_occupancy(occupied, 0.1)
    cells = list(np.ndindex(occupied.shape))
    for cell in cells:
        nearest = min(math.dist(cell, other) for other in cells if occupied[other] != occupied[cell])
        sign = -1.0 if occupied[cell] else 1.0
        assert found[cell] == pytest.approx(sign * 0.1 * (nearest - 0.5), rel=1e-12)


def test_an_empty_map_is_far_from_everything():
    assert np.all(distances_from_occupancy(np.zeros((4, 3, 2), dtype=bool), 0.5) > 2.0)


@pytest.mark.parametrize(
    ("values", "spacing"), [(np.zeros((3, 3)), 0.1), (np.full((2, 2, 2), np.nan), 0.1), (np.zeros((2, 2, 2)), 0.0)]
)
def test_a_grid_that_makes_no_sense_is_refused(values, spacing):
    with pytest.raises(GoalError, match="distance grid"):
        DistanceGrid(values, ORIGIN, spacing)
