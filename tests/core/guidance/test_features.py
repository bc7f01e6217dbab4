"""Features of a plan and the way back for gradients."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import GoalError
from beyondmimic_diffusion.core.guidance.features import (
    Heading,
    PlanFeatures,
    PlanGradient,
    features_from,
    integrate_positions,
    pull_back,
    pull_back_integration,
)
from beyondmimic_diffusion.core.rotations import quat_from_rotvec, yaw_of
from beyondmimic_diffusion.core.state import CharacterFrame, JointRotRepresentation

from tests.reference.finite_differences import gradient

STEP_DT = 0.04
NAMES = [f.name for f in fields(PlanGradient)]


def linear_cost(rng, plan: PlanFeatures) -> tuple[dict[str, np.ndarray], PlanGradient]:
    """Random weights of every feature: a cost that is their weighted sum, whose partial derivatives are the weights."""
    weights = {name: rng.normal(size=getattr(plan, name).shape) for name in NAMES}
    return weights, PlanGradient(**weights)


def weighted_sum(weights: dict[str, np.ndarray], plan: PlanFeatures) -> float:
    return float(sum(np.sum(weights[name] * getattr(plan, name)) for name in NAMES))


def test_key_points_equal_the_representations_own_decoding(random_states, representation):
    states = random_states()
    plan = features_from(states, representation.layout, STEP_DT)
    pos, vel = representation.decode_key_points(states, CharacterFrame(np.zeros(2), np.zeros(())))
    np.testing.assert_allclose(plan.key_pos_c, pos, atol=1e-12)
    np.testing.assert_allclose(plan.key_vel_c, vel, atol=1e-12)


@pytest.mark.parametrize("size", [1e-5, 0.01, 0.5, 2.5])
def test_heading_of_a_rotation_vector_equals_that_of_its_quaternion(rng, size):
    rotvec = size * rng.normal(size=(50, 3)) / np.sqrt(3.0)
    np.testing.assert_allclose(Heading(rotvec).yaw, yaw_of(quat_from_rotvec(rotvec)), atol=1e-9)


@pytest.mark.parametrize("size", [0.0, 1e-3, 0.3, 1.0])
def test_slope_of_the_heading_matches_finite_differences(rng, size):
    rotvec = size * rng.uniform(-1.0, 1.0, (20, 3))
    expected = gradient(lambda r: float(np.sum(Heading(r).yaw)), rotvec)
    np.testing.assert_allclose(Heading(rotvec).slope(), expected, atol=1e-8)


def test_pull_back_is_the_derivative_through_the_features(rng, random_states, representation):
    states = random_states(1, 3)
    plan = features_from(states, representation.layout, STEP_DT)
    weights, partial = linear_cost(rng, plan)
    expected = gradient(lambda s: weighted_sum(weights, features_from(s, representation.layout, STEP_DT)), states)
    np.testing.assert_allclose(pull_back(plan, partial, representation.layout, representation.dim), expected, atol=1e-7)


def test_pull_back_through_integrated_positions_is_the_derivative_too(rng, random_states, representation):
    states = random_states(1, 4)

    def seen(s):
        return integrate_positions(features_from(s, representation.layout, STEP_DT), STEP_DT)

    plan = seen(states)
    weights, partial = linear_cost(rng, plan)
    expected = gradient(lambda s: weighted_sum(weights, seen(s)), states)
    back = pull_back(plan, pull_back_integration(partial, STEP_DT), representation.layout, representation.dim)
    np.testing.assert_allclose(back, expected, atol=1e-7)


def test_integrated_positions_never_send_a_gradient_to_planar_positions(rng, random_plan, representation):
    plan = integrate_positions(random_plan, STEP_DT)
    _, partial = linear_cost(rng, plan)
    back = pull_back(plan, pull_back_integration(partial, STEP_DT), representation.layout, representation.dim)
    np.testing.assert_allclose(back[..., :2], 0.0, atol=1e-12)


def test_integrated_positions_of_a_constant_velocity_are_a_straight_line(random_plan):
    velocity = np.zeros_like(random_plan.root_lin_vel_c)
    velocity[..., 0] = 0.5
    plan = integrate_positions(replace(random_plan, root_lin_vel_c=velocity), STEP_DT)
    np.testing.assert_allclose(plan.root_pos_c[..., 0], np.broadcast_to(0.5 * plan.times, plan.yaw_c.shape))
    np.testing.assert_array_equal(plan.root_pos_c[..., 2], random_plan.root_pos_c[..., 2])


def test_a_window_holds_exactly_the_steps_asked_for(random_plan):
    part = random_plan.window(1, 3)
    np.testing.assert_array_equal(part.times, [2 * STEP_DT, 3 * STEP_DT])
    np.testing.assert_array_equal(part.key_pos_c, random_plan.key_pos_c[:, 1:3])


def test_joint_angle_states_have_root_features_and_refuse_key_points(rng):
    representation = JointRotRepresentation(("hip", "knee"))
    states = rng.normal(size=(1, 4, representation.dim))
    plan = features_from(states, representation.layout, STEP_DT)
    np.testing.assert_array_equal(plan.root_lin_vel_c, states[..., 6:9])
    with pytest.raises(GoalError, match="'obstacle' needs key points"):
        plan.key_points("obstacle")
