"""Recorded motions over ROS: the term that names one, and the action that plays one."""

import math
import shutil
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
bm = pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")

from action_msgs.msg import GoalStatus  # noqa: E402
from beyondmimic_diffusion.core.errors import GoalError  # noqa: E402
from beyondmimic_diffusion.core.guidance.clip import ClipGoal  # noqa: E402
from beyondmimic_diffusion.core.guidance.clip_library import ClipLibrary  # noqa: E402
from beyondmimic_diffusion.core.guidance.goals import JoystickGoal, ObstacleScene  # noqa: E402
from beyondmimic_diffusion.core.guidance.state_keyframe import StateKeyframeGoal  # noqa: E402
from beyondmimic_diffusion.core.robot import g1  # noqa: E402
from beyondmimic_diffusion.core.rotations import quat_from_yaw  # noqa: E402
from beyondmimic_diffusion.nodes.diffusion_planner_node import DiffusionPlannerNode  # noqa: E402
from beyondmimic_diffusion.nodes.guidance_task_server_node import GuidanceTaskServerNode  # noqa: E402
from beyondmimic_diffusion.ros import conversions as c  # noqa: E402
from beyondmimic_diffusion.ros.frames import Transform  # noqa: E402
from beyondmimic_msgs import action, srv  # noqa: E402
from nodes.task_rig import TERM, Rig, place  # noqa: E402
from nodes.test_guidance_planner import Planner  # noqa: E402
from rclpy.lifecycle import TransitionCallbackReturn  # noqa: E402

from tests.reference.still_clip import still_clip  # noqa: E402

pytestmark = pytest.mark.ros
RESULT = action.PlayClip.Result
SUCCEEDED, ABORTED, CANCELED = GoalStatus.STATUS_SUCCEEDED, GoalStatus.STATUS_ABORTED, GoalStatus.STATUS_CANCELED
CLIP = still_clip(2.0)
LIBRARY = ClipLibrary([CLIP])


def goal(**changes):
    settings = {"clip": CLIP, "start": 1.7e9 + 0.1234, "xy_w": (1.5, -2.0), "yaw_w": 0.7, "until": 1.32} | changes
    return ClipGoal(**settings)


def back(*goals, **options):
    return c.goals_from_msg(c.goals_to_msg(goals, 4, 12.0, 14.0), clips=LIBRARY, **options)


# ------------------------------------------------------------------------- the term


def test_a_clip_comes_back_at_its_place_and_time_with_the_states_of_the_planners_own_file():
    (got,) = back(goal(spacing=0.08))
    assert isinstance(got, ClipGoal)
    assert got.clip is CLIP
    assert got.start == pytest.approx(1.7e9 + 0.1234, abs=1e-6)  # a double resolves 0.2 us there
    np.testing.assert_allclose(got.xy_w, (1.5, -2.0))
    assert got.yaw_w == pytest.approx(0.7)
    assert (got.until, got.spacing, got.expires) == (pytest.approx(1.32), pytest.approx(0.08), 14.0)


def test_states_that_are_held_survive_the_way_to_the_planner():
    sent = goal(start=100.0)
    (got,) = back(sent)
    before, after = sent.keyframes(100.5, 0.64), got.keyframes(100.5, 0.64)
    assert [k.due for k in after] == pytest.approx([k.due for k in before], abs=1e-6)
    assert len(after) == 4  # 0.64, 0.80, 0.96 and 1.12 s of the clip
    for one, other in zip(before, after, strict=True):
        np.testing.assert_allclose(other.state.key_pos_w, one.state.key_pos_w, atol=1e-9)


def test_zero_for_end_and_spacing_means_all_of_it_as_usual():
    message = c.goals_to_msg((goal(),), 4, 12.0)
    message.terms[0].clip_until = c.duration_to_msg(0.0)
    message.terms[0].clip_spacing = c.duration_to_msg(0.0)
    (got,) = c.goals_from_msg(message, clips=LIBRARY)
    assert (got.until, got.spacing) == (pytest.approx(2.0), 0.16)


