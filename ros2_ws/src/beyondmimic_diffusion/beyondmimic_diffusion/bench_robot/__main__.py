"""``python -m beyondmimic_diffusion.bench_robot``: runs the ways in turns, prints the table, writes the file."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import BeyondMimicError, ConfigError
from ..robot_io.cyclonedds_library import check_cyclonedds
from ..session.report import commit, machine, write_report
from .ways import WAYS
from .worker import PERIOD

_PARTS = {
    "receive": "receive a LowState, all threads but the tick's",
    "samples": "its samples for the tick",
    "executor": "the executor's tick",
    "write": "pack and send the LowCmd",
    "loop": "waiting for the tick, and taking these times",
}
_UNITREE = ("receive", "samples", "write")
"""What the ways differ in."""
_PATIENCE = 240.0
"""For one turn beyond its ticks [s]."""


def main() -> int:
    """Run the benchmark; the exit status is 1 where it cannot run."""
    parser = argparse.ArgumentParser(prog="bench-robot", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="of one turn")
    parser.add_argument("--turns", type=int, default=3, help="of each way")
    parser.add_argument("--out", type=Path, default=Path("out/bench/robot.json"), help="JSON file to write")
    args = parser.parse_args()
    try:
        check_cyclonedds()
        report = measure(args.seconds, args.turns)
    except BeyondMimicError as error:
        sys.stderr.write(f"bench-robot: {error}\n")
        return 1
    args.out.parent.mkdir(parents=True, exist_ok=True)
    write_report(report, args.out)
    sys.stdout.write(f"{table(report)}\n\n{args.out}\n")
    return 0


def measure(seconds: float, turns: int) -> dict[str, Any]:
    """All ways in turns against one robot.

    Args:
        seconds: Of one turn.
        turns: Of each way.
    """
    if seconds <= 0.0 or turns < 1:
        raise ConfigError(f"--seconds {seconds} --turns {turns}: both must be positive")
    cores = sorted(os.sched_getaffinity(0))
    domain = 150 + os.getpid() % 50  # none of ROS's, never the robot's
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in WAYS}
    robot = subprocess.Popen(_command("robot", domain, cores[0]), stdin=subprocess.PIPE)
    try:
        for _ in range(turns):
            for name, results in runs.items():
                results.append(_turn(_command(name, domain, cores[-1], seconds), seconds))
    finally:
        robot.communicate()
    ways = {name: _together(results) for name, results in runs.items()}
    unitree = {name: sum(way["cpu_us"][part] for part in _UNITREE) for name, way in ways.items()}
    tick = {name: sum(way["cpu_us"].values()) for name, way in ways.items()}
    return {
        "rate_hz": 1.0 / PERIOD,
        "seconds": seconds,
        "turns": turns,
        "ways": ways,
        "unitree_us": unitree,
        "tick_us": tick,
        "unitree_sdk_over_ours": unitree["sdk"] / unitree["ours"],
        "tick_sdk_over_ours": tick["sdk"] / tick["ours"],
        "cores": {"robot": cores[0], "executor": cores[-1]},
        "machine": machine(),
        "commit": commit(),
    }


def table(report: dict[str, Any]) -> str:
    """For people."""
    names = list(report["ways"])
    head = f"CPU time of a tick of {1e3 * PERIOD:g} ms on one core [us]"
    lines = [f"{head:52}" + "".join(f"{name:>10}" for name in names)]

    def row(label: str, values: list[float]) -> str:
        return f"  {label:50}" + "".join(f"{value:10.1f}" for value in values)

    lines += [row(label, [report["ways"][name]["cpu_us"][part] for name in names]) for part, label in _PARTS.items()]
    lines.append(row("sum of what is Unitree's", [report["unitree_us"][name] for name in names]))
    lines.append(row("sum of all", [report["tick_us"][name] for name in names]))
    for key, label in (("p50", "median"), ("p99", "99th percentile"), ("p100", "worst")):
        values = "".join(f"{report['ways'][name]['late_ms'][key]:10.3f}" for name in names)
        lines.append(f"{'lateness of ticks, ' + label + ' [ms]':52}" + values)
    for key, label in (
        ("ticks", "ticks"),
        ("playing", "of them in TRACKING"),
        ("missed", "ticks missed"),
        ("states", "LowStates read"),
    ):
        lines.append(f"{label:52}" + "".join(f"{report['ways'][name][key]:10d}" for name in names))
    lines.append(
        f"the SDK's way costs {report['unitree_sdk_over_ours']:.1f} times ours, "
        f"{report['tick_sdk_over_ours']:.1f} times with executor and loop"
    )
    m = report["machine"]
    lines.append(f"{m['cpu']}, {m['cores']} cores, load {m['load_average']}, Python {m['python']}, {report['commit']}")
    return "\n".join(lines)


def _command(*words: Any) -> list[str]:
    return [sys.executable, "-m", f"{__package__}.worker", *map(str, words)]


def _turn(command: list[str], seconds: float) -> dict[str, Any]:
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=10.0 * seconds + _PATIENCE, check=False)
    if result.returncode != 0:
        raise ConfigError(f"'{' '.join(command[1:])}' ended with status {result.returncode}")
    return json.loads(result.stdout.splitlines()[-1])


def _together(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Costs: median of the turns; lateness: the worst turn's percentiles would hide the usual, so their median, too."""
    first = results[0]
    return {
        "cpu_us": {part: float(np.median([r["cpu_us"][part] for r in results])) for part in first["cpu_us"]},
        "late_ms": {
            key: float((np.max if key == "p100" else np.median)([r["late_ms"][key] for r in results]))
            for key in first["late_ms"]
        },
        "core_share": float(np.median([r["core_share"] for r in results])),
        **{key: int(sum(r[key] for r in results)) for key in ("ticks", "playing", "missed", "states")},
        "realtime": first["realtime"],
    }


if __name__ == "__main__":
    sys.exit(main())
