"""How the session went, in numbers; every function takes the recording and nothing else."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from beyondmimic_msgs.msg import ExecutorState

from ..core.types import Array
from .recording import ExecutorLog, Plans, Recording, Truth
from .tour import MIN_STEADY, SETTLE

FALLEN_HEIGHT = 0.4
"""A pelvis lower than this is down [m]; a standing G1's is at 0.76."""
FALLEN_UPRIGHT = 0.5
"""Cosine of the pelvis's tilt below which the robot is falling (60 degrees)."""
WINDOW = 1.0
"""A walking G1 sways; velocities are judged as means over this time [s]."""
STEP_SPEED = 0.1
"""Mean planar speed over half a second that counts as having set off [m/s]."""
_MODES = {
    getattr(ExecutorState, name): name
    for name in "DISARMED CHECKING HOLD BLEND TRACKING COASTING RETURN_TO_STAND DAMPING E_STOP FAULT".split()
}
_STOPPED = frozenset({ExecutorState.DAMPING, ExecutorState.E_STOP, ExecutorState.FAULT})
_PLAYING = (ExecutorState.TRACKING, ExecutorState.COASTING)
_GRACE = 1e-3
"""Stamps are rounded to the nanosecond and clocks read between two ticks; a plan is overdue only beyond this [s]."""


@dataclass(frozen=True)
class LegResult:
    """What one leg asked for and what came of it."""

    name: str
    start: float
    end: float
    """Of the whole leg [s]."""
    command: tuple[float, float, float]
    """Forward, left [m/s], yaw rate [rad/s]; of a leg without the planner that of the stand which is due."""
    velocity: tuple[float, float, float] | None
    """Means over the steady part; None if that is too short to judge."""
    velocity_error: float | None
    """Length of the planar difference of the two [m/s]."""
    yaw_rate_error: float | None
    """[rad/s]."""
    velocity_rms_1s: float | None
    """Root mean square over 1 s windows of the steady part [m/s]."""


def leg_results(recording: Recording) -> list[LegResult]:
    """One entry per leg of the timetable."""
    return [_leg_result(recording.truth, entry) for entry in recording.session.get("legs", [])]


def _leg_result(truth: Truth, entry: dict[str, Any]) -> LegResult:
    command = (float(entry["vx"]), float(entry["vy"]), float(entry["yaw_rate"]))
    if not entry.get("planner", True):
        command = (0.0, 0.0, 0.0)  # nobody plans: it is to stand
    steady = truth.between(entry["start"] + SETTLE, entry["end"])
    if steady.t.size < 2 or steady.t[-1] - steady.t[0] < MIN_STEADY - 0.1:
        return LegResult(entry["name"], entry["start"], entry["end"], command, None, None, None, None)
    velocity = steady.planar_velocity()
    yaw = steady.yaw()
    rate = float((yaw[-1] - yaw[0]) / (steady.t[-1] - steady.t[0]))
    mean = velocity.mean(axis=0)
    windows = window_means(steady.t, velocity, WINDOW)
    return LegResult(
        name=entry["name"],
        start=entry["start"],
        end=entry["end"],
        command=command,
        velocity=(float(mean[0]), float(mean[1]), rate),
        velocity_error=float(np.linalg.norm(mean - command[:2])),
        yaw_rate_error=abs(rate - command[2]),
        velocity_rms_1s=float(np.sqrt(np.mean(np.sum((windows - command[:2]) ** 2, axis=1)))),
    )


def window_means(t: Array, values: Array, window: float) -> Array:
    """Mean over each window of evenly spaced samples, one window per starting sample.

    Args:
        t: Times [s], (T,).
        values: (T, D).
        window: Length of a window [s]; a series that is shorter makes one window.

    Returns:
        (W, D).
    """
    spacing = float(np.median(np.diff(t)))
    n = min(max(1, round(window / spacing)), len(values))
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    return (sums[n:] - sums[:-n]) / n


