"""Sticks, limits, and commands that die."""

import math

import pytest
from beyondmimic_diffusion.core.errors import GoalError
from beyondmimic_diffusion.core.guidance.teleop import CommandPace, JoyConfig, JoyMapping, VelocityLimits, VelocityTask
from hypothesis import given
from hypothesis import strategies as st

LIMITS = VelocityLimits(forward=0.8, backward=0.4, lateral=0.3, yaw_rate=1.0)
JOY = JoyConfig(enable_button=0, turbo_button=1, axis_forward=0, axis_left=1, axis_turn=2, slow=0.5, dead_zone=0.2)


def at_rest(joy):
    joy.velocity([0.0, 0.0, 0.0], [0, 0])
    return joy


@given(st.tuples(*[st.floats(allow_nan=False, allow_infinity=False)] * 3))
def test_a_finite_command_is_cut_to_the_limits_and_not_changed_within_them(velocity):
    vx, vy, wz = LIMITS.clip(velocity)
    assert -0.4 <= vx <= 0.8
    assert abs(vy) <= 0.3
    assert abs(wz) <= 1.0
    assert LIMITS.clip((vx, vy, wz)) == (vx, vy, wz)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", range(3))
def test_a_command_that_is_not_finite_is_refused(place, bad):
    velocity = [0.1, 0.1, 0.1]
    velocity[place] = bad
    with pytest.raises(GoalError, match="every component must be finite"):
        LIMITS.clip(velocity)


@pytest.mark.parametrize(
    ("stick", "speed"),
    [(0.0, 0.0), (0.2, 0.0), (0.6, 0.5 * 0.5 * 0.8), (1.0, 0.5 * 0.8), (-1.0, -0.5 * 0.4), (7.0, 0.5 * 0.8)],
)
def test_a_stick_counts_from_its_dead_zone_on_and_reaches_half_the_limit_at_its_end(stick, speed):
    velocity = at_rest(JoyMapping(JOY, LIMITS)).velocity([stick, 0.0, 0.0], [1, 0])
    assert velocity == pytest.approx((speed, 0.0, 0.0))


def test_the_turbo_button_gives_the_whole_limit():
    assert at_rest(JoyMapping(JOY, LIMITS)).velocity([1.0, 1.0, -1.0], [1, 1]) == pytest.approx((0.8, 0.3, -1.0))


def test_without_the_dead_man_or_before_the_pad_was_at_rest_nothing_is_commanded():
    joy = JoyMapping(JOY, LIMITS)
    assert joy.velocity([1.0, 0.0, 0.0], [1, 0]) is None
    assert joy.velocity([1.0, 0.0, 0.0], [0, 0]) is None
    assert joy.velocity([1.0, 0.0, 0.0], [1, 0]) is None
    at_rest(joy)
    assert joy.velocity([1.0, 0.0, 0.0], [0, 0]) is None
    assert joy.velocity([1.0, 0.0, 0.0], [1, 0]) is not None


def test_a_pad_with_too_few_axes_is_refused_and_says_what_it_has():
    with pytest.raises(GoalError, match="joy has 2 axes and 2 buttons"):
        JoyMapping(JOY, LIMITS).velocity([0.0, 0.0], [0, 0])


def test_a_command_lives_for_its_timeout_exactly_and_is_then_the_wish_to_stand():
    task = VelocityTask(0.5)
    task.command((0.4, 0.1, 0.2), now=10.0)
    goal = task.goal(now=10.2, stamp=3.0)
    assert tuple(goal.vel_xy_c) == (0.4, 0.1)
    assert float(goal.yaw_rate) == 0.2
    assert goal.expires == pytest.approx(3.3)
    assert task.active(10.499)
    assert not task.active(10.5)
    standing = task.goal(now=10.5, stamp=3.3)
    assert tuple(standing.vel_xy_c) == (0.0, 0.0)
    assert standing.expires == math.inf


def test_a_renewed_command_lives_on_and_a_stopped_one_does_not():
    task = VelocityTask(0.5)
    task.command((0.4, 0.0, 0.0), now=0.0)
    task.command((0.4, 0.0, 0.0), now=0.4)
    assert task.remaining(0.7) == pytest.approx(0.2)
    task.stop()
    assert not task.active(0.7)


def test_commands_are_forwarded_at_once_but_at_most_once_a_period():
    pace = CommandPace(0.02)
    assert pace.wait(5.0) == 0.0
    assert pace.wait(5.005) == pytest.approx(0.015)
    assert pace.wait(5.015) == pytest.approx(0.005)
    assert pace.wait(5.021) == 0.0
    assert pace.wait(5.03) == pytest.approx(0.011)
    assert pace.wait(9.0) == 0.0
