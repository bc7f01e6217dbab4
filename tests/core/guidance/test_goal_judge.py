"""The judge of goals: whatever comes is served, or refused in a sentence; and what it lets through is finite."""

from __future__ import annotations

import os

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import BeyondMimicError, GoalError
from beyondmimic_diffusion.core.guidance.composer import GuidanceComposer
from beyondmimic_diffusion.core.guidance.features import PlanGradient
from beyondmimic_diffusion.core.guidance.goal_config import CustomConfig, GoalConfig
from beyondmimic_diffusion.core.guidance.goal_judge import GoalJudge, PlanFacts
from beyondmimic_diffusion.core.guidance.goal_terms import GoalContext, goal_terms
from beyondmimic_diffusion.core.guidance.goals import (
    CustomGoal,
    HeadingGoal,
    JoystickGoal,
    KeyframeGoal,
    WaypointGoal,
)
from beyondmimic_diffusion.core.guidance.user_cost import register_cost_function
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.state import BodyPosRepresentation, CharacterFrame

CASES = int(os.environ.get("CASES", "1000"))
ODD = (0.0, -0.0, 1.0, -1.0, 0.3, 1e-300, 1e9, -1e9, 1e30, 1e308, np.nan, np.inf, -np.inf, "0.3", "", None, True, [1.0])


@register_cost_function("judged_height", gradient="own", uses_key_points=False)
def judged_height(plan, height, gain=1.0):
    error = gain * (plan.root_pos_c[..., 2] - height)
    gradient = np.zeros(plan.root_pos_c.shape)
    gradient[..., 2] = gain * error
    return 0.5 * np.sum(error**2, axis=1), PlanGradient(root_pos_c=gradient)


@register_cost_function("judged_slowness", gradient="own", uses_key_points=False)
def judged_slowness(plan, exponent=-1.0):
    speed = np.linalg.norm(plan.root_lin_vel_c[..., :2], axis=-1)
    with np.errstate(all="ignore"):
        return (speed**exponent).sum(axis=1), PlanGradient()


@register_cost_function("judged_place", gradient="own", uses_key_points=False)
def judged_place(plan, context):
    if context.frame.xy[0] > 5.0:
        raise RuntimeError("no floor there")
    return np.zeros(plan.batch), PlanGradient()


@pytest.fixture(scope="module")
def judge() -> GoalJudge:
    return GoalJudge(PlanFacts(), GoalConfig())


@pytest.mark.parametrize(
    ("goal", "said"),
    [
        (CustomGoal("judged_hight", {"height": 0.7}), "did you mean 'judged_height'"),
        (CustomGoal("judged_height"), "cannot be made from"),
        (CustomGoal("judged_height", {"height": "high"}), "tried on a plan, it raised"),
        (CustomGoal("judged_height", {"height": float("nan")}), "gave a gradient with NaN|gave the value"),
        (CustomGoal("judged_height", {"height": 0.7, "name": "x"}), "cannot be made from"),
        (CustomGoal("judged_height", {"height": [0.1, 0.2, 0.3]}), "tried on a plan, it raised"),
        (CustomGoal("judged_slowness", {"exponent": -1e6}), "gave the value"),
        (CustomGoal("judged_place", {"context": 1}), "'context' is filled in"),
        (CustomGoal("judged_height", {"height": 0.7}, first_step=16), "lies behind the plan"),
    ],
)
def test_a_users_cost_that_could_not_be_served_is_refused_with_the_reason(judge, goal, said):
    with pytest.raises(GoalError, match=said):
        judge.judge((JoystickGoal(), goal), 10.0)


def test_a_cost_is_tried_at_the_robots_place(judge):
    goals = (CustomGoal("judged_place"),)
    judge.judge(goals, 10.0, CharacterFrame(np.array([1.0, 0.0]), np.array(0.0)))
    with pytest.raises(GoalError, match="'judged_place'.*raised RuntimeError: no floor there"):
        judge.judge(goals, 10.0, CharacterFrame(np.array([9.0, 0.0]), np.array(0.0)))


def test_two_terms_of_one_cost_are_refused(judge):
    goal = CustomGoal("judged_height", {"height": 0.7})
    with pytest.raises(GoalError, match="each name may occur once"):
        judge.judge((goal, goal), 10.0)


def test_a_cost_that_acts_beside_every_goal_is_tried_too():
    config = GoalConfig(custom=CustomConfig(active="judged_slowness=1"))
    GoalJudge(PlanFacts(), config).judge((JoystickGoal(),), 0.0)
    config = GoalConfig(custom=CustomConfig(active="judged_height=1"))  # its height has no default
    with pytest.raises(GoalError, match="'judged_height' cannot be made"):
        GoalJudge(PlanFacts(), config).judge((JoystickGoal(),), 0.0)


def arbitrary(rng: np.random.Generator):
    """A goal of any kind with numbers of any kind."""

    def odd():
        return ODD[rng.integers(len(ODD))] if rng.random() < 0.5 else float(rng.normal() * 10.0 ** rng.integers(-3, 4))

    kind = rng.integers(5)
    if kind == 0:
        return JoystickGoal((odd(), odd()), odd())
    if kind == 1:
        return WaypointGoal((odd(), odd()), odd(), max_speed=odd(), stop=bool(rng.integers(2)))
    if kind == 2:
        return HeadingGoal(odd())
    if kind == 3:
        names = tuple(rng.choice([*g1.KEY_POINT_NAMES, "tail"], rng.integers(0, 3)))
        frame = str(rng.choice(["local", "world", "moon"]))
        positions = [[odd(), odd(), odd()] for _ in names]
        return KeyframeGoal(names, positions, due=float(rng.uniform(9.9, 10.7)), frame=frame, hold=0.1)
    cost = str(rng.choice(["judged_height", "judged_slowness", "judged_place", "none_such", ""]))
    argument = str(rng.choice(["height", "gain", "exponent", "context", "name", "plan"]))
    return CustomGoal(cost, {argument: odd()}, weight=rng.choice([None, 1.0, -1.0, np.nan, 1e30]))


def test_any_goal_is_refused_in_a_sentence_or_served_by_costs_that_are_finite(judge):
    rng = np.random.default_rng(7)
    representation = BodyPosRepresentation(g1.KEY_POINT_NAMES)
    states = rng.uniform(-0.6, 0.6, (1, 16, representation.dim))
    ones, zeros = np.ones(representation.dim), np.zeros(representation.dim)
    frame = CharacterFrame(np.array([1.0, -2.0]), np.array(0.5))
    context = GoalContext(frame, 10.0, 0.04, 16, key_point_names=g1.KEY_POINT_NAMES, key_point_radii=g1.KEY_POINT_RADII)
    served, sentences = 0, []
    for _ in range(CASES):
        try:
            goals = [arbitrary(rng) for _ in range(rng.integers(1, 3))]
            judge.judge(goals, 10.0, frame)
        except BeyondMimicError as error:
            sentences.append(str(error))
            continue
        composer = GuidanceComposer(representation.layout, ones, zeros, 0.04, goal_terms(goals, context))
        assert np.isfinite(composer.correction(states, k=0)).all()
        assert composer.dropped == {}
        served += 1
    assert min(map(len, sentences)) > 20
    assert served > 0.02 * CASES  # the test is of both outcomes
