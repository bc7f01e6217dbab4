"""The planner reckons with what plans really take, in whole set-points, and not with every hiccup."""

import pytest
from beyondmimic_diffusion.core.plan_latency import PlanLatency


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
