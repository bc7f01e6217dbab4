"""From what a robot did to figures: falls, velocity errors, and intervals that say how sure they are."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from beyondmimic_diffusion.core.rotations import rotate_yaw, yaw_of
from beyondmimic_diffusion.core.types import Array

from .suites import EpisodeSpec, Leg

TRACE_DT = 0.02
"""Spacing of what is recorded [s]."""
WINDOW = 1.0
"""A walking G1 sways by 0.15 m/s: velocities are looked at as averages over this [s]."""
UPRIGHT_HEIGHT = 0.45
"""A pelvis below this at the end did not get through, even if its head never came near the floor [m]."""
UPRIGHT_COSINE = 0.5
"""Likewise a pelvis that leans by more than 60 degrees."""
Z95 = 1.959963984540054
"""Two-sided 95 % point of the normal distribution."""


@dataclass(frozen=True)
class Trace:
    """One episode as it was lived, T frames from the start to the end or the fall."""

    qpos: Array
    """MuJoCo's positions, shape (T, 36)."""
    lin_vel_w: Array
    """Of the pelvis [m/s], shape (T, 3)."""
    fell: bool
    """Whether the head came below the limit (or the physics broke) after the last frame."""

    @property
    def times(self) -> Array:
        """Since the start [s], shape (T,)."""
        return TRACE_DT * np.arange(len(self.qpos))

    @property
    def yaw(self) -> Array:
        """Heading without jumps [rad], shape (T,)."""
        return np.unwrap(yaw_of(self.qpos[:, 3:7].astype(np.float64)))

    @property
    def velocity(self) -> Array:
        """Forward and left in the heading frame [m/s] and yaw rate [rad/s], shape (T, 3)."""
        yaw = self.yaw
        planar = rotate_yaw(self.lin_vel_w[:, :2].astype(np.float64), -yaw)
        rate = np.gradient(yaw, TRACE_DT) if len(yaw) > 1 else np.zeros(len(yaw))
        return np.concatenate([planar, rate[:, None]], axis=1)

    @property
    def upright(self) -> bool:
        """Whether it stands on its feet in the last frame."""
        x, y = self.qpos[-1, 4:6]
        return bool(self.qpos[-1, 2] >= UPRIGHT_HEIGHT and 1.0 - 2.0 * (x * x + y * y) >= UPRIGHT_COSINE)


@dataclass(frozen=True)
class LegResult:
    """How one commanded leg was followed over its steady part."""

    name: str
    command: tuple[float, float, float]
    mean: tuple[float, float, float]
    """Mean velocity, like the command."""
    velocity_error: float
    """Planar distance of the mean velocity from the command [m/s]."""
    yaw_rate_error: float
    """[rad/s]."""
    window_errors: tuple[float, ...]
    """Planar distance of each 1 s average from the command [m/s]."""


@dataclass(frozen=True)
class EpisodeResult:
    """How one episode went."""

    index: int
    start: str
    outcome: str
    """``completed``, ``fell`` or ``not upright at the end``."""
    lived: float
    """[s]."""
    legs: tuple[LegResult, ...]
    starved: int = 0
    """Control steps whose plan had run out."""

    @property
    def success(self) -> bool:
        """Got through on its feet."""
        return self.outcome == "completed"


def judge(spec: EpisodeSpec, trace: Trace, starved: int = 0) -> EpisodeResult:
    """Score an episode. Legs that a fall or :meth:`EpisodeSpec.cut` left too short do not count for velocities.

    Args:
        spec: What was to be done.
        trace: What was done.
        starved: Control steps whose plan had run out, to be reported.
    """
    velocity, legs, begin = trace.velocity, [], 0.0
    for leg in spec.legs:
        end = begin + leg.duration
        whole = leg.duration >= leg.settle + WINDOW and not (trace.fell and end > trace.times[-1] + 1e-6)
        if leg.command is not None and whole:
            legs.append(_judge_leg(leg, leg.command, velocity[_frame(begin + leg.settle) : _frame(end)]))
        begin = end
    outcome = "fell" if trace.fell else "completed" if trace.upright else "not upright at the end"
    return EpisodeResult(spec.index, spec.start, outcome, float(trace.times[-1]), tuple(legs), starved)


def _frame(time: float) -> int:
    return round(time / TRACE_DT)


def _judge_leg(leg: Leg, command: tuple[float, float, float], velocity: Array) -> LegResult:
    mean = velocity.mean(axis=0)
    frames = _frame(WINDOW)
    whole = velocity[: len(velocity) // frames * frames].reshape(-1, frames, 3).mean(axis=1)
    windows = np.linalg.norm(whole[:, :2] - command[:2], axis=1)
    return LegResult(
        leg.name,
        command,
        (float(mean[0]), float(mean[1]), float(mean[2])),
        float(np.linalg.norm(mean[:2] - command[:2])),
        float(abs(mean[2] - command[2])),
        tuple(map(float, windows)),
    )


def wilson(successes: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a rate; (0, 1) for n = 0."""
    if n == 0:
        return 0.0, 1.0
    rate, z2 = successes / n, Z95**2
    centre = (rate + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * math.sqrt(rate * (1 - rate) / n + z2 / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def _rate(results: Sequence[EpisodeResult]) -> dict[str, Any]:
    successes = sum(r.success for r in results)
    low, high = wilson(successes, len(results))
    return {"rate": successes / len(results) if results else None, "low": low, "high": high, "n": len(results)}


def summarize(results: Sequence[EpisodeResult]) -> dict[str, Any]:
    """The figures of one controller in one suite; velocity figures are None where nothing was commanded."""
    legs: dict[str, list[LegResult]] = defaultdict(list)
    for result in results:
        for leg in result.legs:
            legs[leg.name].append(leg)
    every = [leg for group in legs.values() for leg in group]
    failed = [r for r in results if not r.success]
    return {
        "success": _rate(results),
        "success_by_start": {
            start: _rate([r for r in results if r.start == start]) for start in sorted({r.start for r in results})
        },
        "falls": len(failed),
        **_velocity_figures(every),
        "time_of_fall": sorted(round(r.lived, 2) for r in failed),
        "starved": sum(r.starved for r in results),
        "legs": {name: _leg_figures(group) for name, group in legs.items()},
    }


def _velocity_figures(legs: Sequence[LegResult]) -> dict[str, float | None]:
    if not legs:
        return {"velocity_error": None, "yaw_rate_error": None, "velocity_rms_1s": None}
    windows = np.concatenate([leg.window_errors for leg in legs])
    return {
        "velocity_error": float(np.mean([leg.velocity_error for leg in legs])),
        "yaw_rate_error": float(np.mean([leg.yaw_rate_error for leg in legs])),
        "velocity_rms_1s": float(np.sqrt(np.mean(windows**2))) if len(windows) else None,
    }


def _leg_figures(legs: Sequence[LegResult]) -> dict[str, Any]:
    return {
        "n": len(legs),
        "command": [float(v) for v in np.mean([leg.command for leg in legs], axis=0)],
        "mean": [float(v) for v in np.mean([leg.mean for leg in legs], axis=0)],
        **_velocity_figures(legs),
    }
