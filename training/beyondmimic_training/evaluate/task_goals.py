"""What the policy is asked for, moment by moment: the tasks that run on the robot, and the scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from beyondmimic_diffusion.core.guidance import Goal, JoystickGoal, KeyframeGoal, ObstacleScene
from beyondmimic_diffusion.core.guidance.state_keyframe import StateKeyframeGoal
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.rotations import yaw_of
from beyondmimic_diffusion.core.route import RouteConfig, RoutePlanner
from beyondmimic_diffusion.core.tasks import ReachWaypoint, TaskStatus, WaypointTaskConfig
from beyondmimic_diffusion.core.types import Array, RobotState

from .baselines import KeyframePilot
from .rollout import START
from .task_suites import TaskSpec


@dataclass(frozen=True)
class TaskSettings:
    """How the policy is helped to do its task."""

    variant: str = "route+barrier"
    """``route``: near waypoints on the known map; ``barrier``: the obstacle cost; both with a plus; or ``none``.

    With keyframes, ``tokens``: they are facts in the plan; ``cost``: key points are drawn to them; ``chase``: the
    velocity is asked for that leads to the next one's place in its time; ``command``: the one that led to them; several
    with a plus.
    """
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
        self._spec = spec
        scenario, parts = spec.scenario, settings.variant.split("+")
        scene = scenario.scene
        sdf_w = scenario.sdf_w if "barrier" in parts else None
        self._always: tuple[Goal, ...] = () if sdf_w is None else (ObstacleScene(sdf_w, START),)
        self._task: ReachWaypoint | None = None
        self._message = ""
        self._timed: tuple[Goal, ...] = ()
        self._pilot = KeyframePilot(scenario.keyframes) if scenario.keyframes and "chase" in parts else None
        if scenario.keyframes:
            self._timed = _keyframe_goals(spec, parts)
            self._always = (JoystickGoal(),)
        elif scenario.command is not None:
            self._always = (JoystickGoal(scenario.command[:2], scenario.command[2]), *self._always)
        elif scene.goal is not None:
            route = RoutePlanner(scene.map(), settings.route) if "route" in parts else None
            self._task = ReachWaypoint(scene.goal, scene.goal_heading, config=settings.waypoint, route=route)

    def __call__(self, state: RobotState) -> Sequence[Goal]:
        """What the next plan shall serve."""
        keyframes = self._spec.scenario.keyframes
        if keyframes and state.stamp < START + keyframes[-1].time:
            return self._timed if self._pilot is None else (*self._timed, self._chase(self._pilot, state))
        if self._task is None:
            return self._always
        update = self._task.update(state)
        if update.status is TaskStatus.FAILED:
            self._message = f"{update.code.name}: {update.message}"
        return (*update.goals, *self._always)

    @staticmethod
    def _chase(pilot: KeyframePilot, state: RobotState) -> Goal:
        """The velocity that leads to the next keyframe in time."""
        forward, left, turn = pilot.command(state.stamp - START, state.root_pos_w[:2], float(yaw_of(state.root_quat_w)))
        return JoystickGoal((forward, left), turn)

    def gave_up(self) -> str:
        """Why the task has ended without success; empty while it goes on, or after success."""
        return self._message

    @property
    def route_xy_w(self) -> Array | None:
        """The route in use [m], shape (P, 2); None without."""
        route = None if self._task is None else self._task.route
        return None if route is None else route.points_w


def _keyframe_goals(spec: TaskSpec, parts: Sequence[str]) -> tuple[Goal, ...]:
    """All that is asked for until the last keyframe is over; what lies beyond the horizon does nothing yet."""
    goals: list[Goal] = []
    for keyframe in spec.scenario.keyframes:
        due = START + keyframe.time
        if "tokens" in parts:
            goals.append(StateKeyframeGoal(state=keyframe.state, due=due, expires=due))
        if "cost" in parts:
            places = np.asarray(keyframe.state.key_pos_w)
            goals.append(KeyframeGoal(g1.KEY_POINT_NAMES, places, due, "world", expires=due))
    if "command" in parts and spec.scenario.command is not None:
        forward, left, turn = spec.scenario.command
        goals.append(JoystickGoal((forward, left), turn))
    return tuple(goals)
