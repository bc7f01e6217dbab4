"""Listens to a stack under test."""

from __future__ import annotations

import re
import time
from collections import deque
from typing import Any

import numpy as np
from beyondmimic_diffusion.ros import qos
from beyondmimic_diffusion.ros.conversions import time_from_msg
from beyondmimic_msgs.msg import ActionPlan, ExecutorState, JointCommand, PlannerStatus, RobotState
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Bool, Float32

from .heard import Frame, Moment, Pose, Report

MODES = {
    getattr(ExecutorState, name): name
    for name in "DISARMED CHECKING HOLD BLEND TRACKING COASTING RETURN_TO_STAND DAMPING E_STOP FAULT".split()
}
FALLEN = 0.5
"""Pelvis lower than this [m]: it lies, or is about to."""
_JUMP = 0.5
"""A larger step of simulated time is a jump [s]."""
_STAMP = re.compile(r"\[(\w+)\] \[[A-Z]+\] \[([\d.]+)\]")
"""Node, level and system time of a line of the log."""


class Ears:
    """Everything heard; the newest and, where a reaction has to be looked for, all of the last seconds."""

    def __init__(self, node: Node, lines: list[str]):
        """
        Args:
            node: Owns the subscriptions; the caller spins it.
            lines: What the nodes write; grows.
        """
        self.lines = lines
        self.frames: deque[Frame] = deque(maxlen=20000)
        self.reports: deque[Report] = deque(maxlen=5000)
        self.poses: deque[Pose] = deque(maxlen=5000)
        self.plan: ActionPlan | None = None
        self.plan_at = 0.0
        """When it came, steady clock [s]."""
        self.state: RobotState | None = None
        self.planner: PlannerStatus | None = None
        self.damping = False
        """Whether the supervisor says that it damps."""
        self.sim = 0.0
        """Simulated time [s]."""
        self.set_at = float("-inf")
        """When simulated time was last heard to jump, steady clock [s]."""
        self.factor = float("nan")
        """Real-time factor that the simulator reaches."""
        table: tuple[tuple[Any, str, Any, QoSProfile], ...] = (
            (JointCommand, "motor_command", self._on_command, qos.DECIMATED),
            (ExecutorState, "executor/state", self._on_report, qos.SCENE_INPUT),
            (Odometry, "ground_truth/odom", self._on_truth, qos.STREAM),
            (RobotState, "robot_state", self._on_state, qos.NEWEST),
            (Clock, "/clock", self._on_clock, qos.NEWEST),
            (Float32, "sim/real_time_factor", self._on_factor, qos.STREAM),
            (ActionPlan, "plan", self._on_plan, qos.PLAN_INPUT),
            (PlannerStatus, "planner/status", self._on_planner, qos.STREAM),
            (Bool, "supervisor/damping", self._on_damping, qos.LATCHED),
        )
        for message_type, topic, callback, profile in table:
            node.create_subscription(message_type, topic, callback, profile)

    def _on_command(self, msg: JointCommand) -> None:
        numbers = np.concatenate([msg.position, msg.velocity, msg.kp, msg.kd, msg.effort])
        self.frames.append(Frame(time.monotonic(), any(msg.kp), bool(np.isfinite(numbers).all())))

    def _on_report(self, msg: ExecutorState) -> None:
        report = Report(
            at=time.monotonic(),
            sim=time_from_msg(msg.header.stamp),
            mode=MODES[msg.state],
            message=msg.message,
            refused_plans=msg.refused_plans,
            state_age=1e-3 * msg.lowstate_age_ms,
            late_p99=1e-3 * msg.tick_late_p99_ms,
            late_max=1e-3 * msg.tick_late_max_ms,
            ticks=msg.ticks,
            missed=msg.missed_ticks,
        )
        self.reports.append(report)

    def _on_truth(self, msg: Odometry) -> None:
        place = msg.pose.pose.position
        self.poses.append(Pose(time_from_msg(msg.header.stamp), np.array([place.x, place.y]), place.z))

    def _on_state(self, msg: RobotState) -> None:
        self.state = msg

    def _on_clock(self, msg: Clock) -> None:
        before, self.sim = self.sim, time_from_msg(msg.clock)
        if not 0.0 <= self.sim - before <= _JUMP:
            self.set_at = time.monotonic()

    def _on_factor(self, msg: Float32) -> None:
        self.factor = msg.data

    def _on_plan(self, msg: ActionPlan) -> None:
        self.plan, self.plan_at = msg, time.monotonic()

    def _on_planner(self, msg: PlannerStatus) -> None:
        self.planner = msg

    def _on_damping(self, msg: Bool) -> None:
        self.damping = msg.data

    @property
    def mode(self) -> str:
        """Newest mode of the executor."""
        return self.reports[-1].mode if self.reports else ""

    @property
    def up(self) -> bool:
        """Whether the robot is on its feet."""
        return bool(self.poses) and self.poses[-1].height > FALLEN

    @property
    def refused_plans(self) -> int:
        """By the executor, since arming."""
        return self.reports[-1].refused_plans if self.reports else 0

    @property
    def dropped_states(self) -> int:
        """By the planner, since its activation."""
        return 0 if self.planner is None else int(self.planner.dropped_states)

    def speed(self, window: float = 1.0) -> float:
        """Mean planar speed over the newest ``window`` of simulated time [m/s]; infinity before there is as much."""
        poses = [pose for pose in list(self.poses) if pose.sim >= self.sim - window]
        if len(poses) < 2 or poses[-1].sim - poses[0].sim < 0.8 * window:
            return float("inf")
        return float(np.linalg.norm(poses[-1].xy - poses[0].xy) / (poses[-1].sim - poses[0].sim))

    def since(self, moment: Moment) -> list[Report]:
        """Reports that came after a moment."""
        return [report for report in list(self.reports) if report.at >= moment.steady]

    def now(self) -> Moment:
        """This moment."""
        return Moment(time.monotonic(), self.sim, time.time())

    def logged(self, node: str, text: str, since: Moment) -> float | None:
        """When a node first wrote a line with ``text`` after a moment, by its own clock [s after it]; None: never."""
        for line in list(self.lines):
            match = _STAMP.match(line)
            if match and match[1] == node and text in line and float(match[2]) >= since.wall:
                return float(match[2]) - since.wall
        return None

    def forget(self, *_: Any) -> None:
        """Drop the path: time has been set."""
        self.poses.clear()
