"""Arming, playing, damping: the reactions, over topics."""

import gc
import json
import threading

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
bm = pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")

from beyondmimic_diffusion.core.errors import ArtifactMismatchError, ConfigError  # noqa: E402
from beyondmimic_diffusion.core.execution.stage_latency import Stage  # noqa: E402
from beyondmimic_diffusion.core.robot import g1  # noqa: E402
from beyondmimic_diffusion.core.types import Plan  # noqa: E402
from beyondmimic_diffusion.nodes.action_executor_node import ActionExecutorNode  # noqa: E402
from beyondmimic_diffusion.ros import qos  # noqa: E402
from beyondmimic_diffusion.ros.conversions import plan_to_msg, time_from_msg  # noqa: E402
from beyondmimic_msgs.srv import SetMode  # noqa: E402
from sensor_msgs.msg import Joy  # noqa: E402
from std_msgs.msg import Bool  # noqa: E402

pytestmark = pytest.mark.ros
STATE = bm.ExecutorState
KNEE = g1.JOINT_NAMES.index("left_knee_joint")
FAST = {"blend_time": 0.05, "plan_blend": 0.0, "realtime_priority": 0}
# In one process with the test's own callbacks a tick may be late; what is tested here is the reaction, not the figure.
PATIENT = {
    "watchdog.state_hold": 0.5, "watchdog.state_damp": 1.0, "watchdog.pause_after": 1.0, "coast_limit": 0.3,
    "arming.max_state_age": 1.0,
}  # fmt: skip


class Session:
    """An executor, a robot at rest, and a planner that sends the stand pose with one knee bent a little."""

    def __init__(self, ros, robot, folder, **parameters):
        self.ros, self.robot = ros, robot
        self.states = ros.heard(STATE, "executor/state", qos.LATCHED)
        self.commands = ros.heard(bm.JointCommand, "motor_command", qos.NEWEST)
        self.applied = ros.heard(bm.JointCommand, "applied_joint_commands", qos.DECIMATED)
        self.stops = ros.heard(Bool, "e_stop", qos.LATCHED)
        self.node = ros.make(ActionExecutorNode, {"policy": str(folder), **FAST, **PATIENT, **parameters})
        self.plan_pub = ros.probe.create_publisher(bm.ActionPlan, "plan", qos.plan(0.32))
        self.plan_id = 0
        self.target = np.array(g1.DEFAULT_JOINT_POS)
        self.target[KNEE] += 0.05
        for publisher in (robot.imu_pub, robot.joint_pub, self.plan_pub):
            ros.connected(publisher)

    @property
    def state(self):
        return self.states[-1].state if self.states else None

    def plan(self, **changes):
        now = self.robot.sample_now()
        self.plan_id += 1
        values = {
            "plan_id": self.plan_id, "session_id": 9, "stamp": now, "observation_stamp": now, "step_dt": 0.02,
            "joint_targets": np.tile(self.target, (16, 1)), "trusted_steps": 16, "first_step": 1,
            "valid_until": now + 0.32, **changes,
        }  # fmt: skip
        self.plan_pub.publish(plan_to_msg(Plan(**values), g1.JOINT_NAMES))

    def arm(self):
        self.ros.until(lambda: self.node._gate.ready, self.robot.sample_now)
        answer = self.ros.ask("executor/arm")
        assert answer.success, answer.message

    def track(self):
        self.arm()
        self.ros.until(lambda: self.state == STATE.TRACKING, self.plan)


@pytest.fixture
def session(ros, robot, manifest_folder):
    return lambda **parameters: Session(ros, robot, manifest_folder, **parameters)


def test_disarmed_it_streams_weak_damping_without_stiffness(session):
    executor = session()
    executor.ros.until(lambda: executor.commands and executor.states, executor.robot.sample_now)
    command = executor.commands[-1]
    assert executor.state == STATE.DISARMED
    assert set(command.kp) == {0.0}
    assert set(command.kd) == {1.0}


def test_arming_without_samples_is_refused_with_the_reason(session):
    executor = session()
    answer = executor.ros.ask("executor/arm")
    assert not answer.success
    assert "no robot state received" in answer.message


def test_armed_and_fed_with_plans_it_plays_them_with_the_gains_of_the_manifest(session):
    executor = session()
    executor.track()
    executor.ros.until(lambda: executor.commands[-1].position[KNEE] > g1.DEFAULT_JOINT_POS[KNEE] + 0.049, executor.plan)
    command = executor.commands[-1]
    assert list(command.kp) == pytest.approx(list(g1.KP), rel=1e-6)  # float32
    assert list(command.kd) == pytest.approx(list(g1.KD), rel=1e-6)


