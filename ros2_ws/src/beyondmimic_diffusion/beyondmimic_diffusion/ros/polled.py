"""Topics that are fetched when their content is wanted, instead of one callback for each message.

A callback wakes a thread, and with it Python, for each message; that costs more than the message. Whoever works in a
cycle of its own (a tick, a simulation step) fetches what has come since the last cycle. The subscriptions belong to a
second node beside the owner, because rclpy's executor serves every subscription of a node that it spins.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import rclpy
import rclpy.clock
from rclpy.clock import ROSClock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription
from rclpy.time import Time
from rosgraph_msgs.msg import Clock

from ..core.errors import BeyondMimicError
from . import qos
from .cdr.readers import clock_seconds

_CLOCK = "/clock"
_LOOK_PERIOD = 0.004
"""How often a message that something waits for is looked for [s]."""


class PolledTopic:
    """One subscription; its messages stay in the middleware's queue, which keeps the newest, until they are fetched."""

    def __init__(self, subscription: Subscription, depth: int):
        self._handle, self._message_type = subscription.handle, subscription.msg_type
        self._single = depth == 1

    def newest(self) -> bytes | None:
        """The newest message that has come since the last call, serialised; None if none has. From one thread."""
        handle, message_type = self._handle, self._message_type
        newest = None
        with handle:
            while (taken := handle.take_message(message_type, True)) is not None:
                newest = taken[0]
                if self._single:
                    break
        return newest

    def all(self) -> list[bytes]:
        """All messages that have come since the last call and are still in the queue, oldest first."""
        handle, message_type = self._handle, self._message_type
        messages = []
        with handle:
            while (taken := handle.take_message(message_type, True)) is not None:
                messages.append(taken[0])
        return messages


class QueuedTopic:
    """The same for a node whose own way to subscribe was replaced, e.g. to decide when each message is seen."""

    def __init__(self, owner: Node, message_type: Any, topic: str, profile: QoSProfile):
        self._queue: deque[bytes] = deque(maxlen=profile.depth)
        self.subscription = owner.create_subscription(message_type, topic, self._queue.append, profile, raw=True)

    def newest(self) -> bytes | None:
        """See :class:`PolledTopic`."""
        messages = self.all()
        return messages[-1] if messages else None

    def all(self) -> list[bytes]:
        """See :class:`PolledTopic`."""
        return [self._queue.popleft() for _ in range(len(self._queue))]


class PolledInputs:
    """The polled topics of one node."""

    def __init__(self, owner: Node, suffix: str = "inputs"):
        """
        Args:
            owner: The node on whose behalf they are fetched; its namespace and remappings count.
            suffix: Of the name of the node that has the subscriptions: ``<owner>_<suffix>``.
        """
        self._owner, self._suffix = owner, suffix
        self._node: Node | None = None
        self._queued: list[QueuedTopic] = []

    def subscribe(self, message_type: Any, topic: str, profile: QoSProfile) -> PolledTopic | QueuedTopic:
        """Subscribe to a topic.

        Args:
            message_type: Of the topic.
            topic: As the owner names it.
            profile: Its depth is how many messages are kept between two calls.
        """
        if "create_subscription" in vars(self._owner):  # replaced on this node; it would miss ours otherwise
            self._queued.append(QueuedTopic(self._owner, message_type, topic, profile))
            return self._queued[-1]
        node = self._node
        if node is None:
            node = self._node = rclpy.create_node(
                f"{self._owner.get_name()}_{self._suffix}",
                context=self._owner.context,
                namespace=self._owner.get_namespace(),
                use_global_arguments=False,  # a start-up's `__node:=` would give both nodes one name
                start_parameter_services=False,
                enable_rosout=False,
                parameter_overrides=[Parameter("start_type_description_service", value=False)],
            )
        name = self._owner.resolve_topic_name(topic)
        subscription = node.create_subscription(message_type, name, _never_called, profile, raw=True)
        return PolledTopic(subscription, profile.depth)

    def close(self) -> None:
        """Leave all topics; nothing may be fetched any more."""
        for topic in self._queued:
            self._owner.destroy_subscription(topic.subscription)
        self._queued.clear()
        if self._node is not None:
            self._node.destroy_node()
            self._node = None


class Companion:
    """A topic whose messages are usually sent just before those of another one, and are fetched when those arrive.

    Where a publisher has another order, they are looked for every few milliseconds for as long as something waits.
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
            owner: Its thread looks for messages that something waits for.
            inputs: Of the owner.
            message_type: Of the topic.
            topic: As the owner names it.
            profile: Its depth is how many messages are kept between two calls.
            take: Gets the newest message.
        """
        self._owner, self._take = owner, take
        self._topic = inputs.subscribe(message_type, topic, profile)
        self._timer = owner.create_timer(
            _LOOK_PERIOD, self.fetch, clock=rclpy.clock.Clock(clock_type=ClockType.STEADY_TIME)
        )
        self._timer.cancel()
        self._waits = False

    def fetch(self) -> None:
        """Hand on the newest message, if one has come."""
        raw = self._topic.newest()
        if raw is not None:
            self._take(raw)

    def look(self, waits: bool) -> None:
        """Whether something waits for the next message now."""
        if waits != self._waits:
            self._waits = waits
            if waits:
                self._timer.reset()
            else:
                self._timer.cancel()

    def close(self) -> None:
        """Look no more; the topic ends with the inputs."""
        self._owner.destroy_timer(self._timer)


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
        self._topic: PolledTopic | QueuedTopic | None = None
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


def read_clock_as_bytes(node: Node) -> None:
    """Set a node's simulated clock at each message on ``/clock``, as rclpy does, without decoding the messages."""
    if not bool(node.get_parameter("use_sim_time").value):
        return
    leave_clock_topic(node)
    clock = node.get_clock()

    def tell(raw: bytes) -> None:
        with contextlib.suppress(BeyondMimicError):
            set_sim_time(clock, clock_seconds(raw))

    node.create_subscription(Clock, _CLOCK, tell, qos.NEWEST, raw=True)


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
