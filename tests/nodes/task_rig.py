"""The task server with a made-up robot: a point that does what ``guidance/active`` asks for, at once and exactly."""

from __future__ import annotations

import math
import time

import numpy as np
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.rotations import quat_from_yaw, rotate_yaw
from beyondmimic_diffusion.core.types import RobotState
from beyondmimic_diffusion.nodes.guidance_task_server_node import GuidanceTaskServerNode
from beyondmimic_diffusion.ros import qos
from beyondmimic_diffusion.ros.conversions import robot_state_to_msg, time_to_msg
from beyondmimic_msgs import action, msg
from geometry_msgs.msg import PoseStamped, TwistStamped
from rclpy.action import ActionClient
from shape_msgs.msg import SolidPrimitive

TERM = msg.GuidanceTerm
HEIGHT = 0.75
PERIOD = 0.02
PATIENT = {"ready.state_timeout": 8.0, "ready.status_timeout": 8.0, "ready.max_clock_difference": 5.0}
"""Robot, client and server share one thread here, on a machine that may be busy: silence is tested on purpose only."""


class Robot:
    """Walks where it is told, at most at its speed; turns at once."""

    def __init__(self, rig):
        self.rig = rig
        self.xy, self.yaw, self.velocity = np.zeros(2), 0.0, np.zeros(2)
        self.speed = 1.5
        self.alive, self.executor, self.planner = True, msg.ExecutorState.TRACKING, msg.PlannerStatus.RUNNING
        self.clock_error = 0.0
        self._last = time.monotonic()
        probe = rig.ros.probe
        self._state_pub = probe.create_publisher(msg.RobotState, "robot_state", qos.NEWEST)
        self._executor_pub = probe.create_publisher(msg.ExecutorState, "executor/state", qos.LATCHED)
        self._planner_pub = probe.create_publisher(msg.PlannerStatus, "planner/status", qos.STREAM)
        for publisher in (self._state_pub, self._executor_pub, self._planner_pub):
            rig.ros.connected(publisher)

    def step(self):
        """Live on until now."""
        now = time.monotonic()
        if now - self._last < PERIOD:
            return
        self.velocity = self._wanted()
        self.xy = self.xy + (now - self._last) * self.velocity
        self._last = now
        self._executor_pub.publish(msg.ExecutorState(state=self.executor))
        self._planner_pub.publish(msg.PlannerStatus(state=self.planner))
        if self.alive:
            self._state_pub.publish(robot_state_to_msg(self.state(), g1.JOINT_NAMES))

    def state(self):
        """As an estimator would tell it."""
        return RobotState(
            stamp=self.rig.now() - self.clock_error,
            root_pos_w=np.array([*self.xy, HEIGHT]), root_quat_w=quat_from_yaw(self.yaw),
            root_lin_vel_w=np.array([*self.velocity, 0.0]), root_ang_vel_w=np.zeros(3),
            joint_pos=np.array(g1.DEFAULT_JOINT_POS), joint_vel=np.zeros(g1.NUM_JOINTS),
        )  # fmt: skip

    def _wanted(self):
        for term in self.rig.goals[-1].terms if self.rig.goals else ():
            if term.type == TERM.HEADING:
                self.yaw = 2.0 * math.atan2(term.waypoint.pose.orientation.z, term.waypoint.pose.orientation.w)
        for term in self.rig.goals[-1].terms if self.rig.goals else ():
            if term.type == TERM.VELOCITY:
                twist = term.velocity.twist
                return rotate_yaw(np.array([twist.linear.x, twist.linear.y]), self.yaw)
            if term.type == TERM.WAYPOINT:
                aim = term.waypoint.pose.position
                left = np.array([aim.x, aim.y]) - self.xy
                return left * min(self.speed / max(np.linalg.norm(left), 1e-9), 10.0)
        return np.zeros(2)


