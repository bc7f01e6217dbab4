"""The way from above: where the robot went, what stood there, where it was to go, and what it planned."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Circle, Polygon

from .goals import REACHED
from .recording import Recording
from .solids import solid_of

_OBSTACLE, _GOAL, _ROUTE, _PLAN = "#cc6b4d", "#2a9e4d", "#e0a81e", "#2973d9"
_PLANS = 60
"""Plans that are drawn, evenly over the time."""


def draw_path(recording: Recording, report: dict[str, Any], start: float, end: float) -> plt.Figure:
    """The pelvis's way from above, one colour per leg or goal, with arrows for its heading."""
    truth = recording.truth.between(start, end)
    figure, axis = plt.subplots(figsize=(8, 7))
    _obstacles(axis, recording, start, end)
    _routes(axis, recording, start, end)
    _plans(axis, recording, start, end)
    axis.plot(truth.pos_w[:, 0], truth.pos_w[:, 1], color="#bbbbbb", lw=1)
    colours = mpl.colormaps["tab10"]
    for i, part in enumerate([*recording.session.get("goals", []), *report["legs"]]):
        span = truth.between(part["start"], part["end"])
        axis.plot(span.pos_w[:, 0], span.pos_w[:, 1], color=colours(i % 10), lw=2, label=part["name"])
    for goal in report["goals"]:
        axis.add_patch(Circle(goal["target"], REACHED, color=_GOAL, alpha=0.3 if goal["reached"] else 0.12))
        axis.plot(*goal["target"], "x" if goal["heading"] is None else ".", color=_GOAL)
        if goal["heading"] is not None:
            axis.quiver(*goal["target"], np.cos(goal["heading"]), np.sin(goal["heading"]), color=_GOAL, scale=18)
    every = max(1, len(truth.t) // 40)
    yaw = truth.yaw()[::every]
    axis.quiver(
        *(truth.pos_w[::every, :2].T), np.cos(yaw), np.sin(yaw), color="#444444", width=0.003, scale=30, headwidth=4
    )
    axis.set_aspect("equal", adjustable="datalim")
    axis.grid(alpha=0.3)
    axis.set_xlabel("x [m]")
    axis.set_ylabel("y [m]")
    axis.set_title("Path from above; arrows: heading")
    axis.legend(fontsize=8)
    return figure


def _obstacles(axis: Axes, recording: Recording, start: float, end: float) -> None:
    """Where they were at the end; moving ones also, fainter, where they were at the start."""
    scene = recording.surroundings.scene
    for obstacle in () if scene is None else scene.obstacles:
        for time, alpha in ((start, 0.25), (end, 0.8)) if obstacle.moves else ((start, 0.8),):
            axis.add_patch(Polygon(solid_of(obstacle, time).outline_xy(), color=_OBSTACLE, alpha=alpha, lw=0))


def _routes(axis: Axes, recording: Recording, start: float, end: float) -> None:
    around = recording.surroundings
    label: str | None = "route"
    for t, corners in zip(around.route_t, around.routes, strict=True):
        if start <= t <= end and len(corners) > 1:
            axis.plot(*corners.T, color=_ROUTE, lw=1.2, ls="--", label=label)
            label = None


def _plans(axis: Axes, recording: Recording, start: float, end: float) -> None:
    """Predicted ways of some plans."""
    plans = recording.plans
    chosen = np.flatnonzero((plans.published >= start) & (plans.published <= end))
    label: str | None = "plans"
    for index in chosen[:: max(1, len(chosen) // _PLANS)]:
        path = plans.root_path_w[index]
        if len(path) > 1:
            axis.plot(path[:, 0], path[:, 1], color=_PLAN, lw=1.0, alpha=0.7, label=label)
            label = None
