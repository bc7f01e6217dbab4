"""A clip is begun from a stand, followed where the robot stands, and judged by its pose."""

from __future__ import annotations

import math

import numpy as np
import pytest
from beyondmimic_diffusion.core.guidance.clip import Clip, ClipGoal
from beyondmimic_diffusion.core.guidance.goals import JoystickGoal
from beyondmimic_diffusion.core.state import StateSequence
from beyondmimic_diffusion.core.tasks import (
    ClipTaskConfig,
    FinishClip,
    PlayClip,
    TaskCode,
    TaskRefusedError,
    TaskStatus,
)

from tests.reference.point_robot import PointRobot

LENGTH, DT = 51, 0.04
LOCAL = np.array([[0.2, 0.3, 0.1], [0.2, -0.3, 0.1], [0.0, 0.0, 0.5]])


def raised(time: float) -> np.ndarray:
    """Local key points: the first one rises by 0.2 m a second."""
    points = LOCAL.copy()
    points[0, 2] += 0.2 * time
    return points


@pytest.fixture(scope="module")
def clip() -> Clip:
    """Two seconds, somewhere else in the world, facing along y."""
    turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    root = np.tile([5.0, 7.0, 0.76], (LENGTH, 1))
    quat = np.tile([math.cos(math.pi / 4), 0.0, 0.0, math.sin(math.pi / 4)], (LENGTH, 1))
    points = np.stack([r + raised(i * DT) @ turn.T for i, r in enumerate(root)])
    z3, zj = np.zeros((LENGTH, 3)), np.zeros((LENGTH, 29))
    states = StateSequence(root, quat, z3, z3, zj, zj, points, np.zeros_like(points))
    return Clip("raise", states, DT, tuple("abcdefghijklmnopqrstuvwxyzABC"), ("l", "r", "h"))


def play(task: PlayClip, robot: PointRobot, error: float = 0.0):
    """A robot that stands still and has the clip's pose of the moment, but for an error on all points [m]."""
    updates = []
    yaw = robot.yaw
    turn = np.array([[math.cos(yaw), -math.sin(yaw), 0.0], [math.sin(yaw), math.cos(yaw), 0.0], [0.0, 0.0, 1.0]])

    def key_points(state) -> np.ndarray:
        time = 0.0 if task.goal is None else max(0.0, state.stamp - task.goal.start)
        return state.root_pos_w + raised(time) @ turn.T + [0.0, 0.0, error]

    task._key_points = key_points
    while not updates or not updates[-1].done:
        updates.append(task.update(robot.state()))
        robot.stamp += robot.dt
        assert robot.stamp < 120.0
    return updates


def test_it_stands_first_then_follows_the_clip_from_where_it_stands_and_stands_again(clip):
    robot = PointRobot((3.0, -2.0), yaw=0.8)
    task = PlayClip(clip, lambda state: np.zeros((3, 3)), until=1.5)
    updates = play(task, robot)
    kinds = [type(u.goals[0]) for u in updates]
    first = kinds.index(ClipGoal)
    assert set(kinds[:first]) == {JoystickGoal} and set(kinds[first:-1]) == {ClipGoal}
    assert first >= 1.0 / robot.dt  # standing is a mean over a second
    assert updates[-1].status is TaskStatus.SUCCEEDED and isinstance(updates[-1].goals[0], JoystickGoal)
    goal = updates[first].goals[0]
    np.testing.assert_allclose(goal.xy_w, (3.0, -2.0))
    assert (goal.yaw_w, goal.until) == (pytest.approx(0.8), 1.5)
    assert updates[-1].distance == pytest.approx(0.0, abs=0.004)  # its own pose moves on between two states of the clip
    assert len(updates) - first == pytest.approx((1.5 + task.config.lead) / robot.dt, abs=2)


