"""Costs written in torch."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import GoalError
from beyondmimic_diffusion.core.guidance.features import PlanGradient
from beyondmimic_diffusion.core.guidance.joystick import JoystickCost
from beyondmimic_diffusion.core.guidance.keyframe import KeyframeCost

torch = pytest.importorskip("torch", reason="torch is not installed")
from beyondmimic_diffusion.core.guidance.torch_cost import TorchCost  # noqa: E402


def assert_same(one, other, plan):
    (value, partial), (expected, by_hand) = one.value_and_gradient(plan), other.value_and_gradient(plan)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    for item in fields(PlanGradient):
        got, wanted = getattr(partial, item.name), getattr(by_hand, item.name)
        if wanted is None:
            assert got is None or not np.any(got)
        else:
            np.testing.assert_allclose(got, wanted, atol=1e-12)


def test_autograd_agrees_with_the_hand_written_velocity_cost(random_plan):
    goal = torch.tensor([0.5, -0.2], dtype=torch.float64)
    literal = TorchCost(lambda plan: 0.5 * ((plan.root_lin_vel_c[..., :2] - goal) ** 2).sum(dim=(1, 2)))
    assert_same(literal, JoystickCost(goal.numpy(), average="per_step", turn="none"), random_plan)


def test_autograd_agrees_with_the_hand_written_keyframe_cost(random_plan):
    goal = torch.zeros(2, 3, dtype=torch.float64)
    cost = TorchCost(lambda plan: 0.5 * ((plan.key_pos_c[:, :, [0, 2]] - goal) ** 2).sum(dim=(1, 2, 3)))
    assert_same(cost, KeyframeCost([0, 2], goal.numpy(), "character"), random_plan)


def test_a_constant_cost_has_no_gradient(random_plan):
    value, partial = TorchCost(lambda plan: torch.ones(2)).value_and_gradient(random_plan)
    assert np.all(value == 1.0)
    assert all(getattr(partial, item.name) is None for item in fields(PlanGradient))


def test_a_cost_that_is_not_one_number_per_plan_is_refused(random_plan):
    with pytest.raises(GoalError, match=r"returned \(\); right is one number per plan, shape \(2,\)"):
        TorchCost(lambda plan: plan.yaw_c.sum()).value_and_gradient(random_plan)


def test_a_cost_on_key_points_refuses_states_without_them_and_a_root_cost_does_not(random_plan):
    bare = replace(random_plan, key_pos_l=None, key_pos_c=None, key_vel_c=None)
    with pytest.raises(GoalError, match="needs key points"):
        TorchCost(lambda plan: plan.key_pos_c.sum(dim=(1, 2, 3))).value_and_gradient(bare)
    value, _ = TorchCost(lambda plan: plan.yaw_c.sum(dim=1), uses_key_points=False).value_and_gradient(bare)
    np.testing.assert_allclose(value, bare.yaw_c.sum(axis=1))
