"""Estimator, executor and supervisor behind Unitree's DDS, on lo; the robot is one that stands still."""

import itertools
import os
import re
import threading
import time

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
bm = pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")

from beyondmimic_diffusion.core.errors import ConfigError  # noqa: E402
from beyondmimic_diffusion.core.robot import g1  # noqa: E402
from beyondmimic_diffusion.core.types import ImuSample, JointSample  # noqa: E402
from beyondmimic_diffusion.nodes.action_executor_node import ActionExecutorNode  # noqa: E402
from beyondmimic_diffusion.nodes.state_estimator_node import StateEstimatorNode  # noqa: E402
from beyondmimic_diffusion.nodes.supervisor_node import SupervisorNode  # noqa: E402
from beyondmimic_diffusion.robot_io.unitree_board import UnitreeBoard  # noqa: E402
from beyondmimic_diffusion.robot_io.unitree_dds import (  # noqa: E402
    LOW_CMD,
    LOW_CMD_DRY_RUN,
    Participant,
    RawReader,
    RawWriter,
)
from beyondmimic_diffusion.robot_io.unitree_remote import encode_remote  # noqa: E402
from beyondmimic_diffusion.robot_io.unitree_wire import decode_low_cmd  # noqa: E402
from beyondmimic_diffusion.ros import qos  # noqa: E402
from sensor_msgs.msg import BatteryState, Imu, JointState, Joy  # noqa: E402
from std_msgs.msg import Bool  # noqa: E402

pytestmark = [pytest.mark.ros, pytest.mark.unitree]
STATE = bm.ExecutorState
DOMAINS = itertools.count(os.getpid())
KNEE = g1.JOINT_NAMES.index("left_knee_joint")
MARK = 1.5
"""Damping by which the supervisor's frames are told from the executor's, which use 5 and 1."""
TIMES = {
    "blend_time": 0.05, "realtime_priority": 0, "watchdog.state_hold": 0.5, "watchdog.state_damp": 1.0,
    "watchdog.pause_after": 1.0, "arming.max_state_age": 1.0, "robot_checks.max_age": 1.0,
}  # fmt: skip
"""In one process with the test's own callbacks all is late; what is tested is the reaction, not the figure."""


class Robot:
    """A simulated Unitree robot at rest, and what it was told."""

    def __init__(self, domain: int):
        self.domain = domain
        self.board = UnitreeBoard(domain)
        self.position = np.array(g1.DEFAULT_JOINT_POS)
        self.started = time.monotonic() - 100.0
        self.heard = {channel: [] for channel in (LOW_CMD, LOW_CMD_DRY_RUN)}
        participant = Participant(domain, "lo", "witness")
        self._readers = [
            RawReader(participant, channel, lambda cdr, kept=kept: kept.append(decode_low_cmd(cdr)))
            for channel, kept in self.heard.items()
        ]

    def sample_now(self) -> None:
        """Say where it is."""
        stamp = time.monotonic() - self.started
        zero = np.zeros(g1.NUM_JOINTS)
        imu = ImuSample(stamp, np.array([1.0, 0.0, 0.0, 0.0]), np.zeros(3), np.array([0.0, 0.0, 9.81]))
        self.board.publish(imu, JointSample(stamp, self.position, zero, zero))

    @property
    def commands(self) -> list:
        """On the topic of the motors."""
        return self.heard[LOW_CMD]

    def close(self) -> None:
        for reader in self._readers:
            reader.close()
        self.board.close()


@pytest.fixture
def robot():
    robot = Robot(150 + next(DOMAINS) % 50)
    yield robot
    robot.close()


@pytest.fixture(autouse=True)
def page(tmp_path, monkeypatch):
    """A lease of its own for each test: all of them are one process in one domain."""
    for node in ("action_executor", "supervisor"):
        monkeypatch.setattr(f"beyondmimic_diffusion.nodes.{node}_node.lease_path", lambda _: tmp_path / "lease")


@pytest.fixture(autouse=True)
def unhurried(monkeypatch):
    """A collection of all that a test process holds takes longer than a robot may be unheard of."""
    monkeypatch.setattr("beyondmimic_diffusion.nodes.action_executor_node._stop_collecting", lambda: None)
    monkeypatch.setattr("beyondmimic_diffusion.nodes.action_executor_node._SERVICE_TIMEOUT", 20.0)


