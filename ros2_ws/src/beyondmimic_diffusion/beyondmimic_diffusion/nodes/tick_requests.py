"""What other threads ask of the tick: it is done between two ticks, or not at all."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

Answer = tuple[bool, str]
"""Whether it was done, and a sentence."""


class _Request:
    """Whoever claims it first decides: the tick, that it is done; who waits, that it is not."""

    def __init__(self, action: Callable[[], Answer]):
        self._action = action
        self._claim = threading.Lock()
        self._done = threading.Event()
        self._answer: Answer = (False, "")

    def claim(self) -> bool:
        """True for the first who asks."""
        return self._claim.acquire(blocking=False)

    def run(self) -> None:
        """Do it, if nobody has called it off."""
        if not self.claim():
            return
        try:
            self._answer = self._action()
        except Exception as error:
            self._answer = (False, f"internal error: {type(error).__name__}: {error}")
            raise
        finally:
            self._done.set()

    def wait(self, patience: float) -> Answer | None:
        """The answer; None if it was not begun within ``patience`` [s], and now never will be."""
        if not self._done.wait(patience) and self.claim():
            return None
        if not self._done.wait(patience):
            return False, "it was begun and has not ended: the tick hangs in it"
        return self._answer


class TickRequests:
    """Requests wait here for the next tick."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()

    def put(self, action: Callable[[], object]) -> None:
        """Have the next tick do it, however late that comes: for what stops the robot."""
        self._waiting.put(action)

    def ask(self, action: Callable[[], Answer], patience: float) -> Answer | None:
        """Have the next tick do it, and wait for the answer.

        Args:
            action: Done in the tick's thread.
            patience: How long to wait for the tick to begin it [s].

        Returns:
            The answer; None if no tick came: then it is never done.
        """
        request = _Request(action)
        self._waiting.put(request.run)
        return request.wait(patience)

    def serve(self) -> None:
        """Do all that waits; called by the tick."""
        while not self._waiting.empty():
            self._waiting.get()()
