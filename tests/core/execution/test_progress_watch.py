"""A counter that stands still, on a virtual clock."""

import pytest
from beyondmimic_diffusion.core.execution.progress_watch import ProgressWatch

LOOK = 0.002


def first_alarm(watch, counter, looks):
    """Time of the first look that calls it stopped [s]; None if none does."""
    return next((i * LOOK for i in range(looks) if watch.stopped(counter(i * LOOK), 100.0 + i * LOOK)), None)


def test_a_counter_that_grows_every_five_milliseconds_is_never_called_stopped():
    assert first_alarm(ProgressWatch(0.05, 0.025), lambda t: int(t / 0.005), 5000) is None


@pytest.mark.parametrize("end", [0.1, 0.1234, 0.2])
def test_a_counter_that_stops_is_noticed_after_the_timeout_and_within_one_look_of_it(end):
    alarm = first_alarm(ProgressWatch(0.05, 0.025), lambda t: int(min(t, end) / 0.005), 500)
    last_step = int(end / 0.005) * 0.005
    assert last_step + 0.05 - 1e-9 <= alarm <= last_step + 0.05 + 2 * LOOK


def test_a_long_absence_of_the_watcher_is_not_held_against_the_other_process():
    watch = ProgressWatch(0.05, 0.025)
    watch.stopped(7, 0.0)
    assert not watch.stopped(7, 10.0)  # both stood still: a machine that was suspended
    assert watch.silence == pytest.approx(0.025)
    assert not watch.stopped(8, 10.002)
    assert watch.silence == 0.0


def test_after_a_reset_the_standstill_counts_anew():
    watch = ProgressWatch(0.05, 0.05)
    watch.stopped(7, 0.0)
    assert watch.stopped(7, 0.05)
    watch.reset()
    assert not watch.stopped(7, 0.06)


def test_a_counter_that_was_set_back_counts_as_progress():
    """A new executor begins at zero."""
    watch = ProgressWatch(0.05, 0.05)
    watch.stopped(1000, 0.0)
    watch.stopped(1000, 0.04)
    assert not watch.stopped(0, 0.06)


TICK, TIMEOUT, LATE = 0.005, 0.05, 0.0003
"""Of an executor; as shipped; by which a look comes after it was due [s]."""


def standstill_when_noticed(end, dated, phase=0.0):
    """Looks only when they are due; time from the last count to the look that calls it stopped [s], looks per second.

    Args:
        end: When counting ends [s].
        dated: Whether the clock of the counts is the looks' own.
        phase: Of the ticks against the looks [s].
    """
    watch, now, looks = ProgressWatch(TIMEOUT, 0.5 * TIMEOUT), 0.0, 0
    while True:
        looks += 1
        count = int((min(now, end) + phase) / TICK)
        raised_at = count * TICK - phase
        if watch.stopped(count, 100.0 + now, raised_at + (100.0 if dated else 5000.0)):
            return now - raised_at, looks / now
        now += watch.patience + LATE


@pytest.mark.parametrize("phase", [0.0, 0.0011, 0.0049])
@pytest.mark.parametrize("end", [0.5, 0.503, 0.5117, 0.5249])
def test_dated_counts_need_few_looks_and_a_standstill_is_noticed_at_the_timeout_itself(end, phase):
    standstill, rate = standstill_when_noticed(end, True, phase)
    assert TIMEOUT - 1e-9 <= standstill <= TIMEOUT + 2 * LATE
    assert rate < 60.0


@pytest.mark.parametrize("end", [0.5, 0.503, 0.5117, 0.5249])
def test_counts_dated_by_another_clock_are_looked_at_so_often_that_it_is_still_in_time(end):
    standstill, _ = standstill_when_noticed(end, False)
    assert TIMEOUT - 1e-9 <= standstill <= 0.06  # what docs/safety.md promises


def test_a_standstill_of_both_processes_is_not_held_against_the_other_though_its_count_is_old_by_then():
    watch = ProgressWatch(TIMEOUT, 0.5 * TIMEOUT)
    watch.stopped(7, 100.0, 99.999)
    assert not watch.stopped(8, 110.0, 100.002)  # counted once, then the machine was suspended
    assert watch.silence == 0.0
