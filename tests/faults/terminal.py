"""What the nodes write to, and what happens when it takes nothing any more."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable
from pathlib import Path

_FULL = 4096 * b"x" + b"\n"
"""Fills a pipe quickly."""


class Terminal:
    """Keeps the nodes' lines; stopped, as by Ctrl-S, it takes none until it goes on."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        """All that came; grows."""
        self._runs = threading.Event()
        self._runs.set()

    def take(self, line: str) -> None:
        """One line of a node."""
        self._runs.wait()
        self.lines.append(line)

    def stop(self, processes: Iterable[int]) -> None:
        """Take no line any more, and let the pipes of these processes be as full as they are after a while."""
        self._runs.clear()
        own = {os.stat(f"/proc/self/fd/{fd}").st_ino: fd for fd in _pipes("self")}
        for process in processes:
            for target in {os.stat(f"/proc/{process}/fd/{fd}").st_ino for fd in _pipes(str(process))} & set(own):
                _fill(Path(f"/proc/self/fd/{own[target]}"))

    def go_on(self, *_: object) -> None:
        """Take what has waited, and what comes."""
        self._runs.set()


def _pipes(process: str) -> list[str]:
    """Descriptors of a process that are pipes."""
    found = []
    for entry in Path(f"/proc/{process}/fd").iterdir():
        with contextlib.suppress(OSError):
            if os.readlink(entry).startswith("pipe:"):
                found.append(entry.name)
    return found


def _fill(pipe: Path) -> None:
    descriptor = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    try:
        for chunk in (_FULL, b"\n"):
            with contextlib.suppress(BlockingIOError):
                while True:
                    os.write(descriptor, chunk)
    finally:
        os.close(descriptor)
