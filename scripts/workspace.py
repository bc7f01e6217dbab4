"""``python3 -m scripts.workspace``: colcon build and test of ros2_ws in the virtual environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from scripts.environment.console import SetupError, fail
from scripts.environment.host import sourced_ros
from scripts.environment.messages import build_environment
from scripts.environment.virtualenv import VirtualEnv

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Build, test, and list the test results; the exit status of the first that fails."""
    try:
        ros_prefixes = sourced_ros()
    except SetupError as error:
        return fail(error)
    venv = VirtualEnv(ROOT, with_ros=bool(ros_prefixes))
    environment = build_environment(venv, ros_prefixes)
    environment["CMAKE_PREFIX_PATH"] = os.pathsep.join(map(str, [venv.path, *ros_prefixes]))
    colcon = [str(venv.python), str(venv.path / "bin" / "colcon"), "--log-base", "log"]
    bases = ["--build-base", "build", "--install-base", "install"]
    build = ["--base-paths", "src", "--cmake-args", f"-DPython3_EXECUTABLE={venv.python}", "-DCMAKE_CXX_FLAGS=-O1"]
    commands = (
        [*colcon, "build", *bases, *build],
        [*colcon, "test", *bases, "--base-paths", "src", "--event-handlers", "console_cohesion+"],
        [*colcon, "test-result", "--test-result-base", "build", "--verbose"],
    )
    shutil.rmtree(ROOT / "ros2_ws" / "build" / "beyondmimic_diffusion", ignore_errors=True)  # results of earlier tests
    for command in commands:
        code = subprocess.call(command, cwd=ROOT / "ros2_ws", env=environment)
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
