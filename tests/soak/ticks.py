"""``make bench-ticks``: how punctual the executor's ticks are beside a busy planner, and with a hog in its process.

Half of the time the robot just walks; in the other half a pure-Python thread hogs the interpreter of the planner's
process. The figures are the executor's own, over all ticks from arming to the end, and go to out/ticks.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from tests.faults.rig import Rig, RigError
from tests.faults.stack import running_rig

PHASES = ("busy planner", "hog in the planner's process")


def phase(hog: bool, seconds: float, folder: Path, policy: str, factor: float) -> dict[str, Any]:
    """Walk for a while; the executor's own figures.

    Args:
        hog: Whether the planner's process is hogged.
        seconds: Of wall time.
        folder: For logs and the executor's report.
        policy: Of planner and executor.
        factor: Simulated seconds per second.
    """
    report = folder / "latency.json"
    report.unlink(missing_ok=True)
    factors: list[float] = []
    walked = 0.0
    with running_rig(folder, factor, policy, {"latency_report": str(report.resolve())}) as rig:
        rig.walk()
        if hog:
            rig.signal("diffusion_planner", signal.SIGUSR1)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            start = rig.ears.sim
            _walk_on(rig, hog)
            walked += rig.ears.sim - start
            factors.append(rig.ears.factor)
    return json.loads(report.read_text()) | {
        "walked_s": walked,
        "real_time_factor": float(np.nanmean(factors)) if factors else float("nan"),
    }


def _walk_on(rig: Rig, hog: bool) -> None:
    """A second of walking; a robot that has fallen is stood up again (with a hog it may stay where it is)."""
    try:
        if rig.ears.mode not in ("TRACKING", "COASTING") or not rig.ears.up:
            rig.walk()
    except RigError:
        if not hog:
            raise
    rig.for_sim(1.0)


def as_table(results: dict[str, dict[str, Any]]) -> str:
    """Markdown."""
    lines = [
        "| beside | ticks | p50 [ms] | p99 [ms] | p99.9 [ms] | max [ms] | missed | real-time factor |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, result in results.items():
        late = result["stages"]["late"]
        figures = " | ".join(f"{1e3 * late[key]:.1f}" for key in ("p50", "p99", "p999", "max"))
        lines.append(
            f"| {name} | {late['count']} | {figures} | {result['missed_ticks']} | {result['real_time_factor']:.2f} |"
        )
    load = os.getloadavg()
    return "\n".join(lines) + f"\n\n{os.cpu_count()} cores, load {load[2]:.1f} over the last quarter of an hour.\n"


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="make bench-ticks")
    parser.add_argument("--minutes", type=float, default=10.0, help="both halves together (default: %(default)s)")
    parser.add_argument("--policy", default="policies/walk")
    parser.add_argument("--real-time-factor", type=float, default=1.0)
    parser.add_argument("--out", type=Path, default=Path("out/ticks"))
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    arguments.out.mkdir(parents=True, exist_ok=True)
    half, results = 30.0 * arguments.minutes, {}
    for hog, name in enumerate(PHASES):
        results[name] = phase(bool(hog), half, arguments.out, arguments.policy, arguments.real_time_factor)
    (arguments.out / "ticks.json").write_text(json.dumps(results, indent=1) + "\n")
    table = as_table(results)
    (arguments.out / "ticks.md").write_text(table)
    sys.stdout.write(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
