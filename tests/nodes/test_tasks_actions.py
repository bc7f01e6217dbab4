"""The three actions, asked by a client as any user would write it: progress, ends, and a reason for each refusal."""

import math
from functools import cache

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")

from action_msgs.msg import GoalStatus  # noqa: E402
from beyondmimic_diffusion.core.robot import g1  # noqa: E402
from beyondmimic_diffusion.ros import qos  # noqa: E402
from beyondmimic_diffusion.ros.conversions import duration_to_msg, time_to_msg  # noqa: E402
from beyondmimic_msgs import action, msg  # noqa: E402
from geometry_msgs.msg import Pose  # noqa: E402
from nodes.task_rig import TERM, Rig, pillar, place, pose, scene, wall  # noqa: E402

pytestmark = pytest.mark.ros
WAYPOINT, KEYFRAME, STAND = action.ReachWaypoint.Result, action.ReachKeyframe.Result, action.Stand.Result
SUCCEEDED, ABORTED, CANCELED = GoalStatus.STATUS_SUCCEEDED, GoalStatus.STATUS_ABORTED, GoalStatus.STATUS_CANCELED
EXECUTOR, PLANNER = msg.ExecutorState, msg.PlannerStatus


@pytest.fixture
def rig(ros):
    made = []

    def make(**parameters):
        made.append(Rig(ros, **parameters))
        return made[-1]

    yield make
    for one in made:
        one.close()


def refused(rig, name, goal, code, *words):
    """The goal is aborted with a code, and the reason says what is wrong."""
    status, result = rig.do(name, goal)
    assert (status, result.error_code) == (ABORTED, code), result.error_msg
    for word in words:
        assert word in result.error_msg
    return result


# ---------------------------------------------------------------- reach_waypoint


def test_a_waypoint_is_reached_with_feedback_on_the_way_and_ends_standing(rig):
    rig = rig()
    handle = rig.send("reach_waypoint", place(2.0, 1.0))
    rig.until(lambda: TERM.WAYPOINT in rig.kinds())
    assert handle.status == GoalStatus.STATUS_EXECUTING
    status, result = rig.end(handle)
    assert (status, result.error_code, result.error_msg) == (SUCCEEDED, WAYPOINT.NONE, "")
    assert result.final_distance < 0.3
    assert np.linalg.norm(rig.robot.xy - (2.0, 1.0)) < 0.3
    distances = [f.distance for f in rig.feedback]
    assert distances[0] == pytest.approx(math.hypot(2.0, 1.0), abs=0.4)
    assert distances[-1] < 0.5
    assert {f.planner_state for f in rig.feedback} == {PLANNER.RUNNING}
    assert rig.feedback[0].estimated_time.sec >= 1
    rig.live(0.2)
    assert rig.standing()


def test_with_a_heading_the_goal_is_reached_only_facing_it(rig):
    rig = rig()
    rig.robot.yaw = 2.0
    status, _ = rig.do("reach_waypoint", place(1.0, 0.0, yaw=-1.0))
    assert status == SUCCEEDED
    assert abs(rig.robot.yaw + 1.0) < 0.25
    assert rig.feedback[0].heading_error == pytest.approx(-3.0, abs=0.01)


def test_feedback_holds_the_cost_of_the_newest_plan(rig):
    rig = rig()
    stats_pub = rig.publisher(msg.GuidanceStats, "guidance/stats", qos.STREAM)
    handle = rig.send("reach_waypoint", place(30.0, 0.0))
    rig.until(lambda: rig.feedback)
    assert math.isnan(rig.feedback[0].cost)
    costs = [msg.CostStats(name="velocity", value=0.25), msg.CostStats(name="obstacle", value=0.5)]
    stats_pub.publish(msg.GuidanceStats(costs=costs))
    rig.until(lambda: rig.feedback[-1].cost == 0.75)
    rig.until(handle.cancel_goal_async().done)


