"""``python3 -m scripts.environment sim``: make the environment fit for a purpose."""

from __future__ import annotations

import argparse
import fcntl
import os
import platform
import sys
import time
from pathlib import Path

from .console import SetupError, fail, say
from .profiles import PROFILES, Plan
from .steps import Runner

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Run the missing steps of a profile; the exit status is 0 when the environment is complete."""
    parser = argparse.ArgumentParser(prog="scripts.environment", description=__doc__)
    parser.add_argument(
        "profile", choices=PROFILES, help="; ".join(f"{name}: {text}" for name, text in PROFILES.items())
    )
    profile = parser.parse_args().profile
    try:
        return set_up(profile)
    except SetupError as error:
        return fail(error)
    except KeyboardInterrupt:
        return fail(SetupError("interrupted. Run the same command again: finished steps are kept."))


def set_up(profile: str) -> int:
    """Do what is missing for a profile."""
    if platform.system() != "Linux":
        raise SetupError(f"the stack runs on Linux, this is {platform.system()}. Use a container or a virtual machine.")
    plan = Plan(ROOT, os.environ.get("PYTHON", ""))
    start = time.monotonic()
    if not Runner(plan.venv.state_dir, plan.steps(profile)).pending():
        return 0
    plan.venv.state_dir.mkdir(parents=True, exist_ok=True)
    with (plan.venv.state_dir / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("Another set-up runs in this checkout; waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        runner = Runner(plan.venv.state_dir, plan.steps(profile))
        say(f"Setting up {PROFILES[profile]} (.venv, logs in .venv/.setup):")
        runner.run()
    say(f"Set-up complete in {time.monotonic() - start:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
