"""What the user sees while a session runs: lines that stay, and one line that lives."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO

_QUIET_PERIOD = 5.0
"""Where there is no terminal, the living line is written this often [s]."""


class Console:
    """Writes to a terminal, or plainly to a pipe or file."""

    def __init__(self, stream: TextIO | None = None):
        """
        Args:
            stream: Where to write; standard output by default.
        """
        self._stream = stream or sys.stdout
        self._tty = self._stream.isatty()
        self._alive = False
        self._written = float("-inf")

    def say(self, text: str) -> None:
        """A line that stays."""
        self._clear()
        self._stream.write(text + "\n")
        self._stream.flush()

    def live(self, text: str) -> None:
        """Replace the living line; without a terminal, write it from time to time."""
        if not self._tty:
            if time.monotonic() - self._written >= _QUIET_PERIOD:
                self._written = time.monotonic()
                self._stream.write(text + "\n")
                self._stream.flush()
            return
        width = shutil.get_terminal_size().columns - 1
        self._stream.write("\r\x1b[K" + text[:width])
        self._stream.flush()
        self._alive = True

    def _clear(self) -> None:
        if self._alive:
            self._stream.write("\r\x1b[K")
            self._alive = False


def bar(share: float, width: int = 20) -> str:
    """A bar for a share between 0 and 1."""
    full = round(min(max(share, 0.0), 1.0) * width)
    return "#" * full + "." * (width - full)
