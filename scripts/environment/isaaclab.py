"""``python3 -m scripts.environment.isaaclab``: Isaac Lab on the CPU, in ``.venv-isaaclab/`` beside ``.venv/``.

Its requirements clash with ours (another MuJoCo) and name much that collection does not need (Isaac Sim, viewers,
learners), so every package is pinned and installed without its dependencies.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from pathlib import Path

from . import host, packages
from .console import SetupError, fail, say
from .steps import Runner, Step
from .virtualenv import VirtualEnv

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ".venv-isaaclab"
DISK_GB = 5.0
REQUIREMENTS = ROOT / "requirements" / "isaaclab.txt"
ISAACLAB2 = "isaaclab==2.3.2.post1"
"""The newest 2.x; only its sources are looked at, by the type checker."""


def main() -> int:
    """Do what is missing; the exit status is 0 when the environment is complete."""
    try:
        if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
            raise SetupError("Isaac Lab's packages are for Linux on x86-64.")
        venv = VirtualEnv(ROOT, with_ros=False, name=FOLDER)
        runner = Runner(venv.state_dir, steps(venv))
        if runner.pending():
            start = time.monotonic()
            venv.state_dir.mkdir(parents=True, exist_ok=True)
            say(f"Setting up Isaac Lab ({FOLDER}, logs in {FOLDER}/.setup):")
            runner.run()
            say(f"Set-up complete in {time.monotonic() - start:.0f} s.")
    except SetupError as error:
        return fail(error)
    return 0


def steps(venv: VirtualEnv) -> list[Step]:
    """The environment, the pinned packages, the sources of 2.x, our two packages."""
    wanted = os.environ.get("PYTHON", "")
    ours = [ROOT / "ros2_ws" / "src" / "beyondmimic_diffusion", ROOT / "training"]

    def create(log: Path) -> None:
        host.check_disk(ROOT, DISK_GB)
        venv.create(log, wanted)

    def install(log: Path) -> None:
        packages.install_requirements(venv, REQUIREMENTS, log, "--no-deps", "--ignore-requires-python")

    def sources_of_2(log: Path) -> None:
        options = ("--no-deps", "--ignore-requires-python", "--upgrade", "--target", str(venv.path / "isaaclab2"))
        options += ("--python-version", "3.11", "--only-binary", ":all:")  # there is no other wheel; it is not run
        packages.install(venv, ISAACLAB2, log, *options)

    def install_ours(log: Path) -> None:
        for package in ours:
            packages.install_editable(venv, package, log)

    return [
        Step("venv", "Virtual environment", create, lambda: venv.inputs(wanted)),
        Step("isaaclab", "Isaac Lab 3 and what it needs", install, [REQUIREMENTS]),
        Step("isaaclab2", "Sources of Isaac Lab 2.x (for the type checker)", sources_of_2, [ISAACLAB2]),
        Step("ours", "beyondmimic_diffusion, beyondmimic_training", install_ours, [p / "setup.py" for p in ours]),
    ]


if __name__ == "__main__":
    sys.exit(main())
