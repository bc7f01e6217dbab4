"""From episodes with a task to figures: reached, touched, fallen, and how long it took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .judge import wilson
from .task_rollout import TaskTrace
from .task_suites import TaskSpec

OUTCOMES = ("reached", "touched", "fell", "gave up", "too late", "missed")


@dataclass(frozen=True)
class TaskResult:
    """How one episode went."""

    index: int
    outcome: str
    """One of :data:`OUTCOMES`."""
    lived: float
    """[s]."""
    time_to_goal: float | None
    """[s]; None: never."""
    left: float
    """What was left to do at the end [m]."""
    min_clearance: float | None
    """Least distance of a key point's sphere from an obstacle [m]; None without obstacles."""
    contact: str
    """Who touched what, in the physics; empty: nobody."""
    grazed: bool
    """Whether a key point's sphere came into an obstacle."""
    walked: float
    """Length of the pelvis' way, 1 s averages [m]."""
    note: str
    """What the task said when it gave up."""
    keyframe_errors: tuple[float, ...] = ()
    """Mean distance of the key points from their places in each keyframe [m]."""
    starved: int = 0
    """Control steps whose plan had run out."""

    @property
    def success(self) -> bool:
        """Done in time, untouched, and on its feet a second later."""
        return self.outcome == "reached"


def judge_task(spec: TaskSpec, trace: TaskTrace, starved: int = 0) -> TaskResult:
    """Score an episode; a touch or fall in the second after the finish takes the success away."""
    body = trace.trace
    if trace.contact or trace.grazed:
        outcome = "touched"
    elif body.fell or not body.upright:
        outcome = "fell"
    elif trace.done_at is not None:
        errors = trace.keyframe_errors
        missed = len(errors) > 0 and float(np.mean(errors)) > spec.scenario.keyframe_tolerance
        outcome = "missed" if missed else "reached"
    else:
        outcome = "gave up" if trace.gave_up else "too late"
    nearest = float(np.min(trace.clearance, initial=np.inf))
    return TaskResult(
        index=spec.index,
        outcome=outcome,
        lived=float(body.times[-1]),
        time_to_goal=trace.done_at,
        left=trace.left,
        min_clearance=nearest if np.isfinite(nearest) else None,
        contact=trace.contact,
        grazed=trace.grazed,
        walked=_walked(body.qpos[:, :2]),
        note=trace.gave_up,
        keyframe_errors=tuple(round(float(e), 4) for e in trace.keyframe_errors),
        starved=starved,
    )


def _walked(xy_w: np.ndarray) -> float:
    """Length of a way [m], seen each second: the sway of each step does not count."""
    seconds = xy_w[:: round(1.0 / 0.02)].astype(np.float64)
    return float(np.sum(np.linalg.norm(np.diff(seconds, axis=0), axis=1)))


def summarize_tasks(results: Sequence[TaskResult]) -> dict[str, Any]:
    """The figures of one controller in one suite."""
    counts = Counter(r.outcome for r in results)
    good = [r for r in results if r.success]
    low, high = wilson(len(good), len(results))
    clearances = [r.min_clearance for r in results if r.min_clearance is not None]
    times = [r.time_to_goal for r in good if r.time_to_goal is not None]
    return {
        "success": {"rate": len(good) / len(results), "low": low, "high": high, "n": len(results)},
        "reached": counts["reached"],
        "touched": counts["touched"],
        "contacts": sum(bool(r.contact) for r in results),
        "falls": counts["fell"],
        "outcomes": {name: counts[name] for name in OUTCOMES},
        "time_to_goal": _spread(times),
        "min_clearance": _spread(clearances),
        "walked": _spread([r.walked for r in good]),
        "keyframe_error": _spread([float(np.mean(r.keyframe_errors)) for r in results if r.keyframe_errors]),
        "starved": sum(r.starved for r in results),
    }


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    return {"least": float(np.min(values)), "median": float(np.median(values)), "most": float(np.max(values))}
