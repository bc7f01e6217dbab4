"""What an operator may ask of a robot that moves: to stand without plans, to go on, to damp."""

import pytest
from beyondmimic_diffusion.core.execution import ExecutorMode, Reason, SteppingController

from tests.core.execution.bench import STAND, Bench, J, is_damping

M = ExecutorMode


def bench_that_stands(**config):
    bench = Bench(**{"standing.min_load": 0.0, **config})
    bench.executor._standing = SteppingController(bench.executor._config.standing, lambda seen: STAND[:J], STAND, ())
    return bench


def test_told_to_stand_it_plays_no_plan_until_tracking_is_asked_for_and_then_at_once():
    bench = bench_that_stands().track()
    assert bench.executor.ask_for(M.RETURN_TO_STAND)[0]
    assert {report.mode for _, report in bench.run(2.0)} == {M.RETURN_TO_STAND}
    assert bench.executor.reason is Reason.TOLD_TO_STAND
    assert bench.executor.ask_for(M.TRACKING)[0]
    assert bench.tick()[1].mode is M.TRACKING


def test_told_to_stand_while_plans_are_lost_it_stays_when_they_come_again():
    bench = bench_that_stands().track()
    bench.planner = False
    bench.run(0.4)
    assert bench.executor.ask_for(M.RETURN_TO_STAND)[0]
    bench.planner = True
    assert {report.mode for _, report in bench.run(2.0)} == {M.RETURN_TO_STAND}


def test_a_wish_to_stand_does_not_outlive_the_walk_in_which_it_was_asked():
    bench = bench_that_stands().track()
    bench.executor.ask_for(M.RETURN_TO_STAND)
    bench.executor.disarm()
    bench.planner = False
    bench.hold()
    bench.planner = True
    bench.run(0.4)
    assert bench.executor.mode is M.TRACKING


def test_asked_for_damping_it_damps_until_it_is_disarmed():
    bench = bench_that_stands().track()
    assert bench.executor.ask_for(M.DAMPING)[0]
    trace = bench.run(0.5)
    assert {report.mode for _, report in trace} == {M.DAMPING}
    assert all(is_damping(command) for command, _ in trace)
    assert bench.executor.reason is Reason.TOLD_TO_DAMP


def test_a_robot_that_is_not_playing_is_asked_in_vain_and_told_what_to_do_first():
    bench = bench_that_stands()
    for prepare in (bench.tick, bench.hold, bench.executor.e_stop):
        prepare()
        before = bench.executor.mode
        for wish in (M.RETURN_TO_STAND, M.TRACKING, M.DAMPING):
            ok, text = bench.executor.ask_for(wish)
            assert not ok and before.name in text and "executor/arm" in text
        assert bench.executor.mode is before


@pytest.mark.parametrize("mode", [M.HOLD, M.E_STOP, M.DISARMED, 99])
def test_other_modes_cannot_be_asked_for_and_the_answer_names_those_that_can(mode):
    bench = bench_that_stands().track()
    ok, text = bench.executor.ask_for(mode)
    assert not ok
    assert all(name in text for name in ("RETURN_TO_STAND (6)", "TRACKING (4)", "DAMPING (7)"))
    assert bench.executor.mode in (M.TRACKING, M.COASTING)


def test_where_it_cannot_be_kept_standing_the_wish_is_refused_and_it_walks_on():
    bench = bench_that_stands().track()
    bench.tilt = 0.5
    bench.tick()
    ok, text = bench.executor.ask_for(M.RETURN_TO_STAND)
    assert not ok and "standing.enabled" in text
    assert bench.executor.mode in (M.TRACKING, M.COASTING)
