"""Flailing joints and hot motors, against figures worked out by hand."""

import math

import numpy as np
import pytest
from beyondmimic_diffusion.core.execution import ExecutorMode, JointTrip, JointTripConfig, JointTrips, Reason
from beyondmimic_diffusion.core.types import RobotState

from .bench import Bench

TICK = 0.005


def state(speeds=(0.0, 0.0, 0.0, 0.0), temperature=None):
    upright, zero = np.array([1.0, 0.0, 0.0, 0.0]), np.zeros(3)
    degrees = None if temperature is None else np.array(temperature, dtype=float)
    return RobotState(0.0, zero, upright, zero, zero, np.zeros(len(speeds)), np.array(speeds, dtype=float), degrees)


def trips(*ticks, **config):
    """Verdict of each tick, one every 5 ms."""
    guard = JointTrips(JointTripConfig(**config))
    return [guard.check(one, i * TICK) for i, one in enumerate(ticks)]


def test_three_joints_beyond_the_trip_speed_for_twenty_milliseconds_are_a_flail_whatever_their_direction():
    fast = state((21.0, -21.0, 21.0, 0.0))
    verdicts = trips(state(), *[fast] * 6)
    assert verdicts == [JointTrip.NONE] * 4 + [JointTrip.FLAIL] * 3  # calm last at 0 ms; 20 ms later is tick 4


def test_two_fast_joints_or_three_just_at_the_limit_are_none():
    assert set(trips(*[state((99.0, 99.0, 0.0, 0.0))] * 20)) == {JointTrip.NONE}
    assert set(trips(*[state((20.0, -20.0, 20.0, 20.0))] * 20)) == {JointTrip.NONE}


def test_a_calm_tick_between_starts_the_time_anew():
    fast = state((30.0, 30.0, 30.0, 30.0))
    assert set(trips(*([fast] * 3 + [state()]) * 10)) == {JointTrip.NONE}


def test_a_motor_is_hot_from_ninety_degrees_until_it_is_below_eighty_five():
    degrees = (89.9, 90.0, 86.0, 85.0, 84.9, 89.9, 90.0)
    verdicts = trips(*[state(temperature=(20.0, d, 20.0, 20.0)) for d in degrees])
    hot = [verdict is JointTrip.HOT for verdict in verdicts]
    assert hot == [False, True, True, True, False, False, True]


def test_motors_that_measure_no_temperature_are_not_hot_and_do_not_cool_others_down():
    guard = JointTrips()
    assert guard.check(state(temperature=[math.nan] * 4), 0.0) is JointTrip.NONE
    assert guard.check(state(temperature=[math.nan, 91.0, math.nan, 20.0]), TICK) is JointTrip.HOT
    assert guard.check(state(temperature=[math.nan] * 4), 2 * TICK) is JointTrip.HOT
    assert guard.check(state(), 3 * TICK) is JointTrip.HOT


def test_a_robot_that_flails_is_damped_and_says_why():
    bench = Bench().track()
    bench.speed = 25.0  # all three joints of the bench
    reports = [report for _, report in bench.run(0.05)]
    assert reports[-1].mode is ExecutorMode.DAMPING
    assert reports[-1].reason is Reason.OVERSPEED


def test_a_robot_with_a_hot_motor_is_damped_and_armed_again_only_when_it_has_cooled_down():
    bench = Bench().track()
    bench.temperature = 95.0
    assert bench.run(0.02)[-1][1].reason is Reason.TOO_HOT
    assert bench.executor.disarm()[0]
    bench.temperature = 87.0
    bench.run(0.02)
    ok, text = bench.executor.arm(bench.now, bench.state)
    assert not ok
    assert text == "a motor is too hot: 87 degC, below 85 needed; let it cool down"
    bench.temperature = 84.0
    bench.run(0.02)
    assert bench.executor.arm(bench.now, bench.state)[0]


@pytest.mark.parametrize("name", ["trip_speed", "hot"])
def test_limits_are_those_of_the_configuration(name):
    config = {"trip_speed": {"trip_speed": 5.0}, "hot": {"hot": 50.0, "cool": 45.0}}[name]
    one = state((6.0,) * 4, temperature=(55.0,) * 4)
    assert trips(*[one] * 6, **config)[-1] is {"trip_speed": JointTrip.FLAIL, "hot": JointTrip.HOT}[name]
