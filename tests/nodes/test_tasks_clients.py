"""The example client and a path follower, each as a program of its own would use the task server."""

import math

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")

from beyondmimic_diffusion.ros import qos  # noqa: E402
from beyondmimic_diffusion.ros.conversions import odometry_to_msg  # noqa: E402
from beyondmimic_msgs.action import ReachWaypoint  # noqa: E402
from geometry_msgs.msg import PoseStamped  # noqa: E402
from nav_msgs.msg import Odometry, Path  # noqa: E402
from nodes.task_rig import Rig  # noqa: E402
from system.action_client import WaypointClient  # noqa: E402
from system.path_follower import PathFollower  # noqa: E402

pytestmark = pytest.mark.ros


@pytest.fixture
def rig(ros):
    made = Rig(ros)
    yield made
    made.close()


@pytest.fixture
def client(rig):
    made = WaypointClient(rig.ros.probe)
    rig.until(made.ready)
    rig.live(0.1)
    yield made
    made.close()


def test_the_example_client_gets_feedback_and_arrives(rig, client):
    client.go(1.5, -0.5)
    rig.until(lambda: client.result is not None)
    assert client.result.error_code == ReachWaypoint.Result.NONE
    distances = [message.distance for message in client.feedback]
    assert distances[0] > 1.0 > distances[-1]
    assert math.dist(rig.robot.xy, (1.5, -0.5)) < 0.3


def test_the_example_client_cancels_and_learns_of_it(rig, client):
    client.go(30.0, 0.0)
    rig.until(lambda: client.feedback)
    client.cancel()
    rig.until(lambda: client.result is not None)
    assert client.result.error_code == ReachWaypoint.Result.CANCELED
    rig.until(rig.standing)


def test_the_example_client_learns_why_it_was_refused_and_that_nobody_serves(rig, client):
    client.go(1.0, 0.0, frame="kitchen")
    rig.until(lambda: client.result is not None)
    assert client.result.error_code == ReachWaypoint.Result.UNKNOWN_FRAME
    assert "kitchen" in client.result.error_msg
    rig.node.trigger_deactivate()
    client.go(1.0, 0.0)
    rig.until(lambda: client.refused)


def test_a_path_follower_on_odom_and_cmd_vel_gets_the_robot_along_its_path(rig):
    PathFollower(rig.ros.probe)
    odometry_pub = rig.publisher(Odometry, "odom", qos.STREAM)
    path_pub = rig.publisher(Path, "plan_to_follow", qos.ORDER)
    points = [(0.1 * i, 0.5 * math.sin(0.2 * i)) for i in range(21)]
    poses = [PoseStamped() for _ in points]
    for pose, (x, y) in zip(poses, points, strict=True):
        pose.pose.position.x, pose.pose.position.y = x, y
    path_pub.publish(Path(poses=poses))
    passed = []

    def live():
        rig.robot.step()
        passed.append(rig.robot.xy.copy())
        odometry_pub.publish(odometry_to_msg(rig.robot.state(), "odom", "pelvis"))

    rig.ros.until(lambda: math.dist(rig.robot.xy, points[-1]) < 0.3, live)
    off = [np.linalg.norm(np.array(points) - place, axis=1).min() for place in passed]
    assert max(off) < 0.3  # half the look-ahead
    rig.ros.until(rig.standing, live)
