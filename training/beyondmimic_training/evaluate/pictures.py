"""Commanded against real velocity, and paths from above, as PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from beyondmimic_diffusion.core.rotations import rotate_yaw
from beyondmimic_diffusion.core.types import Array

from .judge import TRACE_DT, WINDOW, EpisodeResult, Trace
from .suites import EpisodeSpec

Shown = tuple[EpisodeSpec, EpisodeResult, Trace]
_NAMES = ("forward [m/s]", "left [m/s]", "yaw rate [rad/s]")


def choose(shown: Sequence[Shown], count: int) -> list[Shown]:
    """Failures first, then the first episodes of each start; at most ``count``, in the order of their numbers."""
    ranked = sorted(shown, key=lambda s: (s[1].success, s[0].index))
    return sorted(ranked[:count], key=lambda s: s[0].index)


def velocity_picture(path: Path, shown: Sequence[Shown]) -> None:
    """One row per episode, one column per component; the real velocity raw and as a 1 s average."""
    figure, axes = plt.subplots(len(shown), 3, figsize=(13, 2.3 * len(shown)), squeeze=False, sharex=True)
    for row, (spec, result, trace) in zip(axes, shown, strict=True):
        times, velocity = trace.times, trace.velocity
        commands = np.array([spec.command_at(t) or (np.nan, np.nan, np.nan) for t in times])
        for axis, name, wanted, real in zip(row, _NAMES, commands.T, velocity.T, strict=True):
            axis.plot(times, real, color="0.8", linewidth=0.7)
            axis.plot(times, _averaged(real), color="C0", label="real (1 s average)")
            axis.plot(times, wanted, color="C1", linestyle="--", label="commanded")
            axis.set_ylabel(name, fontsize=8)
            for kick in spec.kicks:
                axis.axvline(kick.time, color="0.9", linewidth=0.5)
        row[0].set_title(f"episode {spec.index}, {spec.start} start: {result.outcome}", fontsize=9, loc="left")
    axes[0, -1].legend(fontsize=7, loc="upper right")
    for axis in axes[-1]:
        axis.set_xlabel("time [s]")
    _save(figure, path)


def path_picture(path: Path, shown: Sequence[Shown]) -> None:
    """All paths from above, turned so that each starts at the origin and faces +x; falls are crosses."""
    figure, axis = plt.subplots(figsize=(7, 6))
    for _, result, trace in shown:
        start = trace.qpos[0, :2].astype(np.float64)
        xy = rotate_yaw(trace.qpos[:, :2] - start, -np.full(len(trace.qpos), trace.yaw[0]))
        color = "C0" if result.success else "C3"
        axis.plot(xy[:, 0], xy[:, 1], color=color, linewidth=0.6, alpha=0.6)
        if not result.success:
            axis.plot(*xy[-1], "x", color="C3", markersize=5)
    axis.set_aspect("equal", adjustable="datalim")
    axis.set_xlabel("ahead of the first heading [m]")
    axis.set_ylabel("left of it [m]")
    axis.set_title(f"{len(shown)} paths from above", fontsize=10)
    axis.grid(alpha=0.3)
    _save(figure, path)


def _averaged(values: Array) -> Array:
    """Centred moving average over :data:`~.judge.WINDOW`, over what there is at the ends."""
    frames = round(WINDOW / TRACE_DT)
    kernel = np.ones(min(frames, len(values)))
    return np.convolve(values, kernel, "same") / np.convolve(np.ones(len(values)), kernel, "same")


def _save(figure: plt.Figure, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, dpi=90)
    plt.close(figure)
