"""``evaluate``: a policy through closed-loop suites, figures and pictures out."""

from __future__ import annotations

import argparse
import logging
import math
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import yaml
from beyondmimic_diffusion.core.batch_planner import MODES, PlannerConfig
from beyondmimic_diffusion.core.engine import BACKENDS, INT8, PolicyManifest, load_policy
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_diffusion.core.parameters import describe, from_mapping
from beyondmimic_diffusion.core.route import RouteConfig
from beyondmimic_diffusion.core.steering import SteeringConfig
from beyondmimic_diffusion.core.tasks import WaypointTaskConfig
from tqdm import tqdm

from .conditions import Conditions
from .controllers import PolicySettings
from .film import make_film
from .jobs import Outcome, Setup, plan_jobs, run_jobs
from .judge import Trace, summarize
from .observer import STATES
from .pictures import Shown, choose, path_picture, velocity_picture
from .report import commit, episode_rows, machine, markdown, table, write_json
from .suites import SUITES, EpisodeSpec, Suite, suite_named
from .task_command import evaluate_tasks, variant_of
from .task_goals import TaskSettings
from .task_report import task_table
from .task_suites import TASK_SUITES

_log = logging.getLogger(__name__)
ALL = ("walk-perturb", "joystick", "waypoint", "forest", "moving-obstacle", "in-between", "composed")
"""What ``--suite all`` runs."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``evaluate``."""
    parser.add_argument("--policy", type=Path, default=Path("policies/walk"), help="policy folder")
    parser.add_argument(
        "--suite",
        default="joystick",
        help=f"one or several of {', '.join((*SUITES, *TASK_SUITES))}, with commas; all: {', '.join(ALL)}",
    )
    parser.add_argument("--episodes", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1, help="same seed, same episodes, whatever batch and workers")
    parser.add_argument("--out", type=Path, help="folder for the report; out/evaluate/SUITE by default")
    parser.add_argument(
        "--batch", type=int, help="robots stepped together in one process; by default 1 with 8-bit weights, else 50"
    )
    parser.add_argument("--workers", type=int, default=2, help="processes; one core each")
    parser.add_argument("--expert", action=argparse.BooleanOptionalAction, default=True, help="the expert's rows too")
    parser.add_argument("--variant", help="how the policy is helped in suites with tasks, e.g. route+barrier or none")
    parser.add_argument("--videos", type=int, help="episodes to film, failed ones first; by default 1, with tasks 3")
    parser.add_argument("--label", default="policy", help="name of the policy's row")
    parser.add_argument("--physics-dt", type=float, default=0.002, help="time step of the physics [s]")
    parser.add_argument("--backend", choices=BACKENDS, default="auto")
    parser.add_argument("--guidance", choices=("on", "off"), default="on", help="off: the commands are kept from it")
    parser.add_argument(
        "--state",
        choices=STATES,
        default="truth",
        help="the policy is told the truth, or an estimate from noisy sensors",
    )
    parser.add_argument("--cut", type=float, default=math.inf, help="end episodes after this, to try things out [s]")
    parser.add_argument("--added-delay", type=float, default=0.0, help="delay the planner does not know of [s]")
    parser.add_argument("--plan-period", type=float, default=0.04, help="time between two plans [s]")
    parser.add_argument(
        "--conditions",
        nargs="*",
        default=[],
        metavar="NAME=VALUE",
        help=f"stress that nobody is told of: {', '.join(spec.name for spec in describe(Conditions))}",
    )
    parser.add_argument(
        "--plan-time", type=float, default=0.0, help="what a plan takes; the next is begun when it is done [s]"
    )
    parser.add_argument(
        "--plan-time-jitter", type=float, default=0.0, help="greatest random addition to each plan's time [s]"
    )
    parser.add_argument("--mode", choices=MODES, help="how plans are started")
    parser.add_argument("--passes", type=int, help="denoising passes per plan; by default the policy's own (-1)")
    parser.add_argument(
        "--guidance-scale", type=float, help="factor on all guidance, 0: none; default: the policy's own"
    )
    parser.add_argument("--latency", type=float, help="modelled latency of a plan, known to the planner [s]")
    parser.add_argument(
        "--set",
        nargs="*",
        default=[],
        metavar="NAME=VALUE",
        help="planner.*, steering.*, task.* (waypoints) and route.* parameters, by full name",
    )


