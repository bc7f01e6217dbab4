"""The relaxed log barrier."""

from __future__ import annotations

import math

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import GoalError
from beyondmimic_diffusion.core.guidance.barrier import RelaxedBarrier

BARRIER = RelaxedBarrier(delta=0.1, fade_start=0.5, fade_end=1.0)


def value(x: float) -> float:
    return float(BARRIER(np.array(x))[0])


def slope(x: float) -> float:
    return float(BARRIER(np.array(x))[1])


@pytest.mark.parametrize("x", [0.1, 0.2, 0.35, 0.5])
def test_it_is_minus_the_logarithm_from_delta_to_the_fade(x):
    assert value(x) == pytest.approx(-math.log(x), rel=1e-12)
    assert slope(x) == pytest.approx(-1.0 / x, rel=1e-12)


@pytest.mark.parametrize("x", [0.05, 0.0, -0.3])
def test_it_is_equation_10s_parabola_below_delta(x):
    assert value(x) == pytest.approx(-math.log(0.1) + 0.5 * (((x - 0.2) / 0.1) ** 2 - 1.0), rel=1e-12)


@pytest.mark.parametrize("seam", [0.1, 0.5, 1.0])
def test_value_slope_and_curvature_meet_from_both_sides(seam):
    below, above = seam - 1e-9, seam + 1e-9
    assert value(below) == pytest.approx(value(above), abs=1e-7)
    assert slope(below) == pytest.approx(slope(above), abs=1e-6)
    left, right = slope(seam) - slope(seam - 1e-6), slope(seam + 1e-6) - slope(seam)
    assert left / 1e-6 == pytest.approx(right / 1e-6, rel=1e-3, abs=1e-2)  # third derivative (2000) times 1e-6


def test_slope_is_the_derivative_everywhere():
    x = np.linspace(-0.5, 1.3, 701) + 1e-4  # off the seams
    numeric = (BARRIER(x + 1e-6)[0] - BARRIER(x - 1e-6)[0]) / 2e-6
    np.testing.assert_allclose(BARRIER(x)[1], numeric, atol=1e-6)


def test_it_never_pulls_and_always_pushes_out_from_inside():
    x = np.linspace(-3.0, 3.0, 2001)
    cost, push = BARRIER(x)
    assert np.all(push <= 0.0) and np.all(cost >= 0.0)
    assert np.all(np.diff(push[x < 0.0]) > 0.0)  # the deeper, the harder
    assert value(-100.0) > 1e5


def test_distant_obstacles_are_not_felt_at_all():
    cost, push = BARRIER(np.array([1.0, 1.5, 100.0, np.inf]))
    assert np.all(cost == 0.0) and np.all(push == 0.0)


@pytest.mark.parametrize("edges", [(0.0, 0.5, 1.0), (0.6, 0.5, 1.0), (0.1, 0.5, 0.5), (0.1, 0.5, 1.5)])
def test_edges_in_the_wrong_order_or_beyond_a_metre_are_refused(edges):
    with pytest.raises(GoalError, match="right is"):
        RelaxedBarrier(*edges)