def velocity_figures(legs: list[LegResult]) -> dict[str, float | None]:
    """Averages over the legs that could be judged; those that ask for planar motion also on their own."""
    judged = [leg for leg in legs if leg.velocity_error is not None]
    moving = [leg for leg in judged if leg.command[:2] != (0.0, 0.0)]
    return {
        "velocity_error": _mean([leg.velocity_error for leg in judged]),
        "velocity_error_moving_legs": _mean([leg.velocity_error for leg in moving]),
        "velocity_rms_1s": _mean([leg.velocity_rms_1s for leg in judged]),
        "yaw_rate_error": _mean([leg.yaw_rate_error for leg in judged]),
    }


def legs_as_dicts(legs: list[LegResult]) -> list[dict[str, Any]]:
    """For the report's JSON."""
    return [asdict(leg) for leg in legs]


def count_falls(truth: Truth) -> int:
    """How often the robot went down: lying there counts once, and so does falling again after having been up."""
    _, x, y, _ = truth.quat_wb.T
    upright = 1.0 - 2.0 * (x * x + y * y)
    down = (truth.pos_w[:, 2] < FALLEN_HEIGHT) | (upright < FALLEN_UPRIGHT)
    return int(np.count_nonzero(down[1:] & ~down[:-1])) + int(down[:1].sum())


def real_time_factor(recording: Recording, start: float, end: float) -> float | None:
    """Simulated time per wall time between two simulated times [s]; None if no time lies between them.

    A stack on the wall's time cannot be slow, but its simulator can: then what that measured counts.
    """
    if recording.wall is recording.sim:
        return float(recording.pace.mean()) if recording.pace.size else None
    wall = float(recording.to_wall(end) - recording.to_wall(start))
    return (end - start) / wall if wall > 0.0 else None


def plan_figures(plans: Plans, start: float, end: float) -> dict[str, Any]:
    """Compute time, slack and rate of the plans published between two times [s].

    Slack is what is left between a plan's publication and the moment its first own set-point is due.
    """
    chosen = (plans.published >= start) & (plans.published <= end)
    compute, slack = 1e3 * plans.compute[chosen], 1e3 * (plans.due - plans.published)[chosen]
    gaps = 1e3 * np.diff(plans.published[chosen])
    return {
        "plans": int(chosen.sum()),
        "plan_compute_ms": {
            "p50": _percentile(compute, 50),
            "p99": _percentile(compute, 99),
            "max": _percentile(compute, 100),
        },
        "plan_slack_ms": {"p01": _percentile(slack, 1), "p50": _percentile(slack, 50)},
        "plans_late": int(np.count_nonzero(slack < 0.0)),
        "plan_period_ms": {"p50": _percentile(gaps, 50), "max": _percentile(gaps, 100)},
    }


def executor_figures(log: ExecutorLog, start: float, end: float) -> dict[str, Any]:
    """Ticks since arming, and what the executor did between two times [s]."""
    chosen = (log.t >= start) & (log.t <= end)
    if not chosen.any():
        return {"ticks": 0, "missed": 0, "missed_share": None, "seconds_in_mode": {}, "stops": []}
    last = int(np.flatnonzero(chosen)[-1])
    ticks, missed = int(log.ticks[last]), int(log.missed[last])
    return {
        "ticks": ticks,
        "missed": missed,
        "missed_share": missed / (ticks + missed) if ticks + missed else None,
        "tick_late_p99_ms": _finite(log.late_p99_ms[last]),
        "tick_late_max_ms": _finite(log.late_max_ms[last]),
        "seconds_in_mode": _seconds_in_mode(log, start, end),
        "stops": sorted({log.messages[i] for i in np.flatnonzero(chosen) if int(log.mode[i]) in _STOPPED}),
    }


