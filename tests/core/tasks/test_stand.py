"""Coming to a stand."""

from __future__ import annotations

import numpy as np
import pytest
from beyondmimic_diffusion.core.guidance.goals import JoystickGoal
from beyondmimic_diffusion.core.tasks import Stand, StandTaskConfig, TaskCode, TaskRefusedError, TaskStatus

from tests.reference.point_robot import PointRobot


def run(task: Stand, robot: PointRobot, speed_at) -> tuple:
    """Feed velocities along x until it ends; returns the last update and the time it took."""
    begin = robot.stamp
    while True:
        robot.velocity = np.array([speed_at(robot.stamp - begin), 0.0])
        update = task.update(robot.state())
        if update.done:
            return update, robot.stamp - begin
        assert robot.stamp - begin < 60.0
        np.testing.assert_array_equal(update.goals[0].vel_xy_c, (0.0, 0.0))
        robot.stamp += robot.dt


def test_it_is_done_when_the_mean_over_a_second_was_low_for_the_time_asked():
    """0.5 m/s until 2 s, then rest: the trapezoid mean falls below 0.15 at 2.7 s; half a second later it is done."""
    end, took = run(Stand(config=StandTaskConfig(hold_time=0.5)), PointRobot(), lambda t: 0.5 if t < 2.0 else 0.0)
    assert end.status is TaskStatus.SUCCEEDED
    assert took == pytest.approx(2.7 + 0.5, abs=0.05)
    assert isinstance(end.goals[0], JoystickGoal)


def test_a_step_in_between_starts_the_time_anew():
    config = StandTaskConfig(hold_time=2.0)
    _, calm = run(Stand(config=config), PointRobot(), lambda t: 0.0)
    _, disturbed = run(Stand(config=config), PointRobot(), lambda t: 0.6 if 1.5 < t < 2.0 else 0.0)
    assert calm == pytest.approx(3.0, abs=0.03)
    assert disturbed > 2.0 + 0.7 + 2.0  # the mean is low again 0.75 s after the step, then two seconds


def test_a_robot_that_keeps_walking_runs_into_the_time_limit():
    end, took = run(Stand(timeout=4.0), PointRobot(), lambda t: 0.3)
    assert end.code is TaskCode.TIMEOUT and took == pytest.approx(4.0, abs=0.03)
    assert end.distance == pytest.approx(0.3) and "0.30 m/s" in end.message


@pytest.mark.parametrize("timeout", [0.0, -1.0, float("nan")])
def test_a_time_limit_that_is_none_is_refused(timeout):
    with pytest.raises(TaskRefusedError, match="time above zero"):
        Stand(timeout=timeout)
