"""Plans answer the states and goals they were made from; what cannot work is refused at configure."""

import math
import shutil
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
bm = pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")

from beyondmimic_diffusion.core.guidance.goals import JoystickGoal  # noqa: E402
from beyondmimic_diffusion.core.robot import g1  # noqa: E402
from beyondmimic_diffusion.core.types import RobotState  # noqa: E402
from beyondmimic_diffusion.nodes.diffusion_planner_node import DiffusionPlannerNode  # noqa: E402
from beyondmimic_diffusion.ros import qos  # noqa: E402
from beyondmimic_diffusion.ros.conversions import (  # noqa: E402
    robot_state_to_msg,
    time_from_msg,
    time_to_msg,
    velocity_goal_to_msg,
)
from rclpy.lifecycle import TransitionCallbackReturn  # noqa: E402
from rosgraph_msgs.msg import Clock  # noqa: E402

pytestmark = pytest.mark.ros
STATUS = bm.PlannerStatus


class Session:
    """An active planner, fed with a robot that stands still."""

    def __init__(self, ros, folder, **parameters):
        self.ros = ros
        self.plans = ros.heard(bm.ActionPlan, "plan", qos.PLAN_INPUT)
        self.statuses = ros.heard(STATUS, "planner/status", qos.STREAM)
        self.node = ros.make(DiffusionPlannerNode, {"policy": str(folder), "use_sim_time": True, **parameters})
        assert self.node.autostart()
        self.state_pub = ros.probe.create_publisher(bm.RobotState, "robot_state", qos.NEWEST)
        self.goal_pub = ros.probe.create_publisher(bm.GuidanceGoal, "guidance/active", qos.LATCHED)
        self.clock_pub = ros.probe.create_publisher(Clock, "/clock", qos.NEWEST)
        ros.connected(self.clock_pub)
        ros.connected(self.state_pub)
        ros.connected(self.goal_pub)
        self.stamp = 10.0

    def state(self, step=0.02, **changes):
        self.stamp += step
        self.clock_pub.publish(Clock(clock=time_to_msg(self.stamp)))
        zero = np.zeros(3)
        values = {
            "stamp": self.stamp,
            "root_pos_w": np.array([0.0, 0.0, 0.75]), "root_quat_w": np.array([1.0, 0.0, 0.0, 0.0]),
            "root_lin_vel_w": zero, "root_ang_vel_w": zero, "joint_pos": np.array(g1.DEFAULT_JOINT_POS),
            "joint_vel": np.zeros(g1.NUM_JOINTS), **changes,
        }  # fmt: skip
        self.state_pub.publish(robot_state_to_msg(RobotState(**values), g1.JOINT_NAMES))

    def feed(self, count):
        """States one by one, each given time to arrive."""
        for _ in range(count):
            self.state()
            self.ros.spin(0.05)


@pytest.fixture
def session(ros, policy_folder):
    return lambda **parameters: Session(ros, policy_folder, **parameters)


def stamps(plans):
    return [round(time_from_msg(plan.observation_stamp), 6) for plan in plans]


def test_each_state_on_the_policys_grid_gives_one_plan_that_carries_its_stamp(session):
    planner = session()
    planner.feed(12)  # 10.02 .. 10.24
    planner.ros.until(lambda: len(planner.plans) >= 6)
    on_grid = [stamp for stamp in stamps(planner.plans) if round(stamp * 1000) % 40 == 0]
    assert on_grid == [10.04, 10.08, 10.12, 10.16, 10.2, 10.24]
    assert stamps(planner.plans)[-6:] == on_grid  # before them only the very first state, wherever it lay
    plan = planner.plans[-1]
    assert time_from_msg(plan.header.stamp) == pytest.approx(10.24)
    assert time_from_msg(plan.valid_until) == pytest.approx(10.24 + 16 * 0.02)
    assert (plan.horizon, plan.trusted_steps, plan.joint_names[3]) == (16, 16, g1.JOINT_NAMES[3])


def test_plans_are_numbered_upwards_within_a_session_and_a_new_activation_is_a_new_session(session):
    planner = session()
    planner.feed(6)
    planner.ros.until(lambda: len(planner.plans) >= 3)
    first = {plan.session_id for plan in planner.plans}
    ids = [plan.plan_id for plan in planner.plans]
    assert ids == list(range(len(ids)))
    planner.node.trigger_deactivate()
    planner.node.trigger_activate()
    planner.plans.clear()
    planner.feed(6)
    planner.ros.until(lambda: planner.plans)
    assert planner.plans[0].plan_id == 0
    assert first.isdisjoint({plan.session_id for plan in planner.plans})