def test_cancelling_ends_standing(rig):
    rig = rig()
    handle = rig.send("reach_waypoint", place(20.0, 0.0))
    rig.until(lambda: TERM.WAYPOINT in rig.kinds())
    rig.until(handle.cancel_goal_async().done)
    status, result = rig.end(handle)
    assert (status, result.error_code) == (CANCELED, WAYPOINT.CANCELED)
    rig.until(rig.standing)
    where = rig.robot.xy.copy()
    rig.live(0.3)
    assert np.linalg.norm(rig.robot.xy - where) < 0.2  # what it walked until it heard


def test_a_newer_goal_replaces_the_older_one_which_is_told_so(rig):
    rig = rig()
    first = rig.send("reach_waypoint", place(20.0, 0.0))
    second = rig.send("reach_waypoint", place(0.0, 1.0))
    status, result = rig.end(first)
    assert (status, result.error_code) == (ABORTED, WAYPOINT.PREEMPTED)
    assert rig.end(second)[0] == SUCCEEDED
    assert np.linalg.norm(rig.robot.xy - (0.0, 1.0)) < 0.5


def test_a_goal_that_is_refused_leaves_the_one_under_way_alone(rig):
    rig = rig()
    first = rig.send("reach_waypoint", place(3.0, 0.0))
    refused(rig, "reach_waypoint", place(math.nan, 0.0), WAYPOINT.INVALID_GOAL)
    assert rig.end(first)[0] == SUCCEEDED


@pytest.mark.parametrize(
    ("goal", "word"),
    [
        (place(math.nan, 0.0), "not finite"),
        (place(5000.0, 0.0), "too large"),
        (action.ReachWaypoint.Goal(pose=pose(1, 0), position_tolerance=-0.1), "position_tolerance"),
        (action.ReachWaypoint.Goal(pose=pose(1, 0), position_tolerance=1e9), "position_tolerance"),
        (action.ReachWaypoint.Goal(pose=pose(1, 0), speed_limit=math.nan), "speed_limit"),
        (action.ReachWaypoint.Goal(pose=pose(1, 0), speed_limit=1e9), "too large"),
        (action.ReachWaypoint.Goal(pose=pose(1, 0), timeout=duration_to_msg(-1.0)), "timeout"),
    ],
    ids=[
        "nan",
        "beyond any map",
        "negative tolerance",
        "huge tolerance",
        "nan speed",
        "huge speed",
        "negative timeout",
    ],
)
def test_a_waypoint_that_is_none_is_refused_as_invalid(rig, goal, word):
    refused(rig(**{"scene.avoid": False}), "reach_waypoint", goal, WAYPOINT.INVALID_GOAL, word)


def test_an_orientation_that_nobody_filled_in_is_no_heading(rig):
    goal = place(1.0, 0.0, yaw=0.0)
    goal.pose.pose.orientation.w = 0.0
    refused(rig(), "reach_waypoint", goal, WAYPOINT.INVALID_GOAL, "orientation")


def test_an_unknown_frame_is_refused_and_the_known_ones_are_named(rig):
    refused(rig(), "reach_waypoint", place(1, 0, frame="kitchen"), WAYPOINT.UNKNOWN_FRAME, "'kitchen'", "odom")


@pytest.mark.parametrize("offset", [-60.0, 5.0], ids=["a minute old", "from the future"])
def test_a_goal_stamped_by_another_clock_is_refused(rig, offset):
    rig = rig()
    refused(rig, "reach_waypoint", place(1, 0, stamp=rig.now() + offset), WAYPOINT.STALE_CLOCK, "use_sim_time")


def test_when_the_robots_own_clock_is_not_ours_nothing_is_begun(rig):
    rig = rig()
    rig.robot.clock_error = 30.0
    refused(rig, "reach_waypoint", place(1, 0), WAYPOINT.STALE_CLOCK, "robot_state", "30")


def test_a_place_inside_an_obstacle_is_refused(rig):
    rig = rig()
    rig.publisher(msg.SdfScene, "sdf_scene", qos.LATCHED).publish(scene(pillar("tree", 2.0, 0.0, 0.5)))
    rig.until(lambda: TERM.SDF in rig.kinds())
    refused(rig, "reach_waypoint", place(2.2, 0.0), WAYPOINT.INSIDE_OBSTACLE, "clearance")


