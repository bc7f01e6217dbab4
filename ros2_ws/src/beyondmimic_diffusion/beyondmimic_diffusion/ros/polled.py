"""Topics that are fetched when their content is wanted, instead of one callback for each message.

A callback wakes a thread, and with it Python, for each message; that costs more than the message. Whoever works in a
cycle of its own (a tick, a simulation step) fetches what has come since the last cycle. The subscriptions belong to a
hidden node beside the owner, because rclpy's executor serves every subscription of a node that it spins.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import rclpy
from rclpy.clock import ROSClock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription
from rclpy.time import Time
from rosgraph_msgs.msg import Clock

from ..core.errors import BeyondMimicError
from . import qos
from .cdr.readers import clock_seconds

_CLOCK = "/clock"
_MISSED_IN_A_ROW = 3
"""So often a companion may be late before it is listened to by callbacks."""


class PolledTopic:
    """One subscription; its messages stay in the middleware's queue, which keeps the newest, until they are fetched."""

    def __init__(self, subscription: Subscription, depth: int):
        self._subscription = subscription
        self._single = depth == 1

    def newest(self) -> bytes | None:
        """The newest message that has come since the last call, serialised; None if none has. From one thread."""
        handle, message_type = self._subscription.handle, self._subscription.msg_type
        newest = None
        with handle:
            while (taken := handle.take_message(message_type, True)) is not None:
                newest = taken[0]
                if self._single:
                    break
        return newest

    def all(self) -> list[bytes]:
        """All messages that have come since the last call and are still in the queue, oldest first."""
        handle, message_type = self._subscription.handle, self._subscription.msg_type
        messages = []
        with handle:
            while (taken := handle.take_message(message_type, True)) is not None:
                messages.append(taken[0])
        return messages


class PolledInputs:
    """The polled topics of one node."""

    def __init__(self, owner: Node):
        """
        Args:
            owner: The node on whose behalf they are fetched; its namespace and remappings count.
        """
        self._owner = owner
        self._node: Node | None = None

    def subscribe(self, message_type: Any, topic: str, profile: QoSProfile) -> PolledTopic:
        """Subscribe to a topic.

        Args:
            message_type: Of the topic.
            topic: As the owner names it.
            profile: Its depth is how many messages are kept between two calls.
        """
        if self._node is None:
            self._node = rclpy.create_node(
                f"_{self._owner.get_name()}_inputs",
                context=self._owner.context,
                namespace=self._owner.get_namespace(),
                use_global_arguments=False,  # a start-up's `__node:=` would give both nodes one name
                start_parameter_services=False,
                enable_rosout=False,
            )
        name = self._owner.resolve_topic_name(topic)
        subscription = self._node.create_subscription(message_type, name, _never_called, profile, raw=True)
        return PolledTopic(subscription, profile.depth)

    def close(self) -> None:
        """Leave all topics; nothing may be fetched any more."""
        if self._node is not None:
            self._node.destroy_node()
            self._node = None


class Companion:
    """A topic whose messages are sent just before those of another one, and are fetched when the other's arrive.

    Where a publisher has another order, so that the message of the same measurement is missing several times in a row,
    each message gets a callback of its own.
    """

    def __init__(
        self,
        owner: Node,
        inputs: PolledInputs,
        message_type: Any,
        topic: str,
        profile: QoSProfile,
        take: Callable[[bytes], None],
    ):
        """
        Args:
            owner: Serves the callbacks if they are needed.
            inputs: Of the owner.
            message_type: Of the topic.
            topic: As the owner names it.
            profile: For both ways of listening.
            take: Gets the newest message that was fetched, or each that comes.
        """
        self._owner, self._take = owner, take
        self._topic: PolledTopic | None = inputs.subscribe(message_type, topic, profile)
        self._listen = partial(owner.create_subscription, message_type, topic, take, profile, raw=True)
        self._subscription: Subscription | None = None
        self._missed = 0

    def fetch(self) -> None:
        """Hand on the newest message that has come, if it was not called back already."""
        raw = None if self._topic is None else self._topic.newest()
        if raw is not None:
            self._take(raw)

    def met(self, met: bool) -> None:
        """Whether the message that belongs to the other topic's was there."""
        self._missed = 0 if met else self._missed + 1
        if self._missed == _MISSED_IN_A_ROW and self._topic is not None:
            self._topic, self._subscription = None, self._listen()

    def close(self) -> None:
        """Leave the callbacks; the polled topic ends with the inputs."""
        self._topic = None
        if self._subscription is not None:
            self._owner.destroy_subscription(self._subscription)
            self._subscription = None


class PolledSimTime:
    """Sets a node's simulated clock when it is asked to, instead of at each message on ``/clock``.

    For nodes that work in a cycle, or only stamp reports. Where the node has no simulated time, nothing happens.
    """

    def __init__(self, node: Node, inputs: PolledInputs):
        """
        Args:
            node: Its own subscription to ``/clock``, which rclpy made, is removed.
            inputs: Gets one instead.
        """
        self._clock = node.get_clock()
        self._setting = threading.Lock()
        self._topic: PolledTopic | None = None
        if not bool(node.get_parameter("use_sim_time").value):
            return
        leave_clock_topic(node)
        self._topic = inputs.subscribe(Clock, _CLOCK, qos.NEWEST)

    def refresh(self) -> None:
        """Let the node's clock tell the newest simulated time; callbacks for jumps run in the calling thread."""
        if self._topic is None or not self._setting.acquire(blocking=False):
            return  # another thread is at it
        try:
            raw = self._topic.newest()
            if raw is not None:
                with contextlib.suppress(BeyondMimicError):
                    set_sim_time(self._clock, clock_seconds(raw))
        finally:
            self._setting.release()


def leave_clock_topic(node: Node) -> None:
    """Remove the subscription to ``/clock`` that rclpy makes for a node with simulated time: it is called for each
    message. Whoever calls this sets the clock instead.
    """
    name = node.resolve_topic_name(_CLOCK)
    for subscription in [s for s in node.subscriptions if s.topic_name == name]:
        node.destroy_subscription(subscription)


def set_sim_time(clock: Any, seconds: float) -> None:
    """Set a node's clock [s] if it is a simulated one."""
    if isinstance(clock, ROSClock) and clock.ros_time_is_active:
        clock.set_ros_time_override(Time(nanoseconds=round(1e9 * seconds), clock_type=ClockType.ROS_TIME))


def _never_called(message: bytes) -> None:
    """Subscriptions need a callback; these are fetched by hand."""
