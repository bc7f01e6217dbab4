"""What is put to the test: a policy planned and played as on the robot, or the expert that was given the command."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from beyondmimic_diffusion.core.batch_planner import BatchPlanner, PlannerConfig
from beyondmimic_diffusion.core.engine import LoadedPolicy
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_diffusion.core.execution import PlanBuffer, SafetyFilter, SampleStatus
from beyondmimic_diffusion.core.execution.robot_limits import g1_limits
from beyondmimic_diffusion.core.foresight import Foresight
from beyondmimic_diffusion.core.guidance import Goal, JoystickGoal
from beyondmimic_diffusion.core.planner import RobotTrack
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.robot.kinematics import Kinematics
from beyondmimic_diffusion.core.steering import SteeringConfig
from beyondmimic_diffusion.core.types import Array, JointCommand, Plan, RobotState
from numpy.typing import NDArray

from ..experts import CONTROL_DT as EXPERT_DT
from ..experts import Expert, RobotBatch
from .fleet import CONTROL_DT, Fleet
from .observer import Observer, TruthObserver
from .suites import Start
from .throughput import ThroughputLimit

TICKS_PER_SETPOINT = round(EXPERT_DT / CONTROL_DT)
"""Control steps in 20 ms."""


class Controller(Protocol):
    """Moves a fleet."""

    starved: NDArray[np.integer]
    """Control steps of each robot without anything to play, shape (B,)."""

    def begin(self, specs: Sequence[Start], fleet: Fleet) -> None:
        """Get ready for these episodes."""
        ...

    def sense(self, stamp: float, fleet: Fleet, rows: Sequence[int]) -> None:
        """Read the sensors of the robots that move before the start, every control step."""
        ...

    def watch(self, stamp: float, fleet: Fleet, targets: Array) -> None:
        """See what happens before the start, every 20 ms: targets (B, J) are in force from ``stamp`` on."""
        ...

    def act(self, tick: int, stamp: float, fleet: Fleet, wanted: Array | None) -> None:
        """Command the motors of the robots that stand, every control step.

        Args:
            tick: Control steps since the start.
            stamp: Now [s].
            fleet: The robots.
            wanted: Velocity commands (B, 3), None: none.
        """
        ...


class ExpertDriver:
    """The expert on all robots at once; also leads robots in that start walking."""

    def __init__(self, expert: Expert):
        self._expert = expert
        self._zeros = np.zeros(g1.NUM_JOINTS)

    def reset(self, fleet: Fleet) -> None:
        """Forget everything."""
        self._expert.reset(self._see(fleet))

    def drive(self, stamp: float, fleet: Fleet, rows: Sequence[int], wanted: Array) -> Array:
        """Targets (B, J) for the next 20 ms, sent to the motors of ``rows``; commands ``wanted`` (B, 3)."""
        targets = self._expert.act(self._see(fleet), wanted)
        for row in rows:
            command = JointCommand(stamp, targets[row], self._zeros, self._expert.kp, self._expert.kd, self._zeros)
            fleet.command(row, command)
        return targets

    @staticmethod
    def _see(fleet: Fleet) -> RobotBatch:
        return RobotBatch.of_coordinates(*fleet.coordinates())


class ExpertController:
    """The reference row: no planner, no latency, no filter. Where nothing is commanded it keeps its lead-in command."""

    def __init__(self, driver: ExpertDriver):
        self._driver = driver
        self.starved = np.zeros(0, dtype=int)

    def begin(self, specs: Sequence[Start], fleet: Fleet) -> None:
        """See :class:`Controller`."""
        self.starved = np.zeros(len(specs), dtype=int)
        self._unasked = np.array([spec.lead_in or (0.0, 0.0, 0.0) for spec in specs])

    def sense(self, stamp: float, fleet: Fleet, rows: Sequence[int]) -> None:
        """See :class:`Controller`; it sees the truth."""

    def watch(self, stamp: float, fleet: Fleet, targets: Array) -> None:
        """See :class:`Controller`; it is the one that drives."""

    def act(self, tick: int, stamp: float, fleet: Fleet, wanted: Array | None) -> None:
        """See :class:`Controller`."""
        if tick % TICKS_PER_SETPOINT == 0:
            self._driver.drive(stamp, fleet, fleet.standing, self._unasked if wanted is None else wanted)


@dataclass(frozen=True)
class PolicySettings:
    """How the policy is planned and played."""

    planner: PlannerConfig = field(default_factory=PlannerConfig)
    steering: SteeringConfig = field(default_factory=SteeringConfig)
    guided: bool = True
    """False: the commands are kept from it."""
    plan_period: float = 0.04
    """Time between two plans [s]."""
    added_delay: float = 0.0
    """Delay of each plan that the planner does not know of, on top of ``planner.latency`` [s]."""
    plan_time: float = 0.0
    """What a plan takes; only then is the next one begun, and the planner adapts to it. 0: no limit [s]."""
    plan_time_jitter: float = 0.0
    """Greatest random addition to each plan's time, drawn evenly [s]."""


