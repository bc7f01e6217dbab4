"""The shipped policy does what the task server asks of it, all goals on their way through the messages."""

import math

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")

from beyondmimic_diffusion.core.guidance import JoystickGoal  # noqa: E402
from beyondmimic_diffusion.core.guidance.clip_library import ClipLibrary  # noqa: E402
from beyondmimic_diffusion.core.guidance.teleop import VelocityLimits  # noqa: E402
from beyondmimic_diffusion.core.robot import g1  # noqa: E402
from beyondmimic_diffusion.core.robot.kinematics import Kinematics  # noqa: E402
from beyondmimic_diffusion.core.tasks import PlayClip, ReachWaypoint, TaskStatus  # noqa: E402
from beyondmimic_diffusion.ros.conversions import goals_from_msg, goals_to_msg, odometry_to_msg  # noqa: E402
from geometry_msgs.msg import PoseStamped  # noqa: E402
from nav_msgs.msg import Path  # noqa: E402
from system.conftest import POLICY  # noqa: E402
from system.loop import Loop, mean_velocity, upright  # noqa: E402
from system.path_follower import pure_pursuit  # noqa: E402

pytestmark = [pytest.mark.sim, pytest.mark.ros]


def sent(goals, stamp, clips=None):
    """What the planner makes of goals that the task server publishes."""
    return goals_from_msg(goals_to_msg(goals, 1, stamp, stamp + 2.0), clips=clips)


def walk(state):
    """Forward, as the task server passes on ``cmd_vel``."""
    return sent((JoystickGoal((0.4, 0.0)),), state.stamp)


def path_of(points):
    poses = []
    for x, y in points:
        pose = PoseStamped()
        pose.pose.position.x, pose.pose.position.y = float(x), float(y)
        poses.append(pose)
    return Path(poses=poses)


def place(moment):
    return moment.state.root_pos_w[:2]


def test_a_waypoint_a_metre_away_is_reached_and_stood_at(policy):
    loop = Loop(policy)
    task = ReachWaypoint((0.8, 0.6))
    updates = []

    def goals(state):
        updates.append(task.update(state))
        return sent(updates[-1].goals, state.stamp)

    moments = loop.steer(goals, 15.0, until=lambda: updates[-1].done)
    assert updates[-1].status is TaskStatus.SUCCEEDED, updates[-1].message
    assert upright(moments[-1])
    assert math.dist(place(moments[-1]), (0.8, 0.6)) <= 0.3
    assert updates[0].distance == pytest.approx(1.0, abs=0.05)


def test_a_path_follower_that_knows_odometry_and_velocities_only_gets_the_robot_along_a_path(policy):
    """As Nav2 above us would: half a metre ahead, then a bend of 90 degrees to the left on 0.75 m of radius."""
    turn = np.linspace(0.0, math.pi / 2, 20)
    points = [
        *((x, 0.0) for x in np.linspace(0.0, 0.5, 10)),
        *zip(0.5 + 0.75 * np.sin(turn), 0.75 * (1 - np.cos(turn)), strict=True),
    ]
    path, limits, loop = path_of(points), VelocityLimits(), Loop(policy)
    commands = []

    def goals(state):
        twist = pure_pursuit(path, odometry_to_msg(state, "odom", "pelvis")).twist
        commands.append(limits.clip((twist.linear.x, twist.linear.y, twist.angular.z)))
        return sent((JoystickGoal(commands[-1][:2], commands[-1][2]),), state.stamp)

    moments = loop.steer(goals, 20.0, until=lambda: commands[-1] == (0.0, 0.0, 0.0))
    assert commands[-1] == (0.0, 0.0, 0.0), "the follower did not see the end of its path"
    assert upright(moments[-1])
    off = [min(math.dist(place(moment), point) for point in points) for moment in moments[::25]]
    assert max(off) < 0.35  # it cuts the bend by its look-ahead of 0.6 m, and sways


def test_it_walks_puts_its_arms_up_takes_them_down_and_walks_again(policy):
    """The clip is chosen by name; its states are in the policy's folder, and the planner's own."""
    loop = Loop(policy)
    assert mean_velocity(loop.steer(walk, 3.0)[-500:])[0] > 0.2
    clips = ClipLibrary.load(POLICY, g1.JOINT_NAMES, g1.KEY_POINT_NAMES)
    kinematics, updates = Kinematics(), []
    task = PlayClip(clips.named("arms_up"), lambda state: kinematics.key_points(state)[0])
    raised: list[float] = []

    def goals(state):
        updates.append(task.update(state))
        heights = dict(zip(g1.KEY_POINT_NAMES, kinematics.key_points(state)[0][:, 2], strict=True))
        raised.append(heights["left_wrist_yaw"] - heights["left_shoulder_roll"])
        return sent(updates[-1].goals, state.stamp, clips)

    moments = loop.steer(goals, 15.0, until=lambda: updates[-1].done)
    assert updates[-1].status is TaskStatus.SUCCEEDED, updates[-1].message
    assert task.error < 0.1
    errors = [update.distance for update in updates if math.isfinite(update.distance)]
    assert len(errors) > 100 and np.mean(errors) < 0.1  # 7 s, seen every 48 ms
    assert max(raised) > -0.1  # hands up to the shoulders ...
    assert raised[0] < -0.2 and raised[-1] < -0.2  # ... from hanging, and back
    assert upright(moments[-1])
    after = loop.steer(walk, 3.0)
    assert upright(after[-1])
    assert mean_velocity(after[-500:])[0] > 0.2
