"""What the nodes of a session write: kept in a file, trouble shown. No ROS, so that the nodes can be started first."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from pathlib import Path

from .console import Console

_LAST_LINES = 12
_BAD = ("[ERROR]", "[FATAL]", "Traceback")


class NodeLog:
    """Keeps what the nodes write in a file, and shows the lines that report trouble."""

    def __init__(self, path: Path, console: Console):
        """
        Args:
            path: File to write.
            console: Where trouble is shown.
        """
        self._file = path.open("w")
        self._console = console
        self._lines: deque[str] = deque(maxlen=400)
        self._lock = threading.Lock()
        self.quiet = False
        """Show nothing any more: while shutting down, complaints are to be expected."""

    def take(self, line: str) -> None:
        """One line, as ``[node] text``; called from the threads that read the processes."""
        with self._lock:
            if self._file.closed:
                return
            with contextlib.suppress(OSError):  # on a full disk the nodes must still be read, or they wait to write
                self._file.write(line + "\n")
            self._lines.append(line)
        if not self.quiet and any(mark in line for mark in _BAD):
            self._console.say(line)

    def last_lines(self, node: str) -> str:
        """The last lines of one node."""
        with self._lock:
            own = [line for line in self._lines if line.startswith(f"[{node}]")]
        return "\n".join(own[-_LAST_LINES:]) or "(it wrote nothing)"

    def close(self) -> None:
        """Close the file."""
        with self._lock, contextlib.suppress(OSError):
            self._file.close()
