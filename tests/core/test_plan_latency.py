"""The planner reckons with what plans really take, in whole set-points, and not with every hiccup."""

import pytest
from beyondmimic_diffusion.core.plan_latency import PlanLatency, PlanPace


def after(latency, ages):
    for age in ages:
        latency.add(age)
    return latency.latency


def tracker():
    return PlanLatency(0.02, 0.02, 0.1)


def test_plans_in_time_or_a_little_late_change_nothing():
    assert after(tracker(), [0.016, 0.021, 0.024, 0.018] * 20) == 0.02


def test_a_planner_40_ms_late_is_reckoned_with_after_a_fifth_of_a_second():
    assert after(tracker(), [0.058] * 5) == pytest.approx(0.06)


def test_single_hiccups_are_not_believed():
    assert after(tracker(), ([0.016] * 9 + [0.2]) * 10) == 0.02


def test_it_comes_back_when_plans_are_fast_again_but_never_below_the_configured_latency():
    latency = tracker()
    assert after(latency, [0.075] * 10) == pytest.approx(0.08)
    assert after(latency, [0.005] * 60) == 0.02


def test_a_slow_start_is_forgotten_once_a_typical_plan_is_in_time():
    latency = tracker()
    assert after(latency, [0.037] * 6) == pytest.approx(0.04)
    assert after(latency, [0.015, 0.017, 0.016, 0.019, 0.024] * 10) == 0.02


def test_it_never_promises_more_than_was_trained():
    assert after(tracker(), [0.5] * 50) == pytest.approx(0.1)


def test_what_the_executor_measures_counts_from_when_it_is_told_and_the_age_when_sent_before_that():
    latency = tracker()
    for _ in range(10):
        latency.send(0.015)
    assert latency.latency == 0.02
    latency.tell(0.055)  # 40 ms on the way
    for _ in range(10):
        latency.send(0.015)
    assert latency.latency == pytest.approx(0.06)


def paced(times, pace=None):
    pace = pace or PlanPace(0.04)
    for time in times:
        pace.add(time)
    return pace.steps


@pytest.mark.parametrize(
    ("time", "steps"), [(0.01, 1), (0.04, 1), (0.06, 2), (0.08, 2), (0.1, 3), (0.12, 3), (0.16, 4), (0.2, 5), (0.5, 5)]
)
def test_a_planner_plans_on_every_step_on_which_it_is_ready(time, steps):
    assert paced([time] * 10) == steps


def test_a_planner_with_irregular_times_keeps_the_pace_that_nine_in_ten_allow():
    assert paced([0.02] * 8 + [0.1, 0.1] * 2 + [0.02] * 8 + [0.1, 0.1]) == 3
    assert paced(([0.02] * 24 + [0.1]) * 4) == 1


def test_a_planner_that_is_fast_again_returns_to_each_step_after_a_second():
    pace = PlanPace(0.04)
    assert paced([0.1] * 10, pace) == 3
    assert paced([0.02] * 19, pace) == 3  # of the newest 25, six are slow or unknown
    assert paced([0.02] * 50, pace) == 1
