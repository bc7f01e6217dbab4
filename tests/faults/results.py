"""Outcomes of injections: kept in a file as they come, and made into the table."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .fault import Fault, Outcome

_MARKS = ("<!-- faults -->", "<!-- /faults -->")
_JOURNAL = "outcomes.jsonl"


@dataclass
class Row:
    """All injections of one fault."""

    fault: Fault
    outcomes: list[Outcome] = field(default_factory=list)
    not_run: list[str] = field(default_factory=list)
    """Why an injection did not take place: the robot did not walk before."""

    @property
    def tries(self) -> int:
        """Injections, those included that did not take place."""
        return len(self.outcomes) + len(self.not_run)

    @property
    def reacted(self) -> bool:
        """Whether the reaction came each time, with nothing else wrong."""
        return bool(self.outcomes) and all(o.seconds is not None and not o.problems for o in self.outcomes)

    @property
    def worst(self) -> float | None:
        """Longest reaction [s]."""
        times = [o.seconds for o in self.outcomes if o.seconds is not None]
        return max(times) if times else None

    def in_time(self, outcome: Outcome) -> bool:
        """Whether a reaction came before its deadline."""
        deadline = float("inf") if self.fault.deadline is None else self.fault.deadline
        return outcome.seconds is not None and outcome.seconds <= deadline

    @property
    def passed(self) -> bool:
        """Whether all of it was as it must be."""
        return self.reacted and not self.not_run and all(self.in_time(outcome) for outcome in self.outcomes)


class Journal:
    """Each outcome is a line of ``outcomes.jsonl``, written when it is known: a run that breaks off loses nothing."""

    def __init__(self, folder: Path):
        """
        Args:
            folder: Exists.
        """
        self._path = folder / _JOURNAL

    def forget(self, names: Iterable[str] | None = None) -> None:
        """Drop the outcomes of some faults; None: of all."""
        if names is None:
            self._path.unlink(missing_ok=True)
            return
        dropped = set(names)
        kept = [entry for entry in self._entries() if entry["fault"] not in dropped]
        self._path.write_text("".join(json.dumps(entry) + "\n" for entry in kept))

    def add(self, fault: Fault, outcome: Outcome) -> None:
        """One injection."""
        entry = {"seconds": outcome.seconds, "problems": list(outcome.problems), "note": outcome.note}
        self._append({"fault": fault.name, **entry})

    def not_run(self, fault: Fault, why: str) -> None:
        """One that did not take place."""
        self._append({"fault": fault.name, "not_run": why})

    def rows(self, faults: Sequence[Fault]) -> list[Row]:
        """The table's rows, also those without outcomes, in the faults' order."""
        rows = {fault.name: Row(fault) for fault in faults}
        for entry in self._entries():
            row = rows.get(entry["fault"])
            if row is None:
                continue
            if "not_run" in entry:
                row.not_run.append(entry["not_run"])
            else:
                row.outcomes.append(Outcome(entry["seconds"], tuple(entry["problems"]), entry["note"]))
        return list(rows.values())

    def _entries(self) -> list[dict]:
        if not self._path.is_file():
            return []
        return [json.loads(line) for line in self._path.read_text().splitlines() if line.strip()]

    def _append(self, entry: dict) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps(entry) + "\n")


def as_line(fault: Fault, outcome: Outcome) -> str:
    """One injection for people."""
    time = "no reaction" if outcome.seconds is None else f"{1e3 * outcome.seconds:.0f} ms"
    limit = "" if fault.deadline is None else f" (deadline {1e3 * fault.deadline:.0f} ms)"
    if fault.deadline is None and outcome.seconds is not None:
        time = "as expected"
    words = "; ".join(filter(None, (*outcome.problems, outcome.note)))
    return f"{fault.name}: {time}{limit} {words}".rstrip()


def as_table(rows: Iterable[Row]) -> str:
    """Markdown; rows without an injection are left out."""
    lines = [
        "| fault while walking at 0.5 m/s | reaction | deadline | longest measured | n | as expected | in time |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        if not row.tries:
            continue
        good = sum(o.seconds is not None and not o.problems for o in row.outcomes)
        cells = [row.fault.what, row.fault.expected, "-", "-", str(row.tries), f"{good} of {row.tries}", "-"]
        if row.fault.deadline is not None:
            cells[2] = f"{1e3 * row.fault.deadline:.0f} ms {row.fault.clock}"
            cells[3] = "-" if row.worst is None else f"{1e3 * row.worst:.0f} ms"
            cells[6] = f"{sum(row.in_time(outcome) for outcome in row.outcomes)} of {row.tries}"
        cells[5] += _ends(row)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _ends(row: Row) -> str:
    """How often which of several allowed ends was taken, where there are several."""
    ends = [outcome.note.partition(";")[0] for outcome in row.outcomes if outcome.note]
    if " or " not in row.fault.expected or not ends:
        return ""
    return ": " + ", ".join(f"{end} {ends.count(end)}" for end in sorted(set(ends)))


def write(rows: Sequence[Row], folder: Path, real_time_factor: float) -> None:
    """Table and figures as files."""
    (folder / "faults.md").write_text(f"{as_table(rows)}\n\n{_machine(real_time_factor)}\n")
    figures = [
        {
            "name": row.fault.name,
            "deadline": row.fault.deadline,
            "clock": row.fault.clock,
            "seconds": [outcome.seconds for outcome in row.outcomes],
            "problems": [list(outcome.problems) for outcome in row.outcomes],
            "notes": [outcome.note for outcome in row.outcomes],
            "not_run": row.not_run,
            "passed": row.passed,
        }
        for row in rows
        if row.tries
    ]
    (folder / "faults.json").write_text(json.dumps(figures, indent=1) + "\n")


def replace_table(page: Path, folder: Path) -> None:
    """Put what :func:`write` has written between the marks of a page."""
    before, rest = page.read_text().split(_MARKS[0])
    after = rest.split(_MARKS[1])[1]
    table = (folder / "faults.md").read_text().strip()
    page.write_text(f"{before}{_MARKS[0]}\n\n{table}\n\n{_MARKS[1]}{after}")


def _machine(real_time_factor: float) -> str:
    """What the times depend on."""
    load = os.getloadavg()[2]
    return f"Machine: {os.cpu_count()} cores, load {load:.1f} at the end, real-time factor {real_time_factor:g}."
