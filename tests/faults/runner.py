"""Injects faults again and again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from .fault import Fault, Outcome
from .results import Journal, Row, as_line
from .rig import Rig
from .stack import running_rig

_RETRIES = 2
"""How often a stack is started anew if it comes to nothing."""


def run_faults(
    faults: Sequence[Fault], n: int, folder: Path, real_time_factor: float, policy: str, say: Callable[[str], object]
) -> list[Row]:
    """Each fault ``n`` times, those already in the journal included; a stack lives for a round of all of them.

    Whatever goes wrong in one injection ends only its stack: the next goes on with the next fault.

    Args:
        faults: In this order.
        n: Injections of each.
        folder: For parameters, logs and the journal.
        real_time_factor: Simulated seconds per second.
        policy: Of planner and executor.
        say: Gets a line per injection.
    """
    journal = Journal(folder)
    done = Counter({row.fault.name: row.tries for row in journal.rows(faults)})
    waiting = [fault for turn in range(n) for fault in faults if done[fault.name] <= turn]
    failures = 0
    while waiting:
        before = len(waiting)
        try:
            with running_rig(folder, real_time_factor, policy) as rig:
                _round(rig, waiting, journal, say, len(faults))
        except Exception as error:  # the table must not be lost to one fault
            name = waiting[0].name if waiting else "end"
            say(f"{name}: {type(error).__name__}: {error}")
            failures = failures + 1 if len(waiting) == before else 0
            if waiting and failures > _RETRIES:
                journal.not_run(waiting.pop(0), str(error))
                failures = 0
    return journal.rows(faults)


def _round(rig: Rig, waiting: list[Fault], journal: Journal, say: Callable[[str], object], most: int) -> None:
    """Injections into one stack; each leaves ``waiting`` as soon as its outcome is known."""
    for _ in range(min(most, len(waiting))):
        fault = waiting[0]
        rig.walk()
        fault.prepare(rig)
        since = rig.now()
        fault.inject(rig)
        outcome: Outcome = fault.reaction(rig, since)
        journal.add(fault, outcome)
        waiting.pop(0)
        say(as_line(fault, outcome))
        if not waiting:
            break
        fault.undo(rig)