def main(args: argparse.Namespace) -> int:
    """Run ``evaluate``; returns the exit status."""
    names = ALL if args.suite == "all" else tuple(args.suite.split(","))
    for name in names:
        suite_named(name) if name not in TASK_SUITES else variant_of(TASK_SUITES[name], args.variant)
    if args.episodes < 1 or (args.batch is not None and args.batch < 1):
        raise ConfigError(f"--episodes {args.episodes} and --batch {args.batch} must be at least 1")
    manifest = PolicyManifest.load(args.policy)
    backend = load_policy(args.policy, args.backend).backend_name
    if args.batch is None:
        args.batch = 1 if backend == INT8 else 50  # 8-bit activations of a batch share their scale
    args.backend = backend
    setup = make_setup(args)
    root = args.out or Path("out/evaluate") / (names[0] if len(names) == 1 else args.suite.replace(",", "+"))
    reports = []
    for name in names:
        folder = root if len(names) == 1 else root / name
        if name in TASK_SUITES:
            suite = TASK_SUITES[name]
            tasks = replace(setup.tasks, variant=variant_of(suite, args.variant))
            reports.append(evaluate_tasks(suite, replace(setup, tasks=tasks), manifest, args, folder))
        else:
            reports.append(evaluate(suite_named(name), setup, manifest, args, folder))
    if len(reports) > 1:
        _combine(root, reports)
    _log.info("\n%s\n\n%s", tables(reports), root / "report.md")
    return 0


def tables(reports: Sequence[dict[str, Any]]) -> str:
    """One Markdown table of the suites with commands, one of those with tasks, as far as there are any."""
    told = [report for report in reports if report["suite"] not in TASK_SUITES]
    tasks = [report for report in reports if report["suite"] in TASK_SUITES]
    return "\n\n".join([*([table(told)] if told else []), *([task_table(tasks)] if tasks else [])])


def _combine(root: Path, reports: Sequence[dict[str, Any]]) -> None:
    """One page for all suites."""
    write_json(root / "report.json", {"suites": {report["suite"]: report for report in reports}})
    links = "\n".join(f"* [{report['suite']}]({report['suite']}/report.md)" for report in reports)
    title = f"# {reports[0]['policy']}, seed {reports[0]['seed']}"
    (root / "report.md").write_text(f"{title}\n\n{tables(reports)}\n\n{links}\n", encoding="utf-8")


def make_setup(args: argparse.Namespace) -> Setup:
    """Everything the workers need, from the command line.

    Raises:
        ConfigError: An unknown parameter, or a value out of range.
    """
    groups: dict[str, dict[str, Any]] = {"planner": {}, "steering": {}, "task": {}, "route": {}}
    named = {"mode": args.mode, "passes": args.passes, "guidance_scale": args.guidance_scale, "latency": args.latency}
    groups["planner"].update({name: value for name, value in named.items() if value is not None})
    for item in args.set:
        name, separator, value = item.partition("=")
        group, _, parameter = name.partition(".")
        if not separator or group not in groups or not parameter:
            raise ConfigError(f"--set {item}: write GROUP.NAME=VALUE with a group of {', '.join(groups)}")
        groups[group][parameter] = yaml.safe_load(value)
    settings = PolicySettings(
        planner=from_mapping(PlannerConfig, groups["planner"]),
        steering=from_mapping(SteeringConfig, groups["steering"]),
        guided=args.guidance == "on",
        plan_period=args.plan_period,
        added_delay=args.added_delay,
        plan_time=args.plan_time,
        plan_time_jitter=args.plan_time_jitter,
    )
    return Setup(
        args.policy,
        args.backend,
        settings,
        TaskSettings(
            waypoint=from_mapping(WaypointTaskConfig, groups["task"]), route=from_mapping(RouteConfig, groups["route"])
        ),
        physics_dt=args.physics_dt,
        batch=args.batch,
        seed=args.seed,
        state=args.state,
        conditions=make_conditions(args.conditions),
        cut=args.cut,
    )


