"""The operator of a stack under test: commands as ``cmd_vel`` or by a joystick, renewed again and again."""

from __future__ import annotations

import threading
import time

from beyondmimic_diffusion.core.guidance.teleop import JoyConfig, VelocityLimits
from beyondmimic_diffusion.ros import qos
from geometry_msgs.msg import TwistStamped
from rclpy.node import Node
from sensor_msgs.msg import Joy

_PERIOD = 0.05
"""Commands, as a joystick node repeats them [s]."""
_JOY = JoyConfig()
_OPEN_FRAMES, _REST_FRAMES = 5, 3
"""A pad is let go of, then its dead-man is closed with the sticks at rest, and only then are they moved."""


class Operator:
    """Publishes from a thread of its own until closed."""

    def __init__(self, node: Node):
        self._command_pub = node.create_publisher(TwistStamped, "cmd_vel", qos.ORDER)
        self._joy_pub = node.create_publisher(Joy, "joy", qos.STREAM)
        self.velocity: tuple[float, float, float] | None = None
        """Forward, left [m/s], yaw rate [rad/s]; None: nothing is published."""
        self.joystick = False
        """Whether commands come from a joystick instead of ``cmd_vel``."""
        self.pressed: tuple[int, ...] = ()
        """Buttons held on the joystick beside the dead-man."""
        self._frames = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="operator")
        self._thread.start()

    def close(self) -> None:
        """Let go of everything."""
        self._stop.set()
        self._thread.join()

    def use_joystick(self, use: bool) -> None:
        """Take the joystick, at rest for a moment as one that has just been plugged in, or ``cmd_vel`` again."""
        self._frames = 0
        self.joystick = use

    def _run(self) -> None:
        message = TwistStamped()
        message.header.frame_id = "pelvis"
        while not self._stop.wait(_PERIOD):
            if self.velocity is None:
                continue
            if self.joystick:
                self._joy_pub.publish(self._sticks(self.velocity))
                continue
            message.twist.linear.x, message.twist.linear.y, message.twist.angular.z = self.velocity
            self._command_pub.publish(message)

    def _sticks(self, velocity: tuple[float, float, float]) -> Joy:
        message = Joy(axes=[0.0] * 8, buttons=[0] * 11)
        self._frames += 1
        if self._frames <= _OPEN_FRAMES:
            return message
        limits = VelocityLimits()
        for button in (_JOY.enable_button, _JOY.turbo_button, *self.pressed):
            message.buttons[button] = 1
        if self._frames <= _OPEN_FRAMES + _REST_FRAMES:
            return message
        for axis, wanted, most in (
            (_JOY.axis_forward, velocity[0], limits.forward),
            (_JOY.axis_left, velocity[1], limits.lateral),
            (_JOY.axis_turn, velocity[2], limits.yaw_rate),
        ):
            share = min(abs(wanted) / most, 1.0)
            stick = _JOY.dead_zone + (1.0 - _JOY.dead_zone) * share if share > 0.0 else 0.0
            message.axes[axis] = stick if wanted > 0.0 else -stick
        return message

    def press(self, *buttons: int) -> None:
        """One message of the joystick with these buttons down and the sticks at rest."""
        message = Joy(axes=[0.0] * 8, buttons=[0] * 11)
        for button in buttons:
            message.buttons[button] = 1
        self._joy_pub.publish(message)
        time.sleep(_PERIOD)