@pytest.fixture
def reach(robot):
    """Parameters with which a node reaches the robot."""
    return {
        "robot_interface": "unitree",
        "unitree.network_interface": "lo",
        "unitree.domain": robot.domain,
        "unitree.dry_run": False,
    }


@pytest.fixture
def executor(ros, robot, reach, manifest_folder):
    """An executor that has met the robot."""

    def make(**parameters):
        node = ros.make(ActionExecutorNode, {"policy": str(manifest_folder), **TIMES, **reach, **parameters})
        ros.until(lambda: node._gate.ready, robot.sample_now)
        return node

    return make


def ask(ros, robot, service):
    """Call a service while the robot goes on speaking."""
    stop = threading.Event()

    def speak():
        while not stop.wait(0.02):
            robot.sample_now()

    thread = threading.Thread(target=speak)
    thread.start()
    try:
        return ros.ask(service)
    finally:
        stop.set()
        thread.join()


def test_the_estimator_tells_on_ros_topics_what_low_state_holds(ros, robot, reach):
    joints, imus = ros.heard(JointState, "joint_states", qos.STREAM), ros.heard(Imu, "imu/data", qos.STREAM)
    states, pads = ros.heard(bm.RobotState, "robot_state", qos.NEWEST), ros.heard(Joy, "joy", qos.STREAM)
    batteries = ros.heard(BatteryState, "battery_state", qos.STREAM)
    robot.board.remote = encode_remote({"L1"}, left=(0.25, 0.5))
    estimator = ros.make(StateEstimatorNode, {"root_source": "proprioception", **reach})
    assert estimator.autostart()
    ros.until(lambda: len(states) > 3 and joints and imus and pads and batteries, robot.sample_now)
    assert dict(zip(joints[-1].name, joints[-1].position, strict=True)) == pytest.approx(
        dict(zip(g1.JOINT_NAMES, g1.DEFAULT_JOINT_POS, strict=True)), abs=1e-6
    )
    assert imus[-1].linear_acceleration.z == pytest.approx(9.81, abs=1e-5)
    assert states[-1].odom_source == bm.RobotState.ODOM_LEG
    assert pads[-1].buttons[4] == 1  # L1, the dead-man
    assert batteries[-1].voltage == pytest.approx(48.0)
    assert pads[-1].axes[:2] == pytest.approx([-0.25, 0.5])
    now = ros.probe.get_clock().now().nanoseconds * 1e-9
    assert now - 10.0 < joints[-1].header.stamp.sec < now + 1.0


def test_the_robots_own_controller_lets_go_before_the_first_command_and_arming_asks_for_it(ros, robot, executor):
    executor()
    for _ in range(15):
        robot.sample_now()
        ros.spin(0.02)
    answer = ask(ros, robot, "executor/arm")
    assert not answer.success
    assert "call executor/take_motors" in answer.message
    assert not robot.commands
    assert robot.board.switcher.mode == "ai"

    assert ask(ros, robot, "executor/take_motors").success
    assert robot.board.switcher.mode == ""
    ros.until(lambda: robot.board.command() is not None, robot.sample_now)
    assert not robot.board.command().kp.any()
    np.testing.assert_allclose(robot.board.command().position, g1.DEFAULT_JOINT_POS, atol=1e-6)
    assert ask(ros, robot, "executor/arm").success
    ros.until(lambda: robot.board.command().kp.any(), robot.sample_now)
    assert {command.mode_machine for command in robot.commands} == {5}
    assert not robot.board.refused


def test_a_robot_that_was_switched_off_and_on_has_its_own_controller_again(ros, robot, executor):
    executor()
    assert ask(ros, robot, "executor/take_motors").success
    robot.board.forget()
    robot.started = time.monotonic()  # its ticks begin anew
    ros.until(lambda: "take_motors" in ask(ros, robot, "executor/arm").message, robot.sample_now)
    ros.spin(0.1)
    said = len(robot.commands)
    for _ in range(10):
        robot.sample_now()
        ros.spin(0.02)
    assert len(robot.commands) == said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda robot: setattr(robot.board, "mode_machine", 6), "mode_machine 6.*made for 5"),
        (lambda robot: setattr(robot.board, "remote", bytes(40)), "remote has not been heard"),
        (lambda robot: setattr(robot.board, "remote", encode_remote({"A"})), "remote is not at rest"),
        (lambda robot: setattr(robot.board.switcher, "force_code", 7002), "take_motors"),
    ],
    ids=["another robot", "remote off", "button held", "own controller busy"],
)
def test_arming_is_refused_for_what_the_robot_says_of_itself(ros, robot, executor, change, said):
    change(robot)
    executor()
    answer = ask(ros, robot, "executor/arm")
    assert not answer.success
    assert re.search(said, answer.message), answer.message


