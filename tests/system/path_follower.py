"""A path follower as small as they come: what Nav2's controller is to this stack.

It reads ``odom`` and a ``nav_msgs/Path`` on ``plan_to_follow`` and sends ``cmd_vel`` (TwistStamped), nothing else.
"""

from __future__ import annotations

import math

import numpy as np
from geometry_msgs.msg import TwistStamped
from nav_msgs.msg import Odometry, Path

REACH, SPEED, TURN_GAIN, ARRIVED = 0.6, 0.35, 1.0, 0.25
"""Look-ahead [m], speed [m/s], gain of the yaw rate [1/s], distance from the path's end that is near enough [m]."""


def pure_pursuit(path: Path, odometry: Odometry) -> TwistStamped:
    """Velocity towards the point of the path that lies ahead; zero at its end."""
    command = TwistStamped()
    command.header.stamp, command.header.frame_id = odometry.header.stamp, odometry.child_frame_id
    points = np.array([(pose.pose.position.x, pose.pose.position.y) for pose in path.poses])
    place, turned = odometry.pose.pose.position, odometry.pose.pose.orientation
    here = np.array([place.x, place.y])
    yaw = math.atan2(2.0 * (turned.w * turned.z + turned.x * turned.y), 1.0 - 2.0 * (turned.y**2 + turned.z**2))
    if math.dist(points[-1], here) < ARRIVED:
        return command
    nearest = int(np.argmin(np.linalg.norm(points - here, axis=1)))
    ahead = next((p for p in points[nearest:] if math.dist(p, here) >= REACH), points[-1])
    east, north = ahead - here
    bearing = math.atan2(north, east) - yaw
    bearing = math.atan2(math.sin(bearing), math.cos(bearing))
    command.twist.linear.x = SPEED * math.cos(bearing)
    command.twist.linear.y = SPEED * math.sin(bearing)
    command.twist.angular.z = max(-0.5, min(0.5, TURN_GAIN * bearing))
    return command


class PathFollower:
    """The same on a node's topics, a command for each odometry message."""

    def __init__(self, node):
        self._path: Path | None = None
        self._command_pub = node.create_publisher(TwistStamped, "cmd_vel", 1)
        node.create_subscription(Path, "plan_to_follow", self._on_path, 1)
        node.create_subscription(Odometry, "odom", self._on_odometry, 10)

    def _on_path(self, path: Path) -> None:
        self._path = path

    def _on_odometry(self, odometry: Odometry) -> None:
        if self._path is not None:
            self._command_pub.publish(pure_pursuit(self._path, odometry))