def test_a_clip_may_be_followed_between_obstacles_and_not_beside_a_velocity():
    kinds = [type(g) for g in c.goals_from_msg(c.goals_to_msg((goal(),), 4, 12.0, with_scene=True),
                                               scene=ObstacleScene(stamp=11.0), clips=LIBRARY)]  # fmt: skip
    assert kinds == [ClipGoal, ObstacleScene]
    with pytest.raises(GoalError, match="JoystickGoal and ClipGoal"):
        back(JoystickGoal((0.1, 0.0)), goal())


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda t: setattr(t, "clip", "moonwalk"), "no clip 'moonwalk'; known are still"),
        (lambda t: setattr(t, "clip_until", c.duration_to_msg(2.5)), "2.00 s long"),
        (lambda t: setattr(t, "clip_until", c.duration_to_msg(-1.0)), "until -1.0 s"),
        (lambda t: setattr(t, "clip_spacing", c.duration_to_msg(0.01)), "spacing"),
        (lambda t: setattr(t, "clip_start", c.time_to_msg(0.0)), "clip_start"),
        (lambda t: setattr(t.waypoint.header, "frame_id", "stage"), "'stage'.*'odom'"),
        (lambda t: setattr(t.waypoint.pose.position, "y", math.nan), "not finite"),
        (lambda t: setattr(t.waypoint.pose, "orientation", c.quat_to_msg(np.zeros(4))), "no direction"),
        (lambda t: setattr(t, "weight", 0.5), "weight"),
    ],
    ids=["unknown", "too long", "negative", "too dense", "no start", "frame", "nan", "no heading", "weight"],
)
def test_a_clip_that_cannot_be_served_is_refused_with_the_reason(spoil, said):
    message = c.goals_to_msg((goal(),), 4, 12.0)
    spoil(message.terms[0])
    with pytest.raises(GoalError, match=said):
        c.goals_from_msg(message, clips=LIBRARY)


def test_without_the_policys_clips_none_is_served():
    with pytest.raises(GoalError, match="comes with none"):
        c.goals_from_msg(c.goals_to_msg((goal(),), 4, 12.0))


def test_states_themselves_have_no_message():
    with pytest.raises(GoalError, match="StateKeyframeGoal has no message"):
        c.goals_to_msg((StateKeyframeGoal(state=CLIP.states[0], due=13.0),), 4, 12.0)


def test_an_origin_in_another_frame_is_brought_to_the_odometrys_and_the_start_stays():
    class Turned:
        """A frame at (1, 2) whose x axis points along the odometry's y."""

        def lookup(self, target, source, stamp=None):
            assert (target, source) == ("odom", "stage")
            return Transform(np.array([1.0, 2.0, 0.0]), quat_from_yaw(math.pi / 2))

    message = c.goals_to_msg((goal(),), 4, 12.0)
    message.terms[0].waypoint.header.frame_id = "stage"
    (got,) = c.goals_from_msg(c.placed_goal(message, Turned(), c.FrameNames()), clips=LIBRARY)
    np.testing.assert_allclose(got.xy_w, (3.0, 3.5))
    assert got.yaw_w == pytest.approx(0.7 + math.pi / 2)
    assert got.start == pytest.approx(1.7e9 + 0.1234, abs=1e-6)


# ----------------------------------------------------------------------- the action


@pytest.fixture
def rig(ros, tmp_path):
    """A robot that stands still is in the pose of ``still``, and 0.3 m below that of ``lifted``."""
    still_clip().save(tmp_path / "clips" / "still.npz")
    still_clip(lifted=0.3).save(tmp_path / "clips" / "lifted.npz")
    still_clip(20.0).save(tmp_path / "clips" / "long.npz")
    still_clip(2.4).save(tmp_path / "clips" / "there_and_back.npz")
    one = Rig(ros, policy=str(tmp_path))
    yield one
    one.close()


def clip(name, **fields):
    return action.PlayClip.Goal(clip=name, **fields)


def test_a_clip_begins_when_the_robot_stands_is_followed_where_it_stands_and_ends_standing(rig):
    walking = rig.send("reach_waypoint", place(15.0, 15.0))
    rig.until(lambda: rig.robot.xy[0] > 0.5)  # it faces the way
    status, result = rig.do("play_clip", clip("still"))
    assert (status, result.error_code, result.error_msg) == (SUCCEEDED, RESULT.NONE, "")
    assert result.position_error == pytest.approx(0.0, abs=1e-3)
    assert rig.end(walking)[1].error_code == action.ReachWaypoint.Result.PREEMPTED
    terms = [g.terms[0] for g in rig.goals if g.terms[0].type == TERM.CLIP]
    assert {t.clip for t in terms} == {"still"}
    where = terms[0].waypoint.pose.position
    np.testing.assert_allclose((where.x, where.y), rig.robot.xy, atol=1e-6)  # it stood there, and does still
    facing = terms[0].waypoint.pose.orientation
    assert 2.0 * math.atan2(facing.z, facing.w) == pytest.approx(rig.robot.yaw) == pytest.approx(math.pi / 4, abs=0.1)
    assert len({c.time_from_msg(t.clip_start) for t in terms}) == 1
    rig.until(rig.standing)


def test_feedback_counts_down_and_tells_the_error_once_the_clip_has_begun(rig):
    rig.do("play_clip", clip("lifted", position_tolerance=0.5))
    left = [c.duration_from_msg(f.time_left) for f in rig.feedback]
    errors = [f.position_error for f in rig.feedback]
    assert math.isnan(errors[0])
    assert errors[-1] == pytest.approx(0.3, abs=1e-3)
    assert left == sorted(left, reverse=True)
    assert left[0] == pytest.approx(0.84)  # the clip and the lead to it
    assert {f.planner_state for f in rig.feedback} == {bm.PlannerStatus.RUNNING}


