"""What is left of a suite with tasks: its table, and ``report.md``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .report import Cells, aligned, percent

HEADINGS = (
    "suite", "controller", "n", "success", "95 %", "touched", "falls", "gave up", "too late", "missed", "median time",
    "least clearance", "keyframe error",
)  # fmt: skip


def task_table(reports: Sequence[dict[str, Any]]) -> str:
    """A Markdown table: each suite's policy row, and the references below it."""
    rows = []
    for report in reports:
        rows.append(task_row(report["suite"], report["label"], report))
        rows += [task_row(report["suite"], reference["label"], reference) for reference in report["references"]]
    return aligned(HEADINGS, rows)


def task_row(suite: str, controller: str, figures: dict[str, Any]) -> Cells:
    """One row of :func:`task_table`."""
    success, outcomes = figures["success"], figures["outcomes"]
    time, clearance, error = figures["time_to_goal"], figures["min_clearance"], figures["keyframe_error"]
    return [
        suite,
        controller,
        str(success["n"]),
        percent(success["rate"]),
        f"{percent(success['low'])} .. {percent(success['high'])}",
        *(str(outcomes[name]) for name in ("touched", "fell", "gave up", "too late", "missed")),
        "-" if time is None else f"{time['median']:.1f} s",
        "-" if clearance is None else f"{clearance['least']:.2f} m",
        "-" if error is None else f"{error['median']:.2f} m",
    ]


def task_markdown(report: dict[str, Any], text: str, pictures: Sequence[Path]) -> str:
    """Content of ``report.md``."""
    parts = [f"# {report['suite']}: {report['policy']}", text, task_table([report])]
    if report["kinds"]:
        rows = [
            task_row(f"{report['suite']}: {kind}", who["label"], who["kinds"][kind])
            for kind in report["kinds"]
            for who in (report, *report["references"])
        ]
        parts.append(aligned(HEADINGS, rows))
    if report["failures"]:
        parts.append("\n".join(f"* episode {f['index']}: {f['text']}" for f in report["failures"]))
    parts += [f"![{path.stem}]({path.name})" for path in pictures if path.suffix == ".png"]
    parts += [f"Film: [{path.name}]({path.name})" for path in pictures if path.suffix == ".mp4"]
    parts.append(
        f"Seed {report['seed']}, policy sha256 `{report['policy_sha256'][:16]}`, {json.dumps(report['settings'])}.\n"
        f"`{report['command']}`\n{report['wall_time']:.0f} s on {report['machine']['cpu']}, commit {report['commit']}."
    )
    return "\n\n".join(parts) + "\n"
