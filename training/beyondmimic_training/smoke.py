"""``smoke``: collect -> train -> export -> evaluate on a tiny setting, each by its own command, in a minute or two.

The policy that comes out cannot walk. What is shown is that every step takes what the one before it leaves.
"""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from beyondmimic_diffusion.core.errors import BeyondMimicError

_log = logging.getLogger(__name__)

COLLECT: dict[str, Any] = {"episode": 10.0, "robots": 8, "rounds_per_shard": 1}
TRAIN: dict[str, Any] = {
    "steps": 40,
    "batch_size": 32,
    "warmup_steps": 10,
    "log_every": 10,
    "validate_every": 20,
    "precision": "fp32",
    "compile": False,
    "model": {"width": 32, "num_layers": 2, "num_heads": 2},
}
HOURS = 4.0 / 60.0
"""Robot time to collect [h]."""
EPISODES, SECONDS = 2, 2.0


class SmokeError(BeyondMimicError):
    """A step ended without what it should have left."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``smoke``."""
    parser.add_argument("--out", type=Path, default=Path("out/smoke"), help="folder; emptied first")
    parser.add_argument("--workers", type=int, default=1, help="processes")


def main(args: argparse.Namespace) -> int:
    """Run ``smoke``; returns the exit status."""
    smoke(args.out, args.workers)
    return 0


def smoke(out: Path, workers: int = 1) -> None:
    """Run all steps in a folder that is emptied first.

    Raises:
        SmokeError: A step failed, or left nothing.
    """
    for part in ("data", "run", "policy", "evaluation"):
        shutil.rmtree(out / part, ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    data, run, policy, evaluation = (out / part for part in ("data", "run", "policy", "evaluation"))
    (out / "collect.yaml").write_text(yaml.safe_dump(COLLECT))
    (out / "train.yaml").write_text(yaml.safe_dump({**TRAIN, "data": [str(data)], "out": str(run)}))
    _step(
        ["collect", "--out", str(data), "--hours", str(HOURS), "--config", str(out / "collect.yaml")]
        + ["--workers", str(workers)],
        data / "dataset.json",
    )
    _step(["train", "--config", str(out / "train.yaml"), "--fresh"], run / "checkpoint.pt")
    _step(
        ["export", "--checkpoint", str(run / "checkpoint.pt"), "--out", str(policy), "--name", "smoke"],
        *(policy / name for name in ("model.onnx", "manifest.json", "golden.npz")),
    )
    _step(
        ["evaluate", "--policy", str(policy), "--suite", "joystick", "--episodes", str(EPISODES), "--videos", "0"]
        + ["--cut", str(SECONDS), "--workers", str(workers), "--out", str(evaluation)],
        *(evaluation / name for name in ("report.json", "report.md", "episodes.json", "velocity.png", "paths.png")),
    )
    _check_report(evaluation / "report.json", policy / "manifest.json")


def _step(arguments: list[str], *leaves: Path) -> None:
    """Run one command as a user would, and look for what it should leave."""
    from .cli import main as command_line  # cli opens this module only when it is asked for

    run: Callable[[list[str]], int] = command_line
    began = time.monotonic()
    _log.info("\n== %s", " ".join(arguments))
    status = run(arguments)
    if status != 0:
        raise SmokeError(f"'{arguments[0]}' ended with status {status}; its message is above")
    for path in leaves:
        if not path.is_file() or path.stat().st_size == 0:
            raise SmokeError(f"'{arguments[0]}' ended well, but left no {path}")
    _log.info("== %s: %.0f s", arguments[0], time.monotonic() - began)


def _check_report(report: Path, manifest: Path) -> None:
    """The report is about the policy that was just exported."""
    said, made = json.loads(report.read_text()), json.loads(manifest.read_text())
    if said["policy_sha256"] != made["onnx_sha256"] or said["success"]["n"] != EPISODES:
        raise SmokeError(f"{report} is about policy {said['policy_sha256']} and {said['success']['n']} episodes")
