"""The suite with a clip: what it asks for when, and that each way of failing is seen."""

import math
from dataclasses import replace

import numpy as np
import pytest
from beyondmimic_diffusion.core.guidance.clip import ClipGoal
from beyondmimic_diffusion.core.guidance.goals import JoystickGoal
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.robot.kinematics import Kinematics
from beyondmimic_diffusion.core.types import RobotState
from beyondmimic_training.evaluate.clip_goals import ClipGoals, clip_errors
from beyondmimic_training.evaluate.finish import Track
from beyondmimic_training.evaluate.interlude import WalkOn
from beyondmimic_training.evaluate.judge import TRACE_DT, Trace
from beyondmimic_training.evaluate.rollout import START
from beyondmimic_training.evaluate.task_judge import judge_task
from beyondmimic_training.evaluate.task_rollout import TaskTrace
from beyondmimic_training.evaluate.task_suites import TASK_SUITES

from tests.reference.still_clip import still_clip

SUITE = TASK_SUITES["clip"]


@pytest.fixture(scope="module")
def kinematics():
    return Kinematics()


def track(speed, seconds, yaw=0.0, turn=0.0, sideways=0.0, pause=0.0):
    """A robot that stands for ``pause`` and then moves at a speed in its own heading, which turns."""
    count = round(seconds / TRACE_DT)
    xy, headings = [np.zeros(2)], [yaw]
    for frame in range(count):
        moves = frame * TRACE_DT >= pause
        c, s = math.cos(headings[-1]), math.sin(headings[-1])
        step = np.array([speed * c - sideways * s, speed * s + sideways * c]) * TRACE_DT
        xy.append(xy[-1] + moves * step)
        headings.append(headings[-1] + moves * turn * TRACE_DT)
    return Track(np.array(xy), np.array(headings))


def test_episodes_walk_two_to_four_seconds_at_each_kind_of_command_before_the_clip():
    scenarios = [SUITE.episode(3, index).scenario for index in range(40)]
    begins = [s.interlude.begin for s in scenarios]
    assert 2.0 <= min(begins) < 2.5 and 3.5 < max(begins) <= 4.0
    for index, scenario in enumerate(scenarios):
        forward, left, turn = scenario.command
        assert SUITE.kind(index) == "sideways" if left else SUITE.kind(index) != "sideways"
        assert (SUITE.kind(index) == "back") == (forward < 0.0)
        assert (SUITE.kind(index) == "turn") == (turn != 0.0)
    again = SUITE.episode(3, 7).scenario
    assert (again.command, again.interlude) == (scenarios[7].command, scenarios[7].interlude)


@pytest.mark.parametrize(
    ("command", "way", "met"),
    [
        ((0.4, 0.0, 0.0), {"speed": 0.21}, True),
        ((0.4, 0.0, 0.0), {"speed": 0.19}, False),
        ((0.4, 0.0, 0.0), {"speed": -0.4}, False),
        ((0.4, 0.0, 0.0), {"speed": 0.4, "pause": 8.1}, False),  # of the 2 s that count it walks 0.9
        ((0.4, 0.0, 0.0), {"speed": 0.4, "pause": 7.9}, True),
        ((-0.3, 0.0, 0.0), {"speed": -0.2, "yaw": 2.0}, True),
        ((0.0, 0.3, 0.0), {"speed": 0.0, "sideways": 0.2, "yaw": -1.0}, True),
        ((0.0, 0.3, 0.0), {"speed": 0.3}, False),
        ((0.3, 0.0, 1.5), {"speed": 0.2, "turn": 1.5}, True),  # seen in its own heading; it goes round in a circle
    ],
)
def test_walking_on_is_more_than_half_the_commanded_speed_over_the_last_two_of_three_seconds(command, way, met):
    finish = WalkOn(command)
    whole = track(seconds=9.0, **way)
    assert not finish.done(whole), "the clip is not over"
    finish.begin(6.0)
    assert not finish.done(Track(whole.xy_w[:-2], whole.yaw[:-2])), "two frames early"
    assert finish.done(whole) is met


