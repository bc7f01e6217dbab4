"""``report``: every closed-loop figure of a policy, by one command; cases that have their figures already are kept.

Each case is one call of ``evaluate``; its folder under the policy's ``report/`` holds what came of it. The table that
``report/README.md`` and the repository's README show is made from these files and from nothing else.
"""

from __future__ import annotations

import argparse
import json
import logging
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from beyondmimic_diffusion.core.engine import PolicyManifest
from beyondmimic_diffusion.core.errors import ArtifactError, ConfigError

from .evaluate import command as evaluation
from .evaluate.task_suites import TASK_SUITES
from .report_cases import ABLATIONS, CASES, Ablation, Case

_log = logging.getLogger(__name__)
START, END = "<!-- results: python -m beyondmimic_training report -->", "<!-- /results -->"


_REFERENCES = {
    "expert": "expert, straight to the goal",
    "expert-route": "expert on the route",
    "expert-field": "expert in a potential field",
    "expert-chase": "expert, after the keyframes' places",
    "expert-command": "expert, given the command",
}
"""Labels of the reference rows of suites with tasks."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``report``."""
    parser.add_argument("--policy", type=Path, default=Path("policies/walk"))
    parser.add_argument("--only", nargs="*", default=[], metavar="CASE", help="run these cases alone")
    parser.add_argument("--table", action="store_true", help="run nothing; make the tables from what is there")
    parser.add_argument("--workers", type=int, default=2)


def cases_with(only: list[str]) -> list[Case]:
    """The cases named, or all.

    Raises:
        ConfigError: There is no case of that name.
    """
    every = (*CASES, *(row.case for row in ABLATIONS))
    known = [case.folder for case in every]
    for name in only:
        if name not in known:
            raise ConfigError(f"there is no case '{name}'; there are {', '.join(known)}")
    return [case for case in every if not only or case.folder in only]


def main(args: argparse.Namespace) -> int:
    """Run ``report``; returns the exit status."""
    if not args.table:
        for case in cases_with(args.only):
            run_case(case, args.policy, args.workers)
    table = results_table(args.policy)
    compared = ablation_table(args.policy)
    page = f"# Closed-loop results of `{args.policy}`\n\n{table}\n{compared}{pictures(args.policy)}"
    (args.policy / "report" / "README.md").write_text(page)
    readme = Path("README.md")
    if readme.exists():
        readme.write_text(insert(readme.read_text(), results_table(args.policy, headlines=True)))
    _log.info("%s\n%s", table, compared)
    return 0


def run_case(case: Case, policy: Path, workers: int) -> None:
    """Evaluate, unless the figures of this very policy are there."""
    subject = Path(case.policy) if case.policy else policy
    folder = policy / "report" / case.folder
    if not (subject / "manifest.json").exists():
        _log.info(
            "%s: skipped, %s is not there (train and export it first; see docs/training.md)", case.folder, subject
        )
        return
    done = _read(folder)
    if done and done["policy_sha256"] == PolicyManifest.load(subject).onnx_sha256:
        _log.info("%s: kept", case.folder)
        return
    shutil.rmtree(folder, ignore_errors=True)
    parser = argparse.ArgumentParser()
    evaluation.add_arguments(parser)
    words = ["--policy", str(subject), *case.words, "--workers", str(workers), "--out", str(folder)]
    evaluation.main(parser.parse_args(words, argparse.Namespace(words=["evaluate", *words])))
    if not case.headline:
        for file in folder.iterdir():
            if file.name != "report.json":
                file.unlink()


def _read(folder: Path) -> dict[str, Any] | None:
    file = folder / "report.json"
    return json.loads(file.read_text()) if file.exists() else None


def results_table(policy: Path, *, headlines: bool = False) -> str:
    """Markdown of all cases that have figures, or of those for the repository's README.

    Raises:
        ArtifactError: There are none.
    """
    cases = [case for case in CASES if case.headline or not headlines]
    found = [
        (_dated(case, report, policy), report) for case in cases if (report := _read(policy / "report" / case.folder))
    ]
    if not found:
        raise ArtifactError(f"{policy}/report holds no report.json; run `python -m beyondmimic_training report` first")
    told = [row for case, report in found if case.suite not in TASK_SUITES for row in _told_rows(case, report)]
    tasks = [row for case, report in found if case.suite in TASK_SUITES for row in _task_rows(case, report)]
    lines = [*(_TOLD + told if told else []), *([""] if told and tasks else []), *(_TASKS + tasks if tasks else [])]
    cpu = found[0][1]["machine"]["cpu"]
    seeds = "Seed 1, with tasks 3" if tasks else "Seed 1"
    return "\n".join([*lines, "", f"{seeds}, {cpu}, 2 cores; each row's report lies in `{policy}/report/`."])


