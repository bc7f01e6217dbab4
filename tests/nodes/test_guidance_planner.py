"""The planner serves every kind of goal, says in each plan what it cost, and refuses the rest aloud."""

import math
import sys

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
bm = pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")

from beyondmimic_diffusion.core.guidance.goals import HeadingGoal, JoystickGoal, KeyframeGoal, WaypointGoal  # noqa: E402
from beyondmimic_diffusion.core.robot import g1  # noqa: E402
from beyondmimic_diffusion.ros import qos  # noqa: E402
from beyondmimic_diffusion.ros.conversions import FrameNames, goals_to_msg  # noqa: E402
from nodes.task_rig import pillar, scene  # noqa: E402
from nodes.test_diffusion_planner_node import Session  # noqa: E402

pytestmark = pytest.mark.ros
STATUS, TERM = bm.PlannerStatus, bm.GuidanceTerm


class Planner(Session):
    """A session that is also told of obstacles."""

    def __init__(self, ros, folder, **parameters):
        super().__init__(ros, folder, **parameters)
        self.scene_pub = ros.probe.create_publisher(bm.SdfScene, "guidance/scene", qos.LATCHED)
        ros.connected(self.scene_pub)
        self.seq = 0

    def ask(self, *goals, with_scene=False, names=None):
        """Publish a goal; its number."""
        self.seq += 1
        self.send(goals_to_msg(goals, self.seq, self.stamp, names=names, with_scene=with_scene))
        return self.seq

    def send(self, message):
        self.goal_pub.publish(message)
        self.ros.spin(0.1)

    def answer(self, seq):
        """The first plan that answers a goal."""
        self.ros.until(lambda: any(plan.guidance_seq == seq for plan in self.plans), self.state)
        return next(plan for plan in self.plans if plan.guidance_seq == seq)

    def refused(self, seq, *words):
        """The goal is not served, the status says why, and plans go on for the one before."""
        self.ros.until(lambda: self.statuses and self.statuses[-1].code == STATUS.BAD_GOAL, self.state)
        assert self.statuses[-1].state == STATUS.DEGRADED
        for word in words:
            assert word in self.statuses[-1].message
        before = len(self.plans)
        self.ros.until(lambda: len(self.plans) > before, self.state)
        assert seq not in {plan.guidance_seq for plan in self.plans}


@pytest.fixture
def planner(ros, policy_folder):
    return lambda **parameters: Planner(ros, policy_folder, **parameters)


def costs(plan):
    return {cost.name: cost.value for cost in plan.cost_stats}


@pytest.mark.parametrize(
    ("goal", "names"),
    [
        (JoystickGoal((0.3, 0.0), 0.2), {"velocity", "turning"}),
        (WaypointGoal((2.0, 0.0)), {"velocity", "turning"}),
        (WaypointGoal((2.0, 0.0), 1.0), {"velocity", "heading"}),
        (HeadingGoal(1.0), {"heading"}),
    ],
    ids=["velocity", "waypoint", "waypoint with heading", "heading"],
)
def test_each_goal_is_served_by_its_costs_whose_sum_the_plan_carries(planner, goal, names):
    planner = planner()
    plan = planner.answer(planner.ask(goal))
    assert set(costs(plan)) >= names
    assert plan.guidance_cost == pytest.approx(sum(costs(plan).values()), rel=1e-5)


def test_obstacles_cost_more_the_nearer_they_are_and_nothing_far_away(planner):
    planner = planner()
    found = []
    for x in (0.45, 0.8, 30.0):
        planner.scene_pub.publish(scene(pillar("tree", x, 0.0, 0.1)))
        found.append(costs(planner.answer(planner.ask(JoystickGoal(), with_scene=True)))["obstacle"])
    assert found[0] > found[1] > found[2] == 0.0


def test_a_goal_that_asks_for_obstacles_before_a_scene_came_is_refused_and_served_when_it_comes(planner):
    planner = planner()
    planner.feed(8)
    seq = planner.ask(JoystickGoal(), with_scene=True)
    planner.refused(seq, "guidance/scene")
    planner.scene_pub.publish(scene(pillar("tree", 0.8, 0.0)))
    assert "obstacle" in costs(planner.answer(seq))
    planner.ros.until(lambda: planner.statuses[-1].code == STATUS.OK, planner.state)


