"""Sensors that cannot be right are named in /diagnostics, and by the executor that refuses to arm."""

import contextlib
import os

import pytest

rclpy = pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")

from beyondmimic_diffusion.core.robot import g1  # noqa: E402
from beyondmimic_diffusion.nodes.action_executor_node import ActionExecutorNode  # noqa: E402
from beyondmimic_diffusion.nodes.state_estimator_node import StateEstimatorNode  # noqa: E402
from beyondmimic_diffusion.ros.conversions import time_to_msg  # noqa: E402
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus  # noqa: E402
from sensor_msgs.msg import Imu, JointState  # noqa: E402

pytestmark = pytest.mark.ros
IN_G = "accelerometer: at rest it reads 1 m/s^2, 9.81 expected; it looks like g"


class Driver:
    """Publishes what a driver with a fault would, at 100 Hz of its own stamps."""

    def __init__(self, ros):
        self.ros, self.stamp = ros, 100.0
        self.imu_pub = ros.probe.create_publisher(Imu, "imu/data", 10)
        self.joint_pub = ros.probe.create_publisher(JointState, "joint_states", 10)
        self.gravity, self.orientation_known = 9.81, True
        self.names, self.velocity = list(g1.JOINT_NAMES), [0.0] * g1.NUM_JOINTS
        self.stamped = True

    def sample(self):
        self.stamp += 0.01
        stamp = time_to_msg(self.stamp if self.stamped else 0.0)
        imu = Imu()
        imu.header.stamp, imu.orientation.w, imu.linear_acceleration.z = stamp, 1.0, self.gravity
        imu.orientation_covariance[0] = 0.0 if self.orientation_known else -1.0
        joints = JointState(name=self.names, velocity=self.velocity)
        joints.position = [float(q) for q in g1.DEFAULT_JOINT_POS][: len(self.names)]
        joints.header.stamp = stamp
        self.imu_pub.publish(imu)
        self.joint_pub.publish(joints)


@pytest.fixture
def estimator(ros):
    node = ros.make(StateEstimatorNode, {"root_source": "proprioception"})
    assert node.autostart()
    return node


@pytest.fixture
def driver(ros):
    return Driver(ros)


@contextlib.contextmanager
def stranger():
    """A node of another participant: one participant knows one type per topic only."""
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=int(os.environ["ROS_DOMAIN_ID"]))
    node = rclpy.create_node("stranger", context=context)
    try:
        yield node
    finally:
        node.destroy_node()
        context.try_shutdown()


def sensors(found):
    """Level and message of the newest entry."""
    entries = [s for m in found for s in m.status if s.name == "state_estimator: sensors"]
    return (entries[-1].level, entries[-1].message) if entries else (b"", "")


FAULTS = {
    "in g": ({"gravity": 1.0}, IN_G),
    "no velocity": ({"velocity": []}, "joint_states is sent without velocities"),
    "no orientation": ({"orientation_known": False}, "imu/data has no orientation (covariance -1)"),
    "unknown names": ({"names": [f"joint_{i}" for i in range(29)]}, "joint_states.position: joints ['left_hip_pitch"),
    "zero stamps": ({"stamped": False}, "joints: its stamps are zero"),
}


@pytest.mark.parametrize(("changes", "sentence"), FAULTS.values(), ids=FAULTS)
def test_what_a_driver_does_wrong_is_an_error_in_diagnostics(ros, estimator, driver, changes, sentence):
    found = ros.heard(DiagnosticArray, "/diagnostics")
    for name, value in changes.items():
        setattr(driver, name, value)
    ros.until(lambda: sentence in sensors(found)[1], driver.sample)
    assert sensors(found)[0] == DiagnosticStatus.ERROR


