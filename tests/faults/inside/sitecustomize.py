"""Loaded by each process of a stack under test: SIGUSR1 starts a thread that hogs the interpreter, SIGUSR2 ends it."""

import signal
import threading

_stop = threading.Event()


def _hog() -> None:
    number = 0
    while not _stop.is_set():
        for _ in range(100_000):  # pure Python: it gives the interpreter up only when it is made to
            number = (number * 31 + 7) % 1_000_003


def _start(*_: object) -> None:
    _stop.clear()
    threading.Thread(target=_hog, name="hog", daemon=True).start()


signal.signal(signal.SIGUSR1, _start)
signal.signal(signal.SIGUSR2, lambda *_: _stop.set())
