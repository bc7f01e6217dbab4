"""``estimator``: walks of the expert, the estimate against the truth; figures, a table and a picture."""

from __future__ import annotations

import argparse
import logging
import multiprocessing as mp
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_diffusion.core.estimation import EstimatorConfig, StateEstimator
from beyondmimic_diffusion.core.parameters import from_mapping
from beyondmimic_diffusion.sim.noisy_sensors import SensorNoise
from tqdm import tqdm

from ..evaluate.report import aligned, commit, machine, write_json
from ..experts import make_expert
from .pictures import estimate_picture
from .score import WalkScore, WalkTrace, follow, score, summarize
from .walks import SAMPLE_DT, draw_walk, live_walk

_log = logging.getLogger(__name__)
_EXPERT = "fastsac_walker"
Job = tuple[int, int, float, SensorNoise, EstimatorConfig]
"""Seed, number, seconds, noise, estimator."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``estimator``."""
    parser.add_argument("--walks", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of each walk [s]")
    parser.add_argument("--seed", type=int, default=5, help="same seed, same walks")
    parser.add_argument("--out", type=Path, default=Path("out/estimator"), help="folder for the report")
    parser.add_argument("--noise", type=float, default=0.02, help="white noise as a share of each sensor's full scale")
    parser.add_argument("--gyro-bias", type=float, default=0.02, help="standard deviation of the gyro's biases [rad/s]")
    parser.add_argument("--workers", type=int, default=1, help="processes; one core each")
    parser.add_argument(
        "--set",
        nargs="*",
        default=[],
        metavar="NAME=VALUE",
        help="parameters of the estimator, e.g. kalman.foot_drift=0.02",
    )


def main(args: argparse.Namespace) -> int:
    """Run ``estimator``; returns the exit status: 0, or 1 where a limit is exceeded."""
    if args.walks < 1 or args.seconds < 5.0:
        raise ConfigError(f"--walks {args.walks} must be at least 1, --seconds {args.seconds} at least 5")
    config, noise = estimator_config(args.set), SensorNoise(share=args.noise, gyro_bias=args.gyro_bias)
    began = time.monotonic()
    jobs: list[Job] = [(args.seed, index, args.seconds, noise, config) for index in range(args.walks)]
    outcomes = list(tqdm(_outcomes(jobs, args.workers), total=len(jobs), desc="walks"))
    scores, traces = [s for s, _ in outcomes], [t for _, t in outcomes]
    report = {
        "walks_asked": args.walks,
        "seconds": args.seconds,
        "seed": args.seed,
        "expert": _EXPERT,
        "noise": asdict(noise),
        "sample_dt": SAMPLE_DT,
        "estimator": asdict(config),
        **summarize(scores, traces),
        "command": shlex.join(["python", "-m", "beyondmimic_training", *getattr(args, "words", sys.argv[1:])]),
        "machine": machine(),
        "commit": commit(),
        "wall_time": round(time.monotonic() - began, 1),
    }
    args.out.mkdir(parents=True, exist_ok=True)
    write_json(args.out / "report.json", report)
    estimate_picture(args.out / "estimate.png", traces)
    (args.out / "report.md").write_text(markdown(report), encoding="utf-8")
    _log.info("\n%s\n\n%s", tables(report), args.out / "report.md")
    return 0 if all(report["within"].values()) else 1


def estimator_config(words: Sequence[str]) -> EstimatorConfig:
    """Parameters of the estimator from ``NAME=VALUE`` words.

    Raises:
        ConfigError: A word is none, or the estimator does not know it.
    """
    values = {}
    for word in words:
        name, separator, value = word.partition("=")
        if not separator or not name:
            raise ConfigError(f"--set {word}: write NAME=VALUE, e.g. kalman.foot_drift=0.02")
        values[name] = yaml.safe_load(value)
    return from_mapping(EstimatorConfig, values)


def _outcomes(jobs: Sequence[Job], workers: int):
    if workers <= 1 or len(jobs) <= 1:
        yield from map(run_walk, jobs)
        return
    with mp.get_context("spawn").Pool(min(workers, len(jobs))) as pool:
        yield from pool.imap(run_walk, jobs)


def run_walk(job: Job) -> tuple[WalkScore, WalkTrace]:
    """One walk with an estimator that sees it."""
    seed, index, seconds, noise, config = job
    estimator = StateEstimator(config)
    moments = live_walk(draw_walk(seed, index, seconds), make_expert(_EXPERT), noise)
    trace = follow(moments, estimator, round(seconds / SAMPLE_DT))
    return score(index, trace, estimator.kalman.slips if estimator.kalman is not None else 0), trace


def tables(report: dict[str, Any]) -> str:
    """The figures over all walks with their limits, then each walk."""
    within, limits, drift = report["within"], report["limits"], report["drift"]
    drifted = f"{_percent(drift['mean'])} ({_percent(drift['median'])}, {_percent(drift['worst'])})"
    velocity, tilt = f"{report['velocity_rms']:.3f} m/s", f"{report['tilt_rms']:.2f} deg"
    rows = [
        ["position drift, mean (median, worst)", drifted, _percent(limits["drift"]), _told(within["drift"])],
        ["velocity error, rms", velocity, f"{limits['velocity_rms']} m/s", _told(within["velocity_rms"])],
        ["tilt error (roll and pitch), rms", tilt, f"{limits['tilt_rms']} deg", _told(within["tilt_rms"])],
        ["heading error, rms", f"{report['heading_rms']:.2f} deg", "not observable", "-"],
    ]
    for name, found in report.get("nees", {}).items():
        text = f"{found['mean']:.2f} (inside at {_percent(found['share_of_time'])} of the time)"
        rows.append(
            [
                f"NEES of the {name}, per number",
                text,
                f"{found['low']:.2f} .. {found['high']:.2f}",
                _told(found["inside"]),
            ]
        )
    rows.append(["distance walked; falls", f"{report['distance']:.0f} m; {report['falls']}", "-", "-"])
    return aligned(("figure", "measured", "limit", "within"), rows) + "\n\n" + _each(report["walks"])


def _each(walks: Sequence[dict[str, Any]]) -> str:
    headings = ("walk", "distance", "end error", "drift", "velocity", "tilt", "heading", "NEES pose, velocity", "slips")
    rows = [
        [
            str(w["index"]) + (" (fell)" if w["fell"] else ""),
            f"{w['distance']:.1f} m",
            f"{w['end_error']:.2f} m",
            _percent(w["drift"]),
            f"{w['velocity_rms']:.3f} m/s",
            f"{w['tilt_rms']:.2f} deg",
            f"{w['heading_rms']:.2f} deg",
            ", ".join("-" if nees is None else f"{nees:.2f}" for nees in (w["pose_nees"], w["velocity_nees"])),
            str(w["slips"]),
        ]
        for w in walks
    ]
    return aligned(headings, rows)


def _percent(share: float) -> str:
    return f"{100.0 * share:.2f} %"


def _told(inside: bool) -> str:
    return "yes" if inside else "**no**"


def markdown(report: dict[str, Any]) -> str:
    """Content of ``report.md``."""
    noise = report["noise"]
    text = (
        f"{report['n']} walks of {report['seconds']:.0f} s by `{report['expert']}` on a flat floor, in all directions "
        f"and standing, pushed every 3 to 6 s; seed {report['seed']}. Sensors at {1 / report['sample_dt']:.0f} Hz with "
        f"white noise of {_percent(noise['share'])} of full scale ({noise['full_scale']}), gyro biased by "
        f"{noise['gyro_bias']} rad/s and accelerometer by {noise['accelerometer_bias']} m/s^2 (standard deviation per "
        "axis); the IMU's own orientation is not used. Estimate and truth start at one place with the same heading."
    )
    where = f"{report['wall_time']:.0f} s on {report['machine']['cpu']}, commit {report['commit']}."
    return (
        f"# State estimation without truth\n\n{text}\n\n{tables(report)}\n\n"
        "![estimate](estimate.png)\n\n"
        f"`{report['command']}`\n{where}\n"
    )
