"""``collect``: record an expert into a data set, on several processes, with progress; may be stopped and resumed."""

from __future__ import annotations

import argparse
import contextlib
import logging
import math
import multiprocessing as mp
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from beyondmimic_diffusion.core.engine import PolicyManifest
from beyondmimic_diffusion.core.errors import ConfigError
from tqdm import tqdm

from ..store import DatasetWriter, describe, shard_attributes, shard_paths
from ..unfinished import remove_unfinished
from .episode import draw_episode
from .isaaclab.lab import SETUP, installed_version
from .randomization import CollectConfig, config_from_dict
from .rollout import Rollout

_log = logging.getLogger(__name__)
BACKENDS = ("mujoco", "isaaclab")
ISAACLAB_PYTHON = Path(".venv-isaaclab/bin/python")
"""The environment that ``make setup-isaaclab`` makes, from the repository's root."""
HOURS_HELP = "robot time that this seed is to have in the end, before cuts [h]; other seeds in the folder do not count"


@dataclass(frozen=True)
class JobReport:
    """What one shard holds."""

    job: int
    episodes: int
    falls: int
    frames: int
    seconds: float
    """Wall time it took [s]."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``collect``."""
    parser.add_argument("--out", type=Path, required=True, help="folder of the data set; resumed if it exists")
    amount = parser.add_mutually_exclusive_group(required=True)
    amount.add_argument("--hours", type=float, help=HOURS_HELP)
    amount.add_argument("--minutes", type=float, help="the same in minutes; a shard has no more rounds than that takes")
    parser.add_argument("--workers", type=int, default=2, help="processes, one core each; Isaac Lab has one for itself")
    parser.add_argument("--backend", choices=BACKENDS, help="the simulator; overrides the configuration")
    parser.add_argument("--envs", type=int, help="robots stepped together in one process; overrides the configuration")
    parser.add_argument("--device", default="cpu", help="where Isaac Lab runs: cpu or cuda:0")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same episodes")
    parser.add_argument("--config", type=Path, help="YAML file with settings that differ from the defaults")
    parser.add_argument("--policy", help="policy folder: it drives for short stretches, the expert labels (DAgger)")
    parser.add_argument("--expert", help="name of the Stage 1 policy; overrides the configuration")


def main(args: argparse.Namespace) -> int:
    """Run ``collect``; returns the exit status."""
    config = load_config(args.config, args.expert, args.backend, args.envs, args.policy)
    if config.backend == "isaaclab" and not installed_version():
        return _hand_over(args, config)
    hours = args.hours
    if args.minutes is not None:
        hours = args.minutes / 60.0
        rounds = max(1, math.ceil(60.0 * args.minutes / (config.robots * config.episode)))
        config = replace(config, rounds_per_shard=min(config.rounds_per_shard, rounds))
    reports = collect(args.out, config, hours=hours, workers=args.workers, seed=args.seed, device=args.device)
    episodes, falls = sum(r.episodes for r in reports), sum(r.falls for r in reports)
    _log.info("added %d episodes in %d shards to %s; %d of them fell", episodes, len(reports), args.out, falls)
    return 0


def _hand_over(args: argparse.Namespace, config: CollectConfig) -> int:
    """Run the same command in the environment that has Isaac Lab; returns its exit status."""
    python = Path(__file__).parents[3] / ISAACLAB_PYTHON
    if not python.is_file():
        raise ConfigError(f"backend 'isaaclab' needs Isaac Lab, which is not installed; '{SETUP}' brings it")
    command = [str(python), "-m", "beyondmimic_training", "collect", "--backend", "isaaclab"]
    for name in ("out", "hours", "minutes", "workers", "seed", "config", "expert", "envs", "device", "policy"):
        value = getattr(args, name)
        if value is not None:
            command += [f"--{name}", str(value)]
    _log.info("%s robots in Isaac Lab, by %s", config.robots, ISAACLAB_PYTHON)
    return subprocess.run(command, check=False).returncode


def load_config(
    file: Path | None,
    expert: str | None = None,
    backend: str | None = None,
    envs: int | None = None,
    policy: str | None = None,
) -> CollectConfig:
    """Defaults, changed by a YAML file and by the command line.

    Raises:
        ConfigError: Something in the file is not known, or there is no such simulator.
    """
    values: dict[str, Any] = {}
    if file is not None:
        values = yaml.safe_load(file.read_text()) or {}
        if not isinstance(values, dict):
            raise ConfigError(f"'{file}' must hold a mapping of settings; got a {type(values).__name__}")
    given = {"expert": expert, "backend": backend, "robots": envs}
    if policy is not None:
        values["dagger"] = {**values.get("dagger", {}), "policy": policy}
    config: CollectConfig = config_from_dict(values | {k: v for k, v in given.items() if v is not None})
    if config.backend not in BACKENDS:
        raise ConfigError(f"setting 'backend' is one of {BACKENDS}; got {config.backend!r}")
    if config.dagger.policy:
        PolicyManifest.load(config.dagger.policy)  # here, not in each worker
    if config.robots < 1:
        raise ConfigError(f"setting 'robots' (--envs) is at least 1; got {config.robots}")
    return config