def test_a_place_behind_walls_without_a_door_has_no_route(rig):
    rig = rig()
    north, south = wall("north", 4.0, 1.5, 3.2, 0.2), wall("south", 4.0, -1.5, 3.2, 0.2)
    west, east = wall("west", 2.5, 0.0, 0.2, 3.2), wall("east", 5.5, 0.0, 0.2, 3.2)
    rig.publisher(msg.SdfScene, "sdf_scene", qos.LATCHED).publish(scene(north, south, west, east))
    rig.until(lambda: TERM.SDF in rig.kinds())
    refused(rig, "reach_waypoint", place(4.0, 0.0), WAYPOINT.NO_ROUTE, "no way")


def test_a_robot_that_does_not_get_there_in_time_is_told_to_stand_with_timeout(rig):
    rig = rig()
    rig.robot.speed = 0.0
    goal = place(2.0, 0.0)
    goal.timeout = duration_to_msg(0.4)
    refused(rig, "reach_waypoint", goal, WAYPOINT.TIMEOUT, "2.00 m left")
    rig.until(rig.standing)


def test_a_robot_that_makes_no_progress_is_stuck(rig):
    rig = rig(**{"tasks.waypoint.stuck_time": 1.0})
    rig.robot.speed = 0.05
    refused(rig, "reach_waypoint", place(2.0, 0.0), WAYPOINT.STUCK, "progress")


def test_the_tolerance_of_a_goal_replaces_the_servers(rig):
    rig = rig()
    goal = place(2.0, 0.0)
    goal.position_tolerance = 1.5
    assert rig.do("reach_waypoint", goal)[0] == SUCCEEDED
    loose = 2.0 - rig.robot.xy[0]
    goal.position_tolerance = 0.05
    _, result = rig.do("reach_waypoint", goal)
    assert result.final_distance <= 0.05
    assert loose < 1.5


def test_the_speed_limit_of_a_goal_reaches_the_planner(rig):
    rig = rig()
    goal = place(20.0, 0.0)
    goal.speed_limit = 0.25
    handle = rig.send("reach_waypoint", goal)
    rig.until(lambda: TERM.WAYPOINT in rig.kinds())
    assert next(t for t in rig.goals[-1].terms if t.type == TERM.WAYPOINT).waypoint_speed == 0.25
    rig.until(handle.cancel_goal_async().done)


# ------------------------------------------------------------- who is there at all


@pytest.mark.parametrize(
    ("spoil", "code", "word"),
    [
        ({"alive": False}, "NOT_READY", "robot_state"),
        ({"executor": EXECUTOR.DISARMED}, "NOT_READY", "executor"),
        ({"executor": EXECUTOR.E_STOP}, "ROBOT_FELL", "executor"),
        ({"planner": PLANNER.FAULT}, "NOT_READY", "planner"),
    ],
    ids=["no state", "disarmed", "e-stop", "planner fault"],
)
def test_without_a_robot_that_is_tracking_nothing_is_begun(rig, spoil, code, word):
    rig = rig(**{"ready.state_timeout": 0.2})
    vars(rig.robot).update(spoil)
    rig.live(0.4)
    refused(rig, "reach_waypoint", place(1, 0), getattr(WAYPOINT, code), word)
    refused(rig, "reach_keyframe", keyframe(rig), getattr(KEYFRAME, code), word)
    refused(rig, "stand", action.Stand.Goal(), getattr(STAND, code), word)


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        ({"executor": EXECUTOR.DAMPING}, WAYPOINT.ROBOT_FELL),
        ({"executor": EXECUTOR.DISARMED}, WAYPOINT.NOT_READY),
        ({"planner": PLANNER.INACTIVE}, WAYPOINT.NOT_READY),
        ({"alive": False}, WAYPOINT.NOT_READY),
    ],
    ids=["damping", "disarmed", "planner stopped", "state silent"],
)
def test_a_task_ends_when_the_robot_is_lost_on_the_way(rig, spoil, code):
    rig = rig(**{"ready.state_timeout": 0.3})
    handle = rig.send("reach_waypoint", place(30.0, 0.0))
    rig.until(lambda: rig.feedback)
    vars(rig.robot).update(spoil)
    status, result = rig.end(handle)
    assert (status, result.error_code) == (ABORTED, code), result.error_msg
    rig.until(rig.standing)


