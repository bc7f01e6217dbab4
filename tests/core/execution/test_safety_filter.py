"""Whatever goes in, what comes out is inside every limit."""

import numpy as np
import pytest
from beyondmimic_diffusion.core.execution import FilterVerdict, JointLimits, SafetyConfig, SafetyFilter
from beyondmimic_diffusion.core.types import JointCommand
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

JOINTS = 4
LIMITS = JointLimits(
    position_low=np.array([-1.0, -2.0, -0.5, -1.5]),
    position_high=np.array([1.5, 0.5, 0.5, 1.5]),
    velocity=np.array([20.0, 30.0, 20.0, 37.0]),
    effort=np.array([139.0, 88.0, 50.0, 5.0]),
    is_leg=np.array([True, True, False, False]),
)
CONFIG = SafetyConfig(position_margin=0.05, upper_body_rate=8.0, leg_rate_scale=1.0)
DT = 0.005
RATE = np.array([20.0, 30.0, 8.0, 8.0])
LOW, HIGH = LIMITS.position_low + 0.05, LIMITS.position_high - 0.05


def make_command(position, velocity=0.0, kp=40.0, kd=2.0, tau_ff=0.0):
    arrays = (
        np.broadcast_to(np.asarray(value, float), (JOINTS,)).copy() for value in (position, velocity, kp, kd, tau_ff)
    )
    return JointCommand(1.0, *arrays)


def torque(command, pos, vel):
    return command.tau_ff + command.kp * (command.position - pos) + command.kd * (command.velocity - vel)


def vectors(low, high):
    return hnp.arrays(np.float64, JOINTS, elements=st.floats(low, high))


anything = hnp.arrays(np.float64, JOINTS, elements=st.floats(allow_nan=True, allow_infinity=True))
poses = vectors(0.0, 1.0).map(lambda share: LOW + share * (HIGH - LOW))
stiffnesses = hnp.arrays(np.float64, JOINTS, elements=st.just(0.0) | st.floats(0.1, 500.0))
commands = st.builds(make_command, vectors(-10, 10), vectors(-20, 20), stiffnesses, vectors(0, 50), vectors(-300, 300))


@settings(deadline=None)
@given(anything, anything, anything, anything, anything, anything, anything, st.floats())
def test_no_input_whatever_leads_to_a_number_that_is_not_finite_or_a_negative_gain(p, v, kp, kd, tau, pos, vel, dt):
    safe, _ = SafetyFilter(LIMITS, CONFIG).filter(JointCommand(1.0, p, v, kp, kd, tau), pos, vel, dt)
    for array in (safe.position, safe.velocity, safe.kp, safe.kd, safe.tau_ff):
        assert np.isfinite(array).all()
    assert (safe.kp >= 0).all()
    assert (safe.kd >= 0).all()


@settings(deadline=None)
@given(commands, commands, poses, vectors(-40, 40))
def test_position_rate_and_torque_limits_hold_at_once_for_any_command_and_state(first, second, pos, vel):
    safety = SafetyFilter(LIMITS, CONFIG)
    before, _ = safety.filter(first, pos, vel, DT)
    safe, _ = safety.filter(second, pos, vel, DT)
    driven = second.kp > 0
    assert (safe.position[driven] >= LOW[driven] - 1e-9).all()
    assert (safe.position[driven] <= HIGH[driven] + 1e-9).all()
    assert (np.abs(safe.position - before.position)[driven] <= RATE[driven] * DT + 1e-9).all()
    assert (np.abs(torque(safe, pos, vel)) <= LIMITS.effort * (1 + 1e-6)).all()


@settings(deadline=None)
@given(commands, poses, vectors(-40, 40))
def test_filtering_twice_is_the_same_as_filtering_once(command, pos, vel):
    safety = SafetyFilter(LIMITS, CONFIG)
    once, _ = safety.filter(command, pos, vel, DT)
    twice, report = safety.filter(once, pos, vel, DT)
    for got, want in zip(vars(twice).values(), vars(once).values(), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-9)  # the torque bound has 1e-9 of rounding
    assert not report.refused


