"""Batches made in a thread while the network learns."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator

from .dataset import Batch


class Prefetcher:
    """Makes batches in a thread, a few ahead."""

    def __init__(self, make: Callable[[], Batch], ahead: int = 4):
        self._queue: queue.Queue[Batch | Exception] = queue.Queue(ahead)
        self._make = make
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                item: Batch | Exception = self._make()
            except Exception as error:  # handed to the consumer, which raises it
                item = error
            while not self._stop.is_set():
                try:
                    self._queue.put(item, timeout=0.2)
                    break
                except queue.Full:
                    continue

    def __iter__(self) -> Iterator[Batch]:
        while True:
            item = self._queue.get()
            if isinstance(item, Exception):
                raise item
            yield item

    def close(self) -> None:
        """Stop the thread."""
        self._stop.set()
        self._thread.join(timeout=2.0)
