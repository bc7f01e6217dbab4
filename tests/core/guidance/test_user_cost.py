"""Costs written by users: a function, a name, a weight; and none of our files is touched."""

from __future__ import annotations

import itertools
import sys
from dataclasses import replace

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import ConfigError, GoalError
from beyondmimic_diffusion.core.guidance.composer import GuidanceComposer
from beyondmimic_diffusion.core.guidance.features import PlanGradient
from beyondmimic_diffusion.core.guidance.goal_config import CustomConfig, GoalConfig
from beyondmimic_diffusion.core.guidance.goal_terms import GoalContext, goal_terms
from beyondmimic_diffusion.core.guidance.goals import CustomGoal, JoystickGoal
from beyondmimic_diffusion.core.guidance.user_cost import register_cost_function
from beyondmimic_diffusion.core.rotations import rotate_yaw
from beyondmimic_diffusion.core.state import CharacterFrame

STEP_DT = 0.04
_COUNTER = itertools.count()


@pytest.fixture
def name() -> str:
    """A name that no test has used: the register is the process's own."""
    return f"test_cost_{next(_COUNTER)}"


@pytest.fixture
def context() -> GoalContext:
    frame = CharacterFrame(np.array([1.0, -2.0]), np.array(0.5))
    return GoalContext(frame=frame, stamp=10.0, step_dt=STEP_DT, horizon=5)


def low_pelvis(plan, height):
    """Half the squared error of the pelvis's height."""
    error = plan.root_pos_c[..., 2] - height
    gradient = np.zeros(plan.root_pos_c.shape)
    gradient[..., 2] = error
    return 0.5 * np.sum(error**2, axis=1), PlanGradient(root_pos_c=gradient)


def composer(representation, terms) -> GuidanceComposer:
    ones, zeros = np.ones(representation.dim), np.zeros(representation.dim)
    return GuidanceComposer(representation.layout, ones, zeros, STEP_DT, terms)


def test_a_function_of_a_user_steers_the_plan_by_its_own_gradient(name, context, representation, random_states):
    register_cost_function(name, gradient="own", uses_key_points=False)(low_pelvis)
    terms = goal_terms([CustomGoal(name, {"height": 0.7}, weight=1.0)], context)
    states = random_states()
    moved = states + composer(representation, terms).correction(states, k=0)
    z = representation.layout["root_pos_c"].start + 2
    np.testing.assert_allclose(moved[..., z], 0.7)  # weight 1 on half a square: one pass leads right there
    np.testing.assert_array_equal(np.delete(moved, z, axis=-1), np.delete(states, z, axis=-1))


def test_a_torch_function_of_a_user_needs_no_gradient_and_has_the_right_one(name, random_plan, check_gradient, context):
    torch = pytest.importorskip("torch", reason="torch is not installed")

    @register_cost_function(name)
    def hands_apart(plan, distance):
        between = plan.key_pos_c[:, :, 0] - plan.key_pos_c[:, :, 1]
        return ((torch.linalg.norm(between, dim=-1) - distance) ** 2).sum(dim=1)

    (term,) = goal_terms([CustomGoal(name, {"distance": 0.4})], context)
    check_gradient(term.cost, random_plan)
    gap = np.linalg.norm(random_plan.key_pos_c[:, :, 0] - random_plan.key_pos_c[:, :, 1], axis=-1)
    np.testing.assert_allclose(term.cost.value_and_gradient(random_plan)[0], np.sum((gap - 0.4) ** 2, axis=1))


def test_a_cost_on_a_place_in_the_world_is_told_where_the_robot_is(name, context, random_plan):
    @register_cost_function(name, gradient="own", uses_key_points=False)
    def near(plan, place_w, context):
        place = rotate_yaw(np.asarray(place_w) - context.frame.xy, -context.frame.yaw)
        offset = plan.root_pos_c[..., :2] - place
        return np.sum(offset**2, axis=(1, 2)), PlanGradient()

    def value(turn: float, shift: tuple[float, float]) -> np.ndarray:
        """The same scene in a world that is turned and moved."""
        xy = rotate_yaw(context.frame.xy, turn) + shift
        there = replace(context, frame=CharacterFrame(xy, context.frame.yaw + turn))
        goal = CustomGoal(name, {"place_w": rotate_yaw(np.array([2.0, 1.0]), turn) + shift})
        return goal_terms([goal], there)[0].cost.value_and_gradient(random_plan)[0]

    np.testing.assert_allclose(value(2.1, (-3.0, 7.0)), value(0.0, (0.0, 0.0)), rtol=1e-9)


