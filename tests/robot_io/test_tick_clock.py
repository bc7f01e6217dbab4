"""Ticks of a robot, with made-up delays and clocks, to times on ours."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="robot_io speaks ROS 2")

from beyondmimic_diffusion.robot_io.tick_clock import TickClock  # noqa: E402

OFFSET = 1234.5
"""Our clock when the robot's tick was 0 [s]."""
MILLISECOND = 1e-3


def stream(rng, seconds: float, drift: float = 0.0, first_tick: int = 0):
    """(tick as sent, true time of measurement, time of arrival) at 500 Hz; delays 0.2 ms and more, mostly little."""
    for n in range(int(500 * seconds)):
        measured = OFFSET + 2e-3 * n
        tick = first_tick + int(2 * n * (1.0 + drift))
        yield tick % 2**32, measured, measured + 2e-4 + rng.exponential(1e-3)


def errors(clock: TickClock, messages) -> np.ndarray:
    return np.array([clock.stamp(tick, received) - measured for tick, measured, received in messages])


def test_jitter_of_the_network_leaves_only_the_least_delay(rng):
    found = errors(TickClock(), stream(rng, 20.0))[500:]  # after a second
    assert found.min() >= 2e-4 - 1e-9  # nothing arrives before it was measured
    assert found.max() < 2e-4 + 0.05 * MILLISECOND  # 500 delays: the least is within 1 ms / 500 of the bound, x 25


@pytest.mark.parametrize("drift", [-50e-6, 50e-6], ids=["slow", "fast"])
def test_a_robots_clock_that_runs_slow_or_fast_is_followed(rng, drift):
    found = errors(TickClock(window=10.0), stream(rng, 300.0, drift))[5000:]
    # without following: 300 s x 50e-6 = 15 ms; the window leaves 10 s x 50e-6, ticks are cut to milliseconds
    assert np.abs(found).max() < 10.0 * 50e-6 + MILLISECOND + 0.3 * MILLISECOND


def test_time_goes_on_when_the_ticks_wrap(rng):
    whole = list(stream(np.random.default_rng(1), 4.0))
    wrapping = list(stream(np.random.default_rng(1), 4.0, first_tick=2**32 - 2000))
    assert wrapping[0][0] > wrapping[-1][0]
    np.testing.assert_allclose(errors(TickClock(), wrapping), errors(TickClock(), whole), atol=1e-8)


def test_stamps_rise_with_the_ticks_whatever_the_delays(rng):
    clock = TickClock()
    stamps = [clock.stamp(tick, received) for tick, _, received in stream(rng, 5.0)]
    assert (np.diff(stamps) > 0.0).all()


def test_the_same_tick_has_the_same_stamp():
    clock = TickClock()
    clock.stamp(1000, OFFSET + 1.0)
    first = clock.stamp(1002, OFFSET + 1.002)
    assert clock.stamp(1002, OFFSET + 1.010) == pytest.approx(first, abs=1e-12)


def test_an_overtaken_message_is_stamped_where_it_belongs():
    clock = TickClock()
    for tick in (0, 2, 4, 8):
        clock.stamp(tick, OFFSET + tick * MILLISECOND)
    assert clock.stamp(6, OFFSET + 9 * MILLISECOND) == pytest.approx(OFFSET + 6 * MILLISECOND, abs=1e-9)
    assert clock.stamp(10, OFFSET + 10 * MILLISECOND) == pytest.approx(OFFSET + 10 * MILLISECOND, abs=1e-9)


def test_a_robot_that_starts_anew_is_followed_at_once():
    clock = TickClock()
    for tick in range(50_000, 60_000, 2):
        clock.stamp(tick, OFFSET + tick * MILLISECOND)
    received = OFFSET + 100.0
    assert clock.stamp(7, received) == pytest.approx(received)
    assert clock.restarts == 1
    assert clock.stamp(9, received + 0.002) == pytest.approx(received + 0.002)
