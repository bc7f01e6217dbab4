"""One line per step for the user, everything else into log files."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Mapping, Sequence

CLEAR_LINE = "\r\033[K"
TAIL_LINES = 15
"""Lines of a failed command's log that the user sees."""

NETWORK_SIGNS = re.compile(
    r"NewConnectionError|Failed to establish a new connection|Temporary failure in name resolution"
    r"|Name or service not known|Network is unreachable|ConnectTimeout|Max retries exceeded|ProxyError"
    r"|from versions: none",
    re.IGNORECASE,
)
NETWORK_REMEDY = (
    "The package index was not reached, or does not have the package. Check the network, the proxy (HTTPS_PROXY) and "
    "pip's configuration (pip config list), then run the same command again: finished steps are kept."
)
DISK_REMEDY = "The disk is full. Free some space and run the same command again: finished steps are kept."


class SetupError(Exception):
    """Something the user can put right; the text says what is wrong and what to do."""


class Progress:
    """Prints a line when a step is finished; on a terminal also what runs at the moment."""

    def __init__(self):
        self._lock = threading.Lock()
        self._running = ""

    def started(self, title: str) -> None:
        """Show what runs now, where a line can be overwritten."""
        with self._lock:
            self._running = title
            self._show()

    def finished(self, title: str, seconds: float) -> None:
        """Print the line of a finished step."""
        with self._lock:
            if title == self._running:
                self._running = ""
            self._write(f"{CLEAR_LINE if sys.stdout.isatty() else ''}  {title}: {seconds:.0f} s\n")
            self._show()

    def _show(self) -> None:
        if sys.stdout.isatty():
            self._write(f"{CLEAR_LINE}  {self._running} ..." if self._running else CLEAR_LINE)

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)


def run_logged(command: Sequence[str], log: Path, env: Mapping[str, str] | None = None, remedy: str = "") -> None:
    """Run a command with its output appended to a log file.

    Args:
        command: Program and arguments.
        log: File that collects the output.
        env: Whole environment of the command; this process's own if None.
        remedy: Advice for a failure that is neither the network nor the disk.

    Raises:
        SetupError: The command failed; holds the end of its output and a remedy.
    """
    with log.open("a+", encoding="utf-8", errors="replace") as out:
        start = out.seek(0, os.SEEK_END)
        out.write("$ " + " ".join(map(str, command)) + "\n")
        out.flush()
        code = subprocess.call(
            list(map(str, command)), stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=env
        )
        if code == 0:
            return
        out.seek(start)
        text = out.read()
    raise SetupError(failure_text(command, code, text, log, remedy))


def failure_text(command: Sequence[str], code: int, output: str, log: Path, remedy: str) -> str:
    """What the user reads about a failed command: its last lines, where the rest is, and what to do."""
    tail = "\n".join("    " + line for line in output.rstrip().splitlines()[-TAIL_LINES:])
    if "No space left on device" in output:
        remedy = DISK_REMEDY
    elif NETWORK_SIGNS.search(output):
        remedy = NETWORK_REMEDY
    return f"'{Path(command[0]).name}' failed (exit status {code}):\n{tail}\n  full output: {log}\n  {remedy}".rstrip()


def fail(error: SetupError) -> int:
    """Print an error to stderr and give the exit status."""
    if sys.stdout.isatty():
        sys.stdout.write(CLEAR_LINE)
    sys.stdout.flush()
    print(f"set-up stopped: {error}", file=sys.stderr, flush=True)
    return 1
