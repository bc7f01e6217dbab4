"""Messages and back; expected values come from rotation matrices and by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
bm = pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")

from beyondmimic_diffusion.core.errors import BeyondMimicError, GoalError  # noqa: E402
from beyondmimic_diffusion.core.execution import ExecutorMode, Reason  # noqa: E402
from beyondmimic_diffusion.core.guidance.goals import JoystickGoal  # noqa: E402
from beyondmimic_diffusion.core.plan_worker import Condition  # noqa: E402
from beyondmimic_diffusion.core.robot import g1  # noqa: E402
from beyondmimic_diffusion.core.rotations import quat_from_rotvec, quat_to_matrix  # noqa: E402
from beyondmimic_diffusion.core.types import CostStats, ImuSample, JointCommand, Plan, RobotState  # noqa: E402
from beyondmimic_diffusion.ros import conversions as c  # noqa: E402
from rclpy.serialization import deserialize_message  # noqa: E402
from sensor_msgs.msg import Imu  # noqa: E402

pytestmark = pytest.mark.ros
NAMES = ("left_knee_joint", "waist_yaw_joint", "right_knee_joint")
JOINTS = len(NAMES)
FLOAT32 = 1e-6
"""Arrays travel as float32: relative error 6e-8, times values of a few units."""


@pytest.fixture
def state(rng) -> RobotState:
    quat = quat_from_rotvec(rng.normal(size=3))
    return RobotState(12.34, rng.normal(size=3), quat, *rng.normal(size=(2, 3)), *rng.normal(size=(2, JOINTS)))


@pytest.fixture
def plan(rng) -> Plan:
    quats = quat_from_rotvec(rng.normal(size=(8, 3)))
    return Plan(
        7, 3_000_000_000, 1.0, 0.96, 0.02, rng.normal(size=(16, JOINTS)), 16, 1, 1.32, 0.04,
        rng.normal(size=(8, 3)), quats, 0.0071, 5,
        (CostStats("velocity", 0.25, 1.5), CostStats("turning", 0.5, 0.1)), "ab" * 32,
    )  # fmt: skip


def assert_same(a, b, tolerance=FLOAT32):
    for name in a.__dataclass_fields__:
        left, right = getattr(a, name), getattr(b, name)
        if isinstance(left, np.ndarray):
            assert right == pytest.approx(left, abs=tolerance), name
        elif isinstance(left, float):
            assert right == pytest.approx(left, abs=1e-9), name


@given(st.integers(0, 2**31 - 1), st.integers(0, 10**9 - 1))
def test_a_time_survives_to_the_resolution_of_a_double(seconds, nanoseconds):
    exact = seconds + nanoseconds * 1e-9
    back = c.time_to_msg(exact)
    assert abs((back.sec - seconds) * 10**9 + back.nanosec - nanoseconds) <= 240  # 2^-22 s near 2^31 s
    assert c.time_from_msg(back) == exact


def test_negative_durations_are_normalised_as_ros_wants_them():
    message = c.duration_to_msg(-0.25)
    assert (message.sec, message.nanosec) == (-1, 750_000_000)
    assert c.duration_from_msg(message) == -0.25


def test_quaternions_are_xyzw_in_messages_and_wxyz_outside():
    message = c.quat_to_msg(np.array([0.1, 0.2, 0.3, 0.4]))
    assert (message.x, message.y, message.z, message.w) == (0.2, 0.3, 0.4, 0.1)
    assert c.quat_from_msg(message).tolist() == [0.1, 0.2, 0.3, 0.4]


def test_robot_state_comes_back_as_it_was(state):
    assert_same(state, c.robot_state_from_msg(c.robot_state_to_msg(state, NAMES), c.JointMap(NAMES)))


def test_twist_of_robot_state_and_odometry_is_in_pelvis_axes(state):
    to_body = quat_to_matrix(state.root_quat_w).T
    for message in (
        c.robot_state_to_msg(state, NAMES).root_twist,
        c.odometry_to_msg(state, "odom", "pelvis").twist.twist,
    ):
        linear = [message.linear.x, message.linear.y, message.linear.z]
        angular = [message.angular.x, message.angular.y, message.angular.z]
        assert linear == pytest.approx(to_body @ state.root_lin_vel_w)
        assert angular == pytest.approx(to_body @ state.root_ang_vel_w)


def test_ground_truth_comes_back_from_odometry_in_world_axes(state):
    stamp, position, quat, linear, angular = c.root_from_odometry(c.odometry_to_msg(state, "odom", "pelvis"))
    assert stamp == pytest.approx(state.stamp, abs=1e-9)
    assert position == pytest.approx(state.root_pos_w)
    assert quat == pytest.approx(state.root_quat_w)
    assert linear == pytest.approx(state.root_lin_vel_w)
    assert angular == pytest.approx(state.root_ang_vel_w)


def matrix(transform):
    quat = c.quat_from_msg(transform.transform.rotation)
    t = transform.transform.translation
    result = np.eye(4)
    result[:3, :3], result[:3, 3] = quat_to_matrix(quat), (t.x, t.y, t.z)
    return result


def test_the_two_transforms_compose_to_the_pelvis_and_the_footprint_lies_flat_on_the_floor(state):
    first, second = c.base_transforms(state, "odom", "base_footprint", "pelvis")
    whole = matrix(first) @ matrix(second)
    assert whole[:3, :3] == pytest.approx(quat_to_matrix(state.root_quat_w), abs=1e-12)
    assert whole[:3, 3] == pytest.approx(state.root_pos_w)
    assert matrix(first)[2] == pytest.approx([0.0, 0.0, 1.0, 0.0])
    assert first.header == second.header or first.header.stamp == second.header.stamp


def test_a_plan_comes_back_as_it_was(plan):
    back = c.plan_from_msg(c.plan_to_msg(plan, NAMES), c.JointMap(NAMES))
    assert_same(plan, back)
    assert (back.plan_id, back.session_id, back.first_step, back.guidance_seq) == (7, 3_000_000_000, 1, 5)
    assert [s.name for s in back.cost_stats] == ["velocity", "turning"]


@pytest.mark.parametrize("due", [None, 12.34])
def test_when_a_plans_successor_is_due_comes_back_and_so_does_that_it_is_not_said(plan, due):
    from dataclasses import replace

    message = c.plan_to_msg(replace(plan, successor_due=due), NAMES)
    assert (message.successor_due.sec, message.successor_due.nanosec) == ((0, 0) if due is None else (12, 340_000_000))
    back = c.plan_from_msg(message, c.JointMap(NAMES)).successor_due
    assert back is None if due is None else back == pytest.approx(due, abs=1e-9)


def test_verdicts_on_the_stream_of_plans_have_the_numbers_of_their_messages():
    from beyondmimic_diffusion.core.timeline import StreamVerdict

    assert {verdict.name: verdict.code for verdict in StreamVerdict} == {
        verdict.name: getattr(bm.ExecutorState, f"STREAM_{verdict.name}") for verdict in StreamVerdict
    }


def test_guidance_cost_is_the_sum_of_the_costs_and_nan_if_unguided(plan):
    from dataclasses import replace

    assert c.plan_to_msg(plan, NAMES).guidance_cost == pytest.approx(0.75)
    assert math.isnan(c.plan_to_msg(replace(plan, cost_stats=()), NAMES).guidance_cost)


def test_joints_are_matched_by_name_whatever_their_order(plan):
    turned = [NAMES[2], NAMES[0], NAMES[1]]
    message = c.plan_to_msg(plan, NAMES)
    message.joint_names = turned
    message.position = plan.joint_targets[:, [2, 0, 1]].astype(np.float32).ravel().tolist()
    assert c.plan_from_msg(message, c.JointMap(NAMES)).joint_targets == pytest.approx(plan.joint_targets, abs=FLOAT32)


def test_more_joints_than_the_robot_has_are_ignored_and_fewer_are_refused():
    joints = c.JointMap(NAMES)
    assert joints.order([NAMES[1], "thumb", NAMES[0], NAMES[2]], [1.0, 9.0, 0.0, 2.0], "test").tolist() == [
        0.0,
        1.0,
        2.0,
    ]
    with pytest.raises(c.MessageError, match=r"joints \['waist_yaw_joint'\] are missing"):
        joints.order([NAMES[0], NAMES[2]], [0.0, 1.0], "test")
    with pytest.raises(c.MessageError, match="2 values for 3 joint names"):
        joints.order(list(NAMES), [0.0, 1.0], "test")


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("action_kind", 1, "only joint positions"),
        ("horizon", 15, "48 positions for 15 set-points of 3 joints"),
        ("root_poses", [0.0] * 8, "8 numbers of root poses"),
    ],
)
def test_a_plan_that_contradicts_itself_is_refused(plan, field, value, said):
    message = c.plan_to_msg(plan, NAMES)
    setattr(message, field, value)
    with pytest.raises(c.MessageError, match=said):
        c.plan_from_msg(message, c.JointMap(NAMES))


def test_a_command_comes_back_as_it_was_and_the_next_one_replaces_it(rng):
    writer = c.JointCommandWriter(NAMES)
    for stamp in (1.5, 2.5):
        command = JointCommand(stamp, *rng.normal(size=(5, JOINTS)))
        message = deserialize_message(writer.write(command), bm.JointCommand)
        assert_same(command, c.joint_command_from_msg(message, c.JointMap(NAMES)))


def test_an_imu_sample_comes_back_as_it_was_and_one_without_orientation_is_refused(rng):
    sample = ImuSample(3.25, quat_from_rotvec(rng.normal(size=3)), *rng.normal(size=(2, 3)))
    message = deserialize_message(c.ImuWriter("imu").write(sample), Imu)
    assert_same(sample, c.imu_sample_from_msg(message))
    message.orientation_covariance[0] = -1.0
    with pytest.raises(c.MessageError, match="no orientation"):
        c.imu_sample_from_msg(message)


@pytest.mark.parametrize("expires", [math.inf, 12.5])
def test_a_velocity_goal_comes_back_as_it_was(expires):
    goal = JoystickGoal((0.4, -0.1), 0.3, expires=expires)
    (back,) = c.goals_from_msg(c.velocity_goal_to_msg(goal, 4, 12.0))
    assert isinstance(back, JoystickGoal)
    assert tuple(back.vel_xy_c) == (0.4, -0.1)
    assert float(back.yaw_rate) == 0.3
    assert back.expires == expires


def test_terms_without_weight_and_kinds_that_nothing_serves_are_refused():
    message = c.velocity_goal_to_msg(JoystickGoal((0.4, 0.0)), 1, 0.0)
    message.terms[0].weight = 0.0
    with pytest.raises(GoalError, match="weight is 0, as in a message that nobody filled in"):
        c.goals_from_msg(message)
    message.terms[0].weight, message.terms[0].type = 1.0, 77
    with pytest.raises(GoalError, match="type 77"):
        c.goals_from_msg(message)


def test_a_goal_without_scale_is_refused_and_one_without_terms_asks_for_no_guidance():
    message = c.velocity_goal_to_msg(JoystickGoal((0.4, 0.0)), 1, 0.0)
    message.global_scale = 0.0
    with pytest.raises(GoalError, match="global_scale is 0, as in a message that nobody filled in"):
        c.goals_from_msg(message)
    message.global_scale, message.terms = 1.0, []
    assert c.goals_from_msg(message) == ()


@pytest.mark.parametrize(
    ("where", "field", "value"),
    [("goal", "global_scale", 0.5), ("term", "weight", 2.0), ("term", "last_step", 3), ("term", "scale_limit", 1.0)],
)
def test_what_the_planner_would_have_to_ignore_is_refused(where, field, value):
    message = c.velocity_goal_to_msg(JoystickGoal((0.4, 0.0)), 1, 0.0)
    setattr(message if where == "goal" else message.terms[0], field, value)
    with pytest.raises(GoalError, match=field):
        c.goals_from_msg(message)


def test_a_plan_of_ten_thousand_set_points_is_refused():
    message = bm.ActionPlan(horizon=10_000, joint_names=list(g1.JOINT_NAMES), position=[0.0] * (10_000 * g1.NUM_JOINTS))
    with pytest.raises(BeyondMimicError, match="10000 set-points.* 1 to 1000 can be played"):
        c.plan_from_msg(message, c.JointMap(g1.JOINT_NAMES))


def test_a_velocity_goal_with_nan_is_refused():
    message = c.velocity_goal_to_msg(JoystickGoal((0.4, 0.0)), 1, 0.0)
    message.terms[0].velocity.twist.linear.y = math.nan
    with pytest.raises(GoalError, match="not finite"):
        c.goals_from_msg(message)


def test_modes_and_planner_conditions_have_the_numbers_of_their_messages():
    assert {mode.name: mode.value for mode in ExecutorMode} == {
        name: getattr(bm.ExecutorState, name) for name in (mode.name for mode in ExecutorMode)
    }
    for condition in Condition:
        state, code, _ = condition.value
        assert isinstance(getattr(bm.PlannerStatus, state), int)
        assert isinstance(getattr(bm.PlannerStatus, code), int)


def test_every_reason_that_stops_the_robot_has_a_code_that_is_not_none():
    harmless = {
        *(Reason.STARTED, Reason.BLENDING, Reason.WAITING_FOR_PLAN, Reason.PLAYING, Reason.SIM_PAUSED, Reason.OK),
        *(Reason.NOT_DISARMED, Reason.NOT_STOPPED),
    }
    from beyondmimic_diffusion.ros.conversions.executor import _CODE_OF_REASON

    assert set(Reason) - harmless == set(_CODE_OF_REASON)
    assert bm.ExecutorState.NONE not in _CODE_OF_REASON.values()
