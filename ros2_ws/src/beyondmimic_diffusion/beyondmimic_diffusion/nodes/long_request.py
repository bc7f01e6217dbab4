"""Something that may take longer than a service call should."""

from __future__ import annotations

import threading
from collections.abc import Callable


class LongRequest:
    """Does it in a thread of its own; who asks while it is under way waits for the same one."""

    def __init__(self, work: Callable[[], tuple[bool, str]], patience: float):
        """
        Args:
            work: Whether it succeeded, and a sentence.
            patience: How long :meth:`ask` waits [s].
        """
        self._work, self._patience = work, patience
        self._thread: threading.Thread | None = None
        self._answer = (False, "")

    def ask(self) -> tuple[bool, str]:
        """The answer; or, if it takes longer, that it is under way and should be asked for again."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="long request", daemon=True)
            self._thread.start()
        self._thread.join(self._patience)
        if self._thread.is_alive():
            return False, "under way, and takes longer than a service call should; call again"
        self._thread = None
        return self._answer

    def _run(self) -> None:
        try:
            self._answer = self._work()
        except Exception as error:  # the operator hears of it; the node goes on
            self._answer = (False, f"internal error: {error!r}")
