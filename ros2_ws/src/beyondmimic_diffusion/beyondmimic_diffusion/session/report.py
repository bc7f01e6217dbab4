"""The session's report: one JSON file, and the same as a table for people."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from . import metrics
from .goals import GoalResult, goal_problems, goal_results, goals_as_dicts
from .recording import Recording
from .slow_machine import slowed, too_slow

SCHEMA = 1


def make_report(recording: Recording, failure: str = "") -> dict[str, Any]:
    """Everything that is known of a session.

    Args:
        recording: Of the whole session; its ``session`` table has ``tracking``, ``end``, ``legs`` and ``goals``.
        failure: Why the session ended early; empty if it did not.
    """
    session = dict(recording.session)
    start = float(session.get("tracking", recording.sim[0]))
    end = float(session.get("end", recording.sim[-1]))
    if "legs" not in session:
        inside = (recording.command_t >= start) & (recording.command_t <= end)
        session["legs"] = metrics.legs_of_commands(recording.command_t[inside], recording.command[inside])
    recording = replace(recording, session=session)
    legs = metrics.leg_results(recording)
    falls = metrics.count_falls(recording.truth.between(start, end))
    executor = metrics.executor_figures(recording.executor, start, end)
    goals, around = goal_results(recording), recording.surroundings
    report: dict[str, Any] = {
        "schema": SCHEMA,
        "tour": session.get("tour"),
        "sim": session.get("sim", "mujoco"),
        "falls": falls,
        "goals": goals_as_dicts(goals),
        "contacts": around.touches(start, end),
        "min_clearance": around.min_clearance(start, end),
        **metrics.velocity_figures(legs),
        "real_time_factor": metrics.real_time_factor(recording, start, end),
        **metrics.plan_figures(recording.plans, start, end),
        "executor": executor,
        "unitree": metrics.unitree_figures(recording),
        "plans_used_after_valid_until": metrics.plans_used_after_valid_until(recording),
        "legs": metrics.legs_as_dicts(legs),
        "duration": end - start,
        "start_up": _start_up(recording, start),
        "policy": recording.policy | {"folder": session.get("policy", "")},
        "seed": session.get("seed"),
        "messages_recorded": recording.message_count,
        "pacing": session.get("pacing", "fixed"),
        "machine": machine(),
        "commit": commit(),
    }
    if report["pacing"] == "lockstep":  # the wall's time is no part of the run: the same seed gives the same report
        report["real_time_factor"] = report["machine"]["load_average"] = None
    problems = _problems(report, goals, failure)
    return report | {"healthy": not problems, "problems": problems}


def _problems(report: dict[str, Any], goals: list[GoalResult], failure: str) -> list[str]:
    """What makes the session a failure, in words."""
    problems = [failure] if failure else []
    slow = too_slow(report)
    if slow and report["falls"]:
        problems.append(f"the robot could not stay on its feet: {slow}")
    elif report["falls"]:
        problems.append(f"the robot fell {report['falls']} time(s)")
    problems += goal_problems(goals)
    if report["contacts"]:
        problems.append(f"the robot touched obstacles {report['contacts']} time(s)")
    problems += [f"the executor stopped: {text}" for text in report["executor"]["stops"] if text not in failure]
    if report["plans_used_after_valid_until"]:
        problems.append(f"{report['plans_used_after_valid_until']} times a plan was used after its valid_until")
    if not report["plans"]:
        problems.append("no plan was recorded while the robot was steered")
    return problems


def _start_up(recording: Recording, tracking: float) -> dict[str, float | None]:
    """Wall seconds since the command was given."""
    begun = recording.session.get("command_wall")
    if begun is None:
        return {"tracking": None, "first_step": None}
    off = metrics.setting_off(recording.truth, tracking)
    return {
        "tracking": float(recording.to_wall(tracking)) - begun,
        "first_step": None if off is None else float(recording.to_wall(off)) - begun,
    }


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "system": platform.platform(),
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "cores_allowed": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load_average": [round(x, 2) for x in os.getloadavg()] if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in ("mujoco", "numpy", "onnxruntime")},
    }


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor()
    )


def cpu_features() -> list[str]:
    """Which of the instruction sets that matter for the network this CPU has."""
    try:
        flags = set(re.findall(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)[0].split())
    except (OSError, IndexError):
        return []
    return [name for name in ("avx2", "avx512f", "avx512_vnni", "avx_vnni") if name in flags]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def commit() -> str | None:
    """Commit of the repository, with ``+`` if files differ from it; None outside a repository."""
    here = Path(__file__).resolve().parent
    try:
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=True)
        changed = subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=no"],
            cwd=here,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")


def write_report(report: dict[str, Any], path: Path) -> None:
    """Write the JSON file."""
    path.write_text(json.dumps(report, indent=2, allow_nan=False, default=float) + "\n")


def as_table(report: dict[str, Any]) -> str:
    """The report for people: legs first, then the figures that matter."""
    lines = []
    if report["goals"]:
        lines += [f"{'goal':<20}{'x, y m':>16}{'':>14}{'time s':>9}{'distance m':>12}{'code':>6}"]
        lines += [*(_goal_line(goal) for goal in report["goals"]), ""]
    if report["legs"]:
        lines += [f"{'leg':<14}{'asked: vx, vy, yaw rate':>26}{'got':>26}{'error m/s':>11}{'rms 1 s':>9}"]
        lines += [*(_leg_line(leg) for leg in report["legs"]), ""]
    compute, slack, executor = report["plan_compute_ms"], report["plan_slack_ms"], report["executor"]
    start_up = report["start_up"]
    rows = [
        ("falls", str(report["falls"])),
        ("touches of obstacles", f"{report['contacts']} (narrowest gap: {_number(report['min_clearance'])} m)"),
        (
            "velocity error",
            f"{_number(report['velocity_error'])} m/s (rms over 1 s: {_number(report['velocity_rms_1s'])} m/s)",
        ),
        ("yaw rate error", f"{_number(report['yaw_rate_error'])} rad/s"),
        ("real-time factor", "lockstep" if report["pacing"] == "lockstep" else _number(report["real_time_factor"])),
        ("plan compute", f"{_figures(compute, 'p50', 'p99', 'max')}, {report['plans']} plans"),
        ("plan slack", f"{_figures(slack, 'p50', 'p01')}, {report['plans_late']} late"),
        ("executor", f"{executor['missed']} of {executor['ticks']} ticks missed"),
        ("used after valid_until", str(report["plans_used_after_valid_until"])),
        (
            "first step after",
            f"{_number(start_up['first_step'], 1)} s (playing plans after {_number(start_up['tracking'], 1)} s)",
        ),
        ("policy", f"{report['policy'].get('name', '?')} {report['policy'].get('sha256', '')[:12]}"),
    ]
    alone = executor["seconds_in_mode"].get("RETURN_TO_STAND", 0.0)
    if alone:
        rows.append(("on its feet without", f"plans for {alone:.1f} s"))
    if report["unitree"] is not None:
        answer = _figures(report["unitree"]["low_state_to_low_cmd_ms"], "p50", "p99", "max")
        rows.append(("LowState to LowCmd", f"{answer}, {report['unitree']['commands_measured']} commands"))
    lines += [f"{name:<24}{text}" for name, text in rows]
    lines += [f"NOTE: {text}" for text in (slowed(report), too_slow(report)) if text]
    lines += [f"PROBLEM: {text}" for text in report["problems"]]
    return "\n".join(lines)


def _goal_line(goal: dict[str, Any]) -> str:
    where = f"{goal['target'][0]:+.2f}, {goal['target'][1]:+.2f}"
    verdict = "reached" if goal["reached"] else "NOT reached"
    code = "-" if goal["error_code"] is None else str(goal["error_code"])
    distance = _number(goal["distance"], 2)
    return f"{goal['name']:<20}{where:>16}{verdict:>14}{goal['time']:>9.1f}{distance:>12}{code:>6}"


def _leg_line(leg: dict[str, Any]) -> str:
    asked = ", ".join(f"{v:+.2f}" for v in leg["command"])
    got = "too short to judge" if leg["velocity"] is None else ", ".join(f"{v:+.2f}" for v in leg["velocity"])
    return (
        f"{leg['name']:<14}{asked:>26}{got:>26}{_number(leg['velocity_error']):>11}{_number(leg['velocity_rms_1s']):>9}"
    )


def _figures(milliseconds: dict[str, float | None], *names: str) -> str:
    return f"{' / '.join(_number(milliseconds[name], 1) for name in names)} ms ({' / '.join(names)})"


def _number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def main() -> None:
    """Make the table again from a recording: ``python -m beyondmimic_diffusion.session.report session.mcap``."""
    from .recording import read_recording

    report = make_report(read_recording(Path(sys.argv[1])))
    sys.stdout.write(as_table(report) + "\n")


if __name__ == "__main__":
    main()
