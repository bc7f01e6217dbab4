"""Motion files of others: read as they are, or refused in a sentence."""

from __future__ import annotations

import csv
import os
import pickle

import numpy as np
import pytest
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.rotations import quat_from_yaw, yaw_of
from beyondmimic_training.motions import MotionError, read_motion
from beyondmimic_training.motions.command import add_arguments, main
from beyondmimic_training.motions.motion import Motion
from hypothesis import given, settings
from hypothesis import strategies as st

CASES = int(os.environ.get("CASES", "1000"))
FRAMES = 40
J = g1.NUM_JOINTS


def walk(frames: int = FRAMES, rate: float = 30.0) -> Motion:
    """A turning motion with each joint at its own angle inside its range."""
    time = np.arange(frames) / rate
    root = np.stack([0.5 * time, 0.1 * time, np.full(frames, 0.79)], axis=1)
    low, high = g1.JOINT_POS_LIMITS.T
    middle = 0.5 * (low + high)
    joints = middle + 0.02 * (high - low) * np.sin(time[:, None] + np.arange(J))
    return Motion(rate, root, quat_from_yaw(2.0 + time), joints)


def write_csv(path, motion: Motion, header: bool = False, order=(1, 2, 3, 0)):
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        if header:
            rows.writerow([f"column {i}" for i in range(36)])
        quat = motion.root_quat_w[:, list(order)]
        rows.writerows(np.concatenate([motion.root_pos_w, quat, motion.joint_pos], axis=1).tolist())
    return path


def write_pickle(path, motion: Motion, **changes):
    content = {
        "fps": motion.rate_hz,
        "root_pos": motion.root_pos_w,
        "root_rot": motion.root_quat_w[:, [1, 2, 3, 0]],
        "dof_pos": motion.joint_pos,
        "local_body_pos": None,
        "link_body_list": None,
    }
    path.write_bytes(pickle.dumps({**content, **changes}))
    return path


def write_npz(path, motion: Motion, order=g1.JOINT_NAMES, **changes):
    columns = [g1.JOINT_NAMES.index(name) for name in order]
    content = {
        "fps": np.array([motion.rate_hz]),
        "joint_pos": motion.joint_pos[:, columns],
        "body_pos_w": motion.root_pos_w[:, None],
        "body_quat_w": motion.root_quat_w[:, None],
    }
    np.savez(path, **{**content, **changes})
    return path


def assert_same(read: Motion, expected: Motion):
    assert read.rate_hz == expected.rate_hz
    np.testing.assert_allclose(read.root_pos_w, expected.root_pos_w, atol=1e-12)
    np.testing.assert_allclose(read.joint_pos, expected.joint_pos, atol=1e-12)
    np.testing.assert_allclose(read.root_quat_w, expected.root_quat_w, atol=1e-12)


@pytest.mark.parametrize("header", [False, True])
def test_a_lafan1_csv_is_read_at_30_frames_a_second(tmp_path, header):
    assert_same(read_motion(write_csv(tmp_path / "walk.csv", walk(), header)), walk())


def test_a_gmr_pickle_is_read_at_its_own_rate(tmp_path):
    assert_same(read_motion(write_pickle(tmp_path / "walk.pkl", walk(rate=24.0))), walk(rate=24.0))


@pytest.mark.parametrize("order", [g1.JOINT_NAMES, g1.ISAACLAB_JOINT_NAMES])
def test_an_npz_is_read_in_the_only_joint_order_that_fits_the_limits(tmp_path, order):
    assert_same(read_motion(write_npz(tmp_path / "walk.npz", walk(rate=50.0), order)), walk(rate=50.0))


def test_an_npz_that_fits_both_joint_orders_is_not_guessed_at(tmp_path):
    motion = walk()
    small = Motion(50.0, motion.root_pos_w, motion.root_quat_w, 0.05 * np.sin(np.arange(FRAMES * J).reshape(-1, J)))
    file = write_npz(tmp_path / "small.npz", small)
    with pytest.raises(MotionError, match="--joint-order"):
        read_motion(file)
    assert_same(read_motion(file, joint_order="mjcf"), small)


def test_names_inside_an_npz_decide_the_order(tmp_path):
    names = tuple(reversed(g1.JOINT_NAMES))
    file = write_npz(tmp_path / "walk.npz", walk(rate=50.0), names, joint_names=np.array(names))
    assert_same(read_motion(file), walk(rate=50.0))


class Harmful:
    """What a hostile pickle does: name a function to be called."""

    def __reduce__(self):
        return os.system, ("touch /tmp/beyondmimic_pickle_was_run",)


def test_a_pickle_that_would_run_something_is_refused_and_nothing_runs(tmp_path):
    file = write_pickle(tmp_path / "bad.pkl", walk(), link_body_list=Harmful())
    with pytest.raises(MotionError, match=r"it names '\w+.system'"):
        read_motion(file)
    assert not os.path.exists("/tmp/beyondmimic_pickle_was_run")