def test_a_task_lives_through_a_short_hold_of_the_executor_and_not_through_a_long_one(rig):
    rig = rig(**{"ready.hold_timeout": 1.0})
    handle = rig.send("reach_waypoint", place(30.0, 0.0))
    rig.robot.executor = EXECUTOR.HOLD
    rig.live(0.3)
    rig.robot.executor = EXECUTOR.TRACKING
    rig.live(1.0)
    assert handle.status == GoalStatus.STATUS_EXECUTING
    rig.robot.executor = EXECUTOR.HOLD
    status, result = rig.end(handle)
    assert (status, result.error_code) == (ABORTED, WAYPOINT.NOT_READY)
    refused(rig, "stand", action.Stand.Goal(), STAND.NOT_READY, "state 2")


def test_an_inactive_server_takes_no_goals(rig):
    rig = rig()
    rig.node.trigger_deactivate()
    future = rig.clients["stand"].send_goal_async(action.Stand.Goal())
    rig.until(future.done)
    assert not future.result().accepted


# ------------------------------------------------------------------- the operator


def test_a_command_from_the_operator_ends_the_task_and_counts_itself(rig):
    rig = rig()
    handle = rig.send("reach_waypoint", place(0.0, 20.0))
    rig.until(lambda: TERM.WAYPOINT in rig.kinds())
    future = handle.get_result_async()
    rig.ros.until(future.done, lambda: (rig.steer(0.4), rig.robot.step()))
    assert (future.result().status, future.result().result.error_code) == (ABORTED, WAYPOINT.TELEOP)
    rig.ros.until(lambda: rig.goals[-1].terms[0].velocity.twist.linear.x == 0.4, lambda: rig.steer(0.4))
    rig.until(rig.standing)  # the command has run out, the task does not come back


def test_while_the_operator_steers_no_task_begins(rig):
    rig = rig(cmd_vel_timeout=5.0)
    rig.ros.until(lambda: rig.goals and not rig.standing(), lambda: (rig.steer(0.4), rig.robot.step()))
    refused(rig, "reach_waypoint", place(1.0, 0.0), WAYPOINT.TELEOP, "operator")
    refused(rig, "stand", action.Stand.Goal(), STAND.TELEOP)


def test_zeros_on_cmd_vel_do_not_end_a_task(rig):
    """Teleop nodes and Nav2 repeat them when nothing is wanted."""
    rig = rig()
    handle = rig.send("reach_waypoint", place(1.5, 0.0))
    future = handle.get_result_async()
    rig.ros.until(future.done, lambda: (rig.steer(0.0), rig.robot.step()))
    assert future.result().status == SUCCEEDED


def test_clearing_ends_the_task_and_stands(rig):
    rig = rig()
    handle = rig.send("reach_waypoint", place(20.0, 0.0))
    assert rig.ros.ask("guidance/clear").success
    status, result = rig.end(handle)
    assert (status, result.error_code) == (ABORTED, WAYPOINT.CANCELED)
    rig.until(rig.standing)


# ----------------------------------------------------------- stand, reach_keyframe


def test_stand_stops_a_robot_under_way_and_replaces_its_task(rig):
    rig = rig()
    walking = rig.send("reach_waypoint", place(20.0, 0.0))
    rig.until(lambda: rig.robot.xy[0] > 0.5)
    goal = action.Stand.Goal(hold_time=duration_to_msg(0.3))
    status, result = rig.do("stand", goal)
    assert (status, result.error_code) == (SUCCEEDED, STAND.NONE)
    assert result.final_speed < 0.15
    assert rig.end(walking)[1].error_code == WAYPOINT.PREEMPTED


