"""Robot time between the times it is told, on a virtual steady clock and under several threads."""

import threading

import pytest
from beyondmimic_diffusion.core.timeline import Clock


class Steady:
    def __init__(self):
        self.now, self.meanwhile = 100.0, []

    def __call__(self):
        if self.meanwhile:
            self.meanwhile.pop()()
        return self.now


def told(clock, steady, stamp, step, after):
    steady.now += after
    return clock.tell(stamp, step)


@pytest.fixture
def slow():
    """A clock that is told 8 ms every 16 ms, and its steady clock; the newest told time is 10.0."""
    steady = Steady()
    clock = Clock(8.4, steady)
    for i in range(1, 201):
        told(clock, steady, 8.4 + 0.008 * i, 0.008, 0.016)
    return clock, steady


def test_robot_time_runs_on_at_the_told_rate_and_by_one_step_at_most(slow):
    clock, steady = slow
    steady.now += 0.004
    assert clock.robot_time() == pytest.approx(10.002, abs=1e-6)
    steady.now += 5.0
    assert clock.robot_time() == pytest.approx(10.008, abs=1e-9)


def test_messages_that_come_late_and_early_do_not_make_it_fast():
    steady = Steady()
    clock = Clock(0.0, steady)
    for i in range(1, 201):
        told(clock, steady, 0.02 * i, 0.02, 0.035 if i % 2 else 0.005)
    # the mean of the two rates is 2.3; smoothing leaves a tenth of each deviation of 0.75, over 1 + 0.9
    assert clock.rate == pytest.approx(1.0, abs=0.05)


def test_after_a_pause_it_runs_nearly_as_fast_as_before(slow):
    clock, steady = slow
    told(clock, steady, 10.008, 0.008, 60.0)
    # one step of four times the usual length in a mean with a share of a tenth: 0.5 / (0.9 + 0.4)
    assert clock.rate == pytest.approx(0.5 / 1.3, rel=1e-6)


def test_it_never_runs_back_when_less_is_told_than_was_read(slow):
    clock, steady = slow
    steady.now += 0.016
    read = clock.robot_time()
    told(clock, steady, 10.001, 0.001, 0.0)
    assert clock.robot_time() == read


@pytest.mark.parametrize(("stamp", "jumped"), [(9.0, True), (10.6, True), (10.4, False)])
def test_steps_back_and_leaps_beyond_half_a_second_are_jumps(slow, stamp, jumped):
    clock, steady = slow
    assert told(clock, steady, stamp, stamp - 10.0, 0.016) is jumped


def test_a_jump_taken_while_another_thread_reads_leaves_nothing_of_the_old_time(slow):
    clock, steady = slow
    steady.meanwhile.append(lambda: clock.tell(0.0, -10.0))
    assert clock.robot_time() in (0.0, pytest.approx(10.0))
    for i in range(1, 6):
        told(clock, steady, 0.008 * i, 0.008, 0.008)
        assert clock.robot_time() == pytest.approx(0.008 * i)


def test_readers_in_other_threads_see_time_run_back_only_at_resets():
    """Each line of time is told in its own thousand; a reader must never see an older line, nor run back in one."""
    clock, stop, bad = Clock(0.0), threading.Event(), []

    def read():
        last = 0.0
        while not stop.is_set():
            now = clock.robot_time()
            if now < last and int(now // 1000) == int(last // 1000):
                bad.append((last, now))
            last = now

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for line in (1, 3, 2, 1, 5):
        clock.tell(1000.0 * line, -1.0)
        for i in range(1, 400):
            clock.tell(1000.0 * line + 0.008 * i, 0.008)
        assert clock.robot_time() == pytest.approx(1000.0 * line + 0.008 * 399, abs=0.0081)
    stop.set()
    for reader in readers:
        reader.join()
    assert bad == []