def test_the_remotes_chord_for_damping_is_an_emergency_stop_for_us_too(ros, robot, executor):
    states = ros.heard(STATE, "executor/state", qos.LATCHED)
    executor()
    assert ask(ros, robot, "executor/take_motors").success
    assert ask(ros, robot, "executor/arm").success
    robot.board.remote = encode_remote({"L2", "B"})
    ros.until(lambda: states and states[-1].state == STATE.E_STOP, robot.sample_now)
    ros.until(lambda: not robot.board.command().kp.any(), robot.sample_now)


def test_a_second_program_that_writes_low_cmd_stops_the_robot_and_is_named(ros, robot, executor):
    states = ros.heard(STATE, "executor/state", qos.LATCHED)
    executor()
    assert ask(ros, robot, "executor/take_motors").success
    assert ask(ros, robot, "executor/arm").success
    intruder = RawWriter(Participant(robot.domain, "lo", "somebody_else"), LOW_CMD)
    ros.until(lambda: states and states[-1].state == STATE.E_STOP, robot.sample_now)
    assert "another node commands the motors" in states[-1].message
    answer = ask(ros, robot, "executor/arm")
    assert not answer.success
    assert "somebody_else" in answer.message
    assert intruder.channel is LOW_CMD


def test_a_dry_run_commands_a_topic_of_its_own_and_leaves_the_robot_to_its_controller(ros, robot, executor):
    executor(**{"unitree.dry_run": True})
    assert ask(ros, robot, "executor/arm").success
    dry = robot.heard[LOW_CMD_DRY_RUN]
    ros.until(lambda: dry and dry[-1].kp.any(), robot.sample_now)
    assert not robot.commands
    assert robot.board.switcher.mode == "ai"


def test_the_supervisor_damps_over_dds_once_the_armed_executor_stands_still(ros, robot, reach, executor, monkeypatch):
    damping = ros.heard(Bool, "supervisor/damping", qos.LATCHED)
    ros.make(
        SupervisorNode, {"timeout": 1.0, "damping_kd": MARK, "realtime_priority": 0, "farewell_time": 0.0, **reach}
    )
    node = executor(supervised=True)
    let_go = threading.Event()
    let_go.set()
    write = node._robot.write
    monkeypatch.setattr(node._robot, "write", lambda command: (let_go.wait(20.0), write(command)))
    assert ask(ros, robot, "executor/take_motors").success
    assert ask(ros, robot, "executor/arm").success
    for _ in range(15):
        robot.sample_now()
        ros.spin(0.02)
    assert not any(command.kd[0] == pytest.approx(MARK) for command in robot.commands)
    try:
        robot.position[KNEE] = 0.77
        let_go.clear()
        ros.until(lambda: damping and damping[-1].data, robot.sample_now)
        ros.until(lambda: robot.board.command().kd[0] == pytest.approx(MARK), robot.sample_now)
        ros.until(lambda: robot.board.command().position[KNEE] == pytest.approx(0.77), robot.sample_now)
        assert not robot.board.command().kp.any()
        assert robot.commands[-1].mode_machine == 5
    finally:
        let_go.set()


def test_damaged_low_states_are_not_used(ros, robot, reach, manifest_folder):
    node = ros.make(ActionExecutorNode, {"policy": str(manifest_folder), **TIMES, **reach})
    writer, whole = robot.board._states, []
    robot.board._states = type("Tap", (), {"write": staticmethod(whole.append)})
    for _ in range(15):
        robot.sample_now()
        damaged = bytearray(whole[-1])
        damaged[100] ^= 0x40
        writer.write(bytes(damaged))
        ros.spin(0.02)
    ros.until(lambda: node._robot.values()["bad_checksums"] > 0)
    assert node._state is None
    answer = ros.ask("executor/arm")
    assert not answer.success
    assert "wrong checksum" in answer.message


def test_a_node_refuses_simulated_time_towards_anything_but_this_machine(ros, reach, manifest_folder):
    settings = {"policy": str(manifest_folder), **reach, "unitree.network_interface": "eth7", "use_sim_time": True}
    with pytest.raises(ConfigError, match=r"a robot has no /clock, .*set use_sim_time to false"):
        ros.make(ActionExecutorNode, settings)
