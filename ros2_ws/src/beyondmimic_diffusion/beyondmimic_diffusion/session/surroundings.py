"""What a recording knows of obstacles: where they were, how near the robot came, and the ways found around them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.tasks import Scene
from ..core.types import Array

CONTACTS = "/ground_truth/contacts"
CLEARANCE = "/ground_truth/clearance"
MARKERS = "/guidance/markers"
TOPICS = (CONTACTS, CLEARANCE, MARKERS)
_ROUTE = "route"
"""Namespace of the route among the markers, where it is a line."""

Stamped = Sequence[tuple[float, Any]]
"""Messages with the simulated time at which they were sent [s]."""


@dataclass(frozen=True)
class Surroundings:
    """Obstacles, and what came of them."""

    scene: Scene | None
    """None: a bare floor."""
    contact_t: Array
    """When the simulator said how often the robot has touched an obstacle so far [s], (C,)."""
    contacts: NDArray[np.integer]
    """How often that was, (C,)."""
    clearance_t: Array
    """[s], (K,)."""
    clearance: Array
    """Narrowest gap between robot and obstacles [m], infinite where the simulator saw none, (K,)."""
    route_t: Array
    """When a picture of the guidance was published [s], (R,)."""
    routes: tuple[Array, ...]
    """Corners of the route in it [m], (n, 2) each; none where there is no route."""

    def touches(self, start: float, end: float) -> int:
        """Touches between two times [s]; leaning on an obstacle is one."""
        before = self.contacts[self.contact_t < start]
        until = self.contacts[self.contact_t <= end]
        return int(until[-1]) - (int(before[-1]) if before.size else 0) if until.size else 0

    def min_clearance(self, start: float, end: float) -> float | None:
        """Narrowest gap between two times [m]; None if there was no obstacle near."""
        chosen = self.clearance[(self.clearance_t >= start) & (self.clearance_t <= end)]
        return float(chosen.min()) if chosen.size and math.isfinite(chosen.min()) else None

    def route_at(self, t: float) -> Array | None:
        """Newest route at ``t`` [s]; None before the first, and where it has been withdrawn."""
        index = int(np.searchsorted(self.route_t, t, side="right")) - 1
        return self.routes[index] if index >= 0 and len(self.routes[index]) > 1 else None


def surroundings(messages: Mapping[str, Stamped], scene: Scene | None) -> Surroundings:
    """Put together from the messages of :data:`TOPICS`."""
    contacts, clearance, pictures = (messages.get(topic, ()) for topic in TOPICS)
    return Surroundings(
        scene=scene,
        contact_t=np.array([t for t, _ in contacts], dtype=float),
        contacts=np.array([m.data for _, m in contacts], dtype=np.int64),
        clearance_t=np.array([t for t, _ in clearance], dtype=float),
        clearance=np.array([m.data for _, m in clearance], dtype=float),
        route_t=np.array([t for t, _ in pictures], dtype=float),
        routes=tuple(_corners(m) for _, m in pictures),
    )


def _corners(picture: Any) -> Array:
    """Corners of the route in a ``visualization_msgs/MarkerArray``, which is a whole picture each time [m], (n, 2)."""
    line = next((m for m in picture.markers if m.ns == _ROUTE and m.type == m.LINE_STRIP), None)
    return np.array([] if line is None else [(p.x, p.y) for p in line.points], dtype=float).reshape(-1, 2)
