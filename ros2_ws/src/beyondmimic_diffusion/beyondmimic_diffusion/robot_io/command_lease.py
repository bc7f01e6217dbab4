r"""Who may command the motors: a page of memory that the executor and its supervisor share.

::

    executor    every tick: mine? -> write the command -> progress + 1        never while it is not mine
    supervisor  watched, and no progress for ``timeout``? -> the supervisor's; streams damping
    executor    not mine any more -> silent, FAULT; the operator disarms (or arms a new one) -> asks for the motors
    supervisor  asked -> stops streaming -> the executor's again

Each word has one writer at a time: the executor counts and asks, the supervisor alone takes and gives back. Nothing is
waited for and nothing is sent, so neither a frozen executor nor a middleware that hangs can hold up the other side. One
frame remains that no such page can prevent: an executor that is frozen between its look at the page and its write sends
that command when it is thawed, and the next frame, at most ``1 / damping rate`` later, is damping again.

Whether the other side's process is there is the kernel's to say (``process_lock.py``): each side locks a byte of the
file for as long as it lives.
"""

from __future__ import annotations

import time
from pathlib import Path

from .lease_page import CommandLease, LeaseError, Owner, Side, Watch, Word, lease_path
from .process_lock import process_lives as _lives  # noqa: F401 - for those who look into the page by hand

__all__ = ["CommandLease", "ExecutorLease", "LeaseError", "Owner", "SupervisorLease", "lease_path", "robot_is_armed"]

_PATIENCE = 5.0
"""How long a side waits for the one before it to end: that may be leaving at this moment [s]."""
_LOOKS = 20
"""So many looks in a row of an executor that may command count as signs of life though no command follows them."""


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


class ExecutorLease(CommandLease):
    """The executor's side. Only :attr:`owner` and :attr:`supervised` are for others than the tick."""

    def __init__(self, path: Path, patience: float = _PATIENCE):
        """
        Args:
            path: See :func:`lease_path`.
            patience: How long to wait for another executor to end [s].

        Raises:
            LeaseError: See :class:`CommandLease`, or another executor has this robot.
        """
        super().__init__(path)
        self._looks = 0  # since the last count
        self._join(Side.EXECUTOR, Word.EXECUTOR_PID, patience)
        self._words[Word.REQUEST] = 0
        if not self.supervised:
            self._take()

    @property
    def mine(self) -> bool:
        """Whether the executor may command; asked before each command.

        To ask is a sign of life, up to ``_LOOKS`` times without a command: an executor that ends in order and asks
        before each of its last frames is not taken for one that has stopped. One whose writing fails says so
        (:meth:`give_up`).
        """
        if self._words[Word.OWNER] != Owner.EXECUTOR:
            return False
        if self._looks < _LOOKS:
            self._looks += 1
            self._progress()
        return True

    @property
    def supervisor_pid(self) -> int:
        """Process of the supervisor, dead or alive; 0: there was none."""
        return self._words[Word.SUPERVISOR_PID]

    @property
    def supervised(self) -> bool:
        """Whether the supervisor's process lives."""
        return self._lock.held(Side.SUPERVISOR)

    def count(self) -> None:
        """One more command is written."""
        self._looks = 0
        self._progress()

    def give_up(self) -> None:
        """Commands cannot be written any more: the supervisor shall take the motors at its next look."""
        if self.watched:
            self._words[Word.WATCHED] = Watch.GIVEN_UP

    def _progress(self) -> None:
        self._words[Word.PROGRESS_AT] = time.monotonic_ns()
        self._words[Word.PROGRESS] = (self._words[Word.PROGRESS] + 1) & (2**64 - 1)

    def watch(self, wanted: bool) -> None:
        """Be watched from now on, or no longer."""
        wanted = wanted and self.owner is Owner.EXECUTOR
        if wanted:
            self.count()  # a watch begins with a sign of life
        self._words[Word.WATCHED] = Watch.WANTED if wanted else Watch.NONE

    def ask(self) -> bool:
        """Ask for the motors back; True once they are the executor's. Of a dead supervisor they are simply taken."""
        if self.owner is Owner.EXECUTOR:
            return True
        if not self.supervised:
            self._take()
            return True
        self._words[Word.REQUEST] = 1
        return False

    def _take(self) -> None:
        self._words[Word.WATCHED] = Watch.NONE
        self._words[Word.OWNER] = Owner.EXECUTOR


class SupervisorLease(CommandLease):
    """The supervisor's side."""

    def __init__(self, path: Path, patience: float = _PATIENCE):
        """
        Args:
            path: See :func:`lease_path`.
            patience: How long to wait for another supervisor to end [s].

        Raises:
            LeaseError: See :class:`CommandLease`, or a supervisor watches already.
        """
        super().__init__(path)
        self._join(Side.SUPERVISOR, Word.SUPERVISOR_PID, patience)
        if not self.executor_lives:  # what an earlier run has left
            self.give_back()

    @property
    def damping(self) -> bool:
        """Whether the supervisor commands."""
        return self._words[Word.OWNER] == Owner.SUPERVISOR

    @property
    def asked_back(self) -> bool:
        """Whether the executor asks for the motors."""
        return self._words[Word.REQUEST] == 1

    def take(self) -> None:
        """From now on the supervisor alone commands."""
        self._words[Word.REQUEST] = 0
        self._words[Word.OWNER] = Owner.SUPERVISOR

    def give_back(self) -> None:
        """The executor commands again, not watched until it is armed."""
        self._words[Word.REQUEST] = 0
        self._words[Word.WATCHED] = Watch.NONE
        self._words[Word.OWNER] = Owner.EXECUTOR

    def leave(self) -> None:
        """The supervisor ends: nobody watches any more."""
        self._words[Word.SUPERVISOR_PID] = 0
