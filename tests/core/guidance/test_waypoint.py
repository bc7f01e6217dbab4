"""Waypoint cost and waypoint velocity."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from beyondmimic_diffusion.core.guidance.features import integrate_positions
from beyondmimic_diffusion.core.guidance.waypoint import WaypointCost, waypoint_velocity
from beyondmimic_diffusion.core.rotations import rotate_yaw

from tests.reference.finite_differences import gradient

GOAL = np.array([0.7, -0.4])


def value_with_blend(position: np.ndarray, velocity: np.ndarray, blend: np.ndarray) -> float:
    """Eq. 8, with exp(-2 d) given from outside."""
    far = np.sum((position[..., :2] - GOAL) ** 2, axis=-1)
    fast = np.sum(velocity[..., :2] ** 2, axis=-1)
    return float(np.sum((1.0 - blend) * far + blend * fast))


def blend_of(position: np.ndarray) -> np.ndarray:
    return np.exp(-2.0 * np.linalg.norm(position[..., :2] - GOAL, axis=-1))


def test_value_is_equation_8(random_plan):
    value, _ = WaypointCost(GOAL).value_and_gradient(random_plan)
    pos, vel = random_plan.root_pos_c, random_plan.root_lin_vel_c
    assert value.sum() == pytest.approx(value_with_blend(pos, vel, blend_of(pos)), rel=1e-12)


def test_gradient_equals_finite_differences_with_the_distance_held_fixed_and_not_those_without(random_plan):
    pos, vel = random_plan.root_pos_c, random_plan.root_lin_vel_c
    _, partial = WaypointCost(GOAL).value_and_gradient(random_plan)
    held = blend_of(pos)
    np.testing.assert_allclose(partial.root_pos_c, gradient(lambda p: value_with_blend(p, vel, held), pos), atol=1e-8)
    np.testing.assert_allclose(
        partial.root_lin_vel_c, gradient(lambda v: value_with_blend(pos, v, held), vel), atol=1e-8
    )
    free = gradient(lambda p: value_with_blend(p, vel, blend_of(p)), pos)
    assert np.max(np.abs(partial.root_pos_c - free)) > 0.05


def test_standing_at_the_goal_costs_nothing_and_passing_through_it_does(random_plan):
    position = np.zeros_like(random_plan.root_pos_c)
    position[..., :2] = GOAL
    still = replace(random_plan, root_pos_c=position, root_lin_vel_c=np.zeros_like(position))
    value, partial = WaypointCost(GOAL).value_and_gradient(still)
    assert np.all(value == 0.0) and not np.any(partial.root_pos_c) and not np.any(partial.root_lin_vel_c)
    passing = replace(still, root_lin_vel_c=np.full_like(position, 0.5))
    assert np.all(WaypointCost(GOAL).value_and_gradient(passing)[0] > 1.0)


def test_cost_is_unchanged_when_plan_and_goal_turn_and_move_together(random_plan):
    before, _ = WaypointCost(GOAL).value_and_gradient(random_plan)
    shift = np.array([1.0, 2.0, 0.0])
    moved = replace(
        random_plan,
        root_pos_c=rotate_yaw(random_plan.root_pos_c, 0.9) + shift,
        root_lin_vel_c=rotate_yaw(random_plan.root_lin_vel_c, 0.9),
    )
    after, _ = WaypointCost(rotate_yaw(GOAL, 0.9) + shift[:2]).value_and_gradient(moved)
    np.testing.assert_allclose(after, before, rtol=1e-12)


def test_on_integrated_positions_the_cost_asks_for_velocity_towards_the_goal(random_plan):
    rest = replace(random_plan, root_lin_vel_c=np.zeros_like(random_plan.root_lin_vel_c))
    _, partial = WaypointCost(np.array([2.0, 0.0])).value_and_gradient(integrate_positions(rest, 0.04))
    assert np.all(partial.root_pos_c[..., 0] < 0.0)  # downhill is forward


@pytest.mark.parametrize("distance", [0.0, 0.2, 0.5, 3.0])
def test_goal_velocity_is_full_speed_far_away_and_falls_to_zero_at_the_goal(distance):
    goal = distance * np.array([0.6, 0.8])
    velocity = waypoint_velocity(goal, 0.4, 0.5)
    np.testing.assert_allclose(velocity, min(1.0, distance / 0.5) * 0.4 * np.array([0.6, 0.8]), atol=1e-15)
