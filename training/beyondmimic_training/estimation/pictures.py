"""Estimate against truth as a PNG file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from .score import WalkTrace

_PATHS = 4
"""Walks drawn from above."""


def estimate_picture(path: Path, traces: Sequence[WalkTrace]) -> None:
    """Some paths from above; position error with what the estimator says of it, velocity, tilt and heading errors."""
    figure, axes = plt.subplots(2, 3, figsize=(15, 8))
    above = axes[0, 0]
    for number, trace in enumerate(traces[:_PATHS]):
        above.plot(*trace.place[:, :2].T, color=f"C{number}", linewidth=1.0, label=f"walk {number}")
        above.plot(*trace.guess[:, :2].T, color=f"C{number}", linewidth=1.0, linestyle="--")
    above.set_aspect("equal", "datalim")
    above.set_title("from above [m]: truth, estimate dashed", fontsize=9)
    above.legend(fontsize=7)
    curves = (
        (axes[0, 1], "horizontal position error [m]", lambda t: np.linalg.norm((t.guess - t.place)[:, :2], axis=1)),
        (axes[0, 2], "height error [m]", lambda t: (t.guess - t.place)[:, 2]),
        (axes[1, 0], "velocity error [m/s], 1 s rms", lambda t: _rms(np.linalg.norm(t.velocity_error, axis=1))),
        (axes[1, 1], "tilt error [deg]", lambda t: np.degrees(t.tilt_error)),
        (axes[1, 2], "heading error [deg]", lambda t: np.degrees(t.heading_error)),
    )
    for axis, title, of in curves:
        for trace in traces:
            axis.plot(trace.stamp - trace.stamp[0], of(trace), linewidth=0.6, alpha=0.7)
        axis.set_title(title, fontsize=9)
        axis.set_xlabel("time [s]", fontsize=8)
    longest = max(traces, key=lambda t: len(t.stamp))
    mean_std = np.sqrt(np.mean([t.position_std**2 for t in traces if len(t.stamp) == len(longest.stamp)], axis=0))
    axes[0, 1].plot(longest.stamp - longest.stamp[0], mean_std, "k--", label="estimator's own standard deviation")
    axes[0, 1].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    plt.close(figure)


def _rms(values: np.ndarray, frames: int = 50) -> np.ndarray:
    return np.sqrt(np.convolve(values**2, np.full(frames, 1.0 / frames), mode="same"))
