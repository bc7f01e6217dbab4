"""Catches what a node publishes, subscribes to and times, so that lockstep decides when each of it happens."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from rclpy.node import Node
from rclpy.serialization import deserialize_message, serialize_message

from .lockstep_frames import Entry, type_name

_ROUNDING = 1e-6
"""Robot time is good to this [s]."""


class LockstepTimer:
    """A timer on robot time; looked at once per turn, so it is late by less than the time between two turns."""

    def __init__(self, period: float, callback: Callable[[], object]):
        """
        Args:
            period: [s].
            callback: Called when it is due.
        """
        self._period, self._callback = period, callback
        self._next: float | None = None
        self._canceled = False

    def turn(self, now: float) -> None:
        """Call back if that is due at ``now`` [s]; periods that were missed are not made up for."""
        if self._canceled:
            return
        if self._next is None or self._next - now > self._period:  # the first turn, or time was set back
            self._next = now + self._period
        elif self._next <= now + _ROUNDING:
            self._next += self._period * (1 + int((now + _ROUNDING - self._next) / self._period))
            self._callback()

    def cancel(self) -> None:
        """Do not call back any more."""
        self._canceled = True

    def reset(self) -> None:
        """Begin a new period, also after :meth:`cancel`."""
        self._next, self._canceled = None, False

    def is_canceled(self) -> bool:
        """Whether it was cancelled."""
        return self._canceled

    def destroy(self) -> None:
        """As :meth:`cancel`."""
        self._canceled = True


class CaughtTopics:
    """Replaces a node's own ways to make publishers, subscriptions and timers.

    What is published goes out as always, and is kept for :meth:`take`. Subscriptions get what :meth:`deliver` is given;
    what arrives on topics that no member of lockstep publishes (an operator's) waits for :meth:`deliver_from_outside`.
    """

    def __init__(self, node: Node, timers: bool, from_simulator: bool = False):
        """
        Args:
            node: Its topics from now on.
            timers: Whether its timers shall run on robot time, too.
            from_simulator: Marks the entries of :meth:`take`.
        """
        self._node = node
        self._from_simulator = from_simulator
        self._make = node.create_publisher, node.create_subscription, node.create_timer
        self._routes: dict[str, list[tuple[Any, Callable[[bytes], object]]]] = {}
        self._timers: list[LockstepTimer] = []
        self._out: list[Entry] = []
        self._outside: list[tuple[str, bytes]] = []
        self._carried: set[str] = set()
        self.published: set[str] = set()
        """Topics of the node's publishers."""
        node.create_publisher, node.create_subscription = self._create_publisher, self._create_subscription  # type: ignore[method-assign]
        if timers:
            node.create_timer = self._create_timer  # type: ignore[method-assign]

    def release(self) -> None:
        """Topics that the node makes from now on are its own again."""
        for name in ("create_publisher", "create_subscription", "create_timer"):
            vars(self._node).pop(name, None)  # what stands there hides the node's own

    def carry(self, topics: Iterable[str]) -> None:
        """From now on these come by lockstep alone."""
        self._carried.update(topics)

    def add(self, entry: Entry) -> None:
        """Something that goes to the members alone."""
        self._out.append(entry)

    def take(self) -> list[Entry]:
        """What was published since the last call."""
        out, self._out = self._out, []
        return out

    def deliver(self, entries: Iterable[Entry]) -> None:
        """Hand messages to the node's subscriptions, in this order."""
        for entry in entries:
            for subscription, callback in list(self._routes.get(entry.topic, ())):
                if subscription in self._node._subscriptions:  # rclpy's public list is a generator over the same
                    callback(entry.data)

    def deliver_from_outside(self) -> None:
        """Hand over what came from publishers that are no members."""
        waiting, self._outside = self._outside, []
        for topic, data in waiting:
            if topic not in self._carried:
                self.deliver([Entry(topic, "", data)])

    def turn(self, now: float) -> None:
        """Let timers ring that are due at robot time ``now`` [s]."""
        for timer in self._timers:
            timer.turn(now)

    def _create_publisher(self, msg_type: Any, topic: str, *args: Any, **kwargs: Any) -> Any:
        publisher = self._make[0](msg_type, topic, *args, **kwargs)
        name, kind, send = publisher.topic_name, type_name(msg_type), publisher.publish
        self.published.add(name)

        def publish(message: Any) -> None:
            data = message if isinstance(message, bytes) else serialize_message(message)
            self._out.append(Entry(name, kind, data, self._from_simulator))
            send(data)

        publisher.publish = publish  # type: ignore[method-assign]
        return publisher

    def _create_subscription(self, msg_type: Any, topic: str, callback: Any, *args: Any, **kwargs: Any) -> Any:
        raw = kwargs.pop("raw", False)
        take = callback if raw else lambda data: callback(deserialize_message(data, msg_type))

        def from_outside(data: Any) -> None:
            if name not in self._carried:
                self._outside.append((name, data))

        subscription = self._make[1](msg_type, topic, from_outside, *args, raw=True, **kwargs)
        name = subscription.topic_name
        self._routes.setdefault(name, []).append((subscription, take))
        return subscription

    def _create_timer(self, timer_period_sec: float, callback: Callable[[], object], *_: Any, **__: Any) -> Any:
        timer = LockstepTimer(timer_period_sec, callback)
        self._timers.append(timer)
        return timer
