"""``python -m beyondmimic_diffusion.bench_stack``: runs the turns, prints one table, writes the file."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import BeyondMimicError, ConfigError
from ..graph import repository
from ..session.report import cpu_features, machine, write_report
from .turn import Turn, checkout_environment, run_turn

_ORDER = (
    *("diffusion_planner", "action_executor", "mujoco_sim", "state_estimator"),
    *("guidance_task_server", "recorder", "supervisor"),
)


def main(words: Sequence[str] | None = None) -> int:
    """Run the benchmark; the exit status is 1 where it cannot run."""
    parser = argparse.ArgumentParser(prog="bench-stack", description=__doc__)
    parser.add_argument("--seconds", type=float, default=25.0, help="of walking in one turn")
    parser.add_argument("--turns", type=int, default=1, help="of each checkout")
    parser.add_argument("--against", type=Path, help="root of another checkout, measured in turns with this one")
    parser.add_argument("--json", type=Path, help="JSON file to write")
    parser.add_argument("--keep", type=Path, help="folder in which the sessions' files are kept")
    args, session_arguments = parser.parse_known_args(words)
    try:
        report = measure(args.seconds, args.turns, args.against, args.keep, session_arguments)
    except BeyondMimicError as error:
        sys.stderr.write(f"bench-stack: {error}\n")
        return 1
    sys.stdout.write(table(report) + "\n")
    if args.json is not None:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        write_report(report, args.json)
        sys.stdout.write(f"\n{args.json}\n")
    return 0


def measure(
    seconds: float, turns: int, against: Path | None, keep: Path | None, session_arguments: list[str]
) -> dict[str, Any]:
    """All turns; the checkouts take turns.

    Args:
        seconds: Of walking in one turn.
        turns: Of each checkout.
        against: Root of the other checkout; None: only this one.
        keep: Where the sessions' files go; None: nowhere.
        session_arguments: Further arguments of each session.

    Raises:
        ConfigError: A turn cannot run.
    """
    if seconds < 5.0 or turns < 1:
        raise ConfigError(f"--seconds {seconds} --turns {turns}: at least 5 s and one turn are needed")
    here = repository()
    if here is None:
        raise ConfigError("bench-stack: this package was installed away from its repository; run it from a checkout")
    checkouts = {"this": here} | ({"against": against.resolve()} if against is not None else {})
    for checkout in checkouts.values():
        checkout_environment(checkout)
    done: dict[str, list[Turn]] = {name: [] for name in checkouts}
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(turns):
            for name, checkout in checkouts.items():
                sys.stderr.write(f"turn {number + 1} of {turns}: {name} ({checkout}), {seconds:g} s of walking\n")
                out = (keep or Path(scratch)).resolve() / f"{name}_{number + 1}"
                done[name].append(run_turn(checkout, out, seconds, session_arguments))
    return {
        "seconds": seconds,
        "checkouts": {name: summary(runs) for name, runs in done.items()},
        "machine": machine() | {"cpu_features": cpu_features()},
    }


def summary(runs: list[Turn]) -> dict[str, Any]:
    """Medians over the turns of one checkout, and the turns themselves."""
    names = sorted({name for run in runs for name in run.cpu})
    cpu = {name: float(np.median([run.cpu.get(name, 0.0) for run in runs])) for name in names}
    return {
        "commit": runs[-1].commit,
        "cpu": cpu,
        "cpu_total": float(np.median([sum(run.cpu.values()) for run in runs])),
        "network_cpu": float(np.median([run.network_cpu for run in runs])),
        "turns": [run.as_dict() for run in runs],
    }


def table(report: dict[str, Any]) -> str:
    """For people: one column per checkout, and the ratio where there are two."""
    sides = report["checkouts"]
    heads = [f"{name} {side['commit']}" for name, side in sides.items()]
    lines = [_row("CPU-seconds per robot second", [*heads, *(["this / against"] if len(sides) == 2 else [])])]
    names = {name for side in sides.values() for name in side["cpu"]}
    for name in (*(n for n in _ORDER if n in names), *sorted(names - set(_ORDER))):
        lines.append(_figures(name, [side["cpu"].get(name) for side in sides.values()]))
        if name == "diffusion_planner":
            lines.append(_figures("  of it the network", [side["network_cpu"] for side in sides.values()]))
    lines.append(_figures("whole stack", [side["cpu_total"] for side in sides.values()]))
    without = [side["cpu_total"] - side["network_cpu"] for side in sides.values()]
    lines.append(_figures("whole stack without the network", without))
    lines.append("")
    for label, key, digits in _DETAILS:
        values = [_median([turn[key] for turn in side["turns"]]) for side in sides.values()]
        lines.append(_row(label, ["-" if v is None else f"{v:.{digits}f}" for v in values]))
    backends = [f"{side['turns'][-1]['backend']}, {side['turns'][-1]['passes']} passes" for side in sides.values()]
    lines.append(_row("network", backends))
    healthy = [f"{sum(t['healthy'] for t in side['turns'])} of {len(side['turns'])}" for side in sides.values()]
    lines.append(_row("healthy sessions", healthy))
    m = report["machine"]
    features = ", ".join(m["cpu_features"]) or "none of AVX2, AVX-512, VNNI"
    lines.append(f"{m['cpu']} ({features}), {m['cores_allowed']} cores, load {m['load_average']}, Python {m['python']}")
    return "\n".join(lines)


_DETAILS = (
    ("sensor stamp to motor command, p50 [ms]", "sensor_to_command_p50_ms", 1),
    ("sensor stamp to motor command, p99 [ms]", "sensor_to_command_p99_ms", 1),
    ("sensor stamp to tick, p99 [ms]", "sensor_to_tick_p99_ms", 1),
    ("one network pass [ms]", "pass_ms", 2),
    ("plans per robot second", "plans_per_second", 1),
    ("plans late", "plans_late", 0),
    ("real-time factor", "real_time_factor", 3),
    ("velocity error [m/s]", "velocity_error", 3),
    ("robot seconds measured", "robot_seconds", 1),
)


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None


def _figures(label: str, values: list[float | None]) -> str:
    cells = ["-" if value is None else f"{value:.3f}" for value in values]
    if len(values) == 2 and values[0] is not None and values[1]:
        cells.append(f"{values[0] / values[1]:.2f}")
    return _row(label, cells)


def _row(label: str, cells: list[str]) -> str:
    return f"{label:42}" + "".join(f"{cell:>24}" for cell in cells)


if __name__ == "__main__":
    sys.exit(main())
