"""Velocity cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import GoalError
from beyondmimic_diffusion.core.guidance.joystick import JoystickCost
from beyondmimic_diffusion.core.rotations import rotate_yaw

VARIANTS = [(average, turn) for average in ("mean", "per_step") for turn in ("commanded", "none")]


@pytest.mark.parametrize(("average", "turn"), VARIANTS)
def test_gradient_matches_finite_differences(random_plan, check_gradient, average, turn):
    check_gradient(JoystickCost(np.array([[0.5, -0.2], [0.1, 0.3]]), np.array([0.4, -0.7]), average, turn), random_plan)


def test_literal_cost_is_equation_7_of_the_paper(random_plan):
    goal = np.array([0.6, -0.1])
    value, partial = JoystickCost(goal, average="per_step", turn="none").value_and_gradient(random_plan)
    slow = [
        sum(0.5 * ((v[0] - goal[0]) ** 2 + (v[1] - goal[1]) ** 2) for v in plan) for plan in random_plan.root_lin_vel_c
    ]
    np.testing.assert_allclose(value, slow)
    np.testing.assert_allclose(partial.root_lin_vel_c[..., :2], random_plan.root_lin_vel_c[..., :2] - goal)


def test_mean_cost_does_not_see_sway_around_the_goal(random_plan):
    velocity = np.zeros_like(random_plan.root_lin_vel_c)
    velocity[..., 0] = 0.5
    velocity[..., 1] = 0.15 * np.sin(2.0 * np.pi * np.arange(5) / 5.0)  # one whole period
    plan = replace(random_plan, root_lin_vel_c=velocity)
    value, partial = JoystickCost([0.5, 0.0], turn="none").value_and_gradient(plan)
    np.testing.assert_allclose(value, 0.0, atol=1e-12)
    np.testing.assert_allclose(partial.root_lin_vel_c, 0.0, atol=1e-12)
    assert np.all(JoystickCost([0.5, 0.0], average="per_step").value_and_gradient(plan)[0] > 0.01)


def test_one_step_of_scale_one_moves_the_mean_to_the_goal(random_plan):
    cost = JoystickCost([0.4, -0.3], yaw_rate=0.5)
    _, partial = cost.value_and_gradient(random_plan)
    moved = replace(random_plan, root_lin_vel_c=random_plan.root_lin_vel_c - partial.root_lin_vel_c)
    np.testing.assert_allclose(cost.value_and_gradient(moved)[0], 0.0, atol=1e-12)


@pytest.mark.parametrize("turn", ["commanded", "predicted"])
@pytest.mark.parametrize("average", ["mean", "per_step"])
def test_cost_is_zero_when_the_velocity_turns_with_the_robot(random_plan, average, turn):
    yaw_rate, goal = 0.8, np.array([0.5, 0.1, 0.0])
    yaw = yaw_rate * random_plan.times
    velocity = np.broadcast_to(rotate_yaw(goal, yaw), random_plan.root_lin_vel_c.shape)
    plan = replace(random_plan, root_lin_vel_c=velocity, yaw_c=np.broadcast_to(yaw, random_plan.yaw_c.shape))
    value, _ = JoystickCost(goal[:2], yaw_rate, average, turn).value_and_gradient(plan)
    np.testing.assert_allclose(value, 0.0, atol=1e-12)


def test_predicted_heading_is_held_fixed_by_the_gradient(random_plan):
    _, partial = JoystickCost([0.5, 0.0], turn="predicted").value_and_gradient(random_plan)
    assert partial.yaw_c is None and partial.root_rot_c is None


@pytest.mark.parametrize(("average", "turn"), VARIANTS)
def test_cost_is_unchanged_when_plan_and_goal_turn_together(random_plan, average, turn):
    goal = np.array([0.5, -0.2])
    turned = replace(random_plan, root_lin_vel_c=rotate_yaw(random_plan.root_lin_vel_c, 1.1))
    before, _ = JoystickCost(goal, 0.3, average, turn).value_and_gradient(random_plan)
    after, _ = JoystickCost(rotate_yaw(goal, 1.1), 0.3, average, turn).value_and_gradient(turned)
    np.testing.assert_allclose(after, before, rtol=1e-12)


def test_each_plan_of_a_batch_has_its_own_goal(random_plan):
    goals, rates = np.array([[0.5, 0.0], [-0.3, 0.2]]), np.array([0.0, 0.6])
    together, partial = JoystickCost(goals, rates).value_and_gradient(random_plan)
    for i in range(2):
        alone, own = JoystickCost(goals[i], rates[i]).value_and_gradient(random_plan)
        assert together[i] == pytest.approx(alone[i], rel=1e-12)
        np.testing.assert_allclose(partial.root_lin_vel_c[i], own.root_lin_vel_c[i])


def test_an_unknown_variant_is_refused():
    with pytest.raises(GoalError, match="allowed are"):
        JoystickCost([0.0, 0.0], average="median")
