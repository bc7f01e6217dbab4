"""What the executor does with planners that need longer than a step, come irregularly or stop, in shipped settings."""

from itertools import pairwise

import numpy as np
import pytest
from beyondmimic_diffusion.core.execution import (
    ActionExecutor,
    ExecutorConfig,
    ExecutorMode,
    Reason,
    StandingConfig,
    StandingController,
)
from beyondmimic_diffusion.core.timeline import StreamVerdict

from tests.core.execution.bench import KD, KP, LIMITS, STAND, TICK, Bench

SETTLING = 2.0
"""A stream that nobody announced is known by then [s]."""


class Feet(StandingController):
    """Keeps standing wherever it is; what a walker does is of no concern here."""

    reason = Reason.STEPPING

    def observe(self, state, command, dt):
        pass

    def possible(self, state):
        return True

    def upright(self, state):
        return True

    def start(self, target):
        self.pose = np.array(target)

    def target(self, state, dt):
        return self.pose.copy()


def standing_bench(**settings):
    bench = Bench(**settings)
    bench.executor = ActionExecutor(ExecutorConfig(blend_time=0.1), LIMITS, KP, KD, STAND, Feet(StandingConfig()))
    bench.planner = True
    bench.run(1.0)
    assert bench.executor.arm(bench.now, bench.state)[0]
    return bench


def changes(trace):
    return sum(a.mode is not b.mode for (_, a), (_, b) in pairwise(trace))


@pytest.mark.parametrize("honest", [False, True])
@pytest.mark.parametrize("plan_time", [0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.16])
def test_a_steady_planner_that_needs_up_to_160_ms_is_tracked_without_a_change_of_mode(plan_time, honest):
    bench = standing_bench(plan_time=plan_time, honest=honest)
    bench.run(SETTLING)
    trace = bench.run(5.0)
    assert changes(trace) == 0 and bench.executor.mode is ExecutorMode.TRACKING
    slow = plan_time > 0.04
    assert {report.stream for _, report in trace} == {StreamVerdict.SLOW if slow else StreamVerdict.TIMELY}
    assert trace[-1][1].plan_period == pytest.approx(0.04 * np.ceil(plan_time / 0.04 - 1e-9))
    assert trace[-1][1].plan_latency == pytest.approx(plan_time, abs=TICK)


@pytest.mark.parametrize("plan_time", [0.2, 0.25, 0.3])
def test_a_planner_that_needs_longer_than_its_plans_are_trusted_leaves_the_robot_standing_for_good(plan_time):
    """A plan that comes at t + T is played until t + 320 ms at most, the next comes at t + 2 T or later."""
    bench = standing_bench(plan_time=plan_time)
    bench.run(SETTLING)
    trace = bench.run(5.0)
    assert {report.mode for _, report in trace} == {ExecutorMode.RETURN_TO_STAND}


def test_irregular_plans_are_tracked_and_only_real_gaps_are_coasted_through():
    """Nine in ten take 20 ms, one in ten 120 ms; a gap is real where the plan before has been due for too long."""
    bench = standing_bench(plan_time=lambda number: 0.12 if number % 10 == 9 else 0.02)
    bench.run(SETTLING)
    modes = [report.mode for _, report in bench.run(5.0)]
    assert set(modes) <= {ExecutorMode.TRACKING, ExecutorMode.COASTING}
    assert modes.count(ExecutorMode.COASTING) < 0.2 * len(modes)


def test_a_stay_in_the_stand_lasts_for_the_resume_time_after_the_planner_is_back():
    bench = standing_bench(plan_time=0.02)
    bench.run(SETTLING)
    bench.planner = False
    bench.run(0.5)
    assert bench.executor.mode is ExecutorMode.RETURN_TO_STAND
    bench.planner = True
    modes = [report.mode for _, report in bench.run(2.0)]
    waited = modes.index(ExecutorMode.TRACKING) * TICK
    assert waited == pytest.approx(StandingConfig().resume_time + 0.02, abs=0.05)
    assert set(modes[modes.index(ExecutorMode.TRACKING) :]) == {ExecutorMode.TRACKING}


@pytest.mark.parametrize("factor", [0.1, 0.5, 1.0])
def test_the_modes_are_those_of_full_speed_whatever_the_real_time_factor(factor):
    """The planner stops at 1 s and is back at 2 s, sensors fail at 4 s; only the steady clock differs."""
    slowed, full = standing_bench(plan_time=0.02), standing_bench(plan_time=0.02)
    modes = []
    for tick in range(1000):
        slowed.steady_start += TICK * (1.0 / factor - 1.0)
        for bench in (slowed, full):
            bench.planner, bench.sensors = not 200 <= tick < 400, tick < 800
        modes.append((slowed.tick()[1].mode, full.tick()[1].mode))
    assert all(a is b for a, b in modes)
    assert {ExecutorMode.TRACKING, ExecutorMode.RETURN_TO_STAND, ExecutorMode.DAMPING} <= {a for a, _ in modes}
