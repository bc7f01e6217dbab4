"""What the operator wants, from ``cmd_vel`` and ``joy``, as the one latched goal on ``guidance/active``."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from beyondmimic_msgs.msg import GuidanceGoal
from geometry_msgs.msg import Twist, TwistStamped
from rclpy.clock import Clock, ClockType
from sensor_msgs.msg import Joy
from std_srvs.srv import Trigger

from ..core.errors import GoalError
from ..core.guidance.goals import JoystickGoal
from ..core.guidance.teleop import JoyConfig, JoyMapping, VelocityLimits, VelocityTask
from ..core.parameters import param, validate
from ..ros import qos
from ..ros.conversions import velocity_goal_to_msg
from ..ros.diagnostics import Diagnosis, Level
from ..ros.lifecycle import ManagedNode, run

_TICK = 0.05
"""How often the goal is looked at [s]."""
_IDLE_PERIOD = 0.5
"""A goal that does not change is repeated this often [s]."""


@dataclass(frozen=True)
class GuidanceTaskServerConfig:
    """What an operator may choose about commands."""

    autostart: bool = param(True, doc="Configure and activate without being asked.", read_only=True)
    enable_stamped_cmd_vel: bool = param(True, doc="cmd_vel is TwistStamped; false: Twist.", read_only=True)
    cmd_vel_timeout: float = param(
        0.5, unit="s", lo=0.05, hi=5.0, doc="A command that is not renewed for this long means stand.", read_only=True
    )
    base_frame: str = param("pelvis", doc="Frame of the commanded velocity (its heading only).", read_only=True)
    limits: VelocityLimits = field(default_factory=VelocityLimits)
    joy: JoyConfig = field(default_factory=JoyConfig)

    def __post_init__(self) -> None:
        validate(self)


class GuidanceTaskServerNode(ManagedNode[GuidanceTaskServerConfig]):
    """Keeps one :class:`VelocityTask` and tells the planner of it."""

    def __init__(self, **node_arguments):
        super().__init__("guidance_task_server", GuidanceTaskServerConfig, **node_arguments)

    def configure(self) -> None:
        """Make topics and services."""
        config = self.parameters.config
        self._task = VelocityTask(config.cmd_vel_timeout)
        self._joy = JoyMapping(config.joy, config.limits)
        self.parameters.on_change(self._on_parameters)
        self._seq = 0
        self._published: tuple[JoystickGoal | None, float] = (None, 0.0)
        self._refused, self._refusal = 0, ""
        self._goal_pub = self.create_publisher(GuidanceGoal, "guidance/active", qos.LATCHED)
        if config.enable_stamped_cmd_vel:
            cmd_vel = self.create_subscription(TwistStamped, "cmd_vel", self._on_stamped, qos.ORDER)
        else:
            cmd_vel = self.create_subscription(Twist, "cmd_vel", self._on_twist, qos.ORDER)
        self._inputs = (cmd_vel, self.create_subscription(Joy, "joy", self._on_joy, qos.SENSOR_INPUT))
        self._clear = self.create_service(Trigger, "guidance/clear", self._on_clear)
        self._timer = self.create_timer(_TICK, self._on_tick, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self.diagnostics.add("commands", self._diagnose)

    def activate(self) -> None:
        """Start with the wish to stand."""
        self._task.stop()
        self._published = (None, 0.0)

    def deactivate(self) -> None:
        """Leave the planner with the wish to stand."""
        self._task.stop()
        self._publish(time.monotonic())

    def cleanup(self) -> None:
        """Remove topics and services."""
        self.destroy_timer(self._timer)
        self.destroy_service(self._clear)
        self.destroy_publisher(self._goal_pub)
        for subscription in self._inputs:
            self.destroy_subscription(subscription)

    def _on_parameters(self, config: GuidanceTaskServerConfig) -> None:
        self._joy = JoyMapping(config.joy, config.limits)

    def _on_stamped(self, msg: TwistStamped) -> None:
        self._on_twist(msg.twist)

    def _on_twist(self, twist: Twist) -> None:
        self._take((twist.linear.x, twist.linear.y, twist.angular.z), "cmd_vel")

    def _on_joy(self, msg: Joy) -> None:
        try:
            velocity = self._joy.velocity(msg.axes, msg.buttons)
        except GoalError as error:
            self._refuse("joy", error)
            return
        if velocity is not None:
            self._take(velocity, "joy")

    def _take(self, velocity: tuple[float, float, float], source: str) -> None:
        if not self.active:
            return
        try:
            self._task.command(self.parameters.config.limits.clip(velocity), time.monotonic())
        except GoalError as error:
            self._refuse(source, error)

    def _refuse(self, source: str, error: GoalError) -> None:
        self._refused += 1
        self._refusal = f"{source} refused: {error}"
        self.get_logger().warning(self._refusal, throttle_duration_sec=1.0)

    def _on_clear(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._task.stop()
        response.success, response.message = True, "all goals dropped; standing"
        return response

    def _on_tick(self) -> None:
        if not self.active:
            return
        self.heartbeat.beat()
        now = time.monotonic()
        goal, at = self._published
        wanted = self._task.goal(now, 0.0)
        changed = goal is None or not _same(goal, wanted)
        renew = self._task.active(now) and now - at >= 0.5 * self.parameters.config.cmd_vel_timeout
        if changed or renew or now - at >= _IDLE_PERIOD:
            self._publish(now)

    def _publish(self, now: float) -> None:
        stamp = self.get_clock().now().nanoseconds * 1e-9
        goal = self._task.goal(now, stamp)
        self._seq += 1
        self._goal_pub.publish(velocity_goal_to_msg(goal, self._seq, stamp, self.parameters.config.base_frame))
        self._published = (goal, now)

    def _diagnose(self) -> Diagnosis:
        goal, _ = self._published
        wish = "none" if goal is None else f"{tuple(goal.vel_xy_c)} m/s, {float(goal.yaw_rate)} rad/s"
        values = {"goal": wish, "seq": self._seq, "refused": self._refused, "last_refusal": self._refusal}
        if self._refusal:
            self._refusal, text = "", self._refusal
            return Diagnosis(Level.WARN, text, values)
        return Diagnosis(Level.OK, "serving", values)


def _same(a: JoystickGoal, b: JoystickGoal) -> bool:
    return tuple(a.vel_xy_c) == tuple(b.vel_xy_c) and float(a.yaw_rate) == float(b.yaw_rate)


def main() -> None:
    """Entry point."""
    run(GuidanceTaskServerNode)


if __name__ == "__main__":
    main()
