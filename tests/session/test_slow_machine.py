"""What a report says of a machine that is too slow."""

import pytest
from beyondmimic_diffusion.session.slow_machine import slowed, too_slow


def report(**changes):
    known = {"plans": 1437, "plans_late": 0, "plan_compute_ms": {"p50": 33.0}, "real_time_factor": 1.0}
    return {**known, "pacing": "auto", **changes}


def test_late_plans_are_named_with_their_number_their_cost_and_what_to_do():
    text = too_slow(report(plans_late=283))
    assert "machine too slow: 283 of 1437 plans came late" in text
    assert "33 ms" in text and "LOCKSTEP=1" in text


@pytest.mark.parametrize("late", [0, 1, 28])
def test_a_hiccup_is_not_a_slow_machine(late):
    assert too_slow(report(plans_late=late)) == ""  # 2 % of 1437 are 28.7


def test_without_plans_nothing_is_said_of_the_machine():
    assert too_slow(report(plans=0)) == ""


def test_a_slowed_clock_is_said_but_not_where_it_was_asked_for():
    assert "0.54 of real time" in slowed(report(real_time_factor=0.54))
    assert slowed(report(real_time_factor=0.54, pacing="fixed")) == ""
    assert slowed(report(real_time_factor=None, pacing="lockstep")) == ""
    assert slowed(report(real_time_factor=0.99)) == ""