class PolicyController:
    """Per robot a track, a plan buffer and a safety filter; one batch planner for all."""

    def __init__(
        self,
        policy: LoadedPolicy,
        settings: PolicySettings,
        goals: Callable[[RobotState], Sequence[Goal]] | None = None,
        observer: Observer | None = None,
    ):
        """
        Args:
            policy: Network and facts.
            settings: How it is planned and played.
            goals: What the first robot shall do, asked with its state before each plan; None: follow the commands.
            observer: What tells the states; the truth if None.
        """
        self._policy, self._settings, self._goals = policy, settings, goals
        self._observer: Observer = observer or TruthObserver()
        m = policy.manifest
        self._kp, self._kd = np.array(m.kp), np.array(m.kd)
        self._zeros = np.zeros(len(m.joint_names))
        self._stand = np.array(m.default_joint_pos)
        self._kinematics = Kinematics()
        self._foresight = Foresight(m.kp, m.kd, self._kinematics.model) if settings.planner.foresight else None
        self._plan_ticks = _ticks(settings.plan_period, "the plan period")
        self._observe_ticks = min(_ticks(m.step_dt, "the policy's step"), self._plan_ticks)
        self._delay_ticks = _ticks(settings.planner.latency + settings.added_delay, "latency and added delay")
        self._limited = settings.plan_time + settings.plan_time_jitter > 0.0
        self.starved = np.zeros(0, dtype=int)
        """Control steps of each robot whose plan had run out, shape (B,); the last target is held then."""

    def begin(self, specs: Sequence[Start], fleet: Fleet) -> None:
        """See :class:`Controller`."""
        rows = len(specs)
        limits = g1_limits()
        seeded = replace(self._settings.planner, seed=specs[0].seed)
        sessions = [spec.index for spec in specs]
        self._planner = BatchPlanner(self._policy, seeded, rows, self._settings.steering, sessions)
        self._limit = (
            ThroughputLimit(
                self._settings.planner,
                self._policy.manifest,
                self._settings.plan_time,
                self._settings.plan_time_jitter,
                self._settings.added_delay,
                specs[0].seed,
            )
            if self._limited
            else None
        )
        self._buffers = [PlanBuffer(len(self._stand)) for _ in range(rows)]
        self._filters = [SafetyFilter(limits) for _ in range(rows)]
        self._tracks = [RobotTrack(self._planner, self._kinematics, self._foresight) for _ in range(rows)]
        self._targets = np.tile(self._stand, (rows, 1))
        self.starved = np.zeros(rows, dtype=int)
        self._on_the_way: list[tuple[int, list[Plan]]] = []
        self._number = 0
        self._observer.begin(specs, fleet)

    def sense(self, stamp: float, fleet: Fleet, rows: Sequence[int]) -> None:
        """See :class:`Controller`."""
        self._observer.sense(stamp, fleet, rows)

    def watch(self, stamp: float, fleet: Fleet, targets: Array) -> None:
        """See :class:`Controller`."""
        self._look(stamp, fleet)
        for track, target in zip(self._tracks, targets, strict=True):
            track.observe_executed(stamp, target)
        self._targets = np.array(targets)

    def act(self, tick: int, stamp: float, fleet: Fleet, wanted: Array | None) -> None:
        """See :class:`Controller`."""
        self._observer.sense(stamp, fleet, fleet.standing)
        if tick % self._observe_ticks == 0:
            self._look(stamp, fleet)
        delay = self._begin_plan(tick)
        if delay is not None:
            if tick % self._observe_ticks:
                self._look(stamp, fleet)
            first = self._observer.state(0, stamp, fleet)
            self._on_the_way.append((tick + delay, self._plan(wanted, first)))
        while self._on_the_way and self._on_the_way[0][0] <= tick:
            for buffer, plan in zip(self._buffers, self._on_the_way.pop(0)[1], strict=True):
                buffer.accept(plan, stamp)
        for row in fleet.standing:
            self._play(row, tick, stamp, fleet)

    def _begin_plan(self, tick: int) -> int | None:
        """Control steps until a plan that is begun now arrives; None: none is begun now."""
        if self._limit is None:
            return self._delay_ticks if tick % self._plan_ticks == 0 else None
        delay = self._limit.begin(tick)
        self._planner.set_latency(self._limit.latency)
        return delay

    def _look(self, stamp: float, fleet: Fleet) -> None:
        pos, vel = self._kinematics.key_points_batch(*self._observer.coordinates(stamp, fleet))
        for row, track in enumerate(self._tracks):
            track.observe(self._observer.state(row, stamp, fleet), (pos[row], vel[row]))

    def _plan(self, wanted: Array | None, first: RobotState) -> list[Plan]:
        goals: Sequence[Goal] = ()
        if self._settings.guided:
            if self._goals is not None:
                goals = self._goals(first)
            elif wanted is not None:
                goals = [JoystickGoal(vel_xy_c=wanted[:, :2], yaw_rate=wanted[:, 2])]
        observations = [track.observation() for track in self._tracks]
        plans = self._planner.plan(observations, goals, [self._number] * len(observations))
        self._number += 1
        for track, plan in zip(self._tracks, plans, strict=True):
            track.remember(plan)
        return plans

    def _play(self, row: int, tick: int, stamp: float, fleet: Fleet) -> None:
        sample = self._buffers[row].sample(stamp)
        if sample.joint_target is not None:
            self._targets[row] = sample.joint_target
        self.starved[row] += sample.status is SampleStatus.EXHAUSTED
        wanted = JointCommand(stamp, self._targets[row].copy(), self._zeros, self._kp, self._kd, self._zeros)
        command, _ = self._filters[row].filter(wanted, *self._observer.joints(row, fleet), CONTROL_DT)
        fleet.command(row, command)
        if tick % TICKS_PER_SETPOINT == 0:
            self._tracks[row].observe_executed(stamp, command.position)


def _ticks(time: float, what: str) -> int:
    ticks = round(time / CONTROL_DT)
    if abs(ticks * CONTROL_DT - time) > 1e-9:
        raise ConfigError(f"{what} is {time} s; the evaluation needs a multiple of {CONTROL_DT} s")
    return ticks
