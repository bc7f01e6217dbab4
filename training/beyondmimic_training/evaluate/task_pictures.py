"""Episodes with a task from above: obstacles, route, the way gone, as one PNG file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from beyondmimic_diffusion.core.tasks import Obstacle
from beyondmimic_diffusion.session.solids import solid_of
from matplotlib.axes import Axes
from matplotlib.patches import Circle, Polygon

from .task_judge import TaskResult
from .task_rollout import TaskTrace
from .task_suites import TaskSpec

ShownTask = tuple[TaskSpec, TaskResult, TaskTrace]
_COLUMNS = 4
_REACHED = 0.3
"""Circle around a goal [m]."""


def choose_tasks(shown: Sequence[ShownTask], count: int) -> list[ShownTask]:
    """Failures first, then the first episodes; at most ``count``, in the order of their numbers."""
    ranked = sorted(shown, key=lambda s: (s[1].success, s[0].index))
    return sorted(ranked[:count], key=lambda s: s[0].index)


def tasks_picture(path: Path, shown: Sequence[ShownTask]) -> None:
    """One panel per episode; what moves is shown where it was at the end, with the way it took."""
    columns = min(_COLUMNS, len(shown))
    rows = math.ceil(len(shown) / columns)
    figure, axes = plt.subplots(rows, columns, figsize=(3.6 * columns, 3.5 * rows), squeeze=False)
    for axis in axes.flat[len(shown) :]:
        axis.set_visible(False)
    for axis, (spec, result, trace) in zip(axes.flat, shown, strict=False):
        _panel(axis, spec, trace, result)
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    plt.close(figure)


def _panel(axis: Axes, spec: TaskSpec, trace: TaskTrace, result: TaskResult) -> None:
    scene, lived = spec.scenario.scene, float(trace.trace.times[-1])
    for obstacle in scene.obstacles:
        _draw_obstacle(axis, obstacle, lived)
    if trace.route_xy_w is not None:
        axis.plot(*trace.route_xy_w.T, color="C1", linewidth=1.0, linestyle="--")
    xy = trace.trace.qpos[:, :2]
    axis.plot(xy[:, 0], xy[:, 1], color="C0" if result.success else "C3", linewidth=1.0)
    axis.plot(*xy[0], "o", color="0.3", markersize=4)
    if not result.success:
        axis.plot(*xy[-1], "x", color="C3", markersize=7)
    if scene.goal is not None:
        axis.add_patch(Circle(scene.goal, _REACHED, fill=False, color="C2"))
        if scene.goal_heading is not None:
            tip = (0.6 * math.cos(scene.goal_heading), 0.6 * math.sin(scene.goal_heading))
            axis.annotate(
                "", (scene.goal[0] + tip[0], scene.goal[1] + tip[1]), scene.goal, arrowprops={"arrowstyle": "->"}
            )
    axis.set_aspect("equal", adjustable="datalim")
    axis.set_title(f"{spec.index}: {result.outcome}, {lived:.1f} s", fontsize=9)
    axis.tick_params(labelsize=7)
    axis.grid(alpha=0.3)


def _draw_obstacle(axis: Axes, obstacle: Obstacle, lived: float) -> None:
    axis.add_patch(Polygon(solid_of(obstacle, lived).outline_xy(), color="C7", alpha=0.7))
    if obstacle.moves:
        before, after = obstacle.center, obstacle.at(lived).center
        axis.plot((before[0], after[0]), (before[1], after[1]), color="C7", linewidth=0.8, linestyle=":")
