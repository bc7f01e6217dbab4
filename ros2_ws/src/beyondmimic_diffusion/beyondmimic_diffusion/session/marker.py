"""Which marks a picture of a recorded session shows at a moment."""

from __future__ import annotations

import numpy as np

from ..core.types import Array
from .marks import Marks
from .recording import Recording
from .solids import solid_of

_PLAN_LIFE = 0.2
"""A plan older than this is not drawn [s]."""
_GOAL_LINGERS = 0.5
"""A goal stays in the picture this long after it has been reached or given up [s]."""


class Marker:
    """Knows a recording's marks at any time."""

    def __init__(self, recording: Recording):
        """
        Args:
            recording: Its ``session`` table may have ``goals``.
        """
        self._recording = recording
        self._goals = recording.session.get("goals", [])

    def at(self, t: float) -> Marks:
        """Marks at simulated time ``t`` [s]."""
        recording = self._recording
        goal = next((g for g in reversed(self._goals) if g["start"] <= t < g["end"] + _GOAL_LINGERS), None)
        around, scene = recording.surroundings, recording.surroundings.scene
        return Marks(
            solids=() if scene is None else tuple(solid_of(obstacle, t) for obstacle in scene.obstacles),
            goal_xy=None if goal is None else (goal["target"][0], goal["target"][1]),
            goal_heading=None if goal is None else goal["heading"],
            route_xy=None if goal is None else around.route_at(t),
            plan_w=self._plan(t),
        )

    def _plan(self, t: float) -> Array | None:
        plans = self._recording.plans
        index = int(np.searchsorted(plans.published, t, side="right")) - 1
        if index < 0 or t - plans.published[index] > _PLAN_LIFE:
            return None
        path = plans.root_path_w[index]
        return path if len(path) > 1 else None
