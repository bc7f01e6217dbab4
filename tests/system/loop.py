"""Simulator, planner and executor of one robot on a virtual clock, wired as the ROS nodes wire them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from beyondmimic_diffusion.core.engine import LoadedPolicy
from beyondmimic_diffusion.core.execution import ActionExecutor, ExecutorConfig, ExecutorMode, StandingController
from beyondmimic_diffusion.core.execution.due_times import DueTimes
from beyondmimic_diffusion.core.execution.robot_limits import g1_limits
from beyondmimic_diffusion.core.guidance import Goal, JoystickGoal
from beyondmimic_diffusion.core.planner import GuidedPlanner, PlannerConfig
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.rotations import rotate_yaw, yaw_of
from beyondmimic_diffusion.core.types import JointCommand, Plan, RobotState
from beyondmimic_diffusion.sim.mujoco_g1 import MujocoG1

START, TICK_DT, PHYSICS_DT = 10.0, 0.004, 0.002
PLAN_TICKS = 10
"""A plan every 40 ms."""
GOAL_TICKS = 12
"""The task server looks every 50 ms."""
BLEND_TIME = 0.02
"""The robot starts in the stand pose and has no gantry: it must not be held stiffly for long [s]."""


@dataclass(frozen=True)
class Moment:
    """One tick."""

    time: float
    """Since the start [s]."""
    mode: ExecutorMode
    state: RobotState
    command: JointCommand


@dataclass
class Loop:
    """One robot. The planner starts by reckoning with 20 ms and a plan each 40 ms, and learns.

    ``delay`` is what a plan takes to arrive, ``plan_time`` after what time the next one can be begun.
    """

    policy: LoadedPolicy
    delay: float = 0.02
    plan_time: float = 0.0
    planning: bool = True
    moments: list[Moment] = field(default_factory=list)
    last_plan: Plan | None = None

    def __post_init__(self) -> None:
        m = self.policy.manifest
        self.config = ExecutorConfig(blend_time=BLEND_TIME)
        self._sim = MujocoG1(timestep=PHYSICS_DT, sensors=False)
        self.stand_with(None)
        self._planner = GuidedPlanner(self.policy, PlannerConfig(latency=0.02))
        self._due = DueTimes(m.setpoint_dt)
        self._arriving: list[tuple[int, Plan]] = []
        self._free_at = 0
        self._cell: int | None = None
        self._wanting = False
        self._tick = 0

    def stand_with(self, standing: StandingController | None) -> None:
        """Before the first step: what takes over when plans are lost; None: damping."""
        m = self.policy.manifest
        gains = np.array(m.kp), np.array(m.kd), np.array(m.default_joint_pos)
        self._executor = ActionExecutor(self.config, g1_limits(), *gains, standing)

    def run(self, seconds: float, vel_xy: tuple[float, float] = (0.0, 0.0), yaw_rate: float = 0.0) -> list[Moment]:
        """Let time pass under a joystick goal; returns the ticks of that time."""
        return self.steer(lambda state: (JoystickGoal(vel_xy, yaw_rate),), seconds)

    def steer(
        self, goals: Callable[[RobotState], Sequence[Goal]], limit: float, until: Callable[[], bool] = lambda: False
    ) -> list[Moment]:
        """Let time pass under goals that are asked for anew every 48 ms, as the task server does.

        Args:
            goals: What to do, given the state of the moment.
            limit: End after this [s].
            until: End earlier when this is true.
        """
        first = len(self.moments)
        wanted: Sequence[Goal] = ()
        for tick in range(round(limit / TICK_DT)):
            if tick % GOAL_TICKS == 0:
                wanted = goals(replace(self._sim.state(), stamp=START + self._tick * TICK_DT))
                if until():
                    break
            self._step(wanted)
        return self.moments[first:]

    def push(self, delta: tuple[float, float]) -> None:
        """Change the root's velocity at once [m/s], world axes."""
        self._sim.push(np.array(delta))

    def _step(self, goals: Sequence[Goal]) -> None:
        now = START + self._tick * TICK_DT
        state = replace(self._sim.state(), stamp=now)
        if self._tick == 0:
            armed, why = self._executor.arm(now, state)
            assert armed, why
        if self._tick % PLAN_TICKS == 0 or self._tick == self._free_at:
            self._planner.observe(state)
        if self.planning and self._plan_is_due():
            self.last_plan = self._planner.plan(goals)
            self._free_at = self._tick + round(self.plan_time / TICK_DT)
            self._arriving.append((max(self._free_at, self._tick + round(self.delay / TICK_DT)), self.last_plan))
            self._planner.took(self.plan_time)
        while self._arriving and self._arriving[0][0] <= self._tick:
            plan = self._arriving.pop(0)[1]
            self._executor.accept(plan, now)
            self._planner.arrived(now - plan.observation_stamp)
        command, report = self._executor.tick(now, now, state)
        due = self._due.advance(now, report.plan_age)
        if due is not None:
            self._planner.observe_executed(due, report.joint_target)
        self._sim.step(command, round(TICK_DT / PHYSICS_DT))
        self.moments.append(Moment(self._tick * TICK_DT, report.mode, state, command))
        self._tick += 1

    def _plan_is_due(self) -> bool:
        """At the first tick of each cell of the planner's period, or as soon as it is free after that."""
        cell = self._tick // round(self._planner.period / TICK_DT)
        self._wanting, self._cell = self._wanting or cell != self._cell, cell
        if not self._wanting or self._tick < self._free_at:
            return False
        self._wanting = False
        return True

    @property
    def fallen(self) -> bool:
        """Whether the robot's head is on the floor."""
        return self._sim.fallen()


def mean_velocity(moments: list[Moment]) -> np.ndarray:
    """Forward and left, in the heading frame [m/s]."""
    velocities = np.array([m.state.root_lin_vel_w for m in moments])
    return rotate_yaw(velocities, -yaw_of(np.array([m.state.root_quat_w for m in moments])))[:, :2].mean(axis=0)


def upright(moment: Moment) -> bool:
    """On its feet: within 10 cm of the standing height."""
    return bool(moment.state.root_pos_w[2] > g1.DEFAULT_ROOT_HEIGHT - 0.1)
