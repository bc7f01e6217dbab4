"""Stamps are carried through, the root comes from where the message says, and only the grid is published."""

import math

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")

from beyondmimic_diffusion.core.estimation import PoseStatus  # noqa: E402
from beyondmimic_diffusion.core.robot import g1  # noqa: E402
from beyondmimic_diffusion.nodes.state_estimator_node import StateEstimatorNode  # noqa: E402
from beyondmimic_diffusion.ros import qos  # noqa: E402
from beyondmimic_diffusion.ros.conversions import time_from_msg  # noqa: E402
from beyondmimic_msgs.msg import RobotState  # noqa: E402
from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from geometry_msgs.msg import PoseWithCovarianceStamped  # noqa: E402
from nav_msgs.msg import Odometry  # noqa: E402
from tf2_msgs.msg import TFMessage  # noqa: E402

pytestmark = pytest.mark.ros


def stamps(messages):
    return [round(time_from_msg(m.header.stamp), 6) for m in messages]


@pytest.fixture
def estimator(ros, robot):
    def start(root_source, method="kalman"):
        node = ros.make(StateEstimatorNode, {"root_source": root_source, "estimator.method": method})
        assert node.autostart()
        for publisher in (robot.imu_pub, robot.joint_pub):
            ros.connected(publisher)
        if root_source == "truth":
            ros.connected(robot.truth_pub)
        return node

    return start


def test_states_are_published_on_the_grid_only_with_the_stamp_of_the_samples_and_the_true_root(ros, robot, estimator):
    states = ros.heard(RobotState, "robot_state", qos.DECIMATED)
    estimator("truth")
    ros.until(lambda: ros.probe.count_publishers("robot_state"))
    for i in range(6):
        stamp = 10.0 + 0.004 * i
        if i % 5 == 0:
            robot.truth(stamp, x=0.1 * i, speed=0.5)
        robot.imu(stamp)
        robot.joints(stamp)
        ros.spin(0.05)
    ros.until(lambda: len(states) >= 2)
    assert stamps(states) == [10.0, 10.02]
    last = states[-1]
    assert last.odom_source == RobotState.ODOM_SIM_TRUTH
    assert last.root_pose.position.x == pytest.approx(0.5)
    assert last.root_twist.linear.x == pytest.approx(0.5)
    assert list(last.position) == pytest.approx(list(g1.DEFAULT_JOINT_POS), abs=1e-6)  # float32


def test_samples_of_one_moment_are_paired_whichever_topic_comes_first(ros, robot, estimator):
    states = ros.heard(RobotState, "robot_state", qos.DECIMATED)
    estimator("proprioception", method="complementary")  # takes its orientation from the IMU sample
    robot.joints(5.0)
    ros.spin(0.1)
    robot.imu(5.0, quat=(0.0, 0.0, 0.0, 1.0))
    robot.joints(5.02)
    ros.spin(0.1)
    robot.imu(5.02, quat=(1.0, 0.0, 0.0, 0.0))
    ros.until(lambda: len(states) >= 1)
    newest = states[-1]
    assert time_from_msg(newest.header.stamp) == pytest.approx(5.02)
    assert newest.root_pose.orientation.w == pytest.approx(1.0)  # the IMU sample of 5.02, not the one before
    assert newest.odom_source == RobotState.ODOM_LEG


def test_odometry_and_both_transforms_carry_the_stamp_of_the_state(ros, robot, estimator):
    odometry, transforms = ros.heard(Odometry, "odom"), ros.heard(TFMessage, "/tf", qos.TRANSFORMS)
    estimator("truth")
    robot.truth(7.0)
    robot.imu(7.0)
    robot.joints(7.0)
    ros.until(lambda: odometry and transforms)
    assert stamps(odometry) == [7.0]
    frames = [(t.header.frame_id, t.child_frame_id, time_from_msg(t.header.stamp)) for t in transforms[0].transforms]
    assert frames == [("odom", "base_footprint", 7.0), ("base_footprint", "pelvis", 7.0)]


