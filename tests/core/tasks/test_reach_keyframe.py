"""Poses at given times."""

from __future__ import annotations

import math

import numpy as np
import pytest
from beyondmimic_diffusion.core.guidance.goals import JoystickGoal, KeyframeGoal
from beyondmimic_diffusion.core.tasks import KeyframeTaskConfig, ReachKeyframe, TaskCode, TaskRefusedError, TaskStatus

from tests.reference.point_robot import PointRobot

NAMES = ("left_hand", "right_hand", "head")
LOCAL = np.array([[0.2, 0.3, 0.1], [0.2, -0.3, 0.1], [0.0, 0.0, 0.5]])


class Body:
    """Key points fixed to a point robot, each moved by an error that a test sets [m]."""

    def __init__(self):
        self.error = np.zeros((3, 3))

    def __call__(self, state) -> np.ndarray:
        yaw = 2.0 * math.atan2(state.root_quat_w[3], state.root_quat_w[0])
        turn = np.array([[math.cos(yaw), -math.sin(yaw), 0.0], [math.sin(yaw), math.cos(yaw), 0.0], [0.0, 0.0, 1.0]])
        return state.root_pos_w + (LOCAL + self.error) @ turn.T


def run(task: ReachKeyframe, robot: PointRobot, body: Body, error_at=lambda t: 0.0):
    """Let the first key point be off by ``error_at`` the stamp along z; returns the updates."""
    updates = []
    while not updates or not updates[-1].done:
        body.error[0, 2] = error_at(robot.stamp)
        updates.append(task.update(robot.state()))
        robot.stamp += robot.dt
        assert robot.stamp < 120.0
    return updates


def goal(due: float = 101.0, **arguments) -> KeyframeGoal:
    return KeyframeGoal(NAMES[:2], LOCAL[:2], due=due, **arguments)


def test_a_pose_taken_up_in_time_counts_wherever_the_robot_stands_and_faces():
    body, robot = Body(), PointRobot((3.0, -2.0), yaw=2.5)
    task = ReachKeyframe(goal(), body, NAMES)
    updates = run(task, robot, body, lambda t: 1.0 if t < 100.9 else 0.0)
    assert updates[-1].status is TaskStatus.SUCCEEDED
    assert task.errors == pytest.approx([0.0], abs=1e-9)
    assert updates[0].distance == pytest.approx(0.5)  # the mean of 1 m and 0 m
    assert updates[0].goals[-1].due == 101.0 and isinstance(updates[0].goals[0], JoystickGoal)
    assert updates[0].predicted_time == pytest.approx(1.0 + KeyframeTaskConfig().window)


def test_a_place_in_the_world_is_missed_by_a_robot_that_stands_elsewhere():
    body, robot = Body(), PointRobot((3.0, -2.0))
    there = KeyframeGoal(NAMES, LOCAL + np.array([3.0, -2.0, 0.76]), due=100.5, frame="world")
    assert run(ReachKeyframe(there, body, NAMES), robot, body)[-1].status is TaskStatus.SUCCEEDED
    task, away = ReachKeyframe(there, body, NAMES), PointRobot((3.0, -1.0))
    end = run(task, away, body)[-1]
    assert end.code is TaskCode.MISSED and task.errors == pytest.approx([1.0])


def test_what_is_judged_is_the_mean_over_the_time_the_pose_is_to_be_held():
    """0.4 m for the second half of the hold: 0.2 m on one of two points over time, so 0.1 m in the mean."""
    body = Body()

    def late(t):
        return 0.4 if t >= 101.5 else 0.0

    task = ReachKeyframe(goal(hold=1.0), body, NAMES, config=KeyframeTaskConfig(position_tolerance=0.12))
    assert run(task, PointRobot(), body, late)[-1].status is TaskStatus.SUCCEEDED
    assert task.errors == pytest.approx([0.1], abs=0.01)  # one sample of 51
    strict = ReachKeyframe(goal(hold=1.0), body, NAMES, config=KeyframeTaskConfig(position_tolerance=0.08))
    end = run(strict, PointRobot(), body, late)[-1]
    assert end.code is TaskCode.MISSED and "missed by 0.10 m" in end.message
    assert end.distance == pytest.approx(0.1, abs=0.01)


def test_a_pose_taken_up_too_early_or_too_late_is_missed():
    for error_at in (lambda t: 1.0 if t > 100.9 else 0.0, lambda t: 1.0 if t < 101.2 else 0.0):
        body = Body()
        assert run(ReachKeyframe(goal(), body, NAMES), PointRobot(), body, error_at)[-1].code is TaskCode.MISSED


def test_several_poses_are_asked_for_one_after_the_other():
    body, walk = Body(), JoystickGoal((0.3, 0.0))
    task = ReachKeyframe([goal(101.0), goal(102.0), goal(103.0)], body, NAMES, base=(walk,))
    robot = PointRobot()
    updates = run(task, robot, body)
    asked = [update.goals[-1].due for update in updates[:-1]]
    assert asked == sorted(asked) and set(asked) == {101.0, 102.0, 103.0}
    assert asked.count(101.0) == pytest.approx((1.0 + KeyframeTaskConfig().window) / 0.02, abs=1)
    assert all(update.goals[0] is walk for update in updates)
    assert len(task.errors) == 3 and updates[-1].status is TaskStatus.SUCCEEDED


def test_the_first_pose_missed_ends_it():
    body = Body()
    task = ReachKeyframe([goal(101.0), goal(102.0)], body, NAMES)
    end = run(task, PointRobot(), body, lambda t: 1.0)[-1]
    assert end.code is TaskCode.MISSED and "keyframe 0 of 2" in end.message and len(task.errors) == 1


@pytest.mark.parametrize(
    ("make", "code", "text"),
    [
        (lambda: ReachKeyframe([], Body(), NAMES), TaskCode.INVALID_GOAL, "at least one"),
        (lambda: ReachKeyframe(goal(), Body(), ("tail",)), TaskCode.INVALID_GOAL, "known are"),
        (lambda: ReachKeyframe(goal(), Body(), NAMES, now=102.0), TaskCode.STALE_CLOCK, "102.00 s already"),
        (lambda: ReachKeyframe([goal(), goal(101.05)], Body(), NAMES), TaskCode.INVALID_GOAL, "before the one"),
        (lambda: ReachKeyframe([goal(), goal(100.0)], Body(), NAMES), TaskCode.INVALID_GOAL, "before the one"),
    ],
)
def test_keyframes_that_make_no_sense_are_refused_with_their_code(make, code, text):
    with pytest.raises(TaskRefusedError, match=text) as caught:
        make()
    assert caught.value.code is code