def test_a_pose_that_is_not_taken_up_is_missed_by_its_mean_distance_or_within_the_goals_tolerance(rig):
    status, result = rig.do("play_clip", clip("lifted"))
    assert (status, result.error_code) == (ABORTED, RESULT.MISSED)
    assert "0.30 m" in result.error_msg
    assert result.position_error == pytest.approx(0.3, abs=1e-3)
    assert rig.do("play_clip", clip("lifted", position_tolerance=0.31))[0] == SUCCEEDED


def test_a_clip_is_followed_to_the_time_that_was_asked_for_and_no_further(rig):
    status, _ = rig.do("play_clip", clip("long", until=c.duration_to_msg(0.4)))
    assert status == SUCCEEDED
    ends = {c.duration_from_msg(g.terms[0].clip_until) for g in rig.goals if g.terms[0].type == TERM.CLIP}
    assert ends == {0.4}


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (clip("moonwalk"), ("'moonwalk'", "known are lifted, long, still, there_and_back")),
        (clip(""), ("no clip ''",)),
        (clip("still", until=c.duration_to_msg(5.0)), ("5.0 s", "0.80 s long")),
        (clip("still", until=c.duration_to_msg(-1.0)), ("until",)),
        (clip("still", position_tolerance=math.nan), ("position_tolerance",)),
    ],
    ids=["unknown", "no name", "beyond its end", "negative", "nan"],
)
def test_a_clip_that_is_none_is_refused_as_invalid(rig, asked, words):
    status, result = rig.do("play_clip", asked)
    assert (status, result.error_code) == (ABORTED, RESULT.INVALID_GOAL), result.error_msg
    assert all(word in result.error_msg for word in words), result.error_msg
    assert math.isnan(result.position_error)


def test_a_robot_that_does_not_come_to_rest_never_begins(ros, tmp_path):
    still_clip().save(tmp_path / "clips" / "still.npz")
    rig = Rig(ros, policy=str(tmp_path), **{"tasks.clip.stand_timeout": 1.2})
    rig.robot._wanted = lambda: np.array([0.5, 0.0])
    status, result = rig.do("play_clip", clip("still"))
    assert (status, result.error_code) == (ABORTED, RESULT.TIMEOUT)
    assert "not begun" in result.error_msg
    assert TERM.CLIP not in {t.type for g in rig.goals for t in g.terms}
    rig.close()


def begun(rig, since):
    """How long ago the newest clip that was asked for since then was begun [s], as a list of one; empty without any."""
    terms = [t for g in rig.goals[since:] for t in g.terms if t.type == TERM.CLIP]
    return [rig.now() - c.time_from_msg(t.clip_start) for t in terms[-1:]]


def test_a_clip_that_is_cancelled_is_played_to_its_end_and_then_stands(rig):
    handle = rig.send("play_clip", clip("there_and_back"))
    rig.until(lambda: TERM.CLIP in rig.kinds())
    rig.until(handle.cancel_goal_async().done)
    status, result = rig.end(handle)
    assert (status, result.error_code) == (CANCELED, RESULT.CANCELED)
    assert math.isnan(result.position_error)
    rig.live(0.2)
    assert rig.kinds() == [TERM.CLIP]
    rig.until(rig.standing)
    (time,) = begun(rig, 0)
    assert time >= 2.4 - 0.1


def test_a_newer_clip_waits_for_the_end_of_the_one_it_replaces(rig):
    first = rig.send("play_clip", clip("there_and_back"))
    rig.until(lambda: TERM.CLIP in rig.kinds())
    second = rig.send("play_clip", clip("still"))
    assert rig.end(first)[1].error_code == RESULT.PREEMPTED
    assert rig.kinds() == [TERM.CLIP]
    assert rig.end(second)[0] == SUCCEEDED
    names = [t.clip for g in rig.goals for t in g.terms if t.type == TERM.CLIP]
    assert names == sorted(names, reverse=True)  # the one, then the other


def test_a_pose_is_kept_until_something_else_is_asked_for_and_then_left_by_the_clips_own_end(rig):
    asked = clip("there_and_back", until=c.duration_to_msg(0.6))
    assert rig.do("play_clip", asked)[0] == SUCCEEDED
    rig.until(rig.standing)
    rig.live(0.5)
    assert rig.standing()
    before = len(rig.goals)
    walk = rig.send("reach_waypoint", place(1.0, 0.0))
    assert rig.end(walk)[0] == SUCCEEDED
    kinds = [g.terms[0].type for g in rig.goals[before:]]
    assert kinds.index(TERM.WAYPOINT) > kinds.index(TERM.CLIP)
    assert TERM.CLIP not in kinds[kinds.index(TERM.WAYPOINT) :]
    ends = {c.duration_from_msg(t.clip_until) for g in rig.goals[before:] for t in g.terms if t.type == TERM.CLIP}
    assert sorted(ends) == pytest.approx([2.4])