def changed(**values) -> Motion:
    motion = walk()
    arrays = {name: np.array(getattr(motion, name)) for name in ("root_pos_w", "root_quat_w", "joint_pos")}
    for name, (index, value) in values.items():
        arrays[name][index] = value
    return Motion(30.0, **arrays)


@pytest.mark.parametrize(
    ("motion", "sentence"),
    [
        (changed(joint_pos=((3, 4), np.nan)), "frame 3: a joint angle is not finite"),
        (changed(root_pos_w=((slice(None), 0), 5000.0)), "millimetres"),
        (changed(root_quat_w=((7, 0), 3.0)), "frame 7: the orientation has length"),
        (changed(joint_pos=((slice(None), 3), 90.0)), "left_knee_joint is at 90.00 rad.*degrees"),
        (changed(joint_pos=((20, 22), 2.5)), "frame (19|20): .* moves at .* rad/s"),
    ],
)
def test_a_motion_that_the_robot_cannot_have_is_refused_with_the_likely_reason(tmp_path, motion, sentence):
    with pytest.raises(MotionError, match=sentence):
        read_motion(write_csv(tmp_path / "walk.csv", motion))


def test_quaternions_in_the_other_order_are_noticed(tmp_path):
    file = write_csv(tmp_path / "walk.csv", walk(), order=(0, 1, 2, 3))
    with pytest.raises(MotionError, match="in the other order"):
        read_motion(file)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("walk.csv", "1,2,3\n", "line 1 has 3 numbers; 36 were expected"),
        ("walk.csv", "", "holds no frames"),
        ("walk.pkl", "not a pickle", "not a pickle of plain arrays"),
        ("walk.npz", "not an archive", "not a NumPy archive"),
        ("walk.bvh", "HIERARCHY", "ends in '.bvh'; known are .csv"),
    ],
)
def test_another_file_is_refused_by_what_it_holds(tmp_path, name, content, sentence):
    (tmp_path / name).write_text(content)
    with pytest.raises(MotionError, match=sentence):
        read_motion(tmp_path / name)


def test_resampling_keeps_a_constant_turn_and_a_straight_line():
    motion = walk().resampled(50.0)
    time = np.arange(len(motion)) / 50.0
    np.testing.assert_allclose(motion.root_pos_w[:, 0], 0.5 * time, atol=1e-12)
    np.testing.assert_allclose(np.unwrap(yaw_of(motion.root_quat_w)), 2.0 + time, atol=1e-9)
    assert motion.duration == pytest.approx(walk().duration, abs=0.02)


def run(*words: str) -> int:
    import argparse

    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return main(parser.parse_args(words))


def test_a_converted_motion_stands_on_the_floor_and_reads_back_the_same(tmp_path):
    source = write_csv(tmp_path / "walk.csv", walk())
    assert run("convert", str(source), "--out", str(tmp_path / "walk.npz")) == 0
    back, wanted = read_motion(tmp_path / "walk.npz"), walk().resampled(50.0)
    np.testing.assert_allclose(back.joint_pos, wanted.joint_pos, atol=1e-6)
    np.testing.assert_allclose(back.root_pos_w[:, :2], wanted.root_pos_w[:, :2], atol=1e-6)
    with np.load(tmp_path / "walk.npz") as file:
        names = [str(name) for name in file["body_names"]]
        feet = file["body_pos_w"][:, [names.index(f"{side}_ankle_roll_link") for side in ("left", "right")], 2]
        spin = file["body_ang_vel_w"][:, 0]
    assert 0.0 < feet.min() < 0.1  # an ankle is some centimetres above its sole
    np.testing.assert_allclose(spin, np.tile([0.0, 0.0, 1.0], (len(spin), 1)), atol=1e-5)


def test_an_output_that_is_no_npz_is_refused(tmp_path):
    with pytest.raises(MotionError, match="must end in .npz"):
        run("convert", str(write_csv(tmp_path / "walk.csv", walk())), "--out", str(tmp_path / "walk.csv"))


@settings(max_examples=CASES)
@given(kind=st.sampled_from([".csv", ".pkl", ".npz"]), damage=st.binary(max_size=40), at=st.integers(0, 4000))
def test_any_damage_to_a_file_ends_in_a_sentence_or_a_sound_motion(tmp_path_factory, kind, damage, at):
    folder = tmp_path_factory.getbasetemp()
    file = folder / f"damaged{kind}"
    writer = {".csv": write_csv, ".pkl": write_pickle, ".npz": write_npz}[kind]
    content = writer(file, walk(6)).read_bytes()
    place = at % (len(content) + 1)
    file.write_bytes(content[:place] + damage + content[place + len(damage) :])
    said = ""
    try:
        motion = read_motion(file)
    except MotionError as error:
        motion, said = None, str(error)
    if motion is None:
        assert file.name in said
    else:
        parts = (motion.root_pos_w, motion.root_quat_w, motion.joint_pos)
        assert all(np.isfinite(values).all() for values in parts)
        np.testing.assert_allclose(np.linalg.norm(motion.root_quat_w, axis=1), 1.0, atol=1e-9)