def test_a_pose_that_was_not_taken_up_is_missed_by_its_mean_distance(clip):
    task = PlayClip(clip, lambda state: np.zeros((3, 3)))
    last = play(task, PointRobot(), error=0.15)[-1]
    assert (last.status, last.code) == (TaskStatus.FAILED, TaskCode.MISSED)
    assert "0.15 m" in last.message and "2.00 s" in last.message
    wide = PlayClip(clip, lambda state: np.zeros((3, 3)), config=ClipTaskConfig(position_tolerance=0.2))
    assert play(wide, PointRobot(), error=0.15)[-1].status is TaskStatus.SUCCEEDED


def test_a_robot_that_does_not_come_to_a_stand_does_not_begin(clip):
    robot = PointRobot()
    robot.velocity = np.array([0.5, 0.0])
    last = play(PlayClip(clip, lambda state: np.zeros((3, 3))), robot)[-1]
    assert last.code is TaskCode.TIMEOUT and "not begun" in last.message


@pytest.mark.parametrize("until", [0.0, -1.0, 2.5, math.nan, -math.inf])
def test_a_time_the_clip_does_not_have_is_refused(clip, until):
    with pytest.raises(TaskRefusedError, match=r"2\.00 s long"):
        PlayClip(clip, lambda state: np.zeros((3, 3)), until=until)


def test_what_is_left_of_a_clip_goes_on_from_where_the_robot_is_and_ends_standing(clip):
    robot = PointRobot((3.0, -2.0), yaw=0.8)
    task = PlayClip(clip, lambda state: np.zeros((3, 3)), until=1.2)
    assert task.remainder() is None  # not begun
    play(task, robot)
    rest = task.remainder()
    robot.xy = np.array([4.0, 1.0])
    first = rest.update(robot.state())
    (goal,) = first.goals
    assert goal.until == pytest.approx(clip.duration)
    assert robot.stamp + rest.config.lead - goal.start == pytest.approx(1.2, abs=robot.dt)
    np.testing.assert_allclose(goal.keyframes(robot.stamp, 0.2)[0].state.root_pos_w[:2], (4.0, 1.0), atol=1e-9)
    start, updates = robot.stamp, [first]
    while not updates[-1].done:
        robot.stamp += robot.dt
        updates.append(rest.update(robot.state()))
    assert robot.stamp - start == pytest.approx(0.8 + rest.config.lead, abs=2 * robot.dt)
    assert updates[-1].status is TaskStatus.SUCCEEDED and isinstance(updates[-1].goals[0], JoystickGoal)


def test_a_clip_played_to_its_end_leaves_nothing(clip):
    task = PlayClip(clip, lambda state: np.zeros((3, 3)))
    play(task, PointRobot())
    assert task.remainder() is None
    with pytest.raises(TaskRefusedError, match=r"over at 2\.50 s; it is 2\.00 s long"):
        FinishClip(clip, since=2.5)


def test_a_clip_that_wandered_and_turned_is_laid_so_that_it_goes_on_from_here():
    time = np.arange(LENGTH) * DT
    yaw, z3, zj = 0.5 * time, np.zeros((LENGTH, 3)), np.zeros((LENGTH, 29))
    root = np.stack([np.cos(yaw), np.sin(yaw), np.full(LENGTH, 0.76)], axis=-1)
    quat = np.stack([np.cos(yaw / 2), 0 * yaw, 0 * yaw, np.sin(yaw / 2)], axis=-1)
    points = np.zeros((LENGTH, 3, 3))
    arc = Clip("arc", StateSequence(root, quat, z3, z3, zj, zj, points, points), DT, (), ())
    robot = PointRobot((2.0, 3.0), yaw=-1.0)
    (goal,) = FinishClip(arc, since=1.0, config=ClipTaskConfig(spacing=DT)).update(robot.state()).goals
    now = goal.keyframes(robot.stamp, 0.05)[0].state
    np.testing.assert_allclose(now.root_pos_w[:2], (2.0, 3.0), atol=1e-6)
    w, x, y, z = now.root_quat_w
    assert 2.0 * math.atan2(z, w) == pytest.approx(-1.0)
