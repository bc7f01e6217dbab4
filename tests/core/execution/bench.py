"""An executor on a virtual clock, with a robot and a planner around it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from beyondmimic_diffusion.core.execution import (
    ActionExecutor,
    ExecutorConfig,
    ExecutorMode,
    JointLimits,
    PlanVerdict,
    Reason,
)
from beyondmimic_diffusion.core.parameters import from_mapping
from beyondmimic_diffusion.core.types import JointCommand, Plan, RobotState

J = 3
TICK = 0.005
STEP = 0.02
POINTS = 16
KP, KD = np.full(J, 20.0), np.full(J, 1.0)
STAND = np.array([0.1, -0.1, 0.2])
MEASURED = np.array([0.3, 0.0, -0.2])
LIMITS = JointLimits(np.full(J, -100.0), np.full(J, 100.0), np.full(J, 1e4), np.full(J, 1e5), np.ones(J, bool))


class Bench:
    """Executor, clocks, a robot that reads whatever ``pose`` says, and optionally a planner of 40 ms plans.

    ``plan_delay`` is how late plans come, as often as ever. ``plan_time`` is what each one takes (a number, or a
    function of its id): the next is begun at the first multiple of 40 ms after that, and plans say so where the planner
    is ``honest``.
    Set-point i of a plan stamped t is ``t + i * STEP`` on every joint: a target tells its due time.
    """

    def __init__(
        self,
        start=10.0,
        plan_delay=0.0,
        plan_time: float | Callable[[int], float] | None = None,
        honest=False,
        **config,
    ):
        settings = {"blend_time": 0.1, "plan_blend": 0.0, **config}
        self.executor = ActionExecutor(from_mapping(ExecutorConfig, settings), LIMITS, KP, KD, STAND)
        self.count = 0
        self.start, self.steady_start = start, 500.0
        self.pose, self.tilt, self.speed = MEASURED, 0.0, 0.0
        self.temperature = None
        self.plan_delay, self.planner, self.sensors = plan_delay, False, True
        self.plan_time, self.honest, self.grid = plan_time, honest, 8
        self.free_at: float = 0.0
        self.state = None
        self.in_flight = []
        self.next_id = 0
        self.session = 1

    @property
    def now(self):
        return self.start + self.count * TICK

    def measure(self):
        quat = np.array([math.cos(self.tilt / 2), math.sin(self.tilt / 2), 0.0, 0.0])
        speed, warmth = np.full(J, self.speed), None if self.temperature is None else np.full(J, self.temperature)
        return RobotState(self.now, np.zeros(3), quat, np.zeros(3), np.zeros(3), self.pose.copy(), speed, warmth)

    def plan(self, stamp, **changes):
        targets = np.repeat(stamp + STEP * np.arange(POINTS)[:, None], J, axis=1)
        plan = Plan(self.next_id, self.session, stamp, stamp, STEP, targets, POINTS, 0, stamp + POINTS * STEP)
        self.next_id += 1
        return replace(plan, **changes)

    def tick(self):
        self.count += 1
        if self.sensors:
            self.state = self.measure()
        if self.plan_time is not None:
            self.plan_slowly()
        elif self.planner and self.count % 8 == 0:
            self.in_flight.append((self.now + self.plan_delay, self.plan(self.now)))
        while self.in_flight and self.in_flight[0][0] <= self.now + 1e-9:
            verdict = self.executor.accept(self.in_flight.pop(0)[1], self.now)
            assert verdict is PlanVerdict.ACCEPTED or self.plan_time is not None
        return self.executor.tick(self.now, self.steady_start + self.count * TICK, self.state)

    def plan_slowly(self):
        if not self.planner or self.count % self.grid or self.now < self.free_at - 1e-9:
            return
        assert self.plan_time is not None
        took = self.plan_time(self.next_id) if callable(self.plan_time) else self.plan_time
        self.free_at = self.now + took
        first = min(math.ceil(took / STEP - 1e-9), POINTS - 1)
        changes: dict[str, float] = {"first_step": first}
        if self.honest:
            steps = math.ceil(took / 0.04 - 1e-9)
            self.grid = 8 * steps
            changes["successor_due"] = self.now + first * STEP + 0.04 * steps
        self.in_flight.append((self.free_at, self.plan(self.now, **changes)))

    def run(self, seconds):
        return [self.tick() for _ in range(round(seconds / TICK))]

    def hold(self):
        self.tick()
        assert self.executor.arm(self.now, self.state) == (True, Reason.BLENDING.sentence)
        self.run(0.15)
        assert self.executor.mode is ExecutorMode.HOLD
        return self

    def track(self):
        self.hold()
        self.planner = True
        self.run(0.4)
        assert self.executor.mode in (ExecutorMode.TRACKING, ExecutorMode.COASTING)
        return self


def is_damping(command: JointCommand) -> bool:
    """Whether a command has damping and nothing else."""
    return bool((command.kp == 0).all() and (command.tau_ff == 0).all() and (command.kd > 0).all())
