"""What suites with tasks ask for, when an episode is done, and how it is scored; by made-up motions and by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_diffusion.core.rotations import quat_from_yaw
from beyondmimic_diffusion.core.tasks.scenes import FOREST_SIZE
from beyondmimic_training.evaluate.finish import Arrive, Cross, LastUntil, Track
from beyondmimic_training.evaluate.judge import Trace
from beyondmimic_training.evaluate.task_command import variant_of
from beyondmimic_training.evaluate.task_judge import judge_task, summarize_tasks
from beyondmimic_training.evaluate.task_rollout import TaskTrace
from beyondmimic_training.evaluate.task_suites import TASK_SUITES, task_suite_named

DT = 0.02


def track(xy, yaw=None):
    xy = np.asarray(xy, dtype=np.float64)
    return Track(xy, np.zeros(len(xy)) if yaw is None else np.asarray(yaw))


def line(start, velocity, seconds):
    times = DT * np.arange(round(seconds / DT) + 1)
    return np.asarray(start) + times[:, None] * np.asarray(velocity)


@pytest.mark.parametrize("name", TASK_SUITES)
def test_the_same_seed_and_number_give_the_same_episode_and_others_another(name):
    suite = task_suite_named(name)
    a, b, other = (suite.episode(*key) for key in ((3, 5), (3, 5), (4, 5)))
    np.testing.assert_array_equal(a.joint_pos, b.joint_pos)
    assert a.scenario.scene == b.scenario.scene
    assert not np.array_equal(a.joint_pos, other.joint_pos)
    assert a.scenario.scene != other.scenario.scene


def test_waypoints_lie_one_to_four_metres_away_in_every_direction():
    goals = np.array([task_suite_named("waypoint").episode(0, i).scenario.scene.goal for i in range(400)])
    distance, angle = np.linalg.norm(goals, axis=1), np.arctan2(goals[:, 1], goals[:, 0])
    assert distance.min() >= 1.0 and distance.max() <= 4.0
    # mean of U(1, 4) is 2.5 with variance 9/12; four standard errors of 400 draws
    assert abs(distance.mean() - 2.5) < 4.0 * math.sqrt(0.75 / 400)
    in_sector = np.histogram(angle, 8, (-math.pi, math.pi))[0]
    assert in_sector.min() > 50 - 4.0 * math.sqrt(400 * 7 / 64)
    assert task_suite_named("waypoint").time_limit == 20.0


def test_a_forest_starts_before_its_pillars_and_is_done_behind_the_last_of_them():
    for index in range(5):
        spec = task_suite_named("forest").episode(0, index)
        scene = spec.scenario.scene
        assert len(scene.obstacles) == 15
        assert spec.xy_w == scene.start[:2]
        assert spec.duration == 60.0
        finish = spec.scenario.finish
        ends = [pillar.center[0] + pillar.size[0] for pillar in scene.obstacles]
        assert not finish.done(track([spec.xy_w]))
        assert not finish.done(track([(max(ends), 0.0)]))
        assert finish.done(track([(FOREST_SIZE[0] + 0.31, 0.0)]))


def test_passing_through_the_circle_is_no_arrival_and_standing_in_it_is():
    finish = Arrive((2.0, 0.0))
    passing = line((0.0, 0.0), (0.4, 0.0), 8.0)
    assert not any(finish.done(track(passing[: n + 1])) for n in range(len(passing)))
    standing = np.vstack([line((0.0, 0.0), (0.4, 0.0), 4.5), np.tile((1.8, 0.0), (60, 1))])
    done = [n for n in range(len(standing)) if finish.done(track(standing[: n + 1]))]
    # the place a second before comes within 0.15 m of 1.8 m after 4.125 s of walking
    assert done[0] * DT == pytest.approx(5.14, abs=DT)
    assert not finish.done(track(np.tile((1.69, 0.0), (60, 1))))
    assert not finish.done(track(np.tile((1.8, 0.0), (30, 1))))  # less than a second is known


def test_a_heading_counts_over_the_last_second_and_across_the_jump_of_the_angle():
    finish, there = Arrive((0.0, 0.0), heading_w=math.pi - 0.1), np.zeros((80, 2))
    assert finish.done(track(there, np.full(80, -math.pi + 0.1)))
    assert not finish.done(track(there, np.full(80, -math.pi + 0.3)))
    swinging = math.pi - 0.1 + 0.6 * np.sin(2.0 * math.pi * DT * np.arange(80))  # averages out over its period
    assert finish.done(track(there, swinging))


def test_a_line_is_crossed_beyond_it_and_time_passes_by_itself():
    assert Cross(2.0).left(track([(0.5, 9.0)])) == 1.5
    assert Cross(2.0).done(track([(2.0, 9.0)]))
    assert not LastUntil(1.0).done(track(np.zeros((50, 2))))
    assert LastUntil(1.0).done(track(np.zeros((51, 2))))


def lived(seconds=5.0, fell=False, height=0.75, **changes):
    frames = round(seconds / DT)
    qpos = np.zeros((frames, 36))
    qpos[:, 0], qpos[:, 2], qpos[:, 3:7] = 0.3 * DT * np.arange(frames), height, quat_from_yaw(0.0)
    body = Trace(qpos, np.zeros((frames, 3)), fell)
    return replace(TaskTrace(body, np.full(frames, 0.5), "", 4.0, 0.1, ""), **changes)


SPEC = task_suite_named("forest").episode(0, 0)


@pytest.mark.parametrize(
    ("trace", "outcome"),
    [
        (lived(), "reached"),
        (lived(contact="left_knee_link and obstacle_3"), "touched"),
        (lived(clearance=np.array([0.3, -0.01, 0.4])), "touched"),
        (lived(fell=True), "fell"),
        (lived(height=0.3), "fell"),
        (lived(done_at=None), "too late"),
        (lived(done_at=None, gave_up="STUCK: no progress"), "gave up"),
        (lived(done_at=None, fell=True, contact="a and b"), "touched"),
    ],
)
def test_an_episode_counts_as_reached_only_if_nothing_was_touched_and_the_robot_stands(trace, outcome):
    result = judge_task(SPEC, trace)
    assert result.outcome == outcome
    assert result.success is (outcome == "reached")


def test_keyframes_missed_by_more_than_the_tolerance_in_the_mean_are_no_success():
    scenario = replace(SPEC.scenario, keyframes=("one", "two"), keyframe_tolerance=0.15)
    spec = replace(SPEC, scenario=scenario)
    assert judge_task(spec, lived(keyframe_errors=np.array([0.05, 0.24]))).outcome == "reached"
    assert judge_task(spec, lived(keyframe_errors=np.array([0.05, 0.26]))).outcome == "missed"


def test_the_summary_counts_outcomes_and_takes_times_of_successes_alone():
    results = [
        judge_task(SPEC, trace)
        for trace in (
            lived(),
            lived(done_at=2.0, clearance=np.array([0.2, 0.07])),
            lived(done_at=3.0, contact="a and b"),
            lived(done_at=None),
        )
    ]
    summary = summarize_tasks(results)
    assert summary["success"]["rate"] == 0.5
    assert summary["outcomes"] == {
        "reached": 2, "touched": 1, "fell": 0, "gave up": 0, "too late": 1, "missed": 0,
    }  # fmt: skip
    assert summary["time_to_goal"] == {"least": 2.0, "median": 3.0, "most": 4.0}
    assert summary["min_clearance"]["least"] == pytest.approx(0.07)
    # 5 s at 0.3 m/s, looked at each second from the first frame on: four whole seconds
    assert summary["walked"]["most"] == pytest.approx(4 * 0.3)


def test_a_variant_that_a_suite_does_not_have_is_refused_with_those_it_has():
    with pytest.raises(ConfigError, match=r"'waypoint' has no variant 'barrier'; it has none"):
        variant_of(task_suite_named("waypoint"), "barrier")
    assert variant_of(task_suite_named("forest"), None) == "route+barrier"
    assert variant_of(task_suite_named("forest"), "route") == "route"
    with pytest.raises(ConfigError, match="moving-obstacle"):
        task_suite_named("maze")
