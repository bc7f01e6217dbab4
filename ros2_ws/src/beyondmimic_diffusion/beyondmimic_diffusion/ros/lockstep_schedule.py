"""When a message of a lockstep member is seen by the others: in the next step, a plan after its modelled latency."""

from __future__ import annotations

from collections.abc import Iterable

from .lockstep_frames import Entry
from .raw_stamp import stamp_ns

_PLAN = "beyondmimic_msgs/msg/ActionPlan"


class EntrySchedule:
    """Messages on their way, in the order in which they were sent."""

    def __init__(self, plan_latency: float):
        """
        Args:
            plan_latency: Time from a plan's observation to its arrival [s].
        """
        self._latency_ns = round(1e9 * plan_latency)
        self._waiting: list[tuple[int, Entry]] = []

    def add(self, entries: Iterable[Entry]) -> None:
        """Take what was sent."""
        self._waiting += [(self._arrival(entry), entry) for entry in entries]

    def due(self, time_ns: int) -> list[Entry]:
        """What is seen from robot time ``time_ns`` [ns] on, and was not before."""
        ready = [entry for at, entry in self._waiting if at <= time_ns]
        self._waiting = [(at, entry) for at, entry in self._waiting if at > time_ns]
        return ready

    def _arrival(self, entry: Entry) -> int:
        if entry.type_name != _PLAN:
            return -1
        return stamp_ns(entry.data) + self._latency_ns