def test_a_truth_that_is_a_little_newer_is_moved_back_along_its_velocity(ros, robot, estimator):
    states = ros.heard(RobotState, "robot_state", qos.DECIMATED)
    estimator("truth")
    robot.imu(3.0)
    robot.joints(3.0)
    ros.spin(0.1)
    assert states == []
    robot.truth(3.01, x=1.0, speed=2.0)
    ros.until(lambda: states)
    assert states[0].root_pose.position.x == pytest.approx(1.0 - 0.01 * 2.0)


def test_samples_that_lack_a_joint_are_refused_and_counted(ros, robot, estimator):
    states, found = ros.heard(RobotState, "robot_state", qos.DECIMATED), ros.heard(DiagnosticArray, "/diagnostics")
    node = estimator("truth")
    robot.names = robot.names[1:]
    robot.imu(4.0)
    robot.truth(4.0)
    robot.joints(4.0)
    node.diagnostics.publish()

    def counted():
        values = [v for m in found for status in m.status for v in status.values]
        return any(v.key == "refused_samples" and v.value == "1" for v in values)

    ros.until(counted, node.diagnostics.publish)
    assert states == []


def test_an_inactive_estimator_publishes_nothing(ros, robot, estimator):
    states = ros.heard(RobotState, "robot_state", qos.DECIMATED)
    node = estimator("proprioception")
    node.trigger_deactivate()
    for i in range(3):
        robot.imu(6.0 + 0.02 * i)
        robot.joints(6.0 + 0.02 * i)
        ros.spin(0.05)
    assert states == []


def test_a_pose_from_outside_is_fused_and_named_as_the_source_and_odometry_tells_the_filters_covariance(
    ros, robot, estimator
):
    odometry, states = ros.heard(Odometry, "odom"), ros.heard(RobotState, "robot_state", qos.DECIMATED)
    node = estimator("proprioception")
    external = ros.probe.create_publisher(Odometry, "external_odom", qos.SENSOR_INPUT)
    ros.connected(external)

    def sample(i):
        robot.imu(20.0 + 0.02 * i)
        robot.joints(20.0 + 0.02 * i)
        ros.spin(0.05)

    for i in range(3):
        sample(i)
    ros.until(lambda: odometry)
    pose = Odometry()
    pose.header.stamp = odometry[-1].header.stamp
    pose.pose.pose.position.x = 4.0
    for _ in range(2):  # the first one tells where its frame lies
        external.publish(pose)
        ros.spin(0.1)
    sample(3)
    ros.until(lambda: states and states[-1].odom_source == RobotState.ODOM_EXTERNAL)
    covariance = np.array(odometry[-1].pose.covariance).reshape(6, 6)
    assert abs(odometry[-1].pose.pose.position.x) < 0.05
    assert np.linalg.eigvalsh(covariance).min() > 0.0
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() > 0.0  # its own, not a diagonal guess
    assert node._external[PoseStatus.FUSED] == 1


def test_an_initial_pose_moves_the_odometry_there_and_one_in_another_frame_does_not(ros, robot, estimator):
    odometry = ros.heard(Odometry, "odom")
    estimator("proprioception")
    place = ros.probe.create_publisher(PoseWithCovarianceStamped, "initialpose", qos.ORDER)
    ros.connected(place)
    msg = PoseWithCovarianceStamped()
    msg.pose.pose.position.x, msg.pose.pose.position.y = 3.0, -2.0
    msg.pose.pose.orientation.z = msg.pose.pose.orientation.w = math.sqrt(0.5)
    stamp = 30.0

    def tell(frame):
        nonlocal stamp
        msg.header.frame_id = frame
        place.publish(msg)
        ros.spin(0.2)
        stamp += 0.02
        robot.imu(stamp)
        robot.joints(stamp)
        ros.spin(0.2)

    tell("map")
    ros.until(lambda: odometry)
    assert abs(odometry[-1].pose.pose.position.x) < 0.05
    tell("odom")
    ros.until(lambda: len(odometry) > 1)
    pose = odometry[-1].pose.pose
    assert (pose.position.x, pose.position.y) == pytest.approx((3.0, -2.0), abs=0.02)
    assert pose.orientation.z == pytest.approx(math.sqrt(0.5), abs=0.02)