def ablation_table(policy: Path) -> str:
    """Markdown of the ablations that have figures, grouped by what was varied; empty without any."""
    groups: dict[str, list[str]] = {}
    for row in ABLATIONS:
        if report := _read(policy / "report" / row.case.folder):
            groups.setdefault(row.varied, []).append(_ablation_row(row, _dated(row.case, report, policy), report))
    parts = [f"\n### {varied}\n\n" + "\n".join([*_COMPARED, *rows]) for varied, rows in groups.items()]
    return "\n## Ablations\n" + "\n".join(parts) + "\n" if parts else ""


def pictures(policy: Path) -> str:
    """Markdown that shows where robots went, and links the films (failures first) and the full report of each case."""
    parts = []
    for case in CASES:
        folder = policy / "report" / case.folder
        if not (folder / "report.md").exists():
            continue
        films = [f"[{file.stem}]({case.folder}/{file.name})" for file in sorted(folder.glob("*.mp4"))]
        shown = [name for name in ("from_above_policy.png", "paths.png") if (folder / name).exists()][:1]
        lines = [f"**{case.suite}, {case.label}**: " + ", ".join([f"[report]({case.folder}/report.md)", *films])]
        parts.append("\n".join([*lines, *(f"\n![from above]({case.folder}/{name})" for name in shown)]))
    return "\n## Pictures\n\n" + "\n\n".join(parts) + "\n" if parts else ""


def _ablation_row(row: Ablation, case: Case, report: dict[str, Any]) -> str:
    error = _figure(report.get("velocity_error"), "m/s")
    cells = [case.label, row.condition or case.suite, str(report["success"]["n"]), _interval(report["success"]), error]
    return "| " + " | ".join([*cells, f"`report --only {case.folder}`"]) + " |"


def _dated(case: Case, report: dict[str, Any], policy: Path) -> Case:
    """The case, its label saying so where its figures were taken with other weights than the policy has now."""
    if case.policy or not (policy / "manifest.json").exists():
        return case
    same = report["policy_sha256"] == PolicyManifest.load(policy).onnx_sha256
    return case if same else replace(case, label=f"{case.label} (earlier weights)")


_TOLD = [
    "| suite | controller | n | no fall (95 % interval) | velocity error | rms over 1 s | yaw rate error |",
    "| --- | --- | --- | --- | --- | --- | --- |",
]
_COMPARED = [
    "| setting | suite | n | success (95 % interval) | velocity error | made by `python -m beyondmimic_training` |",
    "| --- | --- | --- | --- | --- | --- |",
]
_TASKS = [
    "| suite | controller | n | reached (95 % interval) | touched | fell | gave up, late or missed | median time |",
    "| --- | --- | --- | --- | --- | --- | --- | --- |",
]


def _told_rows(case: Case, report: dict[str, Any]) -> list[str]:
    rows = [_row(case, case.label, report)]
    if report.get("expert"):
        rows.append(_row(case, "expert (fastsac walker)", report["expert"]))
    return rows


def _task_rows(case: Case, report: dict[str, Any]) -> list[str]:
    rows = [_task_row(case, case.label, report)]
    return rows + [_task_row(case, _REFERENCES[one["label"]], one) for one in report["references"]]


def _task_row(case: Case, label: str, figures: dict[str, Any]) -> str:
    outcomes, time = figures["outcomes"], figures["time_to_goal"]
    others = sum(outcomes[name] for name in ("gave up", "too late", "missed"))
    cells = [case.suite, label, str(figures["success"]["n"]), _interval(figures["success"])]
    cells += [str(outcomes["touched"]), str(outcomes["fell"]), str(others)]
    return "| " + " | ".join([*cells, "-" if time is None else f"{time['median']:.1f} s"]) + " |"


def _interval(s: dict[str, Any]) -> str:
    return f"{100 * s['rate']:.1f} % ({100 * s['low']:.1f} .. {100 * s['high']:.1f})"


def _row(case: Case, label: str, figures: dict[str, Any]) -> str:
    s = figures["success"]
    rest = (_figure(figures[k], u) for k, u in (
        ("velocity_error", "m/s"), ("velocity_rms_1s", "m/s"), ("yaw_rate_error", "rad/s")))  # fmt: skip
    return "| " + " | ".join([case.suite, label, str(s["n"]), _interval(s), *rest]) + " |"


def _figure(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:.3f} {unit}"


def insert(text: str, table: str) -> str:
    """The README with the table between its two marks."""
    head, start, rest = text.partition(START)
    _, end, tail = rest.partition(END)
    return f"{head}{START}\n{table}\n{END}{tail}" if start and end else text