def test_when_plans_stop_it_coasts_then_damps_and_says_why(session):
    executor = session(**{"standing.enabled": False})
    executor.track()
    executor.ros.until(lambda: executor.state == STATE.DAMPING, executor.robot.sample_now)
    seen = [m.state for m in executor.states]
    assert STATE.COASTING in seen[seen.index(STATE.TRACKING) :]
    assert executor.states[-1].reason == STATE.PLAN_STALE
    executor.ros.until(lambda: set(executor.commands[-1].kp) == {0.0}, executor.robot.sample_now)


def test_when_plans_stop_the_walker_takes_over_at_the_same_gains_until_they_come_again(session):
    executor = session(**{"standing.resume_time": 0.2, "standing.load_time": 0.05})
    executor.target[KNEE] -= 0.3  # plans that stretch the knee of a robot that bears on it
    executor.track()
    executor.ros.until(lambda: executor.node._executor._standing._load > 10.0, executor.plan)
    executor.ros.until(lambda: executor.state == STATE.RETURN_TO_STAND, executor.robot.sample_now)
    assert "stepping to a stand" in executor.states[-1].message
    count = len(executor.commands)
    executor.ros.until(lambda: len(executor.commands) > count + 40, executor.robot.sample_now)
    targets = np.array([command.position for command in executor.commands[count:]])
    assert np.ptp(targets, axis=0).max() > 1e-3, "a walker's targets follow what it sees"
    for command in executor.commands[count:]:
        assert list(command.kp) == pytest.approx(list(g1.KP), rel=1e-6)
    executor.ros.until(lambda: executor.state == STATE.TRACKING, executor.plan)


def test_an_operator_has_it_stand_though_plans_come_and_lets_it_go_on(session):
    executor = session(**{"standing.load_time": 0.05})
    executor.target[KNEE] -= 0.3
    executor.track()
    executor.ros.until(lambda: executor.node._executor._standing._load > 10.0, executor.plan)
    request = SetMode.Request(mode=SetMode.Request.RETURN_TO_STAND)
    answer = executor.ros.ask("executor/set_mode", SetMode, request)
    assert answer.success and answer.state == STATE.RETURN_TO_STAND, answer.message
    executor.ros.until(lambda: executor.states[-1].reason == STATE.OPERATOR, executor.plan)
    assert not executor.ros.ask("executor/set_mode", SetMode, SetMode.Request(mode=STATE.E_STOP)).success
    assert executor.ros.ask("executor/set_mode", SetMode, SetMode.Request(mode=STATE.TRACKING)).success
    executor.ros.until(lambda: executor.state == STATE.TRACKING, executor.plan)


def test_when_plans_stop_a_robot_at_rest_stands_on_its_ankles_until_they_come_again(session):
    executor = session(**{"standing.policy": ""})
    executor.track()
    executor.ros.until(lambda: executor.state == STATE.RETURN_TO_STAND, executor.robot.sample_now)
    assert executor.states[-1].reason == STATE.PLAN_STALE
    executor.ros.until(lambda: executor.commands[-1].kp[KNEE] > 2.9 * g1.KP[KNEE], executor.robot.sample_now)
    assert executor.commands[-1].position[KNEE] == pytest.approx(g1.DEFAULT_JOINT_POS[KNEE], abs=1e-3)
    executor.ros.until(lambda: executor.state == STATE.TRACKING, executor.plan)


def test_when_samples_stop_it_damps(session):
    executor = session(**{"watchdog.state_hold": 0.1, "watchdog.state_damp": 0.2})
    executor.track()
    executor.ros.until(lambda: executor.state == STATE.DAMPING)
    assert executor.states[-1].reason in (STATE.STATE_STALE, STATE.PLAN_STALE)


def test_an_emergency_stop_damps_is_announced_and_its_release_ends_disarmed(session):
    executor = session()
    executor.track()
    assert executor.ros.ask("e_stop_trigger").success
    executor.ros.until(lambda: executor.stops and executor.stops[-1].data and executor.state == STATE.E_STOP)
    assert not executor.ros.ask("executor/arm").success
    answer = executor.ros.ask("e_stop_reset")
    assert answer.success, answer.message
    executor.ros.until(lambda: not executor.stops[-1].data and executor.state == STATE.DISARMED)


def test_a_second_node_that_commands_the_motors_stops_the_robot_is_named_and_bars_arming_until_it_is_gone(session):
    executor = session()
    executor.track()
    intruder = executor.ros.probe.create_publisher(bm.JointCommand, "motor_command", qos.NEWEST)
    executor.ros.until(lambda: executor.state == STATE.E_STOP, executor.plan)
    assert "another node commands the motors" in executor.states[-1].message
    executor.ros.spin(0.05)
    for service in ("e_stop_reset", "executor/arm"):
        answer = executor.ros.ask(service)
        assert not answer.success
    assert "/probe" in executor.ros.ask("e_stop_reset").message
    executor.ros.probe.destroy_publisher(intruder)
    executor.ros.until(lambda: not executor.node._strangers, executor.robot.sample_now)
    assert executor.ros.ask("e_stop_reset").success
    executor.arm()


