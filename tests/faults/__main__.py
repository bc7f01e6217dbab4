"""``make test-faults``: every fault into a walk, ``n`` times each; a table, also in out/faults. 1: not all passed."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from .catalogue import CATALOGUE
from .results import Journal, as_table, replace_table, write
from .runner import run_faults


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="make test-faults")
    parser.add_argument("--n", type=int, default=5, help="injections of each fault (default: %(default)s)")
    parser.add_argument(
        "--only",
        default="",
        help="names, comma-separated; their rows are taken anew, the others are kept: "
        + ", ".join(fault.name for fault in CATALOGUE),
    )
    parser.add_argument("--resume", action="store_true", help="go on where an earlier run broke off")
    parser.add_argument("--policy", default="policies/walk")
    parser.add_argument("--real-time-factor", type=float, default=1.0, help="below 1 on a busy machine")
    parser.add_argument("--out", type=Path, default=Path("out/faults"))
    parser.add_argument("--docs", type=Path, help="put the newest table into this page and run nothing")
    arguments = parser.parse_args()
    if arguments.docs:
        replace_table(arguments.docs, arguments.out)
        return 0
    names = [name for name in arguments.only.split(",") if name]
    unknown = set(names) - {fault.name for fault in CATALOGUE}
    if unknown:
        parser.error(f"no such fault: {', '.join(sorted(unknown))}")
    faults = [fault for fault in CATALOGUE if not names or fault.name in names]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leave by the door: the stack is ended on the way out
    arguments.out.mkdir(parents=True, exist_ok=True)
    journal = Journal(arguments.out)
    if not arguments.resume:
        journal.forget(names or None)
        (arguments.out / "nodes.log").unlink(missing_ok=True)
    say = lambda line: print(line, flush=True)  # noqa: E731
    run_faults(faults, arguments.n, arguments.out, arguments.real_time_factor, arguments.policy, say)
    rows = [row for row in journal.rows(CATALOGUE) if row.tries]
    write(rows, arguments.out, arguments.real_time_factor)
    say("\n" + as_table(rows))
    return 0 if all(row.passed for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