def _seconds_in_mode(log: ExecutorLog, start: float, end: float) -> dict[str, float]:
    edges = np.clip(np.append(log.t, end), start, end)
    seconds: dict[str, float] = {}
    for mode, span in zip(log.mode, np.diff(edges), strict=True):
        if span > 0.0:
            name = _MODES[int(mode)]
            seconds[name] = seconds.get(name, 0.0) + float(span)
    return {name: round(span, 3) for name, span in seconds.items()}


def unitree_figures(recording: Recording) -> dict[str, Any] | None:
    """How quickly a LowState was answered by a LowCmd, and what was refused; None if it was not Unitree's DDS.

    The time is from the arrival of the LowState in the executor's process to the moment at which the first LowCmd
    computed from it is handed to DDS; it contains the wait for the next tick, and not the two ways over the network.
    """
    values = recording.executor_values
    if "low_state_to_low_cmd_count" not in values:
        return None
    names = ("p50", "p99", "max")
    return {
        "low_state_to_low_cmd_ms": {name: _finite(values[f"low_state_to_low_cmd_{name}_ms"]) for name in names},
        "commands_measured": int(values["low_state_to_low_cmd_count"]),
        "low_states": int(values["low_states"]),
        "refused_low_states": int(values["refused_low_states"]),
    }


def plans_used_after_valid_until(recording: Recording) -> int:
    """Signs that the executor moved by a plan whose time had passed; must be 0.

    Two independent looks: each ``executor/state`` names the plan it plays; and each command that was applied while
    playing needs at least one plan, published before it, that was still valid.
    """
    log, plans = recording.executor, recording.plans
    playing = np.isin(log.mode, _PLAYING)
    used = 0
    for t, plan_id in zip(log.t[playing], log.plan_id[playing], strict=True):
        known = np.flatnonzero((plans.plan_id == plan_id) & (plans.published <= t + _GRACE))
        used += bool(known.size) and bool(t > plans.valid_until[known[-1]] + _GRACE)
    if not plans.published.size or not log.t.size:
        return used
    newest = np.maximum.accumulate(plans.valid_until)
    for t in recording.applied_t:
        state = np.searchsorted(log.t, t, side="right") - 1
        if state < 0 or not playing[state]:
            continue
        plan = np.searchsorted(plans.published, t + _GRACE, side="right") - 1
        used += bool(plan >= 0 and t > newest[plan] + _GRACE)
    return used


def setting_off(truth: Truth, after: float) -> float | None:
    """First time after ``after`` [s] at which the robot moves on, by its mean speed over 0.5 s; None if never."""
    part = truth.between(after, math.inf)
    if part.t.size < 2:
        return None
    speed = np.linalg.norm(window_means(part.t, part.planar_velocity(), 0.5), axis=1)
    moving = np.flatnonzero(speed > STEP_SPEED)
    return float(part.t[moving[0]]) if moving.size else None


def legs_of_commands(t: Array, command: Array, shortest: float = SETTLE + MIN_STEADY) -> list[dict[str, Any]]:
    """Stretches of unchanged command as a timetable: the legs of a session steered by hand.

    Args:
        t: Stamps of the commands [s], (C,).
        command: (C, 3).
        shortest: Stretches that last less are left out [s].
    """
    if not len(t):
        return []
    changes = np.flatnonzero(np.any(command[1:] != command[:-1], axis=1)) + 1
    bounds = [0, *changes.tolist(), len(t)]
    legs = []
    for first, stop in pairwise(bounds):
        start, end = float(t[first]), float(t[min(stop, len(t) - 1)])
        if end - start >= shortest:
            vx, vy, wz = (float(v) for v in command[first])
            legs.append(
                {"name": f"by hand {len(legs) + 1}", "start": start, "end": end, "vx": vx, "vy": vy, "yaw_rate": wz}
            )
    return legs


def _percentile(values: Array, q: float) -> float | None:
    return _finite(float(np.percentile(values, q))) if values.size else None


def _mean(values: list[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else None


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
