"""Holding bridges an interruption of a walk, and only for a while: a held pose does not balance."""

import numpy as np
import pytest
from beyondmimic_diffusion.core.execution import ExecutorMode, Reason

from tests.core.execution.bench import TICK, Bench, is_damping


def hold_times(trace, first):
    """When each tick of HOLD came, on the steady clock, after tick ``first`` [s]."""
    return [(i - first) * TICK for i, (_, report) in enumerate(trace) if report.mode is ExecutorMode.HOLD]


@pytest.mark.parametrize("limit", [0.1, 0.5])
def test_a_walk_interrupted_by_a_clock_jump_is_held_for_the_hold_limit_and_then_damped(limit):
    bench = Bench(hold_limit=limit).track()
    bench.planner = False
    bench.start -= 1.0
    trace = bench.run(1.0)
    assert hold_times(trace, 0) == pytest.approx(np.arange(round(limit / TICK) + 1) * TICK)
    assert (bench.executor.mode, bench.executor.reason) == (ExecutorMode.DAMPING, Reason.HOLD_LIMIT)
    assert is_damping(trace[-1][0])


def test_a_walk_interrupted_by_a_gap_in_the_state_is_damped_when_no_plan_follows_within_the_hold_limit():
    bench = Bench(**{"hold_limit": 0.2, "coast_limit": 0.0}).track()
    bench.sensors = False
    bench.tick()
    while bench.executor.mode is not ExecutorMode.HOLD:
        bench.tick()
    bench.executor.plans.reset()  # a new planner: the old plans are gone
    bench.planner, bench.sensors = False, True
    held = hold_times(bench.run(0.5), -1)
    assert held[-1] == pytest.approx(0.2)
    assert bench.executor.reason is Reason.HOLD_LIMIT


def test_a_robot_at_the_stand_pose_waits_for_its_first_plan_without_limit():
    bench = Bench(hold_limit=0.1).hold()
    assert all(report.mode is ExecutorMode.HOLD for _, report in bench.run(3.0))
    bench.start += 2.0  # not even a clock jump makes it an interrupted walk
    assert all(report.mode is ExecutorMode.HOLD for _, report in bench.run(1.0))


def test_a_hold_that_a_plan_ended_gives_the_next_one_its_full_time():
    bench = Bench(hold_limit=0.1).track()
    for _ in range(4):
        bench.start -= 1.0
        trace = bench.run(0.12)
        assert len(hold_times(trace, 0)) > 1 and trace[-1][1].mode is ExecutorMode.TRACKING


def test_a_pause_of_the_simulation_does_not_use_up_the_hold_limit():
    bench = Bench(hold_limit=0.2).track()
    bench.planner = False
    bench.start -= 1.0
    bench.run(0.05)
    frozen = bench.now, bench.state
    for _ in range(400):
        bench.steady_start += TICK
        bench.executor.tick(frozen[0], bench.steady_start + bench.count * TICK, frozen[1])
    assert bench.executor.mode is ExecutorMode.HOLD
    bench.planner = True
    bench.run(0.05)
    assert bench.executor.mode is ExecutorMode.TRACKING