class Rig:
    """Server, robot, and one action client of each kind."""

    def __init__(self, ros, **parameters):
        self.ros = ros
        self.goals = ros.heard(msg.GuidanceGoal, "guidance/active", qos.LATCHED)
        self.node = ros.make(GuidanceTaskServerNode, PATIENT | parameters)
        assert self.node.autostart()
        self.robot = Robot(self)
        self.feedback = []
        kinds = {
            "reach_waypoint": action.ReachWaypoint,
            "reach_keyframe": action.ReachKeyframe,
            "play_clip": action.PlayClip,
            "stand": action.Stand,
        }
        self.clients = {name: ActionClient(ros.probe, kind, name) for name, kind in kinds.items()}
        for client in self.clients.values():
            ros.until(client.server_is_ready)

    def close(self):
        """Clients first: rclpy's nodes do not know them."""
        for client in self.clients.values():
            client.destroy()

    def now(self):
        """[s]."""
        return self.ros.probe.get_clock().now().nanoseconds * 1e-9

    def until(self, happened):
        """Let robot and server live until something has happened."""
        self.ros.until(happened, self.robot.step)

    def live(self, seconds):
        """Let them live for a while."""
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() >= end)

    def send(self, name, goal):
        """Send a goal; its handle once it is accepted."""
        self.live(0.1)
        future = self.clients[name].send_goal_async(goal, lambda m: self.feedback.append(m.feedback))
        self.until(future.done)
        assert future.result().accepted
        return future.result()

    def end(self, handle):
        """Status and result of a goal."""
        future = handle.get_result_async()
        self.until(future.done)
        return future.result().status, future.result().result

    def do(self, name, goal):
        """Send a goal and wait for its end."""
        return self.end(self.send(name, goal))

    def kinds(self):
        """Types of the terms in force."""
        return [term.type for term in self.goals[-1].terms] if self.goals else []

    def standing(self):
        """Whether the robot is asked to stand, and for nothing else."""
        twist = self.goals[-1].terms[0].velocity.twist
        return self.kinds()[:1] == [TERM.VELOCITY] and (twist.linear.x, twist.linear.y, twist.angular.z) == (0.0,) * 3

    def publisher(self, kind, topic, profile):
        """A connected publisher."""
        publisher = self.ros.probe.create_publisher(kind, topic, profile)
        self.ros.connected(publisher)
        return publisher

    def steer(self, forward):
        """One velocity command."""
        if not hasattr(self, "_cmd_vel"):
            self._cmd_vel = self.publisher(TwistStamped, "cmd_vel", qos.ORDER)
        command = TwistStamped()
        command.twist.linear.x = forward
        self._cmd_vel.publish(command)


def place(x, y, yaw=None, frame="odom", stamp=0.0):
    """A goal for ``reach_waypoint``."""
    goal = action.ReachWaypoint.Goal(pose=pose(x, y, yaw or 0.0, frame, stamp), use_heading=yaw is not None)
    return goal


def pose(x, y, yaw=0.0, frame="odom", stamp=0.0):
    """A planar pose."""
    out = PoseStamped()
    out.header.frame_id, out.header.stamp = frame, time_to_msg(stamp)
    out.pose.position.x, out.pose.position.y = float(x), float(y)
    out.pose.orientation.z, out.pose.orientation.w = math.sin(0.5 * yaw), math.cos(0.5 * yaw)
    return out


def pillar(name, x, y, radius=0.3, velocity=(0.0, 0.0)):
    """An upright cylinder."""
    out = msg.SdfPrimitive(id=name)
    out.shape = SolidPrimitive(type=SolidPrimitive.CYLINDER, dimensions=[2.0, radius])
    out.pose.position.x, out.pose.position.y, out.pose.position.z, out.pose.orientation.w = float(x), float(y), 1.0, 1.0
    out.twist.linear.x, out.twist.linear.y = velocity
    return out


def wall(name, x, y, size_x, size_y):
    """An upright box."""
    out = msg.SdfPrimitive(id=name)
    out.shape = SolidPrimitive(type=SolidPrimitive.BOX, dimensions=[float(size_x), float(size_y), 2.0])
    out.pose.position.x, out.pose.position.y, out.pose.position.z, out.pose.orientation.w = float(x), float(y), 1.0, 1.0
    return out


def scene(*primitives, frame="odom", stamp=0.0):
    """A message for ``sdf_scene``."""
    out = msg.SdfScene(primitives=list(primitives))
    out.header.frame_id, out.header.stamp = frame, time_to_msg(stamp)
    return out
