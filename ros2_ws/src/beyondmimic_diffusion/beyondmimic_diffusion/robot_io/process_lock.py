"""Whether another process is there, by the kernel's own record: it locks a byte of a file for as long as it lives.

Locks of open file descriptions (``fcntl(2)``, F_OFD_*): the kernel lets go of them when the process ends, however it
ends; they are the same in every PID name space that sees the file; two objects of one process exclude each other, too;
and one can be asked about without being taken. A child would share them, so it closes what it has inherited.
"""

from __future__ import annotations

import fcntl
import os
import struct
import weakref
from pathlib import Path

_FLOCK = "hhqqi4x"
"""``struct flock`` of 64-bit Linux: type, whence, start, length, process."""
_open: weakref.WeakSet[ProcessLock] = weakref.WeakSet()
"""Of this process."""


class ProcessLock:
    """One open file, and the bytes of it that are locked through it."""

    def __init__(self, path: Path):
        """
        Args:
            path: Exists, and may be written.
        """
        self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        self._mine: set[int] = set()
        self._close = weakref.finalize(self, os.close, self._descriptor)
        _open.add(self)

    def take(self, byte: int) -> bool:
        """Lock a byte; False if another has it."""
        try:
            self._ask(fcntl.F_OFD_SETLK, fcntl.F_WRLCK, byte)
        except BlockingIOError:
            return False
        self._mine.add(byte)
        return True

    def held(self, byte: int) -> bool:
        """Whether anybody has locked a byte, this object included."""
        return byte in self._mine or self._ask(fcntl.F_OFD_GETLK, fcntl.F_WRLCK, byte) != fcntl.F_UNLCK

    def close(self) -> None:
        """Let go of everything."""
        for byte in self._mine:
            self._ask(fcntl.F_OFD_SETLK, fcntl.F_UNLCK, byte)
        self.leave()

    def leave(self) -> None:
        """Close the file without unlocking: in a child, whose parent goes on."""
        self._mine.clear()
        self._close()

    def _ask(self, what: int, kind: int, byte: int) -> int:
        answer = fcntl.fcntl(self._descriptor, what, struct.pack(_FLOCK, kind, os.SEEK_SET, byte, 1, 0))
        return struct.unpack(_FLOCK, answer)[0]


def _leave_all() -> None:
    for lock in list(_open):
        lock.leave()


os.register_at_fork(after_in_child=_leave_all)


def process_lives(pid: int) -> bool:
    """Whether a process of this PID name space is there and not a zombie; for messages, and not of threads."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    return fields.get("Tgid") == str(pid) and fields.get("State", "X")[0] not in "ZX"
