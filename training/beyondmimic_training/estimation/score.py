"""From one walk to how far the estimate was off, and to whether it knew."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from beyondmimic_diffusion.core.estimation import StateEstimator, Uncertainty
from beyondmimic_diffusion.core.rotations import (
    quat_conjugate,
    quat_multiply,
    quat_rotate_inverse,
    quat_to_rotvec,
    wrap_angle,
    yaw_of,
)
from beyondmimic_diffusion.core.types import Array, RobotState

from .walks import SAMPLE_DT, Moment

EVERY = 5
"""Each fifth sample (20 ms) is compared."""
SETTLE = 3.0
"""What does not count at the beginning [s]: the filter has to find its biases first."""
STRIDE = 1.0
"""The distance walked is that between places so far apart in time [s]: swaying on the spot is no way."""
LIMITS = {"drift": 0.03, "velocity_rms": 0.08, "tilt_rms": 1.5}
"""What must not be exceeded: share of the distance walked, [m/s], [degrees]."""
Z95 = 1.959963984540054


@dataclass(frozen=True)
class WalkTrace:
    """One walk, T frames of 20 ms."""

    stamp: Array
    """Since the start [s], shape (T,)."""
    place: Array
    """True position of the pelvis [m], shape (T, 3)."""
    guess: Array
    """Estimated position [m], shape (T, 3)."""
    velocity_error: Array
    """In pelvis axes [m/s], shape (T, 3)."""
    tilt_error: Array
    """Angle between true and estimated vertical [rad], shape (T,)."""
    heading_error: Array
    """[rad], shape (T,)."""
    position_std: Array
    """What the estimator said of its horizontal position [m], shape (T,)."""
    nees: Array
    """Normalised error squared of pose (6 numbers) and velocity (3), shape (T, 2); NaN where nobody keeps them."""
    fell: bool


@dataclass(frozen=True)
class WalkScore:
    """The figures of one walk."""

    index: int
    seconds: float
    distance: float
    """Walked [m]."""
    end_error: float
    """Horizontal position error at the end [m]."""
    drift: float
    """The same per metre walked."""
    worst_error: float
    """Largest horizontal position error on the way [m]."""
    velocity_rms: float
    """[m/s], all three axes together."""
    tilt_rms: float
    """[degrees]."""
    heading_rms: float
    """[degrees]."""
    heading_end: float
    """[degrees]."""
    pose_nees: float | None
    """Mean over the walk, per number: 1 is right, above: too sure of itself; None where nobody keeps covariances."""
    velocity_nees: float | None
    slips: int
    fell: bool


def follow(moments: Iterable[Moment], estimator: StateEstimator, steps: int) -> WalkTrace:
    """Let an estimator see a walk.

    Args:
        moments: Samples and truth.
        estimator: Is put to where the first truth is; nothing else is told.
        steps: Samples of a walk without a fall.
    """
    rows, count = [], 0
    for count, moment in enumerate(moments, 1):
        if count == 1:
            start = moment.truth
            estimator.reset(start.root_pos_w[:2], float(yaw_of(start.root_quat_w)))
        state = estimator.update(moment.imu, moment.joints)
        if state is not None and (count - 1) % EVERY == 0:
            rows.append(_compare(state, moment.truth, estimator))
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    return WalkTrace(*columns, fell=count < steps)


def _compare(state: RobotState, truth: RobotState, estimator: StateEstimator) -> tuple:
    turn = quat_to_rotvec(quat_multiply(state.root_quat_w, quat_conjugate(truth.root_quat_w)))  # world axes
    ups = [quat_rotate_inverse(s.root_quat_w, np.array([0.0, 0.0, 1.0])) for s in (state, truth)]
    tilt = math.atan2(float(np.linalg.norm(np.cross(ups[0], ups[1]))), float(ups[0] @ ups[1]))
    heading = float(wrap_angle(yaw_of(state.root_quat_w) - yaw_of(truth.root_quat_w)))
    off = quat_rotate_inverse(state.root_quat_w, state.root_lin_vel_w)
    off = off - quat_rotate_inverse(truth.root_quat_w, truth.root_lin_vel_w)
    place = state.root_pos_w - truth.root_pos_w
    nees = _nees(estimator.uncertainty, np.concatenate([place, turn]), off)
    return truth.stamp, truth.root_pos_w, state.root_pos_w, off, tilt, heading, estimator.position_std, nees


def _nees(known: Uncertainty | None, pose: Array, velocity: Array) -> tuple[float, float]:
    if known is None:
        return math.nan, math.nan
    return (
        float(pose @ np.linalg.solve(known.pose, pose)),
        float(velocity @ np.linalg.solve(known.twist[:3, :3], velocity)),
    )


def score(index: int, trace: WalkTrace, slips: int = 0) -> WalkScore:
    """The figures of a walk."""
    late = trace.stamp - trace.stamp[0] >= min(SETTLE, 0.5 * (trace.stamp[-1] - trace.stamp[0]))
    error = np.linalg.norm((trace.guess - trace.place)[:, :2], axis=1)
    stride = trace.place[:: round(STRIDE / (EVERY * SAMPLE_DT)), :2]
    distance = float(np.sum(np.linalg.norm(np.diff(stride, axis=0), axis=1)))
    velocity = float(np.sqrt(np.mean(np.sum(trace.velocity_error[late] ** 2, axis=1))))
    tilt, heading = (np.degrees(values[late]) for values in (trace.tilt_error, trace.heading_error))
    nees = np.mean(trace.nees[late] / (6.0, 3.0), axis=0)
    return WalkScore(
        index=index,
        seconds=float(trace.stamp[-1] - trace.stamp[0]),
        distance=distance,
        end_error=float(error[-1]),
        drift=float(error[-1]) / max(distance, 1e-6),
        worst_error=float(np.max(error)),
        velocity_rms=velocity,
        tilt_rms=float(np.sqrt(np.mean(tilt**2))),
        heading_rms=float(np.sqrt(np.mean(heading**2))),
        heading_end=float(heading[-1]),
        pose_nees=None if math.isnan(nees[0]) else float(nees[0]),
        velocity_nees=None if math.isnan(nees[1]) else float(nees[1]),
        slips=slips,
        fell=trace.fell,
    )


def chi_square_band(degrees: int) -> tuple[float, float]:
    """Where 95 % of the values of chi-square / degrees lie (Wilson and Hilferty's cube, good to 1 % from 30 on)."""
    spread = 2.0 / (9.0 * degrees)
    low, high = (1.0 - spread + sign * Z95 * math.sqrt(spread) for sign in (-1.0, 1.0))
    return low**3, high**3


def summarize(scores: Sequence[WalkScore], traces: Sequence[WalkTrace]) -> dict[str, Any]:
    """Figures over all walks and whether each is within its limit."""
    n = len(scores)
    rms = {name: math.sqrt(np.mean([getattr(s, name) ** 2 for s in scores])) for name in _RMS}
    drift = [s.drift for s in scores]
    told = {
        "drift": {"mean": float(np.mean(drift)), "median": float(np.median(drift)), "worst": max(drift)},
        "distance": float(sum(s.distance for s in scores)),
        **rms,
        "falls": sum(s.fell for s in scores),
        "slips": sum(s.slips for s in scores),
    }
    verdicts = {
        "drift": told["drift"]["mean"] <= LIMITS["drift"],
        "velocity_rms": rms["velocity_rms"] <= LIMITS["velocity_rms"],
        "tilt_rms": rms["tilt_rms"] <= LIMITS["tilt_rms"],
    }
    if scores[0].pose_nees is not None:
        told["nees"] = {name: _band(name, numbers, scores, traces) for name, numbers in (("pose", 6), ("velocity", 3))}
        verdicts.update({f"nees_{name}": found["inside"] for name, found in told["nees"].items()})
    return {"n": n, **told, "limits": LIMITS, "within": verdicts, "walks": [asdict(s) for s in scores]}


_RMS = ("velocity_rms", "tilt_rms", "heading_rms")


def _band(name: str, numbers: int, scores: Sequence[WalkScore], traces: Sequence[WalkTrace]) -> dict[str, Any]:
    """Mean over walks and time, against the band of one independent draw per walk; errors of one walk hang together."""
    low, high = chi_square_band(numbers * len(scores))
    mean = float(np.mean([getattr(s, f"{name}_nees") for s in scores]))
    column = 0 if name == "pose" else 1
    length = min(len(t.stamp) for t in traces)
    at = np.mean([t.nees[:length, column] for t in traces], axis=0) / numbers
    at = at[round(SETTLE / (EVERY * SAMPLE_DT)) :]
    share = float(np.mean((at >= low) & (at <= high))) if len(at) else math.nan
    return {"mean": mean, "low": low, "high": high, "inside": low <= mean <= high, "share_of_time": share}
