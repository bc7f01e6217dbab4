"""Injects faults again and again, and makes the table."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .catalogue import Fault, Outcome
from .rig import RigError, running_rig

_MARKS = ("<!-- faults -->", "<!-- /faults -->")
_RETRIES = 2
"""How often a stack is started anew if the robot does not come to walk."""


@dataclass
class Row:
    """All injections of one fault."""

    fault: Fault
    outcomes: list[Outcome] = field(default_factory=list)
    not_run: list[str] = field(default_factory=list)
    """Why an injection did not take place: the robot did not walk before."""

    @property
    def reacted(self) -> bool:
        """Whether the reaction came each time, with nothing else wrong."""
        return bool(self.outcomes) and all(o.seconds is not None and not o.problems for o in self.outcomes)

    @property
    def worst(self) -> float | None:
        """Longest reaction [s]."""
        times = [o.seconds for o in self.outcomes if o.seconds is not None]
        return max(times) if times else None

    @property
    def passed(self) -> bool:
        """Whether it also came in time."""
        return self.reacted and not self.not_run and self.worst is not None and self.worst <= self.fault.deadline


def run_faults(
    faults: Sequence[Fault], n: int, folder: Path, real_time_factor: float, policy: str, say: Callable[[str], object]
) -> list[Row]:
    """Each fault ``n`` times; a stack lives until a fault ends it.

    Args:
        faults: In this order.
        n: Injections of each.
        folder: For parameters and logs.
        real_time_factor: Simulated seconds per second.
        policy: Of planner and executor.
        say: Gets a line per injection.
    """
    rows = {fault.name: Row(fault) for fault in faults}
    waiting = [fault for fault in faults for _ in range(n) if not fault.fresh]
    waiting += [fault for fault in faults for _ in range(n) if fault.fresh]
    failures = 0
    while waiting:
        before = len(waiting)
        try:
            with running_rig(folder, real_time_factor, policy) as rig:
                while waiting:
                    fault = waiting[0]
                    rig.walk()
                    since = rig.now()
                    fault.inject(rig)
                    outcome = fault.reaction(rig, since)
                    waiting.pop(0)
                    rows[fault.name].outcomes.append(outcome)
                    say(_line(fault, outcome))
                    if fault.fresh:
                        break
                    fault.undo(rig)
        except RigError as error:
            say(f"{waiting[0].name if waiting else 'end'}: {error}")
            failures = failures + 1 if len(waiting) == before else 0
            if waiting and failures > _RETRIES:
                rows[waiting[0].name].not_run.append(str(error))
                waiting.pop(0)
                failures = 0
    return list(rows.values())


def _line(fault: Fault, outcome: Outcome) -> str:
    time = "no reaction" if outcome.seconds is None else f"{1e3 * outcome.seconds:.0f} ms"
    return f"{fault.name}: {time} (deadline {1e3 * fault.deadline:.0f} ms) {'; '.join(outcome.problems)}".rstrip()


def as_table(rows: Iterable[Row]) -> str:
    """Markdown."""
    lines = [
        "| fault while walking at 0.5 m/s | reaction | deadline | longest measured | n | as expected | in time |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        good = sum(o.seconds is not None and not o.problems for o in row.outcomes)
        in_time = sum(o.seconds is not None and o.seconds <= row.fault.deadline for o in row.outcomes)
        n = len(row.outcomes) + len(row.not_run)
        worst = "-" if row.worst is None else f"{1e3 * row.worst:.0f} ms"
        deadline = f"{1e3 * row.fault.deadline:.0f} ms {row.fault.clock}"
        if row.fault.reaction.__qualname__.startswith("goes_on") and row.fault.expected.endswith("walks on"):
            worst = worst if "refused" in row.fault.expected else "-"
            deadline = deadline if "refused" in row.fault.expected else "-"
        cells = (row.fault.what, row.fault.expected, deadline, worst, str(n), f"{good} of {n}", f"{in_time} of {n}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def replace_table(page: Path, rows: Sequence[Row], real_time_factor: float) -> None:
    """Put the table between the page's marks, with the machine's load, which the times depend on."""
    text = page.read_text()
    before, rest = text.split(_MARKS[0])
    after = rest.split(_MARKS[1])[1]
    load = os.getloadavg()[2]
    note = f"{os.cpu_count()} cores, load {load:.1f} at the end, real-time factor {real_time_factor:g}."
    page.write_text(f"{before}{_MARKS[0]}\n\n{as_table(rows)}\n\nMachine: {note}\n\n{_MARKS[1]}{after}")


def write(rows: Sequence[Row], folder: Path) -> None:
    """Table and figures as files."""
    (folder / "faults.md").write_text(as_table(rows) + "\n")
    figures = [
        {
            "name": row.fault.name,
            "deadline": row.fault.deadline,
            "clock": row.fault.clock,
            "seconds": [o.seconds for o in row.outcomes],
            "problems": [list(o.problems) for o in row.outcomes],
            "not_run": row.not_run,
            "passed": row.passed,
        }
        for row in rows
    ]
    (folder / "faults.json").write_text(json.dumps(figures, indent=1) + "\n")
