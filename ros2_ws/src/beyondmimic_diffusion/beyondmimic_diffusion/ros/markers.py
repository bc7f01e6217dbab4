"""Pictures of goals, routes and obstacles for rviz and Foxglove."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from ..core.rotations import quat_from_yaw
from ..core.tasks import Obstacle
from ..core.types import Array
from .conversions.geometry import assign_pose

GOAL, NEAR, ROUTE = (0.1, 0.8, 0.2, 0.8), (1.0, 0.8, 0.1, 0.9), (0.1, 0.8, 0.2, 0.9)
STANDS, MOVES = (0.55, 0.55, 0.6, 0.7), (0.9, 0.4, 0.1, 0.7)
_ABOVE = 0.02
"""Lines are drawn this high above the floor [m]."""
_SHAPES = {"box": Marker.CUBE, "sphere": Marker.SPHERE, "cylinder": Marker.CYLINDER, "capsule": Marker.CYLINDER}


def goal_markers(header: Header, goal_xy: Array, heading: float | None, radius: float) -> list[Marker]:
    """A disc as large as the tolerance, and an arrow if a heading is asked for."""
    disc = _marker(header, "goal", 0, Marker.CYLINDER, GOAL)
    assign_pose(disc.pose, np.array([goal_xy[0], goal_xy[1], 0.5 * _ABOVE]), quat_from_yaw(0.0))
    disc.scale.x = disc.scale.y = 2.0 * radius
    disc.scale.z = _ABOVE
    if heading is None:
        return [disc]
    arrow = _marker(header, "goal", 1, Marker.ARROW, GOAL)
    assign_pose(arrow.pose, np.array([goal_xy[0], goal_xy[1], 2.0 * _ABOVE]), quat_from_yaw(heading))
    arrow.scale.x, arrow.scale.y, arrow.scale.z = 0.6, 0.08, 0.08
    return [disc, arrow]


def route_markers(header: Header, points_xy: Array, near_xy: Array | None) -> list[Marker]:
    """A line along the route, shape (P, 2) [m], and a ball at the waypoint aimed at."""
    line = _marker(header, "route", 0, Marker.LINE_STRIP, ROUTE)
    line.scale.x = 0.04
    line.points = [Point(x=float(x), y=float(y), z=_ABOVE) for x, y in points_xy]
    if near_xy is None:
        return [line]
    ball = _marker(header, "route", 1, Marker.SPHERE, NEAR)
    assign_pose(ball.pose, np.array([near_xy[0], near_xy[1], 0.1]), quat_from_yaw(0.0))
    ball.scale.x = ball.scale.y = ball.scale.z = 0.15
    return [line, ball]


def obstacle_markers(header: Header, obstacles: Iterable[Obstacle]) -> list[Marker]:
    """Each solid where it is; what moves has another colour."""
    out = []
    for number, obstacle in enumerate(obstacles):
        marker = _marker(header, "obstacles", number, _SHAPES[obstacle.shape], MOVES if obstacle.moves else STANDS)
        assign_pose(marker.pose, np.array(obstacle.center), quat_from_yaw(obstacle.yaw))
        marker.scale.x, marker.scale.y, marker.scale.z = _extent(obstacle)
        marker.text = obstacle.name
        out.append(marker)
    return out


def marker_array(header: Header, markers: Iterable[Marker]) -> MarkerArray:
    """All of a picture: what was there before goes."""
    wipe = Marker(header=header, action=Marker.DELETEALL)
    return MarkerArray(markers=[wipe, *markers])


def _extent(obstacle: Obstacle) -> tuple[float, float, float]:
    size = obstacle.size
    if obstacle.shape == "box":
        return size[0], size[1], size[2]
    if obstacle.shape == "sphere":
        return 2.0 * size[0], 2.0 * size[0], 2.0 * size[0]
    caps = 2.0 * size[0] if obstacle.shape == "capsule" else 0.0
    return 2.0 * size[0], 2.0 * size[0], size[1] + caps


def _marker(header: Header, namespace: str, number: int, kind: int, color: tuple[float, ...]) -> Marker:
    marker = Marker(header=header, ns=namespace, id=number, type=kind, action=Marker.ADD, lifetime=Duration())
    marker.color = ColorRGBA(r=color[0], g=color[1], b=color[2], a=color[3])
    marker.pose.orientation.w = 1.0
    return marker
