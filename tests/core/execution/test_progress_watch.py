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
