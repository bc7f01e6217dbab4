"""``python -m scripts.run_tests``: all tests, those over ROS and the others at the same time.

Tests over ROS mostly wait, but what they wait for should not have to wait for a core: they run at most two files at a
time, and the other tests run beside them at a lower priority. Their output is shown after that of the tests over ROS.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from typing import BinaryIO

NICENESS = 10
"""Of the tests without ROS."""
OVER_ROS, OTHERS_MOST = 2, 8
"""Processes for the tests over ROS, and at most for the others."""
NO_TESTS = 5
"""Exit status of pytest when nothing was selected."""
FIRST_DOMAIN, LAST_DOMAIN = 43, 100
"""As in tests/conftest.py: neither a robot's domain nor bringup's, and below the ports that Linux hands out."""


def main() -> int:
    """Run both halves with the command line's arguments; the exit status is 0 when both pass."""
    cores = len(os.sched_getaffinity(0))
    domain = int(os.environ.get("ROS_DOMAIN_ID", FIRST_DOMAIN + os.getpid() % (LAST_DOMAIN - FIRST_DOMAIN - 10)))
    with tempfile.TemporaryFile() as output:
        others = subprocess.Popen(
            pytest("not ros", min(cores, OTHERS_MOST)),
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "ROS_DOMAIN_ID": str(domain + OVER_ROS)},
            preexec_fn=lambda: os.nice(NICENESS),
        )
        over_ros = subprocess.Popen(
            pytest("ros", min(cores, OVER_ROS)), env={**os.environ, "ROS_DOMAIN_ID": str(domain)}
        )
        try:
            codes = [over_ros.wait()]
            print("\nTests without ROS:", flush=True)
            show(output, others)
            codes.append(others.wait())
        except KeyboardInterrupt:  # both have got it, too, and end by themselves
            codes = [over_ros.wait(), others.wait()]
    return int(any(code not in (0, NO_TESTS) for code in codes))


def pytest(marked: str, processes: int) -> list[str]:
    """The command for the tests with (or without) a marker, followed by this program's own arguments."""
    options = ("-ra", "-n", str(processes), "--dist", "loadfile", "-m", marked)
    return [sys.executable, "-m", "pytest", *options, *sys.argv[1:]]


def show(output: BinaryIO, process: subprocess.Popen[bytes]) -> None:
    """Copy a process's output to this one's until it has ended."""
    position = 0
    descriptor = output.fileno()
    while True:
        ended = process.poll() is not None
        while text := os.pread(descriptor, 1 << 16, position):
            position += len(text)
            sys.stdout.buffer.write(text)
            sys.stdout.flush()
        if ended:
            return
        time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
