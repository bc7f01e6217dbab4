r"""Who may command the motors: a page of memory that the executor and its supervisor share.

::

    executor    every tick: mine? -> write the command -> progress + 1        never while it is not mine
    supervisor  every 2 ms: watched, and no progress for ``timeout``? -> the supervisor's; streams damping
    executor    not mine any more -> silent, FAULT; the operator disarms (or arms a new one) -> asks for the motors
    supervisor  asked -> stops streaming -> the executor's again

Each word has one writer at a time: the executor counts and asks, the supervisor alone takes and gives back. Nothing is
waited for and nothing is sent, so neither a frozen executor nor a middleware that hangs can hold up the other side. One
frame remains that no such page can prevent: an executor that is frozen between its look at the page and its write sends
that one command when it is thawed, and the next frame, at most ``1 / damping rate`` later, is damping again.
"""

from __future__ import annotations

import mmap
import os
import re
import tempfile
from enum import IntEnum
from pathlib import Path

from ..core.errors import BeyondMimicError

_SHARED_MEMORY = Path("/dev/shm")
_MAGIC = 0x42794D694C653031
"""Changes with the layout."""
_SIZE = 64


class LeaseError(BeyondMimicError):
    """The page cannot be shared: another program's file, or another user's."""


class Owner(IntEnum):
    """Who may command."""

    EXECUTOR = 0
    SUPERVISOR = 1


class _Word(IntEnum):
    """Places of the page's 64-bit words; reading and writing an aligned word is one step of the processor."""

    MAGIC = 0
    OWNER = 1
    PROGRESS = 2
    """Commands that the executor has written."""
    WATCHED = 3
    """1 from arming to disarming."""
    REQUEST = 4
    """1 while the executor asks for the motors."""
    EXECUTOR_PID = 5
    SUPERVISOR_PID = 6


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


def robot_is_armed(path: Path) -> bool:
    """Whether an executor that lives has armed its robot; for those that are neither executor nor supervisor.

    Args:
        path: See :func:`lease_path`.
    """
    if not path.is_file():
        return False
    try:
        lease = CommandLease(path)
    except LeaseError:
        return False
    armed = lease.watched and lease.executor_lives
    lease.close()
    return armed


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
        self._words = memoryview(self._map).cast("Q")
        if self._words[_Word.MAGIC] == 0:
            self._words[_Word.MAGIC] = _MAGIC
        elif self._words[_Word.MAGIC] != _MAGIC:
            self.close()
            raise LeaseError(f"{path} is not a command lease of this version; remove it if no stack runs")

    def close(self) -> None:
        """Unmap the page; the file stays, for the other side may have it mapped."""
        self._words.release()
        self._map.close()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._map.closed

    @property
    def owner(self) -> Owner:
        """Who may command now."""
        return Owner(self._words[_Word.OWNER])

    @property
    def watched(self) -> bool:
        """Whether the executor wants the supervisor to watch."""
        return self._words[_Word.WATCHED] == 1

    @property
    def progress(self) -> int:
        """Commands that the executor has written."""
        return self._words[_Word.PROGRESS]

    @property
    def executor_lives(self) -> bool:
        """Whether the executor's process is there; it may be frozen all the same."""
        return _lives(self._words[_Word.EXECUTOR_PID])


class ExecutorLease(CommandLease):
    """The executor's side. All but :meth:`supervised` are called by the tick alone."""

    def __init__(self, path: Path):
        """
        Args:
            path: See :func:`lease_path`.

        Raises:
            LeaseError: See :class:`CommandLease`.
        """
        super().__init__(path)
        self._words[_Word.EXECUTOR_PID] = os.getpid()
        self._words[_Word.REQUEST] = 0
        if not self.supervised:
            self._take()

    @property
    def mine(self) -> bool:
        """Whether the executor may command; asked before each command."""
        return self._words[_Word.OWNER] == Owner.EXECUTOR

    @property
    def supervisor_pid(self) -> int:
        """Process of the supervisor, dead or alive; 0: there was none."""
        return self._words[_Word.SUPERVISOR_PID]

    @property
    def supervised(self) -> bool:
        """Whether the supervisor's process lives."""
        return _lives(self.supervisor_pid)

    def count(self) -> None:
        """One more command is written."""
        self._words[_Word.PROGRESS] = (self._words[_Word.PROGRESS] + 1) & (2**64 - 1)

    def watch(self, wanted: bool) -> None:
        """Be watched from now on, or no longer."""
        self._words[_Word.WATCHED] = int(wanted and self.mine)

    def ask(self) -> bool:
        """Ask for the motors back; True once they are the executor's. Of a dead supervisor they are simply taken."""
        if self.mine:
            return True
        if not self.supervised:
            self._take()
            return True
        self._words[_Word.REQUEST] = 1
        return False

    def _take(self) -> None:
        self._words[_Word.WATCHED] = 0
        self._words[_Word.OWNER] = Owner.EXECUTOR


class SupervisorLease(CommandLease):
    """The supervisor's side."""

    def __init__(self, path: Path):
        """
        Args:
            path: See :func:`lease_path`.

        Raises:
            LeaseError: See :class:`CommandLease`, or a supervisor watches already.
        """
        super().__init__(path)
        other = self._words[_Word.SUPERVISOR_PID]
        if other != os.getpid() and _lives(other):
            self.close()
            raise LeaseError(f"a supervisor (process {other}) watches this robot already; there can be only one")
        self._words[_Word.SUPERVISOR_PID] = os.getpid()
        if not self.executor_lives:  # what an earlier run has left
            self.give_back()

    @property
    def damping(self) -> bool:
        """Whether the supervisor commands."""
        return self._words[_Word.OWNER] == Owner.SUPERVISOR

    @property
    def asked_back(self) -> bool:
        """Whether the executor asks for the motors."""
        return self._words[_Word.REQUEST] == 1

    def take(self) -> None:
        """From now on the supervisor alone commands."""
        self._words[_Word.REQUEST] = 0
        self._words[_Word.OWNER] = Owner.SUPERVISOR

    def give_back(self) -> None:
        """The executor commands again, not watched until it is armed."""
        self._words[_Word.REQUEST] = 0
        self._words[_Word.WATCHED] = 0
        self._words[_Word.OWNER] = Owner.EXECUTOR

    def leave(self) -> None:
        """The supervisor ends: nobody watches any more."""
        self._words[_Word.SUPERVISOR_PID] = 0


def _lives(pid: int) -> bool:
    """Whether a process is there and is not merely waiting to be buried."""
    if pid == 0:
        return False
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")
