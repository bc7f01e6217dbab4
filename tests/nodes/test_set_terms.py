"""``guidance/set_terms``: "in force" is said of what the planner can serve, and of nothing else."""

import json
import math
import sys

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")

from beyondmimic_diffusion.core.guidance.goals import JoystickGoal, KeyframeGoal, WaypointGoal  # noqa: E402
from beyondmimic_diffusion.ros.conversions import goals_to_msg  # noqa: E402
from beyondmimic_msgs import msg, srv  # noqa: E402
from nodes.task_rig import TERM, Rig  # noqa: E402

pytestmark = pytest.mark.ros

USERS_MODULE = """
import numpy as np
from beyondmimic_diffusion.core.guidance import PlanGradient, register_cost_function

@register_cost_function("set_terms_height", gradient="own", uses_key_points=False)
def height(plan, height):
    error = plan.root_pos_c[..., 2] - height
    gradient = np.zeros(plan.root_pos_c.shape)
    gradient[..., 2] = error
    return 0.5 * np.sum(error**2, axis=1), PlanGradient(root_pos_c=gradient)
"""


@pytest.fixture
def rig(ros, tmp_path, monkeypatch):
    (tmp_path / "costs_for_set_terms.py").write_text(USERS_MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    made = Rig(ros, custom_modules="costs_for_set_terms")
    yield made
    made.close()
    sys.modules.pop("costs_for_set_terms", None)


def ask(rig, *goals):
    client = rig.ros.probe.create_client(srv.SetGuidance, "guidance/set_terms")
    rig.until(client.service_is_ready)
    answers = []
    for goal in goals:
        future = client.call_async(srv.SetGuidance.Request(goal=goal))
        rig.until(future.done)
        answers.append(future.result())
    return answers


def custom(parameters, plugin="set_terms_height", **changes):
    text = parameters if isinstance(parameters, str) else json.dumps(parameters)
    term = TERM(type=TERM.CUSTOM, name="low", weight=1.0, custom_plugin=plugin, custom_json=text)
    for name, value in changes.items():
        setattr(term, name, value)
    return msg.GuidanceGoal(global_scale=1.0, terms=[term])


def velocity(rig, forward, **changes):
    goal = goals_to_msg((JoystickGoal((0.1, 0.0)),), 0, rig.now(), rig.now() + 5.0)
    goal.terms[0].velocity.twist.linear.x = forward
    for name, value in changes.items():
        setattr(goal if hasattr(goal, name) else goal.terms[0], name, value)
    return goal


def doubled(rig):
    goal = goals_to_msg((WaypointGoal((1.0, 0.0), 0.0),), 0, rig.now())
    goal.terms[1].name = goal.terms[0].name
    return goal


def keyframe(due):
    return goals_to_msg((KeyframeGoal(("torso",), ((0.0, 0.0, 0.3),), due=due),), 0, 0.0)


def test_what_cannot_be_served_is_refused_in_the_answer_and_nothing_changes(rig):
    rig.live(0.2)
    cases = [
        (custom({"height": 0.6}, plugin="no_such_cost"), "there is no cost 'no_such_cost'"),
        (custom({"tallness": 0.6}), "tallness"),
        (custom({}), "cannot be made from"),
        (custom({"height": "high"}), "'set_terms_height' cannot be served: tried on a plan, it raised"),
        (custom('{"height": NaN}'), "NaN is no number"),
        (custom('{"height": 1e999}'), "larger than any number"),
        (custom('{"height": 0.6, "height": 0.7}'), "given twice"),
        (custom('{"height": '), "custom_json is not JSON"),
        (custom("[" * 50_000), "custom_json is not JSON"),
        (custom("[0.6]"), "right is an object"),
        (custom(" " * 200_000), "characters"),
        (custom({"height": 0.6}, weight=-1.0), "weight = -1.0"),
        (custom({"height": 0.6}, weight=math.nan), "weight = nan"),
        (custom({"height": 0.6}, weight=1e30), "unit error"),
        (custom({"height": 0.6}, weight=0.0), "weight is 0"),
        (custom({"height": 0.6}, first_step=200), "lies behind the plan"),
        (velocity(rig, 0.1, global_scale=0.0), "global_scale is 0"),
        (velocity(rig, 0.1, global_scale=math.nan), "global_scale nan"),
        (velocity(rig, 0.1, weight=0.0), "weight is 0"),
        (velocity(rig, 0.1, weight=-1.0), "weight"),
        (velocity(rig, 1e9), "too large"),
        (velocity(rig, 1e9, global_scale=0.0), "global_scale is 0"),
        (velocity(rig, math.nan), "not finite"),
        (doubled(rig), "two guidance terms have the name 'waypoint'"),
        (keyframe(rig.now() - 3.0), "the keyframe's time was over"),
        (msg.GuidanceGoal(), "global_scale is 0"),
    ]
    for (_, said), answer in zip(cases, ask(rig, *(goal for goal, _ in cases)), strict=True):
        assert (answer.success, answer.seq) == (False, 0), said
        assert said in answer.message
    rig.live(0.2)
    assert rig.standing()


def test_a_users_cost_that_can_be_served_is_in_force_under_the_number_of_the_answer(rig):
    (answer,) = ask(rig, custom({"height": 0.6}))
    assert (answer.success, answer.message) == (True, "in force")
    rig.until(lambda: rig.goals[-1].seq >= answer.seq)
    assert rig.kinds() == [TERM.CUSTOM]


def test_without_the_module_the_answer_says_where_to_name_it(ros):
    rig = Rig(ros)
    (answer,) = ask(rig, custom({"height": 0.6}))
    rig.close()
    assert not answer.success
    assert "custom_modules" in answer.message