def test_what_is_left_is_what_is_missing_of_half_the_way():
    assert WalkOn((0.4, 0.0, 0.0)).left(track(0.1, 5.0)) == pytest.approx(0.5 * 0.4 * 2.0 - 0.1 * 2.0)


def state(time, root=(0.0, 0.0, 0.75)):
    z3 = np.zeros(3)
    upright = np.array([1.0, 0.0, 0.0, 0.0])
    return RobotState(START + time, np.array(root), upright, z3, z3, np.array(g1.DEFAULT_JOINT_POS), np.zeros(29))


def asked(goals, seconds, first=0.0):
    """What is asked of a robot that stands still, every 40 ms."""
    times = first + 0.04 * np.arange(round(seconds / 0.04))
    return [(float(time), goals(state(float(time)))[0]) for time in times]


@pytest.fixture
def spec():
    whole = SUITE.episode(3, 0)
    return replace(whole, scenario=replace(whole.scenario, finish=WalkOn(whole.scenario.command)))


def test_it_is_asked_to_walk_to_stand_to_follow_the_clip_and_to_walk_again(spec, kinematics):
    goals = ClipGoals(spec, still_clip(), kinematics)
    story = asked(goals, 7.0)
    kinds, begin = [type(goal) for _, goal in story], spec.scenario.interlude.begin
    speeds = [float(goal.vel_xy_c[0]) if isinstance(goal, JoystickGoal) else math.nan for _, goal in story]
    walk = pytest.approx(spec.scenario.command[0])
    assert all(speed == walk for (time, _), speed in zip(story, speeds, strict=True) if time < begin)
    first = kinds.index(ClipGoal)
    assert set(speeds[round(begin / 0.04) + 1 : first]) == {0.0}
    last = len(kinds) - kinds[::-1].index(ClipGoal)
    assert last - first == pytest.approx(0.84 / 0.04, abs=1)  # the clip of 0.8 s and 40 ms before it
    assert all(speed == walk for speed in speeds[last:]) and last < len(speeds)
    assert goals.gave_up() == ""
    asked(goals, 1.0, first=story[last][0] + 3.0)
    assert "did not walk on" in goals.gave_up()


def test_a_pose_that_is_missed_ends_the_episode_with_the_tasks_own_reason(spec, kinematics):
    goals = ClipGoals(spec, still_clip(lifted=0.3), kinematics)
    asked(goals, 8.0)
    assert goals.gave_up().startswith("MISSED") and "0.30 m" in goals.gave_up()


@pytest.mark.parametrize("lifted", [0.0, 0.25])
def test_errors_are_those_of_the_pose_wherever_it_stands_and_faces(kinematics, lifted):
    clip = still_clip(0.8, lifted=lifted)
    pose = np.array([1.0, 2.0, 0.9, math.cos(0.4), 0.0, 0.0, math.sin(0.4), *g1.DEFAULT_JOINT_POS])
    qpos = np.tile(pose, (100, 1)).astype(np.float32)
    np.testing.assert_allclose(clip_errors(clip, 0.5, qpos, kinematics), np.full(21, lifted), atol=1e-5)
    assert len(clip_errors(clip, 1.78, qpos, kinematics)) == 6  # 1.78, 1.82, .. 1.98 s were lived to see
    assert len(clip_errors(clip, 3.0, qpos, kinematics)) == 0


@pytest.mark.parametrize(
    ("error", "fell", "done", "outcome"),
    [
        (0.05, False, 14.0, "reached"),
        (0.15, False, 14.0, "missed"),
        (0.05, True, 14.0, "fell"),
        (0.05, False, None, "gave up"),
    ],
)
def test_success_is_a_clip_followed_no_fall_and_walking_again(spec, error, fell, done, outcome):
    qpos = np.tile([0.0, 0.0, 0.75, 1.0, 0.0, 0.0, 0.0, *g1.DEFAULT_JOINT_POS], (700, 1))
    body = Trace(qpos, np.zeros((700, 3)), fell)
    gave_up = "" if done else "did not walk on"
    trace = TaskTrace(body, np.full(700, np.inf), "", done, 0.0, gave_up, np.full(176, error))
    assert judge_task(spec, trace).outcome == outcome
