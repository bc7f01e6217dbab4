"""One suite with tasks through ``evaluate``: run, judge, write."""

from __future__ import annotations

import argparse
import math
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from beyondmimic_diffusion.core.engine import PolicyManifest
from beyondmimic_diffusion.core.errors import ConfigError
from tqdm import tqdm

from .film import Surroundings, make_film
from .jobs import Setup, TaskOutcome, plan_jobs, run_jobs
from .report import commit, episode_rows, machine, write_json
from .task_judge import summarize_tasks
from .task_pictures import ShownTask, choose_tasks, tasks_picture
from .task_report import task_markdown
from .task_suites import TaskSuite

_PANELS = 12
"""Episodes in the picture from above."""


def variant_of(suite: TaskSuite, asked: str | None) -> str:
    """How the policy is helped in this suite: as asked for, or the suite's default.

    Raises:
        ConfigError: The suite has no such variant.
    """
    if asked is not None and asked not in suite.variants:
        raise ConfigError(f"suite '{suite.name}' has no variant '{asked}'; it has {', '.join(suite.variants)}")
    return asked or suite.variants[0]


def evaluate_tasks(
    suite: TaskSuite, setup: Setup, manifest: PolicyManifest, args: argparse.Namespace, folder: Path
) -> dict[str, Any]:
    """One suite: run, judge, write; returns what ``report.json`` holds.

    Args:
        suite: What is to be done.
        setup: What the workers need; ``setup.tasks.variant`` is in force already.
        manifest: Of the policy.
        args: Of ``evaluate``.
        folder: Where the files go.
    """
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    who = ("policy", *suite.references) if args.expert else ("policy",)
    outcomes = {name: _run(suite, name, setup, args) for name in who}
    figures = {name: _figures(suite, rows) for name, rows in outcomes.items()}
    references = [{"label": name, "episodes": args.episodes, **figures[name]} for name in who[1:]]
    report: dict[str, Any] = {
        "suite": suite.name,
        "policy": manifest.name,
        "policy_sha256": manifest.onnx_sha256,
        "label": args.label,
        "variant": setup.tasks.variant,
        "episodes": args.episodes,
        "seed": args.seed,
        **figures["policy"],
        "failures": [{"index": r.index, "text": _why(r)} for r, _ in outcomes["policy"] if not r.success],
        "expert": {"name": setup.expert, **references[0]} if references else None,
        "references": references,
        "settings": {
            **asdict(setup.settings),
            "tasks": asdict(setup.tasks),
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
    write_json(
        folder / "episodes.json",
        [row for name, found in outcomes.items() for row in episode_rows(name, [result for result, _ in found])],
    )
    pictures = _draw(suite, setup, outcomes, folder, 3 if args.videos is None else args.videos)
    (folder / "report.md").write_text(task_markdown(report, suite.text + ".", pictures), encoding="utf-8")
    return report


def _figures(suite: TaskSuite, rows: Sequence[TaskOutcome]) -> dict[str, Any]:
    results = [result for result, _ in rows]
    kinds = {kind: [r for r in results if suite.kind(r.index) == kind] for kind in suite.kinds}
    split = {kind: summarize_tasks(own) for kind, own in kinds.items() if own} if len(suite.kinds) > 1 else {}
    return {**summarize_tasks(results), "kinds": split}


def _why(result: Any) -> str:
    said = result.contact or result.note
    note = f" ({said})" if said else ""
    return f"{result.outcome} after {result.lived:.1f} s, {result.left:.2f} m left{note}"


def _run(suite: TaskSuite, who: str, setup: Setup, args: argparse.Namespace) -> list[TaskOutcome]:
    jobs = plan_jobs(suite.name, who, args.episodes, 1, args.workers)
    shape = "{l_bar}{n:.0f} s of robot time [{elapsed}{postfix}]"
    pace = 1.0 if sys.stderr.isatty() else 30.0  # in a log each update is a line [s]
    with tqdm(desc=f"{suite.name}, {who}", bar_format=shape, mininterval=pace) as bar:
        outcomes = [o for part in run_jobs(setup, jobs, args.workers, bar.update) for o in part]
        bar.set_postfix_str(f"{sum(result.success for result, _ in outcomes)}/{len(outcomes)} reached")
    return outcomes


def _draw(
    suite: TaskSuite, setup: Setup, outcomes: dict[str, list[TaskOutcome]], folder: Path, films: int
) -> list[Path]:
    paths = []
    for who, rows in outcomes.items():
        shown: list[ShownTask] = [(setup.task_episode(suite, r.index), r, trace) for r, trace in rows]
        paths.append(folder / f"from_above_{who}.png")
        tasks_picture(paths[-1], choose_tasks(shown, _PANELS))
        if who != "policy":
            continue
        for spec, result, trace in choose_tasks(shown, films):
            captions = [f"{t:5.1f} s   episode {spec.index}: {result.outcome}" for t in trace.trace.times]
            around = Surroundings(spec.scenario.scene, trace.route_xy_w)
            film = make_film(folder / f"episode_{spec.index}.mp4", trace.trace.qpos, captions, around)
            if film is None:
                break
            paths.append(film)
    return paths
