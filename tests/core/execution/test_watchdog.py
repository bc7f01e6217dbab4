"""Ages, falls, pauses and clock jumps, on a virtual pair of clocks."""

import math
from dataclasses import replace

import numpy as np
import pytest
from beyondmimic_diffusion.core.execution import Fall, StateHealth, Watchdog, WatchdogConfig, tilt_and_rate, tilt_angle
from beyondmimic_diffusion.core.rotations import quat_from_rotvec, quat_multiply
from beyondmimic_diffusion.core.types import RobotState

TICK = 0.005


def make_state(stamp, quat=(1.0, 0.0, 0.0, 0.0), ang_vel=(0.0, 0.0, 0.0)):
    return RobotState(
        stamp, np.zeros(3), np.asarray(quat, float), np.zeros(3), np.asarray(ang_vel, float), np.zeros(2), np.zeros(2)
    )


def pitched(angle, stamp=0.0, rate=0.0):
    return make_state(stamp, (math.cos(angle / 2), 0.0, math.sin(angle / 2), 0.0), (0.0, rate, 0.0))


def test_the_state_age_runs_from_the_last_new_stamp_and_not_from_the_last_message():
    watchdog, same = Watchdog(), make_state(1.0)
    reports = [watchdog.check(1.0 + i * TICK, 50.0 + i * TICK, same) for i in range(21)]
    assert [report.state_age for report in reports] == pytest.approx([i * TICK for i in range(21)])
    assert [report.health for report in reports][0:2] == [StateHealth.FRESH] * 2
    assert [report.health for report in reports][3:10] == [StateHealth.LATE] * 7  # from 10 ms
    assert [report.health for report in reports][11:20] == [StateHealth.STALE] * 9  # from 50 ms
    assert watchdog.check(1.101, 50.101, same).health is StateHealth.LOST  # from 100 ms


def test_before_the_first_state_it_is_lost():
    report = Watchdog().check(1.0, 1.0, None)
    assert (report.health, report.state_age) == (StateHealth.LOST, math.inf)


@pytest.mark.parametrize("field", ["root_quat_w", "root_ang_vel_w", "joint_pos", "joint_vel", "root_pos_w"])
def test_a_state_with_nan_counts_as_no_new_state_and_is_named(field):
    watchdog = Watchdog()
    watchdog.check(1.0, 1.0, make_state(1.0))
    broken = make_state(1.02)
    getattr(broken, field)[0] = np.nan
    report = watchdog.check(1.02, 1.02, broken)
    assert report.non_finite
    assert report.state_age == pytest.approx(0.02)
    assert watchdog.state is not None
    assert watchdog.state.stamp == 1.0


def test_while_the_simulation_is_paused_no_age_grows_and_afterwards_it_goes_on():
    watchdog, state = Watchdog(WatchdogConfig(pause_after=0.03)), make_state(1.0)
    watchdog.check(1.0, 10.0, state)
    during = [watchdog.check(1.0, 10.0 + i * TICK, state) for i in range(1, 2001)]
    assert during[-1].paused
    assert max(report.state_age for report in during) <= 0.03 + 1e-9
    after = watchdog.check(1.0 + TICK, 10.0 + 2001 * TICK, make_state(1.0 + TICK))
    assert (after.paused, after.jumped, after.health) == (False, False, StateHealth.FRESH)


@pytest.mark.parametrize(("step", "jumped"), [(-1.0, True), (-0.001, True), (0.0, False), (0.4, False), (0.6, True)])
def test_a_clock_that_runs_back_or_leaps_ahead_has_jumped(step, jumped):
    watchdog = Watchdog()
    watchdog.check(5.0, 1.0, make_state(5.0))
    assert watchdog.check(5.0 + step, 1.0 + TICK, None).jumped is jumped


def test_a_process_that_was_stopped_for_a_second_has_not_seen_a_jump():
    watchdog = Watchdog()
    watchdog.check(5.0, 1.0, make_state(5.0))
    assert not watchdog.check(6.0, 2.0, make_state(6.0)).jumped


def test_after_a_jump_back_states_with_smaller_stamps_are_new_again():
    watchdog = Watchdog()
    watchdog.check(5.0, 1.0, make_state(5.0))
    watchdog.check(0.1, 1.0 + TICK, make_state(5.0))
    watchdog.check(0.2, 1.08, make_state(0.2))
    assert watchdog.check(0.2 + TICK, 1.08 + TICK, make_state(0.2 + TICK)).health is StateHealth.FRESH


def test_a_state_that_arrives_out_of_order_is_not_new():
    watchdog = Watchdog()
    watchdog.check(5.0, 1.0, make_state(5.0))
    watchdog.check(5.005, 1.005, make_state(4.99))
    assert watchdog.state is not None
    assert watchdog.state.stamp == 5.0


@pytest.mark.parametrize(("angle", "falls"), [(44.0, False), (46.0, True), (-46.0, True)])
def test_a_tilt_beyond_the_limit_counts_once_it_has_lasted_the_tilt_time(angle, falls):
    watchdog = Watchdog(WatchdogConfig(tilt_time=0.06))
    watchdog.check(0.0, 0.0, make_state(0.0))
    falling = [
        watchdog.check(i * TICK, i * TICK, pitched(math.radians(angle), i * TICK)).fall is Fall.TILTED
        for i in range(1, 21)
    ]
    assert falling == [falls and i * TICK >= 0.06 - 1e-9 for i in range(1, 21)]


def test_a_short_tilt_is_forgiven_and_the_time_starts_anew():
    watchdog = Watchdog()
    angles = [0.0] + [1.0] * 11 + [0.5] + [1.0] * 11
    reports = [watchdog.check(i * TICK, i * TICK, pitched(a, i * TICK)) for i, a in enumerate(angles)]
    assert all(report.fall is Fall.NONE for report in reports)


@pytest.mark.parametrize(("rate", "fall"), [(5.0, Fall.FALLING), (3.0, Fall.NONE), (-5.0, Fall.NONE)])
def test_tilting_on_fast_is_a_fall_at_once_and_getting_up_fast_is_not(rate, fall):
    assert Watchdog().check(0.0, 0.0, pitched(math.radians(42.0), 0.0, rate)).fall is fall


def test_tilt_is_the_angle_of_a_pitch_or_roll_whatever_the_yaw():
    rng = np.random.default_rng(0)
    for _ in range(50):
        angle, heading = rng.uniform(0.0, 3.1), rng.uniform(-3.0, 3.0)
        axis = np.array([math.cos(heading), math.sin(heading), 0.0])
        quat = quat_multiply(quat_from_rotvec(angle * axis), quat_from_rotvec(np.array([0, 0, rng.uniform(-3, 3)])))
        assert tilt_angle(2.0 * quat) == pytest.approx(angle, abs=1e-12)


def test_tilt_rate_is_the_finite_difference_of_the_tilt():
    rng = np.random.default_rng(1)
    step = 1e-6
    for _ in range(50):
        quat = quat_from_rotvec(rng.normal(size=3))
        ang_vel = rng.normal(size=3)
        later = quat_multiply(quat_from_rotvec(step * ang_vel), quat)
        difference = (tilt_angle(later) - tilt_angle(quat)) / step
        assert tilt_and_rate(quat, ang_vel)[1] == pytest.approx(difference, abs=1e-4)


def test_a_state_object_passed_again_is_not_looked_at_twice():
    watchdog = Watchdog()
    state = make_state(1.0)
    watchdog.check(1.0, 1.0, state)
    assert watchdog.check(1.04, 1.04, replace(state)).state_age == pytest.approx(0.04)
