"""What the executor tells the others: applied commands, its state, emergency stops, and the log.

The tick only decides what is due and hands it over; messages are made and published in the background.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from beyondmimic_msgs.msg import ExecutorState
from beyondmimic_msgs.msg import JointCommand as JointCommandMsg
from rclpy.node import Node
from std_msgs.msg import Bool

from ..core.execution import ExecutorMode, ExecutorReport
from ..core.execution.due_times import DueTimes
from ..core.types import JointCommand
from ..ros import qos
from ..ros.background import Background
from ..ros.background_log import BackgroundLog
from ..ros.conversions import JointCommandWriter, TickStatistics, executor_state_to_msg

STOPPED = (ExecutorMode.DAMPING, ExecutorMode.E_STOP, ExecutorMode.FAULT)
"""Modes in which the robot is damped and somebody has to come."""
_STATE_PERIOD = 0.1
"""``executor/state`` is repeated this often [s]."""
_PLAYING = (ExecutorMode.TRACKING, ExecutorMode.COASTING)


class ExecutorReports:
    """Publishers, and what was told last; :meth:`tick` is called by the tick alone."""

    def __init__(
        self,
        node: Node,
        joint_names: Sequence[str],
        setpoint_dt: float,
        background: Background,
        log: BackgroundLog,
        statistics: Callable[[], TickStatistics],
    ):
        """
        Args:
            node: Owner of the publishers.
            joint_names: The robot's joints in internal order.
            setpoint_dt: Spacing of a plan's set-points [s].
            background: Publishes.
            log: Is told of each new mode.
            statistics: How punctual the ticks are; called in the background.
        """
        self._background, self._log, self._statistics = background, log, statistics
        self._writer = JointCommandWriter(joint_names)
        self._due_times = DueTimes(setpoint_dt)
        self._applied_pub = node.create_publisher(JointCommandMsg, "applied_joint_commands", qos.DECIMATED)
        self._state_pub = node.create_publisher(ExecutorState, "executor/state", qos.LATCHED)
        self._e_stop_pub = node.create_publisher(Bool, "e_stop", qos.LATCHED)
        self._told: tuple[ExecutorMode | None, object, float] = (None, None, 0.0)
        self._told_stopped: bool | None = None

    def tick(self, now: float, steady: float, command: JointCommand, report: ExecutorReport, plan_age: float) -> bool:
        """Hand over what is due after a tick; whether its mode is a new one.

        Args:
            now: Robot's clock [s].
            steady: Monotonic clock [s].
            command: Was written.
            report: What was decided.
            plan_age: Time since the observation behind the playing plan [s]; NaN without a plan.
        """
        due = self._due_times.advance(now, report.plan_age if report.mode in _PLAYING else float("inf"))
        if due is not None:
            self._background.do(lambda: self._publish_applied(command, due))
        mode, reason, at = self._told
        if report.mode is mode and report.reason is reason and steady - at < _STATE_PERIOD:
            return False
        self._background.do(lambda: self._publish_state(report, now, plan_age))
        self._told = (report.mode, report.reason, steady)
        if report.mode is mode:
            return False
        say = self._log.info
        if report.mode in STOPPED:
            say = self._log.error
        elif report.mode is ExecutorMode.RETURN_TO_STAND:
            say = self._log.warning
        say(f"{report.mode.name}: {report.message}")
        return True

    # ------------------------------------------------------------ in the background

    def _publish_applied(self, command: JointCommand, due: float) -> None:
        self._applied_pub.publish(self._writer.write(command, due))

    def _publish_state(self, report: ExecutorReport, now: float, plan_age: float) -> None:
        self._state_pub.publish(executor_state_to_msg(report, now, plan_age, self._statistics()))
        stopped = report.mode is ExecutorMode.E_STOP
        if stopped is not self._told_stopped:
            self._e_stop_pub.publish(Bool(data=stopped))
            self._told_stopped = stopped
