"""The page of memory that executor and supervisor share: its words, and who has joined it; see ``command_lease.py``."""

from __future__ import annotations

import mmap
import os
import re
import tempfile
import time
from enum import IntEnum
from pathlib import Path

from ..core.errors import BeyondMimicError
from .process_lock import ProcessLock, process_lives

_SHARED_MEMORY = Path("/dev/shm")
_MAGIC = 0x42794D694C653031
"""Changes with the layout."""
_SIZE = 64


class LeaseError(BeyondMimicError):
    """The page cannot be shared: another program's file, another user's, or a second one of the same side."""


class Owner(IntEnum):
    """Who may command."""

    EXECUTOR = 0
    SUPERVISOR = 1


class Word(IntEnum):
    """Places of the page's 64-bit words; reading and writing an aligned word is one step of the processor."""

    MAGIC = 0
    OWNER = 1
    PROGRESS = 2
    """Commands that the executor has written."""
    WATCHED = 3
    """A :class:`Watch`."""
    REQUEST = 4
    """1 while the executor asks for the motors."""
    EXECUTOR_PID = 5
    """For people, like the next one, and for looking up who writes; in a container, its own number there."""
    SUPERVISOR_PID = 6
    PROGRESS_AT = 7
    """When progress was counted last, monotonic clock [ns]."""


class Watch(IntEnum):
    """What the executor wants of the supervisor."""

    NONE = 0
    WANTED = 1
    """From arming to disarming."""
    GIVEN_UP = 2
    """Commands cannot be written: take the motors."""


class Side(IntEnum):
    """The byte that each side locks for life."""

    EXECUTOR = 0
    SUPERVISOR = 1


def lease_path(namespace: str = "", domain: str | None = None) -> Path:
    """Where the page of one robot is: one per ROS domain and namespace of this machine.

    Args:
        namespace: Of the nodes.
        domain: Their ROS_DOMAIN_ID; None: this process's.
    """
    domain = os.environ.get("ROS_DOMAIN_ID", "0") if domain is None else domain
    folder = _SHARED_MEMORY if _SHARED_MEMORY.is_dir() else Path(tempfile.gettempdir())
    robot = re.sub(r"\W+", "_", namespace.strip("/"))
    return folder / f"beyondmimic_{os.getuid()}_{domain}_{robot or 'robot'}"


class CommandLease:
    """The page; :class:`ExecutorLease` and :class:`SupervisorLease` are the two sides of it."""

    def __init__(self, path: Path):
        """
        Args:
            path: See :func:`lease_path`; made if it is not there.

        Raises:
            LeaseError: The file is there and is none of ours.
        """
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise LeaseError(
                f"the command lease {path} cannot be opened: {error}; remove it if no stack runs"
            ) from error
        try:
            if os.fstat(descriptor).st_size < _SIZE:
                os.ftruncate(descriptor, _SIZE)
            self._map = mmap.mmap(descriptor, _SIZE)
        finally:
            os.close(descriptor)
        self._lock = ProcessLock(path)
        self._words = memoryview(self._map).cast("Q")
        if self._words[Word.MAGIC] == 0:
            self._words[Word.MAGIC] = _MAGIC
        elif self._words[Word.MAGIC] != _MAGIC:
            self.close()
            raise LeaseError(f"{path} is not a command lease of this version; remove it if no stack runs")

    def close(self) -> None:
        """Unmap the page and let go of the lock; the file stays, for the other side may have it mapped."""
        self._lock.close()
        self._words.release()
        self._map.close()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._map.closed

    @property
    def owner(self) -> Owner:
        """Who may command now."""
        return Owner(self._words[Word.OWNER])

    @property
    def watched(self) -> bool:
        """Whether the executor wants the supervisor to watch."""
        return self._words[Word.WATCHED] != Watch.NONE

    @property
    def given_up(self) -> bool:
        """Whether it wants the supervisor to take the motors at once."""
        return self._words[Word.WATCHED] == Watch.GIVEN_UP

    @property
    def progress(self) -> int:
        """Commands that the executor has written."""
        return self._words[Word.PROGRESS]

    @property
    def progress_at(self) -> float:
        """When that was counted last, on the monotonic clock of the executor's process [s]."""
        return 1e-9 * self._words[Word.PROGRESS_AT]

    @property
    def executor_lives(self) -> bool:
        """Whether the executor's process is there; it may be frozen all the same."""
        return self._lock.held(Side.EXECUTOR)

    def _join(self, side: Side, word: Word, patience: float) -> None:
        """Be this side of the page from now on; the one before it has ``patience`` [s] to end."""
        until = time.monotonic() + patience
        while not self._lock.take(side):
            if time.monotonic() > until:
                pid, name = self._words[word], side.name.lower()
                where = "" if process_lives(pid) else " of another container"
                self.close()
                raise LeaseError(f"this robot has its {name} already (process {pid}{where}); there can be only one")
            time.sleep(0.01)
        self._words[word] = os.getpid()