def test_a_sound_robot_is_plausible_also_after_its_time_was_set(ros, estimator, driver):
    found = ros.heard(DiagnosticArray, "/diagnostics")
    for start in (100.0, 20.0, 5000.0):
        driver.stamp = start
        ros.until(lambda: driver.stamp > start + 1.5, driver.sample)  # noqa: B023
        found.clear()
        ros.until(lambda: sensors(found)[1] == "plausible", driver.sample)
    levels = [s.level for m in found for s in m.status if s.name == "state_estimator: sensors"]
    assert DiagnosticStatus.ERROR not in levels


def test_before_the_first_message_it_says_which_topic_is_missing(ros, estimator, driver):
    found = ros.heard(DiagnosticArray, "/diagnostics")
    ros.until(lambda: "no message yet on joint_states (1 publishers) and imu/data" in sensors(found)[1])


def test_a_topic_of_another_type_is_named_with_its_publisher(ros, estimator):
    found = ros.heard(DiagnosticArray, "/diagnostics")
    with stranger() as node:
        node.create_publisher(Imu, "joint_states", 10)
        ros.until(lambda: "joint_states is published as sensor_msgs/msg/Imu by /stranger" in sensors(found)[1])
    assert sensors(found)[0] == DiagnosticStatus.ERROR


@pytest.mark.parametrize(("changes", "sentence"), FAULTS.values(), ids=FAULTS)
def test_the_executor_refuses_to_arm_and_to_release_with_the_same_sentence(
    ros, driver, manifest_folder, changes, sentence
):
    node = ros.make(ActionExecutorNode, {"policy": str(manifest_folder), "realtime_priority": 0})
    for publisher in (driver.imu_pub, driver.joint_pub):
        ros.connected(publisher)
    for name, value in changes.items():
        setattr(driver, name, value)
    ros.until(lambda: sentence in (node._gate.trouble() or node._robot.sample_trouble()), driver.sample)
    answer = ros.ask("executor/arm")
    assert not answer.success and sentence in answer.message, answer.message
    assert ros.ask("e_stop_trigger").success
    answer = ros.ask("e_stop_reset")
    assert not answer.success and sentence in answer.message, answer.message


def test_a_second_publisher_whose_messages_cannot_be_used_is_complained_about_until_it_is_gone(
    ros, driver, manifest_folder
):
    node = ros.make(ActionExecutorNode, {"policy": str(manifest_folder), "realtime_priority": 0})
    ros.connected(driver.imu_pub)
    wrong = JointState(name=["elbow"], position=[0.0])
    ros.until(node._robot.sample_trouble, lambda: driver.joint_pub.publish(wrong))
    for _ in range(10):
        driver.sample()
        ros.spin(0.02)
    assert "are missing; it names ['elbow']" in node._robot.sample_trouble()
    ros.until(lambda: not node._robot.sample_trouble(), driver.sample)


def test_the_executor_wants_to_have_seen_half_a_second_before_it_arms(ros, robot, manifest_folder):
    node = ros.make(ActionExecutorNode, {"policy": str(manifest_folder), "realtime_priority": 0})
    ros.connected(robot.imu_pub)
    ros.until(lambda: node._state is not None, robot.sample_now)
    answer = ros.ask("executor/arm")
    assert not answer.success and "0.5 s are needed before arming" in answer.message, answer.message


def test_a_tick_of_an_armed_executor_judges_nothing(ros, robot, manifest_folder):
    settings = {"policy": str(manifest_folder), "realtime_priority": 0, "arming.max_state_age": 1.0}
    patient = {"watchdog.state_hold": 1.0, "watchdog.state_damp": 1.0, "watchdog.pause_after": 1.0}
    node = ros.make(ActionExecutorNode, {**settings, **patient})
    ros.connected(robot.imu_pub)
    ros.until(lambda: node._gate.ready, robot.sample_now)
    answer = ros.ask("executor/arm")
    assert answer.success, answer.message
    judged = node._gate._newest
    robot.position["left_elbow_joint"] += 0.1
    state = node._state
    ros.until(lambda: node._state is not state, robot.sample_now)
    assert node._gate._newest is judged