@pytest.fixture
def rogue(session):
    """An executor that plays plans, and a second node that can send some, each after one of the planner's."""
    import rclpy

    executor = session()
    executor.track()
    node = executor.ros.add(rclpy.create_node("rogue", context=executor.ros.context))
    foreign, ours = node.create_publisher(bm.ActionPlan, "plan", qos.plan(0.32)), executor.plan_pub

    def send(ahead):
        executor.plan()
        executor.plan_pub, executor.plan_id = foreign, executor.plan_id + ahead - 1
        executor.plan()
        executor.plan_pub, executor.plan_id = ours, executor.plan_id - ahead

    executor.ros.until(lambda: executor.node._planners, executor.plan)
    return executor, send


def test_a_second_node_that_leaps_ahead_in_the_session_of_the_planner_is_refused_and_the_robot_walks_on(rogue):
    executor, send = rogue
    assert sorted(executor.node._planners) == ["/probe", "/rogue"]
    refused = executor.node._refused
    executor.ros.until(lambda: executor.node._refused > refused + 5, lambda: send(1000))
    assert executor.state in (STATE.TRACKING, STATE.COASTING)


def test_a_second_node_that_counts_on_in_the_session_of_the_planner_stops_the_robot_with_the_reason(rogue):
    executor, send = rogue
    executor.ros.until(lambda: executor.state == STATE.E_STOP, lambda: send(1))
    assert "another node sends plans" in executor.states[-1].message


def test_disarming_while_playing_goes_back_to_weak_damping(session):
    executor = session()
    executor.track()
    assert executor.ros.ask("executor/disarm").success
    executor.ros.until(lambda: executor.state == STATE.DISARMED, executor.robot.sample_now)


def test_garbage_is_collected_again_once_the_robot_is_disarmed_and_not_while_it_is_armed_or_damped(session):
    executor = session(**{"standing.enabled": False})
    assert gc.isenabled()
    executor.track()
    assert not gc.isenabled()
    executor.ros.until(lambda: executor.state == STATE.DAMPING, executor.robot.sample_now)
    assert not gc.isenabled()
    assert executor.ros.ask("executor/disarm").success
    executor.ros.until(lambda: executor.state == STATE.DISARMED)
    assert gc.isenabled()


def test_an_executor_that_ends_while_armed_leaves_garbage_collection_on(session):
    executor = session()
    executor.arm()
    assert not gc.isenabled()
    executor.node.close()
    assert gc.isenabled()


@pytest.mark.parametrize(
    "changes",
    [
        {"joint_targets": np.full((16, g1.NUM_JOINTS), np.nan)},
        {"trusted_steps": 20},
        {"observation_stamp": 0.0},
        {"stamp": 1.0, "observation_stamp": 1.0, "valid_until": 1.3},
    ],
    ids=["nan", "more trusted than sent", "zero stamp", "long past"],
)
def test_a_bad_plan_is_refused_and_counted_and_the_good_ones_go_on(session, changes):
    executor = session()
    executor.track()
    executor.plan(**changes)
    executor.ros.until(lambda: executor.states[-1].refused_plans >= 1, executor.plan)
    assert executor.state in (STATE.TRACKING, STATE.COASTING)


def test_applied_commands_carry_the_due_times_of_the_set_points_they_play(session):
    executor = session()
    executor.track()
    start = time_from_msg(executor.ros.probe.get_clock().now().to_msg())
    stamp = start + 0.02
    executor.plan(stamp=stamp, observation_stamp=start, first_step=0, valid_until=stamp + 0.32)
    due = [stamp + 0.02 * i for i in range(2, 6)]
    executor.ros.until(
        lambda: time_from_msg(executor.applied[-1].header.stamp) > due[-1] + 0.02, executor.robot.sample_now
    )
    applied = [time_from_msg(m.header.stamp) for m in executor.applied]
    for expected in due:
        assert min(abs(a - expected) for a in applied) < 2e-6  # the tolerance of due times, and a double at 1.7e9 s


def test_it_does_not_start_without_a_policy_or_with_that_of_another_robot_or_rate(ros, g1_manifest, tmp_path):
    from dataclasses import replace

    with pytest.raises(ConfigError, match="parameter 'policy' is empty"):
        ros.make(ActionExecutorNode)
    swapped = (g1_manifest.joint_names[1], g1_manifest.joint_names[0], *g1_manifest.joint_names[2:])
    replace(g1_manifest, joint_names=swapped).save(tmp_path)
    with pytest.raises(ArtifactMismatchError, match="left_hip"):
        ros.make(ActionExecutorNode, {"policy": str(tmp_path)})
    g1_manifest.save(tmp_path)
    with pytest.raises(ArtifactMismatchError, match="0.04"):
        ros.make(ActionExecutorNode, {"policy": str(tmp_path), "plan_period": 0.02})


