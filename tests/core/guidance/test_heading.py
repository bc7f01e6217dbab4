"""Yaw-rate and heading costs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from beyondmimic_diffusion.core.guidance.heading import HeadingCost, YawRateCost

COSTS = [
    YawRateCost(0.4),
    YawRateCost(np.array([0.4, -0.2]), average="per_step"),
    HeadingCost(0.3),
    HeadingCost(np.array([0.1, -2.0]), yaw_rate=np.array([0.5, -0.5]), max_rate=0.8),
]


@pytest.mark.parametrize("cost", COSTS, ids=lambda cost: type(cost).__name__)
def test_gradient_matches_finite_differences(random_plan, check_gradient, cost):
    check_gradient(cost, random_plan)


def test_yaw_rate_cost_is_zero_at_the_goal(random_plan):
    rate = np.zeros_like(random_plan.root_ang_vel_c)
    rate[..., 2] = 0.7
    plan = replace(random_plan, root_ang_vel_c=rate)
    for average in ("mean", "per_step"):
        assert np.all(YawRateCost(0.7, average).value_and_gradient(plan)[0] == 0.0)


def test_heading_ramp_is_zero_for_a_robot_that_turns_at_the_rate(random_plan):
    plan = replace(random_plan, yaw_c=np.broadcast_to(-0.9 * random_plan.times, random_plan.yaw_c.shape))
    np.testing.assert_allclose(HeadingCost(yaw_rate=-0.9).value_and_gradient(plan)[0], 0.0, atol=1e-15)


def test_heading_error_goes_the_short_way_round(random_plan):
    plan = replace(random_plan, yaw_c=np.full_like(random_plan.yaw_c, 3.0))
    _, partial = HeadingCost(-3.0).value_and_gradient(plan)
    np.testing.assert_allclose(partial.yaw_c, 6.0 - 2.0 * np.pi)  # negative: turn on to the left through pi


@pytest.mark.parametrize("offset", [2.0 * np.pi, -4.0 * np.pi])
def test_whole_turns_of_plan_or_goal_change_nothing(random_plan, offset):
    base, _ = HeadingCost(0.5).value_and_gradient(random_plan)
    turned = replace(random_plan, yaw_c=random_plan.yaw_c + offset)
    np.testing.assert_allclose(HeadingCost(0.5).value_and_gradient(turned)[0], base, rtol=1e-9)
    np.testing.assert_allclose(HeadingCost(0.5 + offset).value_and_gradient(random_plan)[0], base, rtol=1e-9)


def test_goal_behind_the_robot_is_approached_no_faster_than_allowed(random_plan):
    plan = replace(random_plan, yaw_c=np.broadcast_to(0.8 * random_plan.times, random_plan.yaw_c.shape))
    np.testing.assert_allclose(HeadingCost(3.0, max_rate=0.8).value_and_gradient(plan)[0], 0.0, atol=1e-15)
