"""Records every topic of the session, and shows the session the newest message of each.

Messages are taken as bytes straight from the middleware's queues, without a callback each: at a thousand messages a
second that is what keeps the recorder out of the way of the stack it watches. The middleware's own time stamps are
recorded, so it does not matter when the queues are emptied.
"""

from __future__ import annotations

import importlib
import struct
import time
from dataclasses import dataclass
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from rclpy.subscription import Subscription
from rclpy.topic_endpoint_info import TopicEndpointInfo

from ..core.errors import ConfigError
from .mcap_file import McapFile
from .qos_profiles import offered_qos_profiles

_QUEUE = 200
"""Messages the middleware keeps per topic until they are fetched; at 250 Hz that is 0.8 s."""
_DISCOVERY_PERIOD = 0.25
"""How often new topics are looked for [s]."""
_FETCH_PERIOD = 0.1
"""How often all queues are emptied [s]; that of the clock at each poll."""
_CLOCK = "/clock"
_NOT_ACKNOWLEDGED = frozenset(("/joint_states", "/imu/data", "/ground_truth/odom", "/odom", "/tf"))
"""Topics with a message every 20 ms or more often: asking for lost ones again costs their publishers more than a gap
costs the recording."""


@dataclass(frozen=True)
class RawMessage:
    """A message as it came off the wire."""

    type_name: str
    data: bytes
    published_ns: int
    """Wall time of sending [ns since 1970]."""
    count: int
    """How many came on this topic so far."""

    def decode(self) -> Any:
        """The message as an object."""
        return deserialize_message(self.data, message_class(self.type_name))


def message_class(type_name: str) -> Any:
    """Python class of ``package/msg/Name``.

    Raises:
        ConfigError: The package is not installed or has no such message.
    """
    package, kind, name = type_name.split("/")
    try:
        return getattr(importlib.import_module(f"{package}.{kind}"), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"message type '{type_name}' is not installed here: {error}") from error


class Recorder:
    """Subscribes to all topics that have a publisher and writes what comes into an MCAP file."""

    def __init__(self, node: Node, file: McapFile):
        """
        Args:
            node: Owns the subscriptions; must not be spun.
            file: Takes the messages; the caller closes it.
        """
        self._node = node
        self._file = file
        self._subscriptions: dict[str, tuple[Subscription, str]] = {}
        self._discovered = self._fetched = 0.0
        self.latest: dict[str, RawMessage] = {}
        """Newest message by topic."""
        self.unreadable: dict[str, str] = {}
        """Topics that could not be recorded, with the reason."""
        self.trouble = ""
        """Why nothing is recorded any more, e.g. a full disk; what comes is still shown in :attr:`latest`."""
        self._sim_anchor: tuple[float, int] | None = None

    def poll(self) -> None:
        """Fetch the clock, and ten times a second everything that has arrived; looks for new topics now and then."""
        now = time.monotonic()
        if now - self._discovered >= _DISCOVERY_PERIOD:
            self._discovered = now
            self._discover()
        if now - self._fetched >= _FETCH_PERIOD:
            self.fetch()
        elif _CLOCK in self._subscriptions:
            self._drain(_CLOCK, *self._subscriptions[_CLOCK])

    def fetch(self) -> None:
        """Fetch everything that has arrived."""
        self._fetched = time.monotonic()
        for topic, (subscription, type_name) in self._subscriptions.items():
            self._drain(topic, subscription, type_name)

    def newest(self, topic: str) -> Any | None:
        """Newest message of a topic as an object, None before the first."""
        raw = self.latest.get(topic)
        return None if raw is None else raw.decode()

    def sim_time(self) -> float | None:
        """Simulated time of the newest ``/clock`` message [s], carried on by at most 20 ms; None before the first."""
        if self._sim_anchor is None:
            return None
        sim, published_ns = self._sim_anchor
        return sim + min(max(1e-9 * (time.time_ns() - published_ns), 0.0), 0.02)

    def close(self) -> None:
        """Leave all topics."""
        for subscription, _ in self._subscriptions.values():
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()

    def _drain(self, topic: str, subscription: Subscription, type_name: str) -> None:
        seen = self.latest[topic].count if topic in self.latest else 0
        newest: tuple[bytes, int] | None = None
        with subscription.handle:
            while (taken := subscription.handle.take_message(subscription.msg_type, True)) is not None:
                data, info = taken
                published = info["source_timestamp"] or time.time_ns()
                self._write(topic, data, info["received_timestamp"] or published, published)
                seen += 1
                newest = (data, published)
        if newest is None:
            return
        self.latest[topic] = RawMessage(type_name, newest[0], newest[1], seen)
        if topic == _CLOCK:
            self._sim_anchor = (_clock_seconds(newest[0]), newest[1])

    def _write(self, topic: str, data: bytes, received_ns: int, published_ns: int) -> None:
        """A recording that cannot go on must not end what it records."""
        if self.trouble:
            return
        try:
            self._file.write(topic, data, received_ns, published_ns)
        except OSError as error:
            self.trouble = f"recording stopped: {self._file.path.name}: {error.strerror or error}"

    def _discover(self) -> None:
        for topic, type_names in self._node.get_topic_names_and_types():
            if topic in self._subscriptions or topic in self.unreadable:
                continue
            offers = self._node.get_publishers_info_by_topic(topic)
            if not offers:
                continue
            try:
                message_type = message_class(type_names[0])
                self._file.add_channel(
                    topic, type_names[0], offered_qos_profiles(offer.qos_profile for offer in offers)
                )
            except ConfigError as error:
                self.unreadable[topic] = str(error)
                continue
            subscription = self._node.create_subscription(
                message_type, topic, _never_called, matching_qos(offers, topic not in _NOT_ACKNOWLEDGED), raw=True
            )
            self._subscriptions[topic] = (subscription, type_names[0])


def matching_qos(offers: list[TopicEndpointInfo], acknowledged: bool = True) -> QoSProfile:
    """The strictest profile that still matches every publisher; lost messages are not asked for unless
    ``acknowledged``.
    """
    profiles = [offer.qos_profile for offer in offers]
    reliable = acknowledged and all(p.reliability is ReliabilityPolicy.RELIABLE for p in profiles)
    latched = all(p.durability is DurabilityPolicy.TRANSIENT_LOCAL for p in profiles)
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=_QUEUE,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )


def _clock_seconds(data: bytes) -> float:
    """Seconds in a serialised ``rosgraph_msgs/Clock``: header of 4 bytes (2nd: byte order), int32, uint32."""
    sec, nanosec = struct.unpack_from("<iI" if data[1] & 1 else ">iI", data, 4)
    return sec + 1e-9 * nanosec


def _never_called(message: bytes) -> None:
    """Subscriptions need a callback; ours are drained by hand."""
