"""The supervisor beside a real executor: it takes over from one that stands still, and they never speak at once."""

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
bm = pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")

from beyondmimic_diffusion.core.execution.progress_watch import ProgressWatch  # noqa: E402
from beyondmimic_diffusion.core.robot import g1  # noqa: E402
from beyondmimic_diffusion.nodes import action_executor_node  # noqa: E402
from beyondmimic_diffusion.nodes.action_executor_node import ActionExecutorNode  # noqa: E402
from beyondmimic_diffusion.nodes.supervisor_node import SupervisorNode, SupervisorParameters  # noqa: E402
from beyondmimic_diffusion.robot_io import LeaseError, SupervisorLease  # noqa: E402
from beyondmimic_diffusion.ros import qos  # noqa: E402
from std_msgs.msg import Bool  # noqa: E402

pytestmark = pytest.mark.ros
STATE = bm.ExecutorState
SETTINGS = {
    "blend_time": 0.05, "realtime_priority": 0, "supervised": True,
    "watchdog.state_hold": 0.5, "watchdog.state_damp": 1.0, "watchdog.pause_after": 1.0, "arming.max_state_age": 1.0,
}  # fmt: skip
SHIPPED = SupervisorParameters()
MARK = 1.5
"""Damping by which the supervisor's frames are told from the executor's, which use 5 and 1."""


class PunctualPage(SupervisorLease):
    """The page beside an executor that ticks to the microsecond until it is frozen.

    In one process with the test's own callbacks real ticks come late. Everything but the progress is the real page's.
    """

    running = threading.Event()
    TICK = 0.005

    @property
    def progress(self):
        if self.running.is_set():
            self._counted = int(time.monotonic() / self.TICK)
        return getattr(self, "_counted", 0)

    @property
    def progress_at(self):
        return getattr(self, "_counted", 0) * self.TICK


class Watched:
    """An executor that can be made to stand still within a tick, and its supervisor."""

    def __init__(self, ros, robot, folder):
        self.ros, self.robot = ros, robot
        self.states = ros.heard(STATE, "executor/state", qos.LATCHED)
        self.commands = ros.heard(bm.JointCommand, "motor_command", qos.DECIMATED)
        self.damping = ros.heard(Bool, "supervisor/damping", qos.LATCHED)
        self.supervisor = ros.make(SupervisorNode, {"damping_kd": MARK})
        self.executor = ros.make(ActionExecutorNode, {"policy": str(folder), **SETTINGS})
        self._let_go = threading.Event()
        self.thaw()
        write = self.executor._robot.write

        def write_or_stand_still(command):
            self._let_go.wait(20.0)
            write(command)

        self.executor._robot.write = write_or_stand_still
        for publisher in (robot.imu_pub, robot.joint_pub):
            ros.connected(publisher)

    def arm(self):
        self.ros.until(lambda: self.executor._gate.ready, self.robot.sample_now)
        return self.ros.ask("executor/arm")

    def frames(self):
        """Who sent what was heard: S supervisor, E executor."""
        return "".join("S" if command.kd[0] == pytest.approx(MARK) else "E" for command in self.commands)

    def stand_still(self):
        self._let_go.clear()
        PunctualPage.running.clear()

    def thaw(self):
        self._let_go.set()
        PunctualPage.running.set()

    def freeze(self):
        self.stand_still()
        self.ros.until(lambda: self.damping and self.damping[-1].data, self.robot.sample_now)

    def mode(self):
        return self.states[-1].state if self.states else None


@pytest.fixture(autouse=True)
def page(tmp_path, monkeypatch):
    """A lease of its own for each test: all of them are one process in one domain."""
    for node in ("action_executor", "supervisor"):
        monkeypatch.setattr(f"beyondmimic_diffusion.nodes.{node}_node.lease_path", lambda _: tmp_path / "lease")
    monkeypatch.setattr("beyondmimic_diffusion.nodes.supervisor_node.SupervisorLease", PunctualPage)
    return tmp_path / "lease"


@pytest.fixture
def watched(ros, robot, manifest_folder):
    world = Watched(ros, robot, manifest_folder)
    yield world
    world.thaw()


def test_beside_an_executor_that_works_it_sends_nothing(watched):
    assert watched.arm().success
    for _ in range(25):
        watched.robot.sample_now()
        watched.ros.spin(0.02)
    assert "E" in watched.frames()
    assert "S" not in watched.frames()
    assert not watched.damping[-1].data


def test_a_disarmed_executor_that_stands_still_is_left_alone(watched):
    watched.ros.until(lambda: watched.commands, watched.robot.sample_now)
    watched.stand_still()
    watched.ros.spin(10 * SHIPPED.timeout)
    assert "S" not in watched.frames()


def test_it_streams_damping_once_the_armed_executor_stands_still(watched):
    assert watched.arm().success
    watched.robot.position["left_knee_joint"] = 0.77
    watched.freeze()
    before = len(watched.commands)
    watched.ros.until(lambda: len(watched.commands) > before + 10, watched.robot.sample_now)
    frame = watched.commands[-1]
    assert set(frame.kp) == {0.0}
    assert set(frame.effort) == {0.0}
    np.testing.assert_allclose(frame.kd, MARK)
    knee = list(frame.joint_names).index("left_knee_joint")
    measured = pytest.approx(0.77)  # listened to from the first frame on
    watched.ros.until(lambda: watched.commands[-1].position[knee] == measured, watched.robot.sample_now)