def make_conditions(items: Sequence[str]) -> Conditions:
    """Conditions from NAME=VALUE.

    Raises:
        ConfigError: Another form, an unknown name, or a value out of range.
    """
    values: dict[str, Any] = {}
    for item in items:
        name, separator, value = item.partition("=")
        if not separator:
            raise ConfigError(f"--conditions {item}: write NAME=VALUE")
        values[name] = yaml.safe_load(value)
    return from_mapping(Conditions, values)


def evaluate(
    suite: Suite, setup: Setup, manifest: PolicyManifest, args: argparse.Namespace, folder: Path
) -> dict[str, Any]:
    """One suite: run, judge, write; returns what ``report.json`` holds."""
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    outcomes = {who: _run(suite, who, setup, args) for who in (("policy", "expert") if args.expert else ("policy",))}
    figures = {who: summarize([result for result, _ in rows]) for who, rows in outcomes.items()}
    report: dict[str, Any] = {
        "suite": suite.name,
        "policy": manifest.name,
        "policy_sha256": manifest.onnx_sha256,
        "label": args.label,
        "episodes": args.episodes,
        "seed": args.seed,
        **figures["policy"],
        "expert": {"name": setup.expert, "episodes": args.episodes, **figures["expert"]} if args.expert else None,
        "settings": {
            **asdict(setup.settings),
            "sampling": asdict(manifest.sampling),
            "physics_dt": setup.physics_dt,
            "backend": setup.backend,
            "state": setup.state,
            "conditions": asdict(setup.conditions),
            "cut": setup.cut if math.isfinite(setup.cut) else None,
        },
        "command": shlex.join(["python", "-m", "beyondmimic_training", *getattr(args, "words", sys.argv[1:])]),
        "machine": machine(),
        "commit": commit(),
        "wall_time": round(time.monotonic() - began, 1),
    }
    write_json(folder / "report.json", report)
    rows = [row for who, found in outcomes.items() for row in episode_rows(who, [result for result, _ in found])]
    write_json(folder / "episodes.json", rows)
    pictures = _draw(suite, setup, outcomes["policy"], folder, 1 if args.videos is None else args.videos)
    (folder / "report.md").write_text(markdown(report, suite.text + ".", pictures), encoding="utf-8")
    return report


def _run(suite: Suite, who: str, setup: Setup, args: argparse.Namespace) -> list[Outcome]:
    jobs = plan_jobs(suite.name, who, args.episodes, setup.batch, args.workers)
    total = sum(setup.episode(suite, index).duration for index in range(args.episodes))
    shape = "{l_bar}{bar}| {n:.0f}/{total:.0f} s of robot time [{elapsed}<{remaining}{postfix}]"
    pace = 1.0 if sys.stderr.isatty() else 30.0  # in a log each update is a line [s]
    with tqdm(
        total=total + 1e-6, desc=f"{suite.name}, {who}", bar_format=shape, mininterval=pace, smoothing=0.1
    ) as bar:
        outcomes = [o for part in run_jobs(setup, jobs, args.workers, bar.update) for o in part]
        bar.set_postfix_str(f"{sum(not result.success for result, _ in outcomes)} falls")
    return outcomes


def _draw(suite: Suite, setup: Setup, outcomes: Sequence[Outcome], folder: Path, videos: int) -> list[Path]:
    shown: list[Shown] = [(setup.episode(suite, result.index), result, trace) for result, trace in outcomes]
    paths = [folder / "velocity.png", folder / "paths.png"]
    velocity_picture(paths[0], choose(shown, 4))
    path_picture(paths[1], shown)
    for spec, _, trace in choose(shown, videos):
        film = make_film(folder / f"episode_{spec.index}.mp4", trace.qpos, _captions(spec, trace))
        if film is None:
            break
        paths.append(film)
    return paths


def _captions(spec: EpisodeSpec, trace: Trace) -> list[str]:
    captions = []
    for elapsed in trace.times:
        command = spec.command_at(elapsed)
        asked = "no command" if command is None else "command: {:+.2f} m/s, {:+.2f} m/s, {:+.2f} rad/s".format(*command)
        captions.append(f"{elapsed:5.1f} s   episode {spec.index}\n{asked}")
    return captions
