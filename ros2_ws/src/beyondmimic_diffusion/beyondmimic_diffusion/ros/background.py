"""Work that a control loop hands over and never waits for: reports, messages for the log."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable


class Background:
    """One thread, one bounded queue; what does not fit is dropped and counted.

    :meth:`do` may be called from any thread and takes about a microsecond. The work is done in the order in which it
    was handed over, at the priority of the thread that made this object.
    """

    def __init__(self, name: str, capacity: int = 256, inline: bool = False):
        """
        Args:
            name: Of the thread.
            capacity: Most pieces of work that may wait.
            inline: Do it at once in the caller's thread: where runs must not depend on when a thread gets its turn.
        """
        self._capacity, self._inline = capacity, inline
        self._queue: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._closed = False
        self.dropped = 0
        """Pieces of work that found the queue full."""
        self.failed = 0
        """Pieces of work that raised an exception."""
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def do(self, work: Callable[[], object]) -> bool:
        """Hand work over; False if it was dropped."""
        if self._closed or self._queue.qsize() >= self._capacity:
            self.dropped += 1
            return False
        if self._inline:
            self._attempt(work)
        else:
            self._queue.put(work)
        return True

    def close(self, patience: float = 1.0) -> None:
        """Finish what waits, for at most ``patience`` [s]; what comes later is dropped."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            self._thread.join(patience)

    def _run(self) -> None:
        while (work := self._queue.get()) is not None:
            self._attempt(work)

    def _attempt(self, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception:  # nobody waits for it, and the next piece must be done all the same
            self.failed += 1
