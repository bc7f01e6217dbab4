"""``guidance/markers``: the goal, the way there and the obstacles, drawn when they change."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

import numpy as np
from rclpy.node import Node
from std_msgs.msg import Header
from visualization_msgs.msg import Marker, MarkerArray

from ..core.guidance.goals import WaypointGoal
from ..core.route import Route
from ..core.tasks import Obstacle, ReachWaypoint
from . import qos
from .background import Background
from .conversions.time import set_stamp
from .markers import goal_markers, marker_array, obstacle_markers, route_markers
from .obstacle_store import ObstacleStore
from .task_desk import TaskDesk

_PERIOD = 0.2
"""Drawn at most this often [s]."""
_MANY = 100
"""Obstacles from which on drawing them takes so long that another thread does it."""


class Picture:
    """Watches store and desk, and draws."""

    def __init__(self, node: Node, store: ObstacleStore, desk: TaskDesk, odom_frame: str):
        self._node = node
        self._store = store
        self._desk = desk
        self._frame = odom_frame
        self._drawn: object = None
        self._at = 0.0
        self._background = Background("picture", 1)
        self._publisher = node.create_publisher(MarkerArray, "guidance/markers", qos.LATCHED)

    def destroy(self) -> None:
        """Remove the publisher."""
        self._background.close()
        self._node.destroy_publisher(self._publisher)

    def tick(self, now: float) -> None:
        """Draw if something changed; ``now`` is the robot's clock [s]."""
        if time.monotonic() - self._at < _PERIOD:
            return
        task = self._desk.target()
        near = self._near()
        moving = any(solid.moves for solid, _ in self._store.solids)
        state = (self._store.version, now if moving else 0.0, id(task), task and id(task.route), near)
        if state == self._drawn:
            return
        self._drawn, self._at = state, time.monotonic()
        solids = self._store.solids
        draw = partial(self._draw, solids, task, None if task is None else task.route, near, now)
        if len(solids) > _MANY:
            if not self._background.do(draw):
                self._drawn = None  # it is still at the one before: again in a while
        else:
            draw()

    def _draw(
        self,
        solids: Sequence[tuple[Obstacle, float]],
        task: ReachWaypoint | None,
        route: Route | None,
        near: tuple[float, float] | None,
        now: float,
    ) -> None:
        header = Header(frame_id=self._frame)
        set_stamp(header, now)
        markers: list[Marker] = obstacle_markers(header, (s.at(now - at) if s.moves else s for s, at in solids))
        if task is not None:
            markers += goal_markers(header, task.target_xy_w, task.heading_w, task.config.position_tolerance)
            if route is not None:
                markers += route_markers(header, route.points_w, None if near is None else np.array(near))
        self._publisher.publish(marker_array(header, markers))

    def _near(self) -> tuple[float, float] | None:
        """The waypoint aimed at [m]."""
        for goal in self._desk.goals():
            if isinstance(goal, WaypointGoal):
                x, y = np.asarray(goal.position_xy_w)
                return float(x), float(y)
        return None
