"""What a long run's record says, against runs made up by hand; the run itself: ``make soak``."""

import pytest

from tests.soak.record import Change, Injection, Record, Sample, Span, as_page
from tests.soak.ticks import as_table

MIB_PER_HOUR = 36.0


def run(minutes=12.0, **values):
    """A sample every ten seconds; the planner grows steadily, the simulator only in its first minute."""
    samples = []
    for i in range(round(6 * minutes) + 1):
        t = 10.0 * i
        rss = {"diffusion_planner": 200.0 + MIB_PER_HOUR * t / 3600.0, "mujoco_sim": 100.0 + min(t, 60.0)}
        samples.append(Sample(t, rss, 9.0, 20.0, 12.0, 1.0, 1.0))
    return Record(samples=samples, **values)


def test_the_slope_of_memory_is_the_one_that_was_put_in_and_the_warm_up_does_not_count():
    slopes = run().slopes()
    assert slopes["diffusion_planner"] == pytest.approx(MIB_PER_HOUR)
    assert slopes["mujoco_sim"] == pytest.approx(0.0, abs=1e-6)


def test_a_leak_is_a_problem_of_a_long_run_and_nothing_can_be_said_of_it_in_a_short_one():
    assert run().problems() == ["diffusion_planner grows by 36 MiB/h"]
    assert run(minutes=5.0).problems() == []
    assert Record().slopes() == {}


def test_mode_changes_within_a_fault_or_an_operators_time_are_explained_and_others_are_not():
    changes = [
        Change(10.0, "TRACKING", "COASTING", "late"),
        Change(10.1, "COASTING", "TRACKING", "playing"),
        Change(15.0, "TRACKING", "HOLD", "robot state is too old to go on"),
        Change(15.1, "HOLD", "TRACKING", "playing"),
        Change(20.0, "TRACKING", "DAMPING", "lost"),
        Change(21.0, "TRACKING", "HOLD", "the clock jumped"),
        Change(30.0, "TRACKING", "DAMPING", "robot is tilted beyond the limit"),
    ]
    record = run(minutes=5.0, changes=changes, spans=[Span(19.5, 25.0, "planner_frozen")])
    assert record.unexplained() == [changes[-1]]
    assert record.bridged("HOLD") == 1  # the other one is the fault's
    assert record.bridged("COASTING") == 1
    assert record.problems() == ["unexplained at 30 s: TRACKING -> DAMPING (robot is tilted beyond the limit)"]


def test_a_reaction_that_did_not_come_is_a_problem_and_is_counted_in_the_page():
    injections = [
        Injection(5.0, "plan_nan", 0.02, ()),
        Injection(9.0, "plan_nan", None, ("not refused",)),
        Injection(12.0, "paused", 0.0, ()),
    ]
    record = run(minutes=5.0, injections=injections)
    assert record.problems() == ["plan_nan at 9 s: not refused"]
    page = as_page(record)
    assert "not passed" in page.splitlines()[0]
    assert "| plan_nan | 2 | 1 | 20 |" in page


def test_a_simulation_that_does_not_keep_up_in_calm_time_is_a_problem_and_one_slowed_by_a_fault_is_none():
    slow = [Sample(s.t, s.rss, 9.0, 20.0, 12.0, 1.0, 0.6 if 100 <= s.t <= 200 else 1.0) for s in run(5.0).samples]
    assert Record(samples=slow).problems() == ["slower than real time in 35 % of the calm time"]
    assert Record(samples=slow, spans=[Span(95.0, 205.0, "slow_clock")]).problems() == []


def test_the_table_of_ticks_is_in_milliseconds():
    late = {"count": 1000, "p50": 1e-4, "p99": 0.0021, "p999": 0.0052, "max": 0.0123}
    table = as_table({"busy planner": {"stages": {"late": late}, "missed_ticks": 2, "real_time_factor": 0.998}})
    assert "| busy planner | 1000 | 0.1 | 2.1 | 5.2 | 12.3 | 2 | 1.00 |" in table