def test_a_scene_in_another_frame_is_refused_aloud_and_the_one_before_counts(planner):
    planner = planner()
    planner.scene_pub.publish(scene(pillar("tree", 0.6, 0.0)))
    first = costs(planner.answer(planner.ask(JoystickGoal(), with_scene=True)))["obstacle"]
    planner.scene_pub.publish(scene(frame="map"))
    planner.ros.until(lambda: planner.statuses[-1].code == STATUS.BAD_GOAL, planner.state)
    assert "'map'" in planner.statuses[-1].message
    again = costs(planner.answer(planner.ask(JoystickGoal(), with_scene=True)))["obstacle"]
    assert first > 0.0 and again > 0.0


def test_a_keyframe_costs_in_the_plans_whose_horizon_reaches_it(planner):
    planner = planner()
    planner.feed(8)
    seq = planner.ask(JoystickGoal(), KeyframeGoal(("torso",), ((0.0, 0.0, 0.3),), due=planner.stamp + 1.0))
    early = planner.answer(seq)
    assert "keyframe" not in costs(early)
    planner.ros.until(lambda: "keyframe" in costs(planner.plans[-1]), planner.state)
    reach = 16 * 0.04
    stamp = planner.plans[-1].observation_stamp.sec + 1e-9 * planner.plans[-1].observation_stamp.nanosec
    due = planner.node._reader._goal.terms[1].keyframes[0].header.stamp
    assert due.sec + 1e-9 * due.nanosec - stamp <= reach + 1e-6


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda m: setattr(m.terms[0].waypoint.pose.position, "x", math.nan), ("not finite",)),
        (lambda m: setattr(m.terms[0].waypoint.header, "frame_id", "map"), ("'map'", "odom")),
        (lambda m: setattr(m.terms[0], "type", 77), ("type 77",)),
        (lambda m: setattr(m.terms[0], "weight", 3.0), ("weight",)),
        (lambda m: setattr(m, "global_scale", 0.5), ("global_scale",)),
        (lambda m: setattr(m.terms[0], "type", TERM.KEYFRAME), ("no keyframes",)),
        (lambda m: setattr(m.terms[0], "type", TERM.CUSTOM), ("steering.goals.custom.modules",)),
    ],
    ids=["nan", "another frame", "unknown type", "weight", "scale", "no keyframes", "users' costs are off"],
)
def test_what_it_cannot_serve_is_refused_with_the_reason_and_planning_goes_on(planner, spoil, words):
    planner = planner()
    planner.feed(8)
    message = goals_to_msg((WaypointGoal((1.0, 0.0)),), 9, planner.stamp)
    spoil(message)
    planner.send(message)
    planner.refused(9, *words)


USERS_MODULE = """
import numpy as np
from beyondmimic_diffusion.core.guidance import GuidanceCost, PlanGradient, register_cost

@register_cost("users_height_of_this_test")
class Height(GuidanceCost):
    def __init__(self, height):
        self.height = height

    def value_and_gradient(self, plan):
        error = plan.root_pos_c[..., 2] - self.height
        gradient = np.zeros(plan.root_pos_c.shape)
        gradient[..., 2] = error
        return 0.5 * np.sum(error**2, axis=1), PlanGradient(root_pos_c=gradient)
"""


def test_a_users_cost_from_its_own_file_is_served_by_name_and_wrong_arguments_are_refused(
    planner, tmp_path, monkeypatch
):
    (tmp_path / "costs_of_a_user.py").write_text(USERS_MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    planner = planner(**{"steering.goals.custom.modules": "costs_of_a_user"})
    planner.feed(8)
    term = TERM(type=TERM.CUSTOM, name="low", weight=0.5, custom_plugin="users_height_of_this_test")
    for seq, arguments in ((5, '{"height": 0.6}'), (6, '{"tallness": 0.6}')):
        term.custom_json = arguments
        planner.send(bm.GuidanceGoal(seq=seq, global_scale=1.0, terms=[term]))
        if seq == 5:
            assert costs(planner.answer(5))["users_height_of_this_test"] > 0.0
    planner.refused(6, "tallness")
    sys.modules.pop("costs_of_a_user")


def test_frames_and_key_points_are_those_of_the_robot():
    message = goals_to_msg((KeyframeGoal(g1.KEY_POINT_NAMES[:2], np.zeros((2, 3)), 1.0),), 1, 0.0, names=FrameNames())
    assert message.terms[0].keyframes[0].header.frame_id == "pelvis"
    assert list(message.terms[0].keyframes[0].body_names) == list(g1.KEY_POINT_NAMES[:2])
