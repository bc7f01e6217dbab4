"""A client of ``reach_waypoint`` in plain rclpy, to copy from: ``python action_client.py 2.0 0.5`` (metres in odom)."""

from __future__ import annotations

import sys

import rclpy
from beyondmimic_msgs.action import ReachWaypoint
from rclpy.action import ActionClient
from rclpy.node import Node


class WaypointClient:
    """Sends one goal at a time and remembers what came back."""

    def __init__(self, node: Node):
        self._client = ActionClient(node, ReachWaypoint, "reach_waypoint")
        self._handle = None
        self.feedback: list[ReachWaypoint.Feedback] = []
        self.result: ReachWaypoint.Result | None = None
        """None while the goal is under way; ``error_code`` is 0 if the robot arrived."""
        self.refused = False
        """True if the server takes no goals at all (not active)."""

    def ready(self) -> bool:
        """Whether the task server is there."""
        return self._client.server_is_ready()

    def go(self, x: float, y: float, frame: str = "odom", timeout: float = 60.0) -> None:
        """Walk to a place [m] in any tf frame, within a time [s]."""
        goal = ReachWaypoint.Goal()
        goal.pose.header.frame_id = frame
        goal.pose.pose.position.x, goal.pose.pose.position.y = x, y
        goal.timeout.sec = int(timeout)
        self.feedback, self.result, self._handle = [], None, None
        future = self._client.send_goal_async(goal, lambda message: self.feedback.append(message.feedback))
        future.add_done_callback(self._on_accepted)

    def cancel(self) -> None:
        """Stop and stand; the result follows."""
        if self._handle is not None:
            self._handle.cancel_goal_async()

    def close(self) -> None:
        """Let go of the action."""
        self._client.destroy()

    def _on_accepted(self, future) -> None:
        self._handle = future.result()
        self.refused = not self._handle.accepted
        if not self.refused:
            self._handle.get_result_async().add_done_callback(self._on_result)

    def _on_result(self, future) -> None:
        self.result = future.result().result


def main() -> int:
    """Walk to the place on the command line and say how it went."""
    rclpy.init()
    node = rclpy.create_node("waypoint_client")
    client = WaypointClient(node)
    while not client.ready():
        rclpy.spin_once(node, timeout_sec=0.1)
    client.go(float(sys.argv[1]), float(sys.argv[2]))
    shown = 0
    while client.result is None and not client.refused:
        rclpy.spin_once(node, timeout_sec=0.1)
        if len(client.feedback) >= shown + 10:
            shown = len(client.feedback)
            node.get_logger().info(f"{client.feedback[-1].distance:.2f} m to go")
    if client.result is None:
        node.get_logger().error("the task server is not active")
        return 1
    node.get_logger().info(client.result.error_msg or "arrived")
    return int(client.result.error_code != ReachWaypoint.Result.NONE)


if __name__ == "__main__":
    sys.exit(main())
