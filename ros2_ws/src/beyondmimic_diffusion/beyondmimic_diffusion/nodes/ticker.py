"""A thread that does the same work at a fixed rate of the steady clock, and keeps count of how punctual it is."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

from ..core.execution import LatencyWindow
from ..ros.conversions import TickStatistics
from ..ros.lifecycle import prefer_core, prefer_realtime

_SWITCH_INTERVAL = 0.0005
"""How long another Python thread may keep the tick waiting [s]."""


class Ticker:
    """Ticks fall on a grid; those whose time has passed before they could begin are skipped and counted as missed."""

    def __init__(self, period: float, work: Callable[[], None], failed: Callable[[Exception], None]):
        """
        Args:
            period: Of the ticks [s].
            work: Done in each tick, in the ticker's thread.
            failed: Called with what ``work`` raised; the ticks go on.
        """
        self._period, self._work, self._failed = period, work, failed
        self.lateness = LatencyWindow()
        """Of the newest ticks [s]."""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.reset()

    def reset(self) -> None:
        """Count from now on."""
        self.done = self.missed = 0
        self.worst = 0.0
        """Greatest lateness [s]."""
        self.late = 0.0
        """Of the tick under way [s]."""
        self.lateness.reset()

    def start(self, priority: int, core: int, complain: Callable[[str], object]) -> None:
        """Begin to tick.

        Args:
            priority: For SCHED_FIFO; 0: none.
            core: To run on; -1: any.
            complain: Gets a sentence for each of the two that is not permitted.
        """
        self._thread = threading.Thread(target=self._run, args=(priority, core, complain), name="tick", daemon=True)
        self._thread.start()

    def turn(self) -> None:
        """Tick once now, in the caller's thread: in lockstep, where the simulator says when, and no tick is late."""
        self.late = 0.0
        self.lateness.add(0.0)
        self._tick()

    def stop(self) -> None:
        """Let the tick under way finish, and no other begin."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def statistics(self, refused_plans: int) -> TickStatistics:
        """For ``executor/state``."""
        return TickStatistics(self.done, self.missed, self.lateness.percentile(99.0), self.worst, refused_plans)

    def _run(self, priority: int, core: int, complain: Callable[[str], object]) -> None:
        for refused in (prefer_realtime(priority), prefer_core(core)):
            if refused:
                complain(f"the tick does without the priority or the core it was meant to have: {refused}")
        sys.setswitchinterval(_SWITCH_INTERVAL)
        due = time.monotonic()
        while not self._stop.is_set():
            due += self._period
            ahead = due - time.monotonic()
            if ahead > 0.0:
                time.sleep(ahead)
            late = time.monotonic() - due
            skipped = max(0, int(late / self._period))
            due += skipped * self._period
            self.missed += skipped
            self.lateness.add(late)
            self.late = late
            self.worst = max(self.worst, late)
            self._tick()

    def _tick(self) -> None:
        try:
            self._work()
            self.done += 1
        except Exception as error:  # a bug must not silently end the stream of commands
            self._failed(error)
