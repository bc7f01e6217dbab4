"""What came of the places that were to be reached, by the ground truth."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..core.rotations import wrap_angle
from .recording import Recording, Truth

REACHED = 0.35
"""A place counts as reached within this of the truth [m]: the action's 0.3 m, and what may happen until its result."""
_NEWS = 0.5
"""The truth is read within this of a goal's end [s]."""


@dataclass(frozen=True)
class GoalResult:
    """One place, and what came of it."""

    name: str
    target: tuple[float, float]
    """x, y [m]."""
    heading: float | None
    """Asked for [rad]."""
    reached: bool
    """The action said so, and the truth agrees."""
    time: float
    """From asking until the end [s]."""
    distance: float | None
    """Between pelvis and target at the end [m]; None if it was not recorded."""
    heading_error: float | None
    """At the end [rad]; None if no heading was asked for."""
    error_code: int | None
    """Of the action's result, 0 for success; None if the session ended before."""
    message: str
    asked: int
    """How often; more than once where the machine stalled in between."""


def goal_results(recording: Recording) -> list[GoalResult]:
    """One entry per place that was asked for."""
    return [_result(recording.truth, entry) for entry in recording.session.get("goals", [])]


def _result(truth: Truth, entry: dict[str, Any]) -> GoalResult:
    target, heading = (float(entry["target"][0]), float(entry["target"][1])), entry["heading"]
    last = truth.between(entry["end"] - _NEWS, entry["end"] + _NEWS)
    distance = heading_error = None
    if last.t.size:
        at = int(np.argmin(np.abs(last.t - entry["end"])))
        distance = math.dist(last.pos_w[at, :2], target)
        if heading is not None:
            heading_error = abs(float(wrap_angle(heading - last.yaw()[at])))
    return GoalResult(
        name=entry["name"],
        target=target,
        heading=heading,
        reached=entry["error_code"] == 0 and distance is not None and distance <= REACHED,
        time=float(entry["end"] - entry["start"]),
        distance=distance,
        heading_error=heading_error,
        error_code=entry["error_code"],
        message=entry["message"],
        asked=entry["asked"],
    )


def goals_as_dicts(goals: list[GoalResult]) -> list[dict[str, Any]]:
    """For the report's JSON."""
    return [asdict(goal) for goal in goals]


def goal_problems(goals: list[GoalResult]) -> list[str]:
    """What was not reached, in words."""
    return [_problem(goal) for goal in goals if not goal.reached]


def _problem(goal: GoalResult) -> str:
    where = f"{goal.name} ({goal.target[0]:.2f}, {goal.target[1]:.2f})"
    if goal.error_code is None:
        return f"{where}: the session ended before it was reached"
    if goal.error_code:
        return f"{where} was not reached, code {goal.error_code}: {goal.message}"
    return f"{where} was called reached at a distance of {_meters(goal.distance)}; {REACHED} m is allowed"


def _meters(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f} m"