def test_a_robot_that_never_comes_to_rest_is_told_so(rig):
    rig = rig()
    rig.robot._wanted = lambda: np.array([0.5, 0.0])
    goal = action.Stand.Goal(timeout=duration_to_msg(1.3))
    refused(rig, "stand", goal, STAND.TIMEOUT, "0.50 m/s")


def test_stand_refuses_a_tolerance_that_is_none(rig):
    refused(rig(), "stand", action.Stand.Goal(speed_tolerance=-1.0), STAND.INVALID_GOAL, "speed_tolerance")


@pytest.mark.parametrize("name", ["stand", "reach_keyframe"])
def test_the_other_actions_can_be_cancelled_and_replaced_too(rig, name):
    rig = rig()
    goal = {"stand": action.Stand.Goal(hold_time=duration_to_msg(30.0)), "reach_keyframe": keyframe(rig, 30.0)}[name]
    code = {"stand": STAND, "reach_keyframe": KEYFRAME}[name]
    first = rig.send(name, goal)
    second = rig.send(name, goal)
    assert rig.end(first)[1].error_code == code.PREEMPTED
    rig.until(second.cancel_goal_async().done)
    status, result = rig.end(second)
    assert (status, result.error_code) == (CANCELED, code.CANCELED)


@cache
def kinematics():
    from beyondmimic_diffusion.core.robot.kinematics import Kinematics

    return Kinematics()


def keyframe(rig, delay=0.6, body="left_wrist_yaw_link", shift=0.0, frame="pelvis"):
    """The pose that the made-up robot has, for one hand; ``shift`` metres beside it."""
    state = rig.robot.state()
    index = next(i for i, p in enumerate(g1.KEY_POINTS) if p.body == body) if body.startswith("left") else 0
    point = kinematics().key_points(state)[0][index] - (state.root_pos_w if frame == "pelvis" else 0.0)
    entry = msg.Keyframe(body_names=[body], poses=[Pose()])
    entry.header.frame_id, entry.header.stamp = frame, time_to_msg(rig.now() + delay)
    position = entry.poses[0].position
    position.x, position.y, position.z = (float(v) for v in point + np.array([0.0, shift, 0.0]))
    return action.ReachKeyframe.Goal(keyframes=[entry])


@pytest.mark.parametrize("frame", ["pelvis", "odom"])
def test_a_keyframe_that_the_robot_takes_up_in_time_is_reached(rig, frame):
    rig = rig()
    status, result = rig.do("reach_keyframe", keyframe(rig, frame=frame))
    assert (status, result.error_code) == (SUCCEEDED, KEYFRAME.NONE)
    assert list(result.position_error) == [pytest.approx(0.0, abs=1e-3)]
    assert rig.feedback[0].current_keyframe == 0
    assert any(TERM.KEYFRAME in [t.type for t in goal.terms] for goal in rig.goals)


def test_a_keyframe_whose_time_passes_elsewhere_is_missed_by_what_it_was_missed(rig):
    rig = rig()
    result = refused(rig, "reach_keyframe", keyframe(rig, shift=0.4), KEYFRAME.MISSED, "0.40 m")
    assert list(result.position_error) == [pytest.approx(0.4, abs=1e-3)]


def test_a_keyframe_of_the_past_an_unknown_body_or_an_unknown_frame_are_refused(rig):
    rig = rig()
    refused(rig, "reach_keyframe", keyframe(rig, delay=-1.0), KEYFRAME.STALE_CLOCK, "already")
    refused(rig, "reach_keyframe", keyframe(rig, delay=1e6), KEYFRAME.STALE_CLOCK, "use_sim_time")
    refused(rig, "reach_keyframe", keyframe(rig, body="third_arm"), KEYFRAME.INVALID_GOAL, "third_arm", "left_toe")
    refused(rig, "reach_keyframe", keyframe(rig, frame="stage"), KEYFRAME.UNKNOWN_FRAME, "'stage'")
    refused(rig, "reach_keyframe", action.ReachKeyframe.Goal(), KEYFRAME.INVALID_GOAL)