def test_an_executor_that_comes_back_is_silent_and_in_fault_until_disarmed_and_moves_only_when_armed(watched):
    assert watched.arm().success
    watched.freeze()
    taken = watched.frames().index("S")
    watched.thaw()
    watched.ros.until(lambda: watched.mode() == STATE.FAULT, watched.robot.sample_now)
    assert "supervisor" in watched.states[-1].message
    for _ in range(15):
        watched.robot.sample_now()
        watched.ros.spin(0.02)
    # the one frame that was on its way when it froze may follow the first of the supervisor's; then there is one voice
    assert watched.frames()[taken:].count("E") <= 1
    answer = watched.arm()
    assert not answer.success
    assert "supervisor has the motors" in answer.message

    assert watched.ros.ask("executor/disarm").success
    watched.ros.until(lambda: not watched.damping[-1].data, watched.robot.sample_now)
    watched.ros.until(lambda: watched.mode() == STATE.DISARMED, watched.robot.sample_now)
    watched.ros.spin(0.1)
    later = len(watched.commands)
    watched.ros.until(lambda: len(watched.commands) > later + 10, watched.robot.sample_now)
    assert set(watched.frames()[later:]) == {"E"}
    assert not any(np.any(command.kp) for command in watched.commands[later:])
    assert watched.arm().success
    watched.ros.until(lambda: np.any(watched.commands[-1].kp), watched.robot.sample_now)


def test_damping_goes_on_without_sensors(watched):
    assert watched.arm().success
    watched.freeze()
    before = len(watched.commands)
    watched.ros.until(lambda: len(watched.commands) > before + 5)
    assert all(np.isfinite(command.position).all() for command in watched.commands)
    np.testing.assert_allclose(watched.commands[-1].position, g1.DEFAULT_JOINT_POS, atol=1e-6)


def test_without_a_supervisor_an_executor_that_asks_for_one_refuses_to_arm(ros, robot, manifest_folder):
    executor = ros.make(ActionExecutorNode, {"policy": str(manifest_folder), **SETTINGS})
    for publisher in (robot.imu_pub, robot.joint_pub):
        ros.connected(publisher)
    ros.until(lambda: executor._gate.ready, robot.sample_now)
    answer = ros.ask("executor/arm")
    assert not answer.success
    assert "no supervisor watches" in answer.message


def test_an_armed_executor_that_is_ended_leaves_the_motors_damped_and_calls_off_the_watch(watched):
    assert watched.arm().success
    watched.ros.until(lambda: watched.commands and np.any(watched.commands[-1].kp), watched.robot.sample_now)
    watched.executor.close()
    watched.ros.spin(0.2)
    assert not np.any(watched.commands[-1].kp)
    assert np.all(np.array(watched.commands[-1].kd) > 0.0)
    assert "S" not in watched.frames()
    assert not watched.supervisor._lease.watched


def armed_executor(ros, robot, folder):
    executor = ros.make(ActionExecutorNode, {"policy": str(folder), **SETTINGS, "supervised": False})
    for publisher in (robot.imu_pub, robot.joint_pub):
        ros.connected(publisher)
    ros.until(lambda: executor._gate.ready, robot.sample_now)
    assert ros.ask("executor/arm").success
    return executor


def test_at_its_end_an_executor_is_never_silent_for_as_long_as_would_mean_that_it_has_stopped(
    ros, robot, manifest_folder, page, monkeypatch
):
    """On a virtual clock that only the node's own waiting moves; between, the shipped watch looks every 2 ms."""
    executor = armed_executor(ros, robot, manifest_folder)
    supervisor, watch = SupervisorLease(page), ProgressWatch(SHIPPED.timeout, 0.5 * SHIPPED.timeout)
    clock, alarms, frames = [0.0], [], []

    def wait(seconds):
        until = clock[0] + seconds
        while clock[0] < until:
            clock[0] += 0.002
            alarms.append(watch.stopped(supervisor.progress, clock[0]))

    executor._ticker.stop()
    monkeypatch.setattr(executor._robot, "write", frames.append)
    monkeypatch.setattr(action_executor_node, "time", SimpleNamespace(monotonic=time.monotonic, sleep=wait))
    executor.close()
    assert len(frames) == 20
    assert not any(np.any(frame.kp) for frame in frames)
    assert clock[0] == pytest.approx(0.12)  # 20 frames of 5 ms, in looks of 2 ms
    assert not any(alarms)
    assert not supervisor.watched
    supervisor.close()


def broken(command):
    raise RuntimeError("the middleware is gone")


def test_an_executor_that_cannot_damp_at_its_end_leaves_the_watch_on(ros, robot, manifest_folder, page, monkeypatch):
    executor = armed_executor(ros, robot, manifest_folder)
    supervisor = SupervisorLease(page)
    executor._ticker.stop()
    monkeypatch.setattr(executor._robot, "write", broken)
    executor.close()
    assert supervisor.watched
    assert not supervisor.executor_lives
    supervisor.close()


def test_from_an_executor_whose_writing_fails_the_motors_are_taken_though_it_ticks_on(watched, monkeypatch):
    assert watched.arm().success
    monkeypatch.setattr(watched.executor._robot, "write", broken)
    watched.ros.until(lambda: watched.damping[-1].data, watched.robot.sample_now)  # its progress goes on: PunctualPage
    watched.ros.until(lambda: watched.mode() == STATE.FAULT or watched.mode() == STATE.E_STOP, watched.robot.sample_now)
    assert not watched.executor._lease.mine


def test_two_supervisors_are_refused(watched, page):
    with pytest.raises(LeaseError, match="only one"):
        SupervisorLease(page, patience=0.0)
