"""The factor of ``pacing: auto`` in a made-up machine on a virtual clock: a plan takes so long, whatever time does."""

import numpy as np
import pytest

pytest.importorskip("mujoco", reason="the package of the simulator needs mujoco")

from beyondmimic_diffusion.sim.auto_pace import AutoPace  # noqa: E402

LATENCY, PERIOD, LOOK = 0.02, 0.04, 0.1
"""Of plans, and of a look at the factor [s]."""


def run(pace, seconds, plan_time, reached=lambda factor: factor):
    """Let ``seconds`` of the machine's time pass; ages of the plans that came, and factors at each look."""
    ages, factors, robot, next_plan = [], [], 0.0, 0.0
    for look in range(round(seconds / LOOK)):
        robot += LOOK * pace.factor
        while next_plan <= robot:
            ages.append(plan_time(look * LOOK) * pace.factor)
            pace.plan_came(ages[-1])
            next_plan += PERIOD
        factors.append(pace.update(LOOK, reached(pace.factor)))
    return np.array(ages), np.array(factors)


def test_a_machine_that_keeps_up_is_never_slowed():
    _, factors = run(AutoPace(1.0, LATENCY), 20.0, lambda t: 0.015)
    assert (factors == 1.0).all()


@pytest.mark.parametrize("plan_time", [0.025, 0.033, 0.06, 0.2])
def test_plans_that_take_too_long_are_in_time_within_two_seconds_and_stay_so(plan_time):
    pace = AutoPace(1.0, LATENCY)
    run(pace, 2.0, lambda t: plan_time)
    ages, factors = run(pace, 60.0, lambda t: plan_time)
    assert ages.max() <= LATENCY
    assert np.ptp(factors) == 0.0  # settled: no hunting
    assert factors[0] > 0.75 * LATENCY / plan_time  # no slower than need be


def test_it_goes_down_and_up_smoothly():
    pace = AutoPace(1.0, LATENCY)
    _, down = run(pace, 5.0, lambda t: 0.05)
    _, up = run(pace, 60.0, lambda t: 0.01)
    assert np.diff(np.log([1.0, *down])).min() >= -LOOK / 0.3 - 1e-9
    assert np.diff(np.log(up)).min() >= 0.0 and np.diff(np.log(up)).max() <= LOOK / 3.0 + 1e-9
    assert up[-1] == 1.0


def test_a_single_hiccup_changes_nothing():
    times = iter([0.3 if number in (200, 201) else 0.012 for number in range(1000)])
    _, factors = run(AutoPace(1.0, LATENCY), 30.0, lambda t: next(times))
    assert (factors == 1.0).all()


def test_noise_inside_the_margin_makes_no_waves():
    rng = np.random.default_rng(3)
    pace = AutoPace(1.0, LATENCY)
    run(pace, 10.0, lambda t: 0.033 + 0.003 * rng.uniform(-1, 1))
    ages, factors = run(pace, 60.0, lambda t: 0.033 + 0.003 * rng.uniform(-1, 1))
    assert factors.max() / factors.min() < 1.15
    assert np.mean(ages > LATENCY) < 0.01


def test_a_simulator_that_cannot_keep_up_is_not_driven_faster_than_it_runs():
    pace = AutoPace(1.0, LATENCY)
    _, factors = run(pace, 10.0, lambda t: 0.005, reached=lambda factor: min(factor, 0.6))
    assert factors[50:].min() >= 0.6 - 1e-9
    assert factors[50:].max() <= 0.6 / 0.92 * np.exp(LOOK / 3.0)  # one look too far


def test_the_factor_asked_for_is_never_exceeded():
    _, factors = run(AutoPace(0.5, LATENCY), 20.0, lambda t: 0.001)
    assert factors.max() == 0.5
