"""Walk to a place and stop there, on a route round what is known."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..errors import GoalError
from ..guidance.goals import Goal, WaypointGoal
from ..parameters import param, validate
from ..rotations import wrap_angle, yaw_of
from ..route import NoRouteError, Route, RoutePlanner
from ..types import Array, RobotState
from .motion import MeanVelocity, ProgressWatch
from .task import Task, TaskCode, TaskRefusedError, TaskUpdate, check_timeout, failed, succeeded


@dataclass(frozen=True)
class WaypointTaskConfig:
    """When a place counts as reached, and how the way there is gone."""

    position_tolerance: float = param(0.3, unit="m", lo=0.02, hi=5.0, doc="Arrived within this distance.", live=True)
    speed_tolerance: float = param(
        0.15, unit="m/s", lo=0.01, hi=1.0, doc="And below this planar speed, averaged over average_time.", live=True
    )
    heading_tolerance: float = param(
        0.25,
        unit="rad",
        lo=0.02,
        hi=3.2,
        doc="And facing the goal's heading within this angle, if it has one.",
        live=True,
    )
    average_time: float = param(1.0, unit="s", lo=0.1, hi=5.0, doc="Time over which the speed is averaged.")
    look_ahead: float = param(0.9, unit="m", lo=0.2, hi=5.0, doc="Distance along the route of the near waypoint.")
    turn_distance: float = param(
        0.8, unit="m", lo=0.0, hi=10.0, doc="Way left at which the final heading is taken up, if there is one."
    )
    face_travel: bool = param(True, doc="Face the near waypoint while it is farther than turn_distance.")
    stuck_distance: float = param(
        0.3, unit="m", lo=0.01, hi=5.0, doc="Less progress than this within stuck_time is none."
    )
    stuck_time: float = param(
        8.0, unit="s", lo=1.0, hi=120.0, doc="Time without progress after which the task gives up."
    )
    replan_deviation: float = param(
        0.5, unit="m", lo=0.1, hi=5.0, doc="Distance from the route at which another one is sought."
    )
    expected_speed: float = param(0.35, unit="m/s", lo=0.05, hi=3.0, doc="Mean speed, for the predicted time.")

    def __post_init__(self) -> None:
        validate(self)


class ReachWaypoint(Task):
    """Walk to a planar place, stop there, and face a direction if one is asked for.

    ``TaskUpdate.distance`` is the way left [m], along the route where there is one. It aims at the exact place: the
    tolerance only says when it is content.
    """

    def __init__(
        self,
        target_xy_w: ArrayLike,
        heading_w: float | None = None,
        *,
        config: WaypointTaskConfig | None = None,
        route: RoutePlanner | None = None,
        timeout: float = math.inf,
        max_speed: float | None = None,
    ):
        """
        Args:
            target_xy_w: Where to [m], shape (2,).
            heading_w: What to face on arrival [rad]; None: anything.
            config: None: defaults.
            route: Finds a way on the known map; None: straight there.
            timeout: Give up after this [s].
            max_speed: Of the goal velocity [m/s]; None: the planner's own.

        Raises:
            TaskRefusedError: Not a place, off the map, or too near an obstacle.
        """
        super().__init__()
        self.config = config or WaypointTaskConfig()
        self._planner = route
        self._timeout = check_timeout(timeout)
        self._heading = None if heading_w is None else float(heading_w)
        self._speed = max_speed
        self.target_xy_w = self._checked(target_xy_w)
        self._way: Route | None = None
        self._map_version = -1
        self._velocity = MeanVelocity(self.config.average_time)
        self._progress = ProgressWatch(self.config.stuck_distance, self.config.stuck_time)

    @property
    def route(self) -> Route | None:
        """The route in use; None before the first update and without a map."""
        return self._way

    @property
    def heading_w(self) -> float | None:
        """What is faced on arrival [rad]; None: anything."""
        return self._heading

    @property
    def planner(self) -> RoutePlanner | None:
        """What seeks its route: give it a new map when obstacles come or go; None: it goes straight."""
        return self._planner

    @property
    def speed(self) -> float:
        """Planar speed, averaged [m/s]."""
        return self._velocity.speed

    def heading_error(self, state: RobotState) -> float:
        """Goal heading minus the robot's [rad], -pi .. pi; NaN if none is asked for."""
        return math.nan if self._heading is None else float(wrap_angle(self._heading - yaw_of(state.root_quat_w)))

    def _checked(self, target_xy_w: ArrayLike) -> Array:
        try:
            goal = WaypointGoal(np.asarray(target_xy_w, dtype=np.float64), self._heading, max_speed=self._speed)
        except (GoalError, TypeError, ValueError) as error:
            raise TaskRefusedError(TaskCode.INVALID_GOAL, str(error)) from error
        target = np.asarray(goal.position_xy_w)
        if target.shape != (2,):
            raise TaskRefusedError(TaskCode.INVALID_GOAL, f"target of shape {target.shape}; one place has shape (2,)")
        if self._planner is None:
            return target
        where = f"goal ({target[0]:.2f}, {target[1]:.2f})"
        if not self._planner.map.contains(target):
            raise TaskRefusedError(TaskCode.NO_ROUTE, f"{where} lies outside the map")
        if not self._planner.is_free(target):
            raise TaskRefusedError(
                TaskCode.INSIDE_OBSTACLE,
                f"{where} has {float(self._planner.map.clearance_at(target)):.2f} m of clearance to obstacles; "
                f"the robot needs {self._planner.config.robot_radius:.2f} m",
            )
        return target

    def _step(self, state: RobotState, elapsed: float) -> TaskUpdate:
        place = np.asarray(state.root_pos_w[:2], dtype=np.float64)
        self._velocity.add(state)
        try:
            self._update_route(place)
        except NoRouteError as error:
            return failed(TaskCode.NO_ROUTE, f"{error}", float(np.linalg.norm(self.target_xy_w - place)))
        left = self._left(place)
        if self._arrived(state, place):
            return succeeded(left)
        if elapsed >= self._timeout:
            return failed(TaskCode.TIMEOUT, f"not there after {self._timeout:.0f} s, {left:.2f} m left", left)
        if self._progress.stuck(self._to_do(state, left), state.stamp):
            return failed(
                TaskCode.STUCK,
                f"less than {self.config.stuck_distance:.2f} m of progress in {self.config.stuck_time:.0f} s, "
                f"{left:.2f} m left",
                left,
            )
        return TaskUpdate(self._goals(state, place, left), distance=left, predicted_time=left / self._expected_speed())

    def _update_route(self, place: Array) -> None:
        if self._planner is None:
            return
        changed = self._planner.version != self._map_version
        if changed and self._way is not None and self._way.is_free(self._planner.is_free):
            changed = False
        lost = self._way is not None and self._way.deviation(place) > self.config.replan_deviation
        if self._way is None or changed or lost:
            self._way = self._planner.route(place, self.target_xy_w)
            if changed:
                self._progress.reset()
        self._map_version = self._planner.version

    def _left(self, place: Array) -> float:
        if self._way is None:
            return float(np.linalg.norm(self.target_xy_w - place))
        return self._way.remaining(place)

    def _arrived(self, state: RobotState, place: Array) -> bool:
        facing = self._heading is None or abs(self.heading_error(state)) <= self.config.heading_tolerance
        near = float(np.linalg.norm(self.target_xy_w - place)) <= self.config.position_tolerance
        return near and facing and self._velocity.full and self._velocity.speed <= self.config.speed_tolerance

    def _to_do(self, state: RobotState, left: float) -> float:
        """What progress is measured by [m]: the way to the circle, and a metre for each radian still to turn in it."""
        outside = max(0.0, left - self.config.position_tolerance)
        turning = 0.0 if self._heading is None else abs(self.heading_error(state))
        return outside + turning

    def _expected_speed(self) -> float:
        if self._speed is None:
            return self.config.expected_speed
        return min(self.config.expected_speed, max(self._speed, 0.01))

    def _goals(self, state: RobotState, place: Array, left: float) -> tuple[Goal, ...]:
        last = self._way is None or self._way.ends_within(place, self.config.look_ahead)
        aim = self.target_xy_w if self._way is None else self._way.ahead(place, self.config.look_ahead)
        final = bool(last and np.array_equal(aim, self.target_xy_w))
        heading: float | None = None
        if self._heading is not None and left <= self.config.turn_distance:
            heading = self._heading
        elif self.config.face_travel and left > self.config.turn_distance:
            offset = aim - place
            heading = math.atan2(offset[1], offset[0])
        return (WaypointGoal(aim, heading, max_speed=self._speed, stop=final),)
