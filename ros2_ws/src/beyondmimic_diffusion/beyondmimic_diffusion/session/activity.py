"""What a session does while the robot moves: drive by velocity commands, or have a place reached."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
from beyondmimic_msgs.action import ReachWaypoint

from ..core.rotations import quat_from_yaw
from ..ros.conversions import assign_pose, duration_from_msg, duration_to_msg, time_to_msg
from .programme import Reach
from .stack import SessionError, Stack
from .steering import Steering

COMMAND_PERIOD = 0.05
"""Of ``cmd_vel``, on the simulated clock [s]."""
_SERVER_PATIENCE = 10.0
"""How long the action's server may take to come up [s]."""
_RESULT_PATIENCE = 10.0
"""How long after a goal's own timeout its result may take [s of simulated time]."""


class Activity(Protocol):
    """One thing that is done for a while."""

    def update(self, now: float) -> bool:
        """Do what is due at simulated time ``now`` [s]; False: it is over."""
        ...

    def live(self, now: float) -> list[str]:
        """What is going on, in short pieces."""
        ...

    def share(self, now: float) -> float | None:
        """How much of it is over, None where that is not known."""
        ...


class Driving:
    """Publishes velocity commands until the steering is over, and then one of rest."""

    def __init__(self, stack: Stack, steering: Steering, start: float):
        """
        Args:
            stack: Gets the commands.
            steering: Knows them.
            start: Simulated time at which it begins [s].
        """
        self._stack = stack
        self._steering = steering
        self._start = self._next = start

    def update(self, now: float) -> bool:
        """See :class:`Activity`."""
        if now < self._next:
            return True
        self._next = max(self._next + COMMAND_PERIOD, now)
        self._stack.let_plan(self._steering.plans(now - self._start))
        velocity = self._steering.command(now - self._start)
        self._stack.command(velocity or (0.0, 0.0, 0.0))
        return velocity is not None

    def live(self, now: float) -> list[str]:
        """See :class:`Activity`."""
        parts = [f"{self._steering.label(now - self._start):<10}"]
        command = self._stack.recorder.newest("/cmd_vel")
        if command is not None:
            twist = command.twist
            parts.append(f"asked {twist.linear.x:+.2f} {twist.linear.y:+.2f} {twist.angular.z:+.2f}")
        return parts

    def share(self, now: float) -> float | None:
        """See :class:`Activity`."""
        return self._steering.share(now - self._start)


class Reaching:
    """Has a place reached through the action ``reach_waypoint``."""

    def __init__(self, stack: Stack, reach: Reach, start: float):
        """
        Args:
            stack: Has the session's ROS node.
            reach: Where to.
            start: Simulated time at which it begins [s].

        Raises:
            SessionError: The action's server does not come up.
        """
        self._stack = stack
        self._reach = reach
        self._start = start
        self._feedback: ReachWaypoint.Feedback | None = None
        self._client = stack.action_client(ReachWaypoint, "reach_waypoint")
        stack.wait_for("action reach_waypoint", self._client.server_is_ready, _SERVER_PATIENCE, wait=stack.idle)
        self._results = stack.results
        self._sent = self._client.send_goal_async(reach_goal(reach, start), feedback_callback=self._on_feedback)
        self._result: Any = None
        self.outcome: dict[str, Any] | None = None
        """How it ended: ``error_code``, ``message``; None while under way."""

    def update(self, now: float) -> bool:
        """See :class:`Activity`."""
        self._stack.spin()
        self._stack.wait_for_future(self._sent)
        if self._result is None and self._sent.done():
            handle = self._sent.result()
            if handle is None or not handle.accepted:
                return self._end(ReachWaypoint.Result.UNKNOWN, "the goal was rejected")
            self._result = handle.get_result_async()
        if self._result is not None and self._stack.has_result(self._result, self._results):
            result = self._result.result().result
            return self._end(result.error_code, result.error_msg)
        if now > self._start + self._reach.timeout + _RESULT_PATIENCE:
            raise SessionError(
                f"reach_waypoint has said nothing of '{self._reach.name}' for {now - self._start:.0f} s; "
                f"its timeout is {self._reach.timeout:.0f} s"
            )
        return True

    def live(self, now: float) -> list[str]:
        """See :class:`Activity`."""
        parts = [self._reach.name]
        if self._feedback is not None:
            parts.append(f"left {self._feedback.distance:.2f} m")
            seconds = duration_from_msg(self._feedback.estimated_time)
            if seconds > 0.0:
                parts.append(f"about {seconds:.0f} s")
        return parts

    def share(self, now: float) -> float | None:
        """See :class:`Activity`; of its time limit."""
        return (now - self._start) / self._reach.timeout

    def close(self) -> None:
        """Leave the action."""
        self._client.destroy()

    def _on_feedback(self, message: Any) -> None:
        self._feedback = message.feedback

    def _end(self, code: int, message: str) -> bool:
        self.outcome = {"error_code": int(code), "message": message}
        return False


def reach_goal(reach: Reach, stamp: float, frame_id: str = "odom") -> ReachWaypoint.Goal:
    """What the action is asked for at simulated time ``stamp`` [s]."""
    goal = ReachWaypoint.Goal(use_heading=reach.heading is not None, timeout=duration_to_msg(reach.timeout))
    goal.pose.header.stamp = time_to_msg(stamp)
    goal.pose.header.frame_id = frame_id
    heading = 0.0 if reach.heading is None else math.remainder(reach.heading, 2.0 * math.pi)
    assign_pose(goal.pose.pose, np.array([*reach.target, 0.0]), quat_from_yaw(heading))
    return goal
