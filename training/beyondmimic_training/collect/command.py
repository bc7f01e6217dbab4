"""``collect``: record an expert into a data set, on several processes, with progress; may be stopped and resumed."""

from __future__ import annotations

import argparse
import logging
import math
import multiprocessing as mp
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from beyondmimic_diffusion.core.errors import ConfigError
from tqdm import tqdm

from ..store import DatasetWriter, describe, shard_attributes, shard_paths
from ..unfinished import remove_unfinished
from .episode import draw_episode
from .randomization import CollectConfig, config_from_dict
from .rollout import Rollout

_log = logging.getLogger(__name__)
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
    parser.add_argument("--hours", type=float, required=True, help=HOURS_HELP)
    parser.add_argument("--workers", type=int, default=2, help="processes; one core each")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same episodes")
    parser.add_argument("--config", type=Path, help="YAML file with settings that differ from the defaults")
    parser.add_argument("--expert", help="name of the Stage 1 policy; overrides the configuration")


def main(args: argparse.Namespace) -> int:
    """Run ``collect``; returns the exit status."""
    config = load_config(args.config, args.expert)
    reports = collect(args.out, config, hours=args.hours, workers=args.workers, seed=args.seed)
    episodes, falls = sum(r.episodes for r in reports), sum(r.falls for r in reports)
    _log.info("added %d episodes in %d shards to %s; %d of them fell", episodes, len(reports), args.out, falls)
    return 0


def load_config(file: Path | None, expert: str | None = None) -> CollectConfig:
    """Defaults, changed by a YAML file and by the command line."""
    values: dict[str, Any] = {}
    if file is not None:
        values = yaml.safe_load(file.read_text()) or {}
        if not isinstance(values, dict):
            raise ConfigError(f"'{file}' must hold a mapping of settings; got a {type(values).__name__}")
    config: CollectConfig = config_from_dict(values)
    return config if expert is None else replace(config, expert=expert)


def collect(
    out: Path, config: CollectConfig, *, hours: float, workers: int, seed: int, progress: bool = True
) -> list[JobReport]:
    """Fill a data set up to ``hours`` of robot time of this seed; all shards that are there are kept.

    Jobs are counted by seed and number: after a change of settings, those that are done stay as they are.

    Raises:
        DatasetError: ``out`` holds another kind of data set, or a damaged shard.
    """
    metadata = describe(config.to_dict(), _git_commit())
    DatasetWriter(out, metadata)
    remove_unfinished(out)
    hours_per_job = config.robots * config.rounds_per_shard * config.episode / 3600.0
    done = jobs_done(out, seed)
    jobs = [j for j in range(math.ceil(hours / hours_per_job)) if j not in done]
    reports: list[JobReport] = []
    with mp.get_context("spawn").Pool(max(1, workers), _start_worker, (out, config, metadata, seed)) as pool:
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
            for report in pool.imap_unordered(_run_job, jobs):
                reports.append(report)
                falls = sum(r.falls for r in reports) / sum(r.episodes for r in reports)
                real_time = hours_per_job * 3600.0 / report.seconds
                bar.set_postfix_str(f"fell {falls:.1%}, {real_time:.0f}x real time per worker", refresh=False)
                bar.update(hours_per_job)
    return reports


def jobs_done(out: Path, seed: int) -> set[int]:
    """Numbers of the jobs of this seed whose shards are complete."""
    tags = [shard_attributes(shard)["tag"] for shard in shard_paths(out)]
    return {tag["job"] for tag in tags if tag.get("seed") == seed}


_worker: tuple[Rollout, DatasetWriter, int] | None = None


def _start_worker(out: Path, config: CollectConfig, metadata: dict[str, Any], seed: int) -> None:
    global _worker
    _worker = Rollout(config), DatasetWriter(out, metadata), seed


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