def test_the_weight_comes_from_the_goal_or_else_from_the_parameter_file_or_else_is_one(name, context):
    register_cost_function(name, gradient="own", uses_key_points=False)(low_pelvis)
    config = GoalConfig(custom=CustomConfig(active=f"{name}=0.25"))
    goal = CustomGoal(name, {"height": 0.7})
    assert [term.weight for term in goal_terms([goal], context, config)] == [0.25]
    assert [term.weight for term in goal_terms([replace(goal, weight=3.0)], context, config)] == [3.0]
    assert [term.weight for term in goal_terms([goal], context)] == [1.0]


def test_a_cost_named_in_the_parameter_file_acts_beside_every_goal_but_not_without_one(name, context):
    @register_cost_function(name, gradient="own", uses_key_points=False)
    def upright(plan):
        return low_pelvis(plan, 0.7)

    config = GoalConfig(custom=CustomConfig(active=f"{name}=0.5"))
    terms = {term.name: term.weight for term in goal_terms([JoystickGoal((0.3, 0.0))], context, config)}
    assert set(terms) == {"velocity", "turning", name} and terms[name] == 0.5
    assert goal_terms([], context, config) == ()


def test_a_module_named_in_the_parameter_file_brings_its_costs(name, context, tmp_path, monkeypatch):
    (tmp_path / f"{name}_module.py").write_text(
        "from beyondmimic_diffusion.core.guidance import PlanGradient, register_cost_function\n"
        f"@register_cost_function('{name}', gradient='own', uses_key_points=False)\n"
        "def cost(plan):\n"
        "    return plan.yaw_c.sum(axis=1), PlanGradient()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    config = GoalConfig(custom=CustomConfig(modules=f"{name}_module", active=f"{name}=1"))
    assert name in {term.name for term in goal_terms([JoystickGoal()], context, config)}
    del sys.modules[f"{name}_module"]


def test_a_custom_goal_acts_on_the_steps_and_within_the_limits_it_names(name, context):
    register_cost_function(name, gradient="own", uses_key_points=False)(low_pelvis)
    goal = CustomGoal(name, {"height": 0.7}, first_step=1, last_step=3, clip=0.5, velocity_cap=0.2, consistent=True)
    (term,) = goal_terms([goal], context)
    assert (term.first_step, term.last_step, term.clip, term.velocity_cap, term.consistent) == (1, 3, 0.5, 0.2, True)


@pytest.mark.parametrize(
    ("goal", "text"),
    [
        (lambda name: CustomGoal(name + "x", {"height": 0.7}), "did you mean"),
        (lambda name: CustomGoal(name), "cannot be made from"),
        (lambda name: CustomGoal(name, {"hight": 0.7}), "cannot be made from"),
        (lambda name: CustomGoal(""), "give the name"),
        (lambda name: CustomGoal(name, weight=np.nan), "weight = nan"),
        (lambda name: CustomGoal(name, first_step=3, last_step=1), "steps 3 to 1"),
    ],
)
def test_a_custom_goal_that_cannot_be_served_is_refused(name, context, goal, text):
    register_cost_function(name, gradient="own", uses_key_points=False)(low_pelvis)
    with pytest.raises(GoalError, match=text):
        goal_terms([goal(name)], context)


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda plan: plan.yaw_c.sum(axis=1), r"right is \(value, PlanGradient\)"),
        (lambda plan: (plan.yaw_c, PlanGradient()), r"one per plan, \(2,\)"),
    ],
)
def test_a_function_that_returns_something_else_is_named(name, context, random_plan, function, text):
    register_cost_function(name, gradient="own", uses_key_points=False)(function)
    (term,) = goal_terms([CustomGoal(name)], context)
    with pytest.raises(GoalError, match=f"'{name}'.*{text}"):
        term.cost.value_and_gradient(random_plan)


@pytest.mark.parametrize("text", ["upright", "upright=", "=1", "upright=-1", "upright=nan", "a=1 b=2"])
def test_weights_that_are_not_name_and_number_are_refused_at_start(text):
    with pytest.raises(ConfigError, match="right is 'name=number'"):
        GoalConfig(custom=CustomConfig(active=text))


def test_a_module_that_does_not_exist_is_named(name, context):
    config = GoalConfig(custom=CustomConfig(modules="no_such_module_of_mine", active="x=1"))
    with pytest.raises(ConfigError, match="no_such_module_of_mine"):
        goal_terms([JoystickGoal()], context, config)
