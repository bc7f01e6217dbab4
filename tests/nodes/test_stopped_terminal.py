"""Executor and supervisor in processes of their own, as shipped, with nobody who reads what they write."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
bm = pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")

from beyondmimic_diffusion.robot_io.command_lease import CommandLease, lease_path  # noqa: E402
from beyondmimic_diffusion.ros import qos  # noqa: E402
from std_msgs.msg import Bool  # noqa: E402

from tests.nodes.conftest import FakeRobot, Ros  # noqa: E402

pytestmark = pytest.mark.ros
STATE = bm.ExecutorState
PATIENT = {"watchdog.state_damp": 1.0, "watchdog.state_hold": 0.5, "arming.max_state_age": 1.0, "blend_time": 0.05}
"""The test's own samples come when it gets round to sending them."""
STARTUP = 120.0
"""How long two processes may take to come up on a busy machine; a bound against hanging, not a measurement [s]."""
MARK = 1.5
"""Damping by which the supervisor's frames are told from the executor's."""


@pytest.fixture
def full_pipe():
    """Writing end of a pipe into which nothing fits any more."""
    source, sink = os.pipe()
    os.set_blocking(sink, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(sink, 4096 * b"x")
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(sink, b"x")
    os.set_blocking(sink, True)
    yield sink
    os.close(sink)
    os.close(source)


@pytest.fixture
def start(full_pipe):
    """Starts one of our nodes that writes into the full pipe."""
    running = []

    def start_node(name, parameters):
        words = [word for key, value in parameters.items() for word in ("-p", f"{key}:={value}")]
        command = [sys.executable, "-m", f"beyondmimic_diffusion.nodes.{name}_node", "--ros-args", *words]
        running.append(subprocess.Popen(command, stdout=full_pipe, stderr=full_pipe))
        return running[-1]

    yield start_node
    for process in running:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()


class World:
    """The two processes, what they send, and a robot at rest."""

    def __init__(self, ros: Ros, robot: FakeRobot, start, folder):
        self.ros, self.robot = ros, robot
        self.commands = ros.heard(bm.JointCommand, "motor_command", qos.DECIMATED)
        self.states = ros.heard(STATE, "executor/state", qos.LATCHED)
        self.damping = ros.heard(Bool, "supervisor/damping", qos.LATCHED)
        self.supervisor = start("supervisor", {"damping_kd": MARK})
        self.executor = start("action_executor", {"policy": folder, **PATIENT})
        self.until(lambda: self.states and self.damping)

    def until(self, happened):
        end = time.monotonic() + STARTUP
        while not happened():
            assert time.monotonic() < end, "did not happen"
            self.robot.sample_now()
            self.ros.spin(0.02)

    def armed(self):
        for publisher in (self.robot.imu_pub, self.robot.joint_pub):
            self.ros.connected(publisher)
        for _ in range(5):
            self.robot.sample_now()
            self.ros.spin(0.02)
        answer = self.ros.ask("executor/arm")
        assert answer.success, answer.message
        self.until(lambda: self.states[-1].state == STATE.HOLD)
        return self

    def hears(self, frames, supervisor):
        """Wait for so many more frames of one of them."""
        before = len(self.commands)
        is_from = lambda command: (command.kd[0] == pytest.approx(MARK)) is supervisor  # noqa: E731
        self.until(lambda: sum(map(is_from, self.commands[before:])) >= frames)


@pytest.fixture
def world(ros, robot, start, manifest_folder):
    return World(ros, robot, start, manifest_folder)


def test_with_nobody_who_reads_their_output_both_go_on_commanding_take_over_and_end_in_order(world):
    """In one test, for the processes take long to start."""
    world.armed().hears(50, supervisor=False)  # modes were announced, and it has not stopped

    world.executor.send_signal(signal.SIGSTOP)
    world.until(lambda: world.damping[-1].data)
    world.hears(20, supervisor=True)  # the alarm was logged, and damping goes on
    world.executor.send_signal(signal.SIGCONT)
    world.until(lambda: world.states[-1].state == STATE.FAULT)
    assert world.ros.ask("executor/disarm").success
    world.until(lambda: not world.damping[-1].data and world.states[-1].state == STATE.DISARMED)

    takeovers = len(world.damping)
    world.armed().hears(10, supervisor=False)
    page = CommandLease(lease_path())
    assert page.watched
    world.executor.send_signal(signal.SIGTERM)  # while armed
    world.until(lambda: world.executor.poll() is not None)
    assert world.executor.returncode == 0
    assert not page.watched and not page.executor_lives
    page.close()
    for _ in range(5):
        world.ros.spin(0.02)
    assert not np.any(world.commands[-1].kp)
    assert len(world.damping) == takeovers, "the supervisor stepped in"
    world.supervisor.send_signal(signal.SIGINT)
    world.until(lambda: world.supervisor.poll() is not None)
    assert world.supervisor.returncode == 0
