"""What the policy is asked for, moment by moment: the tasks that run on the robot, and the scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from beyondmimic_diffusion.core.guidance import Goal, JoystickGoal, ObstacleScene
from beyondmimic_diffusion.core.route import RouteConfig, RoutePlanner
from beyondmimic_diffusion.core.tasks import ReachWaypoint, TaskStatus, WaypointTaskConfig
from beyondmimic_diffusion.core.types import Array, RobotState

from .rollout import START
from .task_suites import TaskSpec


@dataclass(frozen=True)
class TaskSettings:
    """How the policy is helped to do its task."""

    variant: str = "route+barrier"
    """``route``: near waypoints on the known map; ``barrier``: the obstacle cost; both with a plus; or ``none``."""
    waypoint: WaypointTaskConfig = field(default_factory=WaypointTaskConfig)
    route: RouteConfig = field(default_factory=RouteConfig)


class TaskGoals:
    """Goals of one episode; called with the newest state before each plan."""

    def __init__(self, spec: TaskSpec, settings: TaskSettings):
        """
        Args:
            spec: What is to be done.
            settings: How the policy is helped.
        """
        scenario, parts = spec.scenario, settings.variant.split("+")
        scene = scenario.scene
        sdf_w = scenario.sdf_w if "barrier" in parts else None
        self._always: tuple[Goal, ...] = () if sdf_w is None else (ObstacleScene(sdf_w, START),)
        self._task: ReachWaypoint | None = None
        self._message = ""
        if scenario.command is not None:
            self._always = (JoystickGoal(scenario.command[:2], scenario.command[2]), *self._always)
        elif scene.goal is not None:
            route = RoutePlanner(scene.map(), settings.route) if "route" in parts else None
            self._task = ReachWaypoint(scene.goal, scene.goal_heading, config=settings.waypoint, route=route)

    def __call__(self, state: RobotState) -> Sequence[Goal]:
        """What the next plan shall serve."""
        if self._task is None:
            return self._always
        update = self._task.update(state)
        if update.status is TaskStatus.FAILED:
            self._message = f"{update.code.name}: {update.message}"
        return (*update.goals, *self._always)

    def gave_up(self) -> str:
        """Why the task has ended without success; empty while it goes on, or after success."""
        return self._message

    @property
    def route_xy_w(self) -> Array | None:
        """The route in use [m], shape (P, 2); None without."""
        route = None if self._task is None else self._task.route
        return None if route is None else route.points_w
