"""One verdict about the stream of plans, on robot time that the test gives."""

import math

import numpy as np
import pytest
from beyondmimic_diffusion.core.timeline import PlanStream, StreamLimits, StreamVerdict
from beyondmimic_diffusion.core.types import Plan

LIMITS = StreamLimits()
DT, POINTS = 0.02, 16


def plan(number, stamp, first_step=0, session=1, due=None):
    targets = np.zeros((POINTS, 3))
    end = stamp + POINTS * DT
    return Plan(number, session, stamp, stamp, DT, targets, POINTS, first_step, end, successor_due=due)


def fed(period, count=40, latency=0.0, first_step=0, start=10.0, **changes):
    """A stream of plans, and when the newest one is used [s]."""
    stream, stamp = PlanStream(LIMITS), start
    for i in range(count):
        stamp = start + i * period
        stream.add(plan(i, stamp, first_step, **changes), stamp + latency)
    return stream, max(stamp + latency, stamp + first_step * DT)


def verdicts(stream, start, span):
    """Each verdict and when it is first given, after ``start``, looking every millisecond [ms]."""
    first = {}
    for i in range(round(span * 1000) + 1):
        first.setdefault(stream.verdict(start + 0.001 * i + 1e-9), i)
    return first


def test_without_plans_there_is_no_stream():
    stream = PlanStream(LIMITS)
    assert stream.verdict(10.0) is StreamVerdict.NONE
    assert math.isnan(stream.period) and math.isnan(stream.latency)


def test_a_stream_is_trusted_after_the_resume_time_and_not_before():
    stream, _ = fed(0.04, count=1)
    for i in range(1, 20):
        now = 10.0 + 0.04 * i
        stream.add(plan(i, now), now)
        trusted = now - 10.0 >= LIMITS.resume_time - 1e-6
        assert stream.verdict(now) is (StreamVerdict.TIMELY if trusted else StreamVerdict.RECOVERING)


def test_a_planner_that_stops_is_late_after_its_period_and_grace_and_lost_after_the_coast_limit():
    stream, newest = fed(0.04)
    first = verdicts(stream, newest, 0.3)
    assert first == {StreamVerdict.TIMELY: 0, StreamVerdict.LATE: 51, StreamVerdict.LOST: 141}


@pytest.mark.parametrize("period", [0.06, 0.08, 0.12, 0.16])
def test_a_slow_but_steady_planner_is_slow_and_never_late(period):
    stream, newest = fed(period, latency=period, first_step=round(period / DT))
    assert stream.period == pytest.approx(period) and stream.latency == pytest.approx(period)
    assert set(verdicts(stream, newest, period)) <= {StreamVerdict.SLOW, StreamVerdict.LOST}
    assert stream.verdict(newest + period - 0.001) is StreamVerdict.SLOW


def test_plans_that_do_not_cover_the_time_to_the_next_never_make_a_trusted_stream():
    stream = PlanStream(LIMITS)
    seen = set()
    for tick in range(4000):
        now = 10.0 + 0.001 * tick
        if tick % 180 == 0:
            stream.add(plan(tick, now - 0.18), now)
        seen.add(stream.verdict(now))
    assert seen <= {StreamVerdict.RECOVERING, StreamVerdict.LATE, StreamVerdict.LOST}


def test_a_plan_is_not_late_before_the_time_at_which_it_says_its_successor_is_due():
    stream, newest = fed(0.04)
    stream.add(plan(99, newest + 0.04, due=newest + 0.04 + 0.2), newest + 0.04)
    first = verdicts(stream, newest + 0.04, 0.32)
    assert first[StreamVerdict.LATE] == 211


def test_a_gap_is_followed_by_recovering_until_plans_have_come_for_the_resume_time():
    stream, newest = fed(0.04)
    back = newest + 0.4
    assert stream.verdict(back - 0.001) is StreamVerdict.LOST
    for i in range(20):
        now = back + 0.04 * i
        stream.add(plan(100 + i, now), now)
        expected = StreamVerdict.TIMELY if now - back >= LIMITS.resume_time - 1e-6 else StreamVerdict.RECOVERING
        assert stream.verdict(now) is expected


def test_a_single_hiccup_changes_nothing_of_what_is_expected():
    stream, newest = fed(0.04)
    stream.add(plan(99, newest + 0.1), newest + 0.1)
    assert stream.expected_period == pytest.approx(0.04)


def test_irregular_plans_are_expected_after_what_nine_in_ten_keep():
    rng, now, gaps = np.random.default_rng(3), 10.0, []
    stream = PlanStream(LIMITS)
    for i in range(60):
        stream.add(plan(i, now), now)
        gaps.append(rng.uniform(0.04, 0.14))
        now += gaps[-1]
    assert stream.expected_period == pytest.approx(np.percentile(gaps[-26:-1], 90))


def test_another_session_starts_a_stream_of_its_own():
    stream, newest = fed(0.12)
    stream.add(plan(0, newest + 0.12, session=2), newest + 0.12)
    assert math.isnan(stream.period)
    assert stream.verdict(newest + 0.12) is StreamVerdict.RECOVERING
