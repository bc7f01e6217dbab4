"""``make soak``: random velocities and faults for a while; a report in out/soak. 1: something was not as it must be."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path

from tests.faults.catalogue import CATALOGUE

from .plot import draw
from .record import as_page
from .run import soak

LEFT_OUT = ("planner_killed", "executor_killed", "supervisor_killed", "disk_full", "second_writer")
"""A killed process says nothing of its memory; the others take discovery's patience."""


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="make soak")
    parser.add_argument("--minutes", type=float, default=30.0, help="(default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of velocities and faults (default: %(default)s)")
    parser.add_argument("--no-faults", action="store_true", help="velocities only")
    parser.add_argument("--policy", default="policies/walk")
    parser.add_argument("--real-time-factor", type=float, default=1.0, help="below 1 on a busy machine")
    parser.add_argument("--out", type=Path, default=Path("out/soak"))
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    for name in ("nodes.log", "latency.json"):
        (out / name).unlink(missing_ok=True)
    say = lambda line: print(line, flush=True)  # noqa: E731
    faults = [] if arguments.no_faults else [fault for fault in CATALOGUE if fault.name not in LEFT_OUT]
    record = soak(
        60.0 * arguments.minutes,
        arguments.seed,
        faults,
        out,
        arguments.policy,
        arguments.real_time_factor,
        say,
        {"latency_report": str((out / "latency.json").resolve())},
    )
    latency = out / "latency.json"
    stages = json.loads(latency.read_text()) if latency.is_file() else {}
    (out / "soak.json").write_text(json.dumps(record.as_dict() | {"latency": stages}, indent=1) + "\n")
    page = as_page(record, json.dumps(stages, indent=1).splitlines())
    (out / "soak.md").write_text(page)
    draw(record, out / "soak.png")
    say("\n" + page)
    return 1 if record.problems() else 0


if __name__ == "__main__":
    sys.exit(main())
