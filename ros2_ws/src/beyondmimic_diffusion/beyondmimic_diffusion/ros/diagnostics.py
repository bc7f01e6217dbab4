"""``/diagnostics`` once a second (REP-107), and the heartbeat that shows a node's progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from beyondmimic_msgs.msg import Heartbeat as HeartbeatMsg
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from . import qos
from .cdr import HeartbeatWriter


class Level(Enum):
    """REP-107's levels."""

    OK = DiagnosticStatus.OK
    WARN = DiagnosticStatus.WARN
    ERROR = DiagnosticStatus.ERROR
    STALE = DiagnosticStatus.STALE


@dataclass(frozen=True)
class Diagnosis:
    """What one check found."""

    level: Level
    message: str
    values: Mapping[str, Any] = field(default_factory=dict)


class Diagnostics:
    """Runs a node's checks once a second and publishes what they found."""

    def __init__(self, node: Node, hardware_id: str = "g1", period: float = 1.0):
        """
        Args:
            node: Node whose name the entries carry.
            hardware_id: Serial number of the robot, or its type.
            period: Of the checks, on the steady clock [s].
        """
        self._node = node
        self._hardware_id = hardware_id
        self._checks: dict[str, Callable[[], Diagnosis]] = {}
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", qos.STREAM)
        self._timer = node.create_timer(period, self.publish, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def add(self, name: str, check: Callable[[], Diagnosis]) -> None:
        """Run ``check`` from now on; it appears as ``<node>: <name>``."""
        self._checks[name] = check

    def publish(self) -> None:
        """Run all checks now."""
        message = DiagnosticArray()
        message.header.stamp = self._node.get_clock().now().to_msg()
        message.status = [self._status(name, check()) for name, check in self._checks.items()]
        self._publisher.publish(message)

    def _status(self, name: str, found: Diagnosis) -> DiagnosticStatus:
        return DiagnosticStatus(
            level=found.level.value,
            name=f"{self._node.get_name()}: {name}",
            message=found.message,
            hardware_id=self._hardware_id,
            values=[KeyValue(key=key, value=_text(value)) for key, value in found.values.items()],
        )


class Heartbeat:
    """Publishes ``heartbeat/<node>`` with a count of the work done; the owner counts with :meth:`beat`."""

    PERIOD = 0.2
    """[s]. For operators and monitoring; the supervisor watches the executor through shared memory. The middleware
    keeps the writer alive by messages to every process, some per period."""

    def __init__(self, node: Node, refresh_clock: Callable[[], None] | None = None):
        """
        Args:
            node: Whose progress it is.
            refresh_clock: Called before each heartbeat, for nodes whose simulated clock is set by polling.
        """
        self._clock = node.get_clock()
        self._refresh_clock = refresh_clock
        self.progress = 0
        """Units of work done; written by one thread, read by another."""
        self._looked = (0, time.monotonic())
        self._writer = HeartbeatWriter(node.get_name(), self.PERIOD)
        self._publisher = node.create_publisher(
            HeartbeatMsg, f"heartbeat/{node.get_name()}", qos.heartbeat(self.PERIOD)
        )
        self._timer = node.create_timer(self.PERIOD, self._publish, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def beat(self) -> None:
        """One more unit of work is done."""
        self.progress += 1

    def diagnose(self) -> Diagnosis:
        """Rate of the work since the last call; a warning where nothing was done any more."""
        now, progress = time.monotonic(), self.progress
        before, at = self._looked
        self._looked = (progress, now)
        rate = (progress - before) / max(now - at, 1e-3)
        values = {"rate_hz": rate, "progress": progress}
        if progress == before and progress > 0:
            return Diagnosis(Level.WARN, "no work was done of late", values)
        return Diagnosis(Level.OK, "working" if progress else "nothing done yet", values)

    def _publish(self) -> None:
        if self._refresh_clock is not None:
            self._refresh_clock()
        self._publisher.publish(self._writer.write(self._clock.now().nanoseconds, self.progress))


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
