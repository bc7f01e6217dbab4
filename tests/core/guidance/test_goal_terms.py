"""Which costs a goal becomes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import ConfigError, GoalError
from beyondmimic_diffusion.core.guidance.goal_terms import GoalConfig, GoalContext, VelocityConfig, goal_terms
from beyondmimic_diffusion.core.guidance.goals import Goal, HeadingGoal, JoystickGoal
from beyondmimic_diffusion.core.state import CharacterFrame


@pytest.fixture
def context() -> GoalContext:
    frame = CharacterFrame(np.array([1.0, -2.0]), np.array(0.5))
    return GoalContext(frame=frame, stamp=10.0, step_dt=0.04, horizon=16)


def total(terms, plan) -> np.ndarray:
    return sum(term.weight * term.cost.value_and_gradient(plan)[0] for term in terms)


def test_a_joystick_goal_is_met_by_a_robot_that_walks_and_turns_as_asked(context, random_plan):
    yaw = 0.6 * random_plan.times
    velocity = np.zeros_like(random_plan.root_lin_vel_c)
    velocity[..., 0], velocity[..., 1] = 0.4 * np.cos(yaw), 0.4 * np.sin(yaw)
    plan = replace(random_plan, root_lin_vel_c=velocity, yaw_c=np.broadcast_to(yaw, random_plan.yaw_c.shape))
    terms = goal_terms([JoystickGoal((0.4, 0.0), 0.6)], context)
    np.testing.assert_allclose(total(terms, plan), 0.0, atol=1e-15)
    assert np.all(total(goal_terms([JoystickGoal((0.4, 0.0), 0.5)], context), plan) > 1e-4)


def test_the_integrators_offset_is_added_to_the_goal(context, random_plan):
    shifted = goal_terms(
        [JoystickGoal((0.3, 0.1), 0.2)], replace(context, vel_offset_c=[0.1, 0.05], yaw_rate_offset=0.1)
    )
    direct = goal_terms([JoystickGoal((0.4, 0.15), 0.3)], context)
    np.testing.assert_allclose(total(shifted, random_plan), total(direct, random_plan))


def test_a_heading_in_the_world_is_met_by_facing_it_from_the_robots_own_frame(context, random_plan):
    plan = replace(random_plan, yaw_c=np.zeros_like(random_plan.yaw_c))
    assert np.all(total(goal_terms([HeadingGoal(0.5)], context), plan) == 0.0)
    assert np.all(total(goal_terms([HeadingGoal(0.9)], context), plan) > 0.0)


def test_an_expired_goal_has_no_costs(context):
    assert goal_terms([JoystickGoal((0.3, 0.0), expires=10.0)], context) == ()
    assert len(goal_terms([JoystickGoal((0.3, 0.0), expires=10.01)], context)) == 2


def test_a_goal_of_unknown_kind_is_refused(context):
    with pytest.raises(GoalError, match="no cost serves a Goal; served are JoystickGoal"):
        goal_terms([Goal()], context)


def test_an_unknown_variant_in_the_configuration_is_refused():
    with pytest.raises(ConfigError, match=r"velocity\.average"):
        GoalConfig(velocity=VelocityConfig(average="median"))
