"""Pictures of a session: velocities, path among obstacles, plan timing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

from .map_plot import draw_path
from .metrics import WINDOW, window_means
from .recording import Recording
from .tour import SETTLE

mpl.use("Agg")

from matplotlib import pyplot as plt  # the backend must have been chosen
from matplotlib.axes import Axes

_WISH, _REAL, _SWAY = "#c44e52", "#1f4e79", "#9db8d2"


def write_plots(recording: Recording, report: dict[str, Any], folder: Path) -> list[Path]:
    """Draw all pictures; returns their files."""
    start, end = _span(recording)
    files = []
    drawn = {"velocity": _velocity, "path": draw_path, "timing": _timing}
    for name, draw in drawn.items():
        figure = draw(recording, report, start, end)
        figure.tight_layout()
        path = folder / f"{name}.png"
        figure.savefig(path, dpi=110)
        plt.close(figure)
        files.append(path)
    return files


def _span(recording: Recording) -> tuple[float, float]:
    session = recording.session
    return float(session.get("tracking", recording.sim[0])), float(session.get("end", recording.sim[-1]))


def _velocity(recording: Recording, report: dict[str, Any], start: float, end: float) -> plt.Figure:
    """Commanded against real velocity."""
    truth = recording.truth.between(start, end)
    rates = np.column_stack([truth.planar_velocity(), truth.ang_vel_b[:, 2]])
    smooth = window_means(truth.t, rates, WINDOW)
    t_smooth = truth.t[: len(smooth)] + 0.5 * WINDOW
    figure, axes = plt.subplots(3, 1, figsize=(11, 7.5), sharex=True)
    for i, (axis, label) in enumerate(zip(axes, ("forward [m/s]", "left [m/s]", "yaw rate [rad/s]"), strict=True)):
        axis.plot(truth.t - start, rates[:, i], color=_SWAY, lw=0.6, label="real")
        axis.plot(t_smooth - start, smooth[:, i], color=_REAL, lw=1.8, label="real, mean over 1 s")
        axis.plot(recording.command_t - start, recording.command[:, i], color=_WISH, lw=1.6, label="commanded")
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
        _shade_steady_parts(axis, report, start)
    axes[0].legend(loc="upper right", ncols=3, fontsize=8)
    axes[0].set_title(f"Velocity, shaded where it is judged; mean error {_text(report['velocity_error'])} m/s")
    axes[0].set_xlim(0.0, end - start)
    axes[-1].set_xlabel("time since plans are played [s]")
    return figure


def _shade_steady_parts(axis: Axes, report: dict[str, Any], start: float) -> None:
    for leg in report["legs"]:
        if leg["velocity"] is not None:
            axis.axvspan(leg["start"] + SETTLE - start, leg["end"] - start, color="#000000", alpha=0.05, lw=0)


def _timing(recording: Recording, report: dict[str, Any], start: float, end: float) -> plt.Figure:
    """How long plans take and how much time is left when they come."""
    plans = recording.plans
    chosen = (plans.published >= start) & (plans.published <= end)
    t = plans.published[chosen] - start
    figure, axes = plt.subplots(2, 1, figsize=(11, 6), sharex=True)
    axes[0].plot(t, 1e3 * plans.compute[chosen], ".", ms=2, color=_REAL)
    compute = report["plan_compute_ms"]
    axes[0].set_title(f"Plan compute time: p50 {_text(compute['p50'], 1)} ms, p99 {_text(compute['p99'], 1)} ms")
    axes[0].set_ylabel("compute [ms]")
    axes[1].plot(t, 1e3 * (plans.due - plans.published)[chosen], ".", ms=2, color=_REAL)
    axes[1].axhline(0.0, color=_WISH, lw=1)
    slack = report["plan_slack_ms"]
    axes[1].set_title(
        f"Slack when published (below 0: late): p50 {_text(slack['p50'], 1)} ms, p01 {_text(slack['p01'], 1)} ms"
    )
    axes[1].set_ylabel("slack [ms]")
    axes[1].set_xlabel("time since plans are played [s]")
    axes[0].set_xlim(0.0, end - start)
    for axis in axes:
        axis.grid(alpha=0.3)
    return figure


def _text(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