def pad(*buttons, forward=0.0):
    message = Joy(axes=[0.0] * 8, buttons=[0] * 11)
    message.axes[1] = forward
    for button in buttons:
        message.buttons[button] = 1
    return message


@pytest.mark.parametrize("way", ["topic", "button"])
def test_an_emergency_stop_can_be_asked_for_by_topic_and_by_the_remotes_button(session, way):
    executor = session()
    executor.track()
    probe = executor.ros.probe
    if way == "topic":
        publisher, ask, harmless = probe.create_publisher(Bool, "e_stop_request", qos.ORDER), Bool(data=True), Bool()
    else:
        publisher, ask, harmless = probe.create_publisher(Joy, "joy", qos.STREAM), pad(1), pad(0)
    executor.ros.connected(publisher)
    publisher.publish(harmless)
    for _ in range(5):
        executor.plan()
        executor.ros.spin(0.02)
    assert executor.state != STATE.E_STOP
    publisher.publish(ask)
    executor.ros.until(lambda: executor.state == STATE.E_STOP, executor.plan)


def test_a_held_e_stop_button_bars_the_release_and_sticks_off_their_middle_bar_arming(session):
    executor = session()
    executor.track()
    remote = executor.ros.probe.create_publisher(Joy, "joy", qos.STREAM)
    executor.ros.connected(remote)
    executor.ros.until(lambda: executor.state == STATE.E_STOP, lambda: remote.publish(pad(1)))
    answer = executor.ros.ask("e_stop_reset")
    assert not answer.success
    assert answer.message == "the e-stop button is held down; let go of it"
    remote.publish(pad())
    executor.ros.spin(0.1)
    executor.robot.sample_now()
    executor.ros.spin(0.05)
    assert executor.ros.ask("e_stop_reset").success
    executor.ros.until(lambda: executor.state == STATE.DISARMED)
    remote.publish(pad(forward=0.8))
    executor.ros.spin(0.1)
    answer = executor.ros.ask("executor/arm")
    assert not answer.success
    assert answer.message == "the remote is not at rest: axis 1 at 0.80; let go of its sticks"


def test_where_a_remote_is_required_its_silence_bars_arming_with_the_remedy(session):
    executor = session(**{"remote.required": True})
    executor.ros.until(lambda: executor.node._state is not None, executor.robot.sample_now)
    answer = executor.ros.ask("executor/arm")
    assert not answer.success
    assert answer.message.startswith("the remote is silent: never heard; switch it on")


def test_at_the_end_the_latency_of_each_stage_is_in_the_log_and_in_the_file(session, tmp_path):
    path = tmp_path / "latency.json"
    executor = session(latency_report=str(path))
    executor.track()
    executor.ros.until(lambda: executor.node._statistics.stages.summaries()[Stage.TOTAL].count >= 3, executor.plan)
    executor.node.close()
    stages = json.loads(path.read_text())["stages"]
    assert stages["total"]["count"] >= 3
    assert stages["tick"]["count"] == stages["late"]["count"] >= 3
    assert 0.0 <= stages["plan"]["p50"] <= stages["plan"]["max"] < 0.3  # older ones are refused
    assert stages["slack"]["max"] <= 0.02  # a plan of the bench takes over 20 ms after its observation


def test_diagnostics_tell_latency_clamps_temperature_and_the_age_of_the_state(session):
    executor = session()
    executor.track()
    values = executor.node._diagnose().values
    assert {"observation_to_command_p99_ms", "plan_slack_p01_ms", "winding_temperature_C"} <= set(values)
    assert {"clamped_position", "clamped_rate", "clamped_torque", "state_age_ms", "remote"} <= set(values)


@pytest.mark.parametrize("service", ["executor/arm", "e_stop_trigger"])
def test_a_request_that_was_answered_failed_because_no_tick_came_is_not_done_by_a_later_one(session, service):
    executor = session()
    executor.ros.until(lambda: executor.node._state is not None and executor.states, executor.robot.sample_now)
    write, held, go_on = executor.node._robot.write, threading.Event(), threading.Event()
    executor.node._robot.write = lambda command: (held.set(), go_on.wait(20.0), write(command))
    try:
        assert held.wait(20.0)
        answer = executor.ros.ask(service)
    finally:
        go_on.set()
    assert not answer.success
    assert answer.message.endswith("no tick for 3 s; the request is dropped")
    heard = len(executor.states)
    executor.ros.until(lambda: len(executor.states) > heard + 3, executor.robot.sample_now)
    assert {message.state for message in executor.states} == {STATE.DISARMED}