def test_the_planner_reckons_with_the_latency_that_the_executor_measures_and_says_when_the_next_plan_is_due(session):
    planner = session()
    executor = planner.ros.probe.create_publisher(bm.ExecutorState, "executor/state", qos.LATCHED)
    planner.ros.connected(executor)
    executor.publish(bm.ExecutorState(plan_latency_ms=75.0))
    planner.feed(30)
    planner.ros.until(lambda: planner.statuses[-1].plan_latency_ms == pytest.approx(80.0))
    assert planner.statuses[-1].plan_period_ms == pytest.approx(40.0)
    plan = planner.plans[-1]
    taken_over = time_from_msg(plan.header.stamp) + 0.02 * plan.first_step
    assert taken_over == pytest.approx(time_from_msg(plan.observation_stamp) + 0.08)
    assert time_from_msg(plan.successor_due) == pytest.approx(taken_over + 0.04)


def test_a_plan_names_the_goal_it_answers_and_an_expired_goal_is_replaced_by_standing(session):
    planner = session()
    planner.goal_pub.publish(velocity_goal_to_msg(JoystickGoal((0.4, 0.0), expires=10.2), 7, 10.0))
    planner.ros.spin(0.3)
    planner.feed(14)
    planner.ros.until(lambda: planner.plans and stamps(planner.plans)[-1] >= 10.28)
    assert {plan.guidance_seq for plan in planner.plans} == {7}
    costs = {stamp: plan.cost_stats for stamp, plan in zip(stamps(planner.plans), planner.plans, strict=True)}
    assert {c.name for c in costs[10.28]} >= {"velocity"}
    planner.ros.until(lambda: planner.statuses and planner.statuses[-1].code == STATUS.GOAL_EXPIRED, planner.state)
    assert planner.statuses[-1].state == STATUS.RUNNING


def test_a_goal_with_nan_is_refused_and_the_status_says_so(session):
    planner = session()
    message = velocity_goal_to_msg(JoystickGoal((0.4, 0.0)), 3, 10.0)
    message.terms[0].velocity.twist.linear.x = math.nan
    planner.feed(12)
    planner.goal_pub.publish(message)
    planner.ros.until(lambda: planner.statuses[-1].code == STATUS.BAD_GOAL, planner.state)
    assert "not finite" in planner.statuses[-1].message
    assert 3 not in {plan.guidance_seq for plan in planner.plans}


def test_a_state_with_nan_is_dropped_and_counted(session):
    planner = session()
    planner.feed(4)
    planner.state(joint_pos=np.full(g1.NUM_JOINTS, np.nan))
    planner.ros.until(lambda: planner.statuses[-1].dropped_states == 1)
    assert all(np.all(np.isfinite(plan.position)) for plan in planner.plans)


def test_when_states_jump_back_it_starts_anew_instead_of_waiting_for_the_old_time(session):
    planner = session()
    planner.feed(4)
    planner.stamp = 2.0
    planner.plans.clear()
    planner.feed(6)
    planner.ros.until(lambda: planner.plans and stamps(planner.plans)[-1] == pytest.approx(2.12))


def test_without_states_the_status_is_degraded_and_inactive_it_says_so(session):
    planner = session()
    planner.ros.until(lambda: planner.statuses and planner.statuses[-1].code == STATUS.NO_STATE)
    assert planner.statuses[-1].state == STATUS.DEGRADED
    planner.node.trigger_deactivate()
    planner.ros.until(lambda: planner.statuses[-1].state == STATUS.INACTIVE)


def copied(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "policy")


def renamed(manifest):
    return replace(manifest, joint_names=(manifest.joint_names[1], manifest.joint_names[0], *manifest.joint_names[2:]))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda folder, m: (folder / "model.onnx").write_bytes((folder / "model.onnx").read_bytes()[:1000]),
            "model.onnx",
        ),
        (lambda folder, m: replace(m, robot="h1").save(folder), "h1"),
        (lambda folder, m: renamed(m).save(folder), "left_hip"),
        (lambda folder, m: (folder / "manifest.json").unlink(), "manifest.json"),
    ],
    ids=["truncated network", "another robot", "another joint order", "no manifest"],
)
def test_a_bad_policy_is_refused_at_configure_with_the_reason_in_the_log(
    ros, policy_folder, tmp_path, capfd, spoil, said
):
    from beyondmimic_diffusion.core.engine import PolicyManifest

    folder = copied(policy_folder, tmp_path)
    spoil(folder, PolicyManifest.load(folder))
    node = ros.make(DiffusionPlannerNode, {"policy": str(folder)})
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    log = capfd.readouterr().err
    assert "configure refused" in log
    assert said in log


def test_a_policy_of_another_rate_is_refused_at_configure(ros, policy_folder, capfd):
    node = ros.make(DiffusionPlannerNode, {"policy": str(policy_folder), "step_dt": 0.02})
    assert not node.autostart()
    log = capfd.readouterr().err
    assert "0.04" in log
    assert "0.02" in log
