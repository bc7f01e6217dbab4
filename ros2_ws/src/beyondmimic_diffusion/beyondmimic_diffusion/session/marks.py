"""What a picture of a robot shows besides it: obstacles, goal, route, newest plan. Plain data, no ROS."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.types import Array
from .solids import Solid


@dataclass(frozen=True)
class Marks:
    """What one picture shows besides the robot; all in the world's frame."""

    solids: tuple[Solid, ...] = ()
    goal_xy: tuple[float, float] | None = None
    """[m]."""
    goal_radius: float = 0.3
    """Within which the goal counts as reached [m]."""
    goal_heading: float | None = None
    """Heading to take there [rad]."""
    route_xy: Array | None = None
    """Corners of the route [m], (R, 2)."""
    plan_w: Array | None = None
    """Predicted places of the pelvis [m], (H, 3)."""
