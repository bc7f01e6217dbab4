"""The slow goal integrator."""

from __future__ import annotations

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_diffusion.core.guidance.integrator import GoalIntegrator


def test_constant_error_adds_up_to_gain_times_time():
    integrator = GoalIntegrator(2, gain=0.5, clamp=10.0)
    for _ in range(50):
        offset = integrator.update(np.array([0.2, -0.1]), 0.04)
    np.testing.assert_allclose(offset, [[0.5 * 0.2 * 2.0, -0.5 * 0.1 * 2.0]])


def test_offset_never_leaves_the_clamp_and_returns_at_once():
    integrator = GoalIntegrator(1, gain=1.0, clamp=0.25)
    for _ in range(1000):
        integrator.update(np.array([1.0]), 0.04)
    assert integrator.offset == pytest.approx(0.25)
    assert integrator.update(np.array([-1.0]), 0.04) == pytest.approx(0.25 - 0.04)  # no wind-up to work off first


def test_a_robot_that_does_half_of_what_it_is_told_ends_at_the_goal():
    integrator = GoalIntegrator(1, gain=0.8, clamp=0.5)
    goal, offset = 0.3, 0.0
    for _ in range(2000):
        offset = float(integrator.update(np.array([goal - 0.5 * (goal + offset)]), 0.04)[0, 0])
    assert 0.5 * (goal + offset) == pytest.approx(goal, abs=1e-6)


def test_a_large_goal_step_starts_that_robot_from_zero_and_no_other():
    integrator = GoalIntegrator(1, gain=1.0, clamp=1.0, reset_step=0.3, rows=2)
    integrator.update(np.array([[1.0], [1.0]]), 0.1, goal=np.array([[0.5], [0.5]]))
    offset = integrator.update(np.array([[1.0], [1.0]]), 0.1, goal=np.array([[0.0], [0.6]]))
    np.testing.assert_allclose(offset, [[0.0], [0.2]])


def test_a_measurement_that_is_not_finite_is_left_out():
    integrator = GoalIntegrator(2, gain=1.0, clamp=1.0, rows=2)
    integrator.update(np.ones((2, 2)), 0.1)
    offset = integrator.update(np.array([[np.nan, 1.0], [1.0, 1.0]]), 0.1)
    np.testing.assert_allclose(offset, [[0.1, 0.1], [0.2, 0.2]])


def test_reset_of_one_robot_leaves_the_others():
    integrator = GoalIntegrator(1, gain=1.0, clamp=1.0, rows=3)
    integrator.update(np.ones((3, 1)), 0.1)
    integrator.reset(np.array([False, True, False]))
    np.testing.assert_allclose(integrator.offset[:, 0], [0.1, 0.0, 0.1])


def test_a_negative_gain_is_refused():
    with pytest.raises(ConfigError, match="gain -1"):
        GoalIntegrator(1, gain=-1.0)
