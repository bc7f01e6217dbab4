"""Pacing on a virtual clock."""

import pytest

pytest.importorskip("mujoco", reason="the package of the simulator needs mujoco")

from beyondmimic_diffusion.sim.pacer import Pacer  # noqa: E402


class Virtual:
    """A clock that only sleeping and working move."""

    def __init__(self):
        self.now = 50.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        assert seconds >= 0.0
        self.now += seconds


def run(pacer, clock, steps, work=0.0, dt=0.004):
    for _ in range(steps):
        clock.now += work
        pacer.wait(dt)


@pytest.mark.parametrize("factor", [0.25, 1.0, 4.0])
def test_simulated_time_passes_at_the_factor_whatever_the_work_takes_within_its_time(factor):
    clock = Virtual()
    pacer = Pacer(factor, clock, clock.sleep)
    run(pacer, clock, 500, work=0.0007)
    assert clock.now - 50.0 == pytest.approx(500 * 0.004 / factor)
    assert pacer.measured == pytest.approx(factor)


def test_a_short_delay_is_made_up_for():
    clock = Virtual()
    pacer = Pacer(1.0, clock, clock.sleep)
    run(pacer, clock, 100)
    clock.now += 0.05
    run(pacer, clock, 400)
    assert clock.now - 50.0 == pytest.approx(500 * 0.004)


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_time_never_leaps_to_make_up_for_a_delay(factor):
    clock = Virtual()
    pacer = Pacer(factor, clock, clock.sleep)
    run(pacer, clock, 100)
    clock.now += 0.08
    taken = []
    for _ in range(100):
        before = clock.now
        run(pacer, clock, 1)
        taken.append(clock.now - before)
    assert min(taken[1:]) == pytest.approx(0.004 / factor / 2.5)


def test_of_a_long_delay_only_a_tenth_of_a_second_is_made_up_for():
    clock = Virtual()
    pacer = Pacer(1.0, clock, clock.sleep)
    run(pacer, clock, 100)
    clock.now += 5.0
    run(pacer, clock, 900)
    assert clock.now - 50.0 == pytest.approx(1000 * 0.004 + 5.0 - 0.1, abs=0.005)  # one step of 4 ms


def test_work_that_takes_twice_its_time_shows_as_half_the_factor():
    clock = Virtual()
    pacer = Pacer(1.0, clock, clock.sleep)
    run(pacer, clock, 500, work=0.008)
    assert pacer.measured == pytest.approx(0.5)


def test_a_pause_is_neither_made_up_for_nor_measured():
    clock = Virtual()
    pacer = Pacer(1.0, clock, clock.sleep)
    run(pacer, clock, 100)
    clock.now += 30.0
    pacer.pause()
    run(pacer, clock, 100)
    assert clock.now == pytest.approx(50.0 + 30.0 + 200 * 0.004)
    assert pacer.measured == pytest.approx(1.0)