@settings(deadline=None)
@given(poses, vectors(-1, 1), vectors(-1, 1))
def test_inside_the_limits_nothing_is_changed(pos, share, vel):
    """Targets within the rate limit of the pose, gains so soft that 37 * 0.005 rad and 1 rad/s stay below 5 N m."""
    position = np.clip(pos + share * RATE * DT, LOW, HIGH)
    command = make_command(position, kp=10.0, kd=1.0)
    safe, report = SafetyFilter(LIMITS, CONFIG).filter(command, pos, vel, DT)
    for got, want in zip(vars(safe).values(), vars(command).values(), strict=True):
        np.testing.assert_array_equal(got, want)
    assert report.verdict is FilterVerdict.PASSED


def test_a_torque_clamp_moves_the_target_to_where_the_motor_just_saturates():
    safety = SafetyFilter(LIMITS, SafetyConfig(position_margin=0.0, leg_rate_scale=10.0))
    safe, report = safety.filter(
        make_command([1.0, 0.0, 0.0, 0.0], kp=200.0, kd=0.0), np.zeros(JOINTS), np.zeros(JOINTS), 1
    )
    assert safe.position[0] == pytest.approx(139.0 / 200.0)  # tau_max / kp
    assert report.clamped_torque == 1


def test_a_joint_too_fast_for_its_damping_is_braked_with_exactly_the_greatest_torque():
    vel = np.array([0.0, 0.0, 0.0, 10.0])
    safe, _ = SafetyFilter(LIMITS, CONFIG).filter(make_command(0.0, kp=0.0, kd=2.0), np.zeros(JOINTS), vel, DT)
    assert torque(safe, np.zeros(JOINTS), vel)[3] == pytest.approx(-5.0)


def test_a_negative_margin_lets_a_target_ask_for_torque_beyond_the_limit_by_that_much():
    safety = SafetyFilter(LIMITS, SafetyConfig(position_margin=-0.2))
    pos = np.array([1.49, 0.0, 0.0, 0.0])
    safe, report = safety.filter(make_command([5.0, 0.0, 0.0, 0.0]), pos, np.zeros(JOINTS), 1.0)
    assert safe.position[0] == pytest.approx(1.7)
    assert report.clamped_position == 1


def test_a_joint_found_outside_its_limits_is_led_back_at_the_rate_limit_and_not_thrown():
    pos = np.array([0.0, 0.0, 0.9, 0.0])  # limit 0.5, margin 0.05
    safe, _ = SafetyFilter(LIMITS, CONFIG).filter(make_command(0.0), pos, np.zeros(JOINTS), DT)
    assert safe.position[2] == pytest.approx(0.9 - 8.0 * DT)


@pytest.mark.parametrize("field", ["position", "velocity", "kp", "kd", "tau_ff"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_bad_number_in_a_command_makes_the_last_safe_command_go_on(field, value):
    safety = SafetyFilter(LIMITS, CONFIG)
    rest = np.zeros(JOINTS)
    good, _ = safety.filter(make_command(0.01), rest, rest, DT)
    bad = make_command(0.02)
    getattr(bad, field)[2] = value
    held, report = safety.filter(bad, rest, rest, DT)
    assert report.verdict is FilterVerdict.REFUSED_COMMAND
    np.testing.assert_array_equal(held.position, good.position)
    np.testing.assert_array_equal(held.kp, good.kp)


def test_a_bad_state_is_told_apart_from_a_bad_command():
    safety = SafetyFilter(LIMITS, CONFIG)
    bad = np.array([0.0, np.nan, 0.0, 0.0])
    assert safety.filter(make_command(0.0), bad, np.zeros(JOINTS), DT)[1].verdict is FilterVerdict.REFUSED_STATE
    assert safety.filter(make_command(0.0), np.zeros(JOINTS), bad, DT)[1].verdict is FilterVerdict.REFUSED_STATE


def test_a_bad_command_before_any_good_one_leaves_the_motors_without_torque():
    rest = np.zeros(JOINTS)
    safe, _ = SafetyFilter(LIMITS, CONFIG).filter(make_command(np.nan), rest, rest, DT)
    np.testing.assert_array_equal(torque(safe, rest, np.full(JOINTS, 3.0)), 0.0)


def test_counts_name_how_many_joints_each_limit_held_back():
    safety = SafetyFilter(LIMITS, CONFIG)
    _, report = safety.filter(make_command([5.0, 0.3, 0.0, 0.0], kp=10.0), np.zeros(JOINTS), np.zeros(JOINTS), DT)
    assert (report.clamped_position, report.clamped_rate, report.clamped_torque) == (1, 2, 0)
