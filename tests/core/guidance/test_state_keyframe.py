"""Keyframes as facts: placed in the world as one rigid piece, and due at the right step."""

import math

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import ArtifactError, GoalError
from beyondmimic_diffusion.core.guidance.clip import Clip, ClipGoal, split_keyframes
from beyondmimic_diffusion.core.guidance.goals import JoystickGoal
from beyondmimic_diffusion.core.guidance.state_keyframe import (
    StateKeyframeGoal,
    due_steps,
    placed,
)
from beyondmimic_diffusion.core.state import StateSequence
from scipy.spatial.transform import Rotation

M, J = 5, 29


def made_up(count: int | None, seed: int = 0) -> StateSequence:
    rng = np.random.default_rng(seed)
    lead = () if count is None else (count,)
    quat = Rotation.from_rotvec(rng.normal(0.0, 0.5, (count or 1, 3))).as_quat()[:, [3, 0, 1, 2]]
    draw = lambda *shape: rng.normal(size=(*lead, *shape))  # noqa: E731
    return StateSequence(
        draw(3), quat if count else quat[0], draw(3), draw(3), draw(J), draw(J), draw(M, 3), draw(M, 3)
    )


def goal(due: float, **changes) -> StateKeyframeGoal:
    return StateKeyframeGoal(state=made_up(None), due=due, **changes)


@pytest.mark.parametrize("count", [None, 4])
def test_a_placed_clip_is_the_same_motion_seen_from_elsewhere(count):
    before = made_up(count)
    after = placed(before, (2.0, -1.0), 0.7)
    first = (lambda a: a) if count is None else (lambda a: a[0])
    np.testing.assert_allclose(first(after.root_pos_w)[:2], (2.0, -1.0), atol=1e-12)

    def rotation(q):
        return Rotation.from_quat(np.atleast_2d(q)[:, [1, 2, 3, 0]])

    x_axis = rotation(first(after.root_quat_w)).apply([1.0, 0.0, 0.0])[0]
    assert math.atan2(x_axis[1], x_axis[0]) == pytest.approx(0.7)
    turn = rotation(after.root_quat_w) * rotation(before.root_quat_w).inv()  # one rotation about z for all
    np.testing.assert_allclose(turn.as_rotvec()[:, :2], 0.0, atol=1e-9)
    np.testing.assert_allclose(turn.as_rotvec()[:, 2], turn.as_rotvec()[0, 2], atol=1e-9)
    for name in ("root_lin_vel_w", "root_ang_vel_w"):
        np.testing.assert_allclose(
            np.atleast_2d(getattr(after, name)), turn.apply(np.atleast_2d(getattr(before, name))), atol=1e-9
        )
    arms = np.reshape(before.key_pos_w - before.root_pos_w[..., None, :], (-1, M, 3))
    moved = np.reshape(after.key_pos_w - after.root_pos_w[..., None, :], (-1, M, 3))
    for one, rotated, by in zip(arms, moved, turn, strict=True):
        np.testing.assert_allclose(rotated, by.apply(one), atol=1e-9)
    np.testing.assert_array_equal(after.joint_pos, before.joint_pos)
    np.testing.assert_allclose(np.atleast_2d(after.root_pos_w)[:, 2], np.atleast_2d(before.root_pos_w)[:, 2])


def test_a_keyframe_stands_for_the_predicted_state_that_is_due_then():
    near, far, past, beyond = goal(10.04), goal(10.64), goal(9.99), goal(10.68)
    assert due_steps([near, far, past, beyond], 10.0, 0.04, 16) == {0: near, 15: far}


def test_only_live_state_keyframes_become_facts_and_costs_stay_costs():
    live, gone, walk = goal(11.0), goal(11.0, expires=9.0), JoystickGoal((0.3, 0.0))
    assert split_keyframes([walk, live, gone], 10.0, 0.64) == ([live], [walk])


def test_a_keyframe_that_is_no_state_is_refused():
    with pytest.raises(GoalError, match="due"):
        goal(math.nan)
    with pytest.raises(GoalError, match="no batch"):
        StateKeyframeGoal(state=made_up(3), due=1.0)
    broken = made_up(None)
    broken.joint_pos[3] = np.nan
    with pytest.raises(GoalError, match="joint_pos"):
        StateKeyframeGoal(state=broken, due=1.0)


# ------------------------------------------------------------------ clips

JOINTS, POINTS = tuple(f"j{i}" for i in range(J)), tuple(f"p{i}" for i in range(M))


def make_clip(count: int = 51) -> Clip:
    return Clip("wave", made_up(count), 0.04, JOINTS, POINTS, "made up")


def test_a_clip_is_followed_by_the_states_that_lie_in_the_horizon():
    clip = make_clip()
    goal = ClipGoal(clip=clip, start=10.0, xy_w=(1.0, 2.0), yaw_w=0.5, until=1.0, spacing=0.16)
    elsewhere = placed(clip.states, (1.0, 2.0), 0.5)
    for now in (9.0, 9.5, 10.0, 10.3, 10.9, 11.1):
        inside = [i for i in (0, 4, 8, 12, 16, 20, 24, 25) if now < 10.0 + 0.04 * i <= now + 0.64 + 1e-9]
        found = goal.keyframes(now, 0.64)
        assert [round((k.due - 10.0) / 0.04) for k in found] == inside
        for index, keyframe in zip(inside, found, strict=True):
            np.testing.assert_array_equal(keyframe.state.key_pos_w, elsewhere.key_pos_w[index])
    assert split_keyframes([goal], 10.0, 0.1) == ([], [])  # the next state of the clip is due after the horizon


def test_a_clip_comes_back_from_its_file_and_refuses_another_robot(tmp_path):
    clip = make_clip()
    clip.save(tmp_path / "wave.npz")
    again = Clip.load(tmp_path / "wave.npz")
    assert (again.name, again.dt, again.source) == ("wave", 0.04, "made up")
    np.testing.assert_allclose(again.states.joint_pos, clip.states.joint_pos, rtol=1e-6)
    again.check(JOINTS, POINTS)
    with pytest.raises(ArtifactError, match="joints"):
        again.check(JOINTS[::-1], POINTS)


def test_a_damaged_clip_and_a_time_beyond_its_end_are_refused(tmp_path):
    clip = make_clip()
    clip.save(tmp_path / "wave.npz")
    whole = (tmp_path / "wave.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ArtifactError, match="cut.npz"):
        Clip.load(tmp_path / "cut.npz")
    with pytest.raises(GoalError, match="2.00 s long"):
        ClipGoal(clip=clip, start=0.0, xy_w=(0.0, 0.0), yaw_w=0.0, until=3.0)