def collect(
    out: Path,
    config: CollectConfig,
    *,
    hours: float,
    workers: int,
    seed: int,
    progress: bool = True,
    device: str = "cpu",
) -> list[JobReport]:
    """Fill a data set up to ``hours`` of robot time of this seed; all shards that are there are kept.

    Jobs are counted by seed and number: after a change of settings, those that are done stay as they are.

    Args:
        device: Where Isaac Lab runs; MuJoCo runs on the CPU.

    Raises:
        ConfigError: The simulator is not installed here.
        DatasetError: ``out`` holds another kind of data set, or a damaged shard.
    """
    metadata = describe(config.to_dict(), _git_commit())
    DatasetWriter(out, metadata)
    remove_unfinished(out)
    hours_per_job = config.robots * config.rounds_per_shard * config.episode / 3600.0
    done = jobs_done(out, seed)
    jobs = [j for j in range(math.ceil(hours / hours_per_job)) if j not in done]
    reports: list[JobReport] = []
    with _run_jobs(jobs, workers, (out, config, metadata, seed, device)) as results:
        bar = tqdm(
            total=round(hours_per_job * (len(done) + len(jobs)), 2),
            initial=round(hours_per_job * len(done), 2),
            desc=f"collect {config.expert}",
            unit="h",
            unit_scale=True,
            mininterval=1.0,
            smoothing=0.1,
            disable=not progress,
        )
        with bar:
            for report in results:
                reports.append(report)
                falls = sum(r.falls for r in reports) / sum(r.episodes for r in reports)
                real_time = hours_per_job * 3600.0 / report.seconds
                bar.set_postfix_str(f"fell {falls:.1%}, {real_time:.0f}x real time per worker", refresh=False)
                bar.update(hours_per_job)
    return reports


@contextlib.contextmanager
def _run_jobs(jobs: list[int], workers: int, start: tuple) -> Iterator[Iterable[JobReport]]:
    """Reports as they come: from several processes, or in this one where the simulator steps all robots itself."""
    config: CollectConfig = start[1]
    if config.backend == "isaaclab":
        if jobs:
            _start_worker(*start)
        yield map(_run_job, jobs)
        return
    with mp.get_context("spawn").Pool(max(1, workers), _start_worker, start) as pool:
        yield pool.imap_unordered(_run_job, jobs)


def jobs_done(out: Path, seed: int) -> set[int]:
    """Numbers of the jobs of this seed whose shards are complete."""
    tags = [shard_attributes(shard)["tag"] for shard in shard_paths(out)]
    return {tag["job"] for tag in tags if tag.get("seed") == seed}


_worker: tuple[Rollout, DatasetWriter, int] | None = None


def _start_worker(out: Path, config: CollectConfig, metadata: dict[str, Any], seed: int, device: str) -> None:
    global _worker
    fleet = None
    if config.backend == "isaaclab":
        from .isaaclab.fleet import IsaacLabFleet  # torch takes seconds, the simulator more

        fleet = IsaacLabFleet(config, device)
    _worker = Rollout(config, fleet), DatasetWriter(out, metadata), seed


def _run_job(job: int) -> JobReport:
    assert _worker is not None
    rollout, writer, seed = _worker
    config = rollout.config
    begin = time.monotonic()
    episodes = []
    for n in range(config.rounds_per_shard):
        first = (job * config.rounds_per_shard + n) * config.robots
        episodes += rollout.run([draw_episode(config, (seed, first + b)) for b in range(config.robots)])
    writer.write_shard([(e.frames, e.info) for e in episodes], {"seed": seed, "job": job})
    return JobReport(
        job=job,
        episodes=len(episodes),
        falls=sum(e.info["fell"] for e in episodes),
        frames=sum(len(e.frames["root_pos_w"]) for e in episodes),
        seconds=time.monotonic() - begin,
    )


def _git_commit() -> str:
    """Commit of the working tree this code lies in, or ``unknown``."""
    result = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    return result.stdout.strip() or "unknown"
