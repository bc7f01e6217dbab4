"""Standard output that never holds a node up: a terminal stopped by Ctrl-S must not stop the robot.

Whoever writes to a full pipe or a stopped terminal waits until somebody reads; rclpy's logger does so without letting
any other thread of Python run. So descriptors 1 and 2 become a pipe that is written to without waiting and emptied at
once by a thread; another writes what came to where it was meant to go, and may wait there::

    node, rclpy, middleware --> pipe --> reader --> bounded queue --> writer --> terminal, launch, ...

Once more than the queue holds is waiting, new output is dropped, and counted. What a process writes in the moment in
which it is killed, or crashes outside of Python, may be lost.
"""

from __future__ import annotations

import contextlib
import os
import queue
import stat
import sys
import threading

_CAPACITY = 1024
"""Reads of the pipe that may wait; mostly one line each."""
_CHUNK = 1 << 14
"""Most bytes of one read."""
_PATIENCE = 1.0
"""How long the end of a process waits for its last lines to be written [s]."""
_STANDARD = (1, 2)


class GuardedOutput(contextlib.ContextDecorator):
    """Guards descriptors while it is entered (or what it decorates runs), unless they lead to a file."""

    def __init__(self, descriptors: tuple[int, ...] = _STANDARD):
        """
        Args:
            descriptors: Of standard output and error.
        """
        self._descriptors = descriptors
        self._guards: list[_Guard] = []

    def __enter__(self) -> GuardedOutput:
        targets: dict[tuple[int, int], list[int]] = {}
        for descriptor in self._descriptors:
            with contextlib.suppress(OSError):  # closed
                status = os.fstat(descriptor)
                if not stat.S_ISREG(status.st_mode):
                    targets.setdefault((status.st_dev, status.st_ino), []).append(descriptor)
        if os.isatty(2):
            os.environ.setdefault("RCUTILS_COLORIZED_OUTPUT", "1")  # rclpy would see the pipe
        self._guards = [_Guard(descriptors) for descriptors in targets.values()]
        return self

    def __exit__(self, *_: object) -> None:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        for guard in self._guards:
            guard.close()
        self._guards = []

    @property
    def dropped(self) -> int:
        """Lines that were dropped so far."""
        return sum(guard.dropped for guard in self._guards)


class _Guard:
    """Descriptors that lead to one place, and the two threads behind them."""

    def __init__(self, descriptors: list[int]):
        self._descriptors = descriptors
        self._target = os.dup(descriptors[0])
        self._source, sink = os.pipe()
        os.set_blocking(sink, False)
        for descriptor in descriptors:
            os.dup2(sink, descriptor)
        os.close(sink)
        self._queue: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.dropped = 0
        threading.Thread(target=self._read, name="output reader", daemon=True).start()
        self._writer = threading.Thread(target=self._write, name="output writer", daemon=True)
        self._writer.start()

    def close(self) -> None:
        """Give the descriptors back once all is written; to nowhere if that takes too long."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for descriptor in self._descriptors:
            os.dup2(nowhere, descriptor)  # nobody writes into the pipe any more: its reader comes to an end
        os.close(nowhere)
        self._writer.join(_PATIENCE)
        if not self._writer.is_alive():
            for descriptor in self._descriptors:
                os.dup2(self._target, descriptor)
            os.close(self._target)

    def _read(self) -> None:
        while chunk := os.read(self._source, _CHUNK):
            if self._queue.qsize() < _CAPACITY:
                self._queue.put(chunk)
            else:
                self.dropped += max(1, chunk.count(b"\n"))
        self._queue.put(b"")
        os.close(self._source)

    def _write(self) -> None:
        told = 0
        while chunk := self._queue.get():
            if self.dropped > told and self._queue.empty():
                chunk += b"%d lines of output were dropped while nobody read them\n" % (self.dropped - told)
                told = self.dropped
            while chunk:
                try:
                    chunk = chunk[os.write(self._target, chunk) :]
                except OSError:  # nobody will ever read it
                    break
