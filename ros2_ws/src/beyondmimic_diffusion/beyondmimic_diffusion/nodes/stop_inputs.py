"""The ways in which an emergency stop is asked for beside the service: a topic, and the remote's button."""

from __future__ import annotations

import time
from collections.abc import Callable

from rclpy.node import Node
from sensor_msgs.msg import Joy
from std_msgs.msg import Bool

from ..core.execution.arming import refusal
from ..core.execution.modes import Reason
from ..core.execution.remote import Remote, RemoteConfig
from ..ros import qos


class StopInputs:
    """Listens to ``e_stop_request`` and ``joy``; every message that asks for a stop is handed on."""

    def __init__(self, node: Node, config: RemoteConfig, stop: Callable[[], object]):
        """
        Args:
            node: Owns the subscriptions.
            config: The remote's buttons.
            stop: Called in ROS's thread.
        """
        self._node, self._config, self._stop = node, config, stop
        self._remote = Remote(config)
        self._told = False
        node.create_subscription(Bool, "e_stop_request", self._on_request, qos.ORDER)
        node.create_subscription(Joy, "joy", self._on_joy, qos.SENSOR_INPUT)

    @property
    def alive(self) -> bool:
        """Whether the remote was heard of late."""
        return self._remote.alive(time.monotonic())

    def trouble(self) -> str:
        """What about the remote forbids to arm, and what to do; empty if nothing does."""
        reason, figures = self._remote.trouble(time.monotonic())
        return "" if reason is Reason.OK else refusal(reason, figures)

    def held(self) -> str:
        """Why an emergency stop cannot be released yet; empty if it can."""
        return refusal(Reason.E_STOP_HELD) if self._remote.stopping else ""

    def _on_request(self, msg: Bool) -> None:
        """True stops. False does nothing: to release takes the service, which looks at the robot first."""
        if msg.data:
            self._stop()

    def _on_joy(self, msg: Joy) -> None:
        if self._remote.take(msg.axes, msg.buttons, time.monotonic()):
            self._stop()
        if self._config.e_stop_button >= len(msg.buttons) and not self._told:
            self._told = True
            self._node.get_logger().error(
                f"joy has {len(msg.buttons)} buttons, but remote.e_stop_button is {self._config.e_stop_button}: "
                "the remote cannot stop the robot; set it for this pad"
            )
