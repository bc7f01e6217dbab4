"""The register of costs."""

from __future__ import annotations

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import GoalError
from beyondmimic_diffusion.core.guidance import cost as register
from beyondmimic_diffusion.core.guidance import make_cost, register_cost, registered_costs
from beyondmimic_diffusion.core.guidance.cost import GuidanceCost
from beyondmimic_diffusion.core.guidance.features import PlanGradient


@pytest.fixture
def own_names(monkeypatch):
    """Names registered in a test are forgotten after it."""
    monkeypatch.setattr(register, "_FACTORIES", dict(register._FACTORIES))


@pytest.mark.usefixtures("own_names")
def test_a_users_cost_is_made_by_its_name(random_plan):
    @register_cost("lean")
    class LeanCost(GuidanceCost):
        def __init__(self, gain: float):
            self.gain = gain

        def value_and_gradient(self, plan):
            return self.gain * np.sum(plan.root_rot_c[..., 0], axis=1), PlanGradient()

    value, _ = make_cost("lean", gain=2.0).value_and_gradient(random_plan)
    np.testing.assert_allclose(value, 2.0 * random_plan.root_rot_c[..., 0].sum(axis=1))


def test_all_built_in_costs_are_registered():
    assert {"heading", "joystick", "keyframe", "obstacle", "waypoint", "yaw_rate"} <= set(registered_costs())


def test_an_unknown_name_is_refused_with_the_nearest_known_one():
    with pytest.raises(GoalError, match="did you mean 'joystick'"):
        make_cost("joistick")


def test_parameters_a_cost_does_not_take_are_refused_by_name():
    with pytest.raises(GoalError, match=r"'joystick' cannot be made from \['speed'\]"):
        make_cost("joystick", speed=1.0)


@pytest.mark.usefixtures("own_names")
def test_a_name_that_is_taken_is_refused():
    with pytest.raises(GoalError, match="taken"):
        register_cost("joystick")(lambda: make_cost("yaw_rate", yaw_rate=0.0))
