"""The steady clock of a process in lockstep: it shows robot time, so that no duration depends on the machine.

``time.monotonic`` and ``time.perf_counter`` are replaced before the nodes' modules are imported
(``nodes/__init__.py``). They show real time until :func:`follow` is called for the first time. Threads and queues of
the standard library keep the real clocks.
"""

from __future__ import annotations

import os
import time

VARIABLE = "BEYONDMIMIC_LOCKSTEP"
"""Environment variable that puts every node of a start-up into lockstep."""
REAL_MONOTONIC, REAL_PERF_COUNTER = time.monotonic, time.perf_counter
_robot_time: float | None = None


def in_lockstep() -> bool:
    """Whether this process belongs to a start-up in lockstep."""
    return os.environ.get(VARIABLE, "") == "1"


def follow(now: float) -> None:
    """Show robot time ``now`` [s] from now on."""
    global _robot_time
    _robot_time = now


def leave() -> None:
    """Show real time again."""
    global _robot_time
    _robot_time = None


def install() -> None:
    """Replace the steady clocks of this process."""
    time.monotonic, time.perf_counter = _monotonic, _perf_counter


def _monotonic() -> float:
    return REAL_MONOTONIC() if _robot_time is None else _robot_time


def _perf_counter() -> float:
    return REAL_PERF_COUNTER() if _robot_time is None else _robot_time
