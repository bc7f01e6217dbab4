"""What is left of an evaluation: ``report.json``, ``episodes.json`` and ``report.md``."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .judge import EpisodeResult
from .task_judge import TaskResult

HEADINGS = (
    "suite", "controller", "n", "success", "95 %", "falls", "standing start", "walking start",
    "velocity error", "rms over 1 s", "yaw rate error",
)  # fmt: skip


Cells = Sequence[str]
"""Of one row of a table."""


def machine() -> dict[str, Any]:
    """What this ran on."""
    return {
        "cpu": _cpu_name(),
        "cores": len(_usable_cores()),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        **{name: version(name) for name in ("mujoco", "numpy", "onnxruntime")},
    }


def commit() -> str:
    """Commit of the working tree this code lies in, ``+changes`` if it was edited since; ``unknown`` outside git."""
    folder = Path(__file__).parent
    head = _git("rev-parse", "HEAD", folder=folder)
    changed = _git("status", "--porcelain", "--untracked-files=no", folder=folder)
    return (head + ("+changes" if changed else "")) or "unknown"


def _git(*arguments: str, folder: Path) -> str:
    try:
        result = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return result.stdout.strip()


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _usable_cores() -> set[int]:
    import os

    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))


def write_json(path: Path, data: Any) -> None:
    """Indented JSON; NaN is refused."""
    path.write_text(json.dumps(data, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def episode_rows(controller: str, results: Sequence[EpisodeResult | TaskResult]) -> list[dict[str, Any]]:
    """One row per episode for ``episodes.json``."""
    return [{"controller": controller, **asdict(result)} for result in results]


def table(reports: Sequence[dict[str, Any]]) -> str:
    """A Markdown table: each suite's policy row, and the expert's below it where it was run."""
    rows = []
    for report in reports:
        rows.append(_row(report["suite"], report["label"], report))
        if report.get("expert"):
            rows.append(_row(report["suite"], "expert", report["expert"]))
    return aligned(HEADINGS, rows)


def aligned(headings: Cells, rows: Sequence[Cells]) -> str:
    """A Markdown table whose columns line up."""
    widths = [max(len(row[i]) for row in (headings, *rows)) for i in range(len(headings))]
    lines = [_line(headings, widths), _line(["-" * w for w in widths], widths)]
    return "\n".join([*lines, *(_line(row, widths) for row in rows)])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"


def _row(suite: str, controller: str, figures: dict[str, Any]) -> list[str]:
    success, starts = figures["success"], figures["success_by_start"]
    return [
        suite,
        controller,
        str(success["n"]),
        percent(success["rate"]),
        f"{percent(success['low'])} .. {percent(success['high'])}",
        str(figures["falls"]),
        *(_share(starts.get(start)) for start in ("standing", "walking")),
        _figure(figures["velocity_error"], "m/s"),
        _figure(figures["velocity_rms_1s"], "m/s"),
        _figure(figures["yaw_rate_error"], "rad/s"),
    ]


def percent(value: float) -> str:
    """A share as text."""
    return f"{100.0 * value:.1f} %"


def _share(rate: dict[str, Any] | None) -> str:
    return "-" if rate is None else f"{round(rate['rate'] * rate['n'])}/{rate['n']}"


def _figure(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:.3f} {unit}"


def leg_table(report: dict[str, Any]) -> str:
    """Mean command against mean velocity of each kind of leg."""
    lines = [
        "| leg | controller | n | command (m/s, m/s, rad/s) | reached | velocity error | yaw rate error |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name in report["legs"]:
        for who, figures in ((report["label"], report), ("expert", report.get("expert"))):
            leg = (figures or {}).get("legs", {}).get(name)
            if leg is not None:
                lines.append(
                    f"| {name} | {who} | {leg['n']} | {_triple(leg['command'])} | {_triple(leg['mean'])} "
                    f"| {_figure(leg['velocity_error'], 'm/s')} | {_figure(leg['yaw_rate_error'], 'rad/s')} |"
                )
    return "\n".join(lines)


def _triple(values: Sequence[float]) -> str:
    return ", ".join(f"{value:+.2f}" for value in values)


def markdown(report: dict[str, Any], text: str, pictures: Sequence[Path]) -> str:
    """Content of ``report.md``."""
    parts = [f"# {report['suite']}: {report['policy']}", text, table([report])]
    if report["legs"]:
        parts += ["Averages over the episodes, steady part of each leg:", leg_table(report)]
    if report["time_of_fall"]:
        parts.append(f"Falls at {', '.join(f'{t:.1f}' for t in report['time_of_fall'])} s.")
    parts += [f"![{path.stem}]({path.name})" for path in pictures if path.suffix == ".png"]
    parts += [f"Film: [{path.name}]({path.name})" for path in pictures if path.suffix == ".mp4"]
    parts.append(
        f"Seed {report['seed']}, policy sha256 `{report['policy_sha256'][:16]}`, {json.dumps(report['settings'])}.\n"
        f"`{report['command']}`\n{report['wall_time']:.0f} s on {report['machine']['cpu']}, commit {report['commit']}."
    )
    return "\n\n".join(parts) + "\n"