def test_the_operator_ends_a_clip_and_steers_once_it_is_over(rig):
    handle = rig.send("play_clip", clip("there_and_back"))
    rig.until(lambda: TERM.CLIP in rig.kinds())
    future = handle.get_result_async()
    rig.ros.until(future.done, lambda: (rig.steer(0.4), rig.robot.step()))
    assert (future.result().status, future.result().result.error_code) == (ABORTED, RESULT.TELEOP)
    rig.ros.until(
        lambda: rig.goals[-1].terms[0].velocity.twist.linear.x == 0.4, lambda: (rig.steer(0.4), rig.robot.step())
    )
    (time,) = begun(rig, 0)
    assert time >= 2.4 - 0.1


@pytest.mark.parametrize(
    ("spoil", "code"),
    [({"executor": bm.ExecutorState.DAMPING}, RESULT.ROBOT_FELL), ({"clock_error": 30.0}, RESULT.STALE_CLOCK)],
    ids=["damping", "another clock"],
)
def test_a_clip_ends_when_the_robot_is_lost_on_the_way(rig, spoil, code):
    handle = rig.send("play_clip", clip("long"))
    rig.until(lambda: TERM.CLIP in rig.kinds())
    vars(rig.robot).update(spoil)
    status, result = rig.end(handle)
    assert (status, result.error_code) == (ABORTED, code), result.error_msg
    rig.until(rig.standing)  # long before the clip's end: there is no robot in its pose any more


def test_a_clip_given_as_a_term_must_expire(rig):
    client = rig.ros.probe.create_client(srv.SetGuidance, "guidance/set_terms")
    rig.until(client.service_is_ready)
    rig.live(0.2)
    message = c.goals_to_msg((goal(clip=still_clip(name="still"), start=rig.now() + 0.1, until=0.8),), 1, rig.now())

    def ask():
        future = client.call_async(srv.SetGuidance.Request(goal=message))
        rig.until(future.done)
        return future.result()

    refusal = ask()
    assert not refusal.success and "clips must expire" in refusal.message
    message.expires = c.time_to_msg(rig.now() + 1.0)
    assert ask().success
    rig.until(lambda: TERM.CLIP in rig.kinds())
    rig.until(rig.standing)


# ----------------------------------------------------------------------- the planner


@pytest.fixture
def folder(policy_folder, tmp_path):
    """A policy with a clip, to which a test may do what it likes."""
    shutil.copytree(policy_folder, tmp_path / "policy")
    CLIP.save(tmp_path / "policy" / "clips" / "still.npz")
    return tmp_path / "policy"


def test_the_planner_has_a_clips_states_in_its_plans_where_and_when_they_are_due(ros, folder):
    planner = Planner(ros, folder)
    planner.feed(8)
    start = planner.stamp + 0.04
    plan = planner.answer(planner.ask(goal(start=start, xy_w=(0.06, 0.02), yaw_w=0.3, until=2.0)))
    places = np.array(plan.root_poses).reshape(-1, 7)[:, :3]
    first = round((start - c.time_from_msg(plan.observation_stamp)) / 0.04)
    held = [step for step in range(len(places)) if (step + 1 - first) % 4 == 0 and step + 1 >= first]
    assert len(held) >= 3
    np.testing.assert_allclose(places[held], np.tile([0.06, 0.02, 0.75], (len(held), 1)), atol=1e-4)
    between = [step for step in range(len(places)) if step not in held]
    assert np.abs(places[between] - [0.06, 0.02, 0.75]).max() > 1e-3  # an untrained network fills in


def test_the_planner_refuses_a_clip_that_its_policy_lacks_and_names_those_it_has(ros, folder):
    planner = Planner(ros, folder)
    planner.feed(8)
    message = c.goals_to_msg((goal(start=planner.stamp + 0.1),), 9, planner.stamp)
    message.terms[0].clip = "moonwalk"
    planner.send(message)
    planner.refused(9, "'moonwalk'", "known are still")


@pytest.mark.parametrize("node", [DiffusionPlannerNode, GuidanceTaskServerNode])
def test_neither_planner_nor_task_server_starts_with_a_clip_of_another_robot(ros, folder, node):
    replace(CLIP, joint_names=g1.JOINT_NAMES[::-1]).save(folder / "clips" / "foreign.npz")
    assert ros.make(node, {"policy": str(folder)}).trigger_configure() is not TransitionCallbackReturn.SUCCESS
