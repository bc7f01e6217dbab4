"""Goals are checked when they are made."""

from __future__ import annotations

import math

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import GoalError
from beyondmimic_diffusion.core.guidance.goals import (
    HeadingGoal,
    JoystickGoal,
    KeyframeGoal,
    ObstacleScene,
    WaypointGoal,
)

FEET = ("left_foot", "right_foot")


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: JoystickGoal((math.nan, 0.0)), "vel_xy_c .* not finite"),
        (lambda: JoystickGoal((0.0, 0.0), math.inf), "yaw_rate .* not finite"),
        (lambda: JoystickGoal((30.0, 0.0)), "too large; allowed is up to 3.0 m/s"),
        (lambda: JoystickGoal((0.1, 0.0), 57.0), "up to 4.0 rad/s"),
        (lambda: JoystickGoal((0.1, 0.0, 0.0)), r"shape \(3,\); right is \(2,\)"),
        (lambda: JoystickGoal("fast"), "not numeric"),
        (lambda: JoystickGoal(expires=math.nan), "expires is NaN"),
        (lambda: WaypointGoal((math.nan, 1.0)), "position_xy_w .* not finite"),
        (lambda: WaypointGoal((1.0, 1.0), heading_w=90.0), "heading_w .* too large"),
        (lambda: HeadingGoal(math.nan), "heading_w .* not finite"),
        (lambda: ObstacleScene(stamp=math.nan), "stamp"),
        (lambda: KeyframeGoal((), ()), "at least one name"),
        (lambda: KeyframeGoal(FEET, np.zeros((1, 3))), r"shape \(1, 3\); right is \(2, 3\)"),
        (lambda: KeyframeGoal(FEET, np.full((2, 3), np.nan)), "not finite"),
        (lambda: KeyframeGoal(FEET, np.zeros((2, 3)), frame="map"), "allowed are"),
        (lambda: KeyframeGoal(FEET, np.zeros((2, 3)), due=math.inf), "must be finite"),
    ],
)
def test_a_goal_that_cannot_be_served_says_what_is_wrong(make, text):
    with pytest.raises(GoalError, match=text):
        make()


def test_a_goal_expires_at_its_stamp_and_not_before():
    goal = JoystickGoal((0.3, 0.0), 0.1, expires=2.5)
    assert not goal.expired(2.4999)
    assert goal.expired(2.5)
    assert not JoystickGoal((0.3, 0.0)).expired(1e9)


def test_a_goal_keeps_its_own_copy_of_the_operators_array():
    velocity = np.array([[0.3, 0.0], [0.1, 0.2]])
    goal = JoystickGoal(velocity, np.array([0.1, 0.2]))
    velocity[:] = 9.0
    np.testing.assert_array_equal(goal.vel_xy_c, [[0.3, 0.0], [0.1, 0.2]])
    with pytest.raises(ValueError, match="read-only"):
        goal.vel_xy_c[0, 0] = 9.0
