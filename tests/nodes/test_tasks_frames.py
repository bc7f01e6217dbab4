"""Frames are brought into each other as products of matrices say."""

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from beyondmimic_diffusion.core.rotations import quat_from_rotvec, quat_to_matrix  # noqa: E402
from beyondmimic_diffusion.ros.conversions import transform_to_msg  # noqa: E402
from beyondmimic_diffusion.ros.frames import FrameError  # noqa: E402
from beyondmimic_diffusion.ros.transforms import TransformBuffer  # noqa: E402

pytestmark = pytest.mark.ros
BODY = (("odom", "base_footprint"), ("base_footprint", "pelvis"), ("pelvis", "torso"))
LINKS = (*BODY, ("map", "odom"), ("odom", "dock"))


def matrix(position, quat):
    """Homogeneous, child to parent."""
    out = np.eye(4)
    out[:3, :3], out[:3, 3] = quat_to_matrix(quat), position
    return out


@pytest.fixture
def tree(rng):
    """A buffer, and each frame's pose in the map by matrices."""
    buffer, poses = TransformBuffer("odom"), {}
    for parent, child in LINKS:
        position, quat = rng.normal(size=3), quat_from_rotvec(rng.normal(size=3))
        poses[parent, child] = matrix(position, quat)
        buffer.add([transform_to_msg(5.0, parent, child, position, quat)], static=child in ("torso", "dock"))
    in_map = {"map": np.eye(4)}
    in_map["odom"] = poses["map", "odom"]
    for parent, child in (*BODY, LINKS[-1]):
        in_map[child] = in_map[parent] @ poses[parent, child]
    return buffer, in_map


def as_matrix(transform):
    return matrix(transform.position, transform.quat)


def test_between_any_two_frames_of_a_tree_the_product_of_matrices_leads(tree):
    buffer, in_map = tree
    for target in in_map:
        for source in in_map:
            expected = np.linalg.inv(in_map[target]) @ in_map[source]
            np.testing.assert_allclose(as_matrix(buffer.lookup(target, source)), expected, atol=1e-12)


def test_points_directions_and_orientations_follow(tree, rng):
    buffer, in_map = tree
    found, expected = buffer.lookup("odom", "torso"), np.linalg.inv(in_map["odom"]) @ in_map["torso"]
    point = rng.normal(size=3)
    np.testing.assert_allclose(found.point(point), (expected @ [*point, 1.0])[:3], atol=1e-12)
    np.testing.assert_allclose(found.vector(point), expected[:3, :3] @ point, atol=1e-12)
    np.testing.assert_allclose(quat_to_matrix(found.rotation(np.array([1.0, 0, 0, 0]))), expected[:3, :3], atol=1e-12)


def test_a_leading_slash_is_the_same_frame(tree):
    buffer, _ = tree
    np.testing.assert_array_equal(buffer.lookup("odom", "/torso").position, buffer.lookup("odom", "torso").position)


def moving(*stamps, speed=1.0, rate=1.0):
    """A frame that goes along x and turns about z."""
    buffer = TransformBuffer("odom")
    for stamp in stamps:
        pose = np.array([speed * stamp, 0.0, 0.0]), quat_from_rotvec([0.0, 0.0, rate * stamp])
        buffer.add([transform_to_msg(stamp, "odom", "base", *pose)])
    return buffer


def test_between_two_stamps_it_is_interpolated_and_without_a_stamp_the_newest_counts():
    buffer = moving(1.0, 1.2, 1.4)
    between = buffer.lookup("odom", "base", 1.25)
    np.testing.assert_allclose(between.position, [1.25, 0.0, 0.0])
    np.testing.assert_allclose(between.quat, quat_from_rotvec([0.0, 0.0, 1.25]), atol=1e-12)
    np.testing.assert_allclose(buffer.lookup("odom", "base").position, [1.4, 0.0, 0.0])


def test_a_little_beyond_the_history_its_end_counts_and_far_beyond_nothing():
    buffer = moving(1.0, 2.0)
    assert buffer.lookup("odom", "base", 2.4).position[0] == 2.0
    assert buffer.lookup("odom", "base", 0.6).position[0] == 1.0
    with pytest.raises(FrameError, match=r"from 1\.000 s to 2\.000 s, not at 2\.600 s"):
        buffer.lookup("odom", "base", 2.6)


def test_history_older_than_ten_seconds_is_forgotten_and_late_messages_do_not_disturb():
    buffer = moving(0.0, 5.0, 10.0, 14.0, 13.5)
    assert buffer.lookup("odom", "base").position[0] == 14.0
    with pytest.raises(FrameError, match=r"from 5\.000 s"):
        buffer.lookup("odom", "base", 1.0)


def test_when_time_is_set_back_the_history_starts_anew():
    buffer = moving(100.0, 101.0, 2.0, 2.1)
    assert buffer.lookup("odom", "base", 2.1).position[0] == pytest.approx(2.1)


def test_an_unknown_frame_is_refused_with_the_known_ones(tree):
    with pytest.raises(FrameError, match=r"'kitchen' is unknown; known are base_footprint, dock, map, odom"):
        tree[0].lookup("odom", "kitchen")


def test_two_trees_without_a_connection_are_refused_with_both_roots(tree):
    buffer, _ = tree
    buffer.add([transform_to_msg(5.0, "island", "palm", np.zeros(3), np.array([1.0, 0, 0, 0]))])
    with pytest.raises(FrameError, match=r"hangs under 'island', the other under 'map'"):
        buffer.lookup("odom", "palm")
    assert not buffer.knows("odom", "palm")
    assert buffer.knows("odom", "torso")


def test_a_frame_that_moves_to_another_parent_hangs_there(tree):
    buffer, in_map = tree
    pose = np.array([1.0, 2.0, 3.0]), np.array([1.0, 0, 0, 0])
    buffer.add([transform_to_msg(6.0, "dock", "pelvis", *pose)])
    np.testing.assert_allclose(as_matrix(buffer.lookup("dock", "pelvis")), matrix(*pose), atol=1e-12)


def test_transforms_with_nan_or_no_rotation_and_loops_do_not_get_in(tree):
    buffer, _ = tree
    before = buffer.lookup("odom", "dock").position
    buffer.add([transform_to_msg(9.0, "odom", "dock", np.full(3, np.nan), np.array([1.0, 0, 0, 0]))], static=True)
    buffer.add([transform_to_msg(9.0, "odom", "dock", np.ones(3), np.zeros(4))], static=True)
    np.testing.assert_array_equal(buffer.lookup("odom", "dock").position, before)
    loop = TransformBuffer("odom")
    for parent, child in (("a", "b"), ("b", "c"), ("c", "a")):
        loop.add([transform_to_msg(1.0, parent, child, np.zeros(3), np.array([1.0, 0, 0, 0]))])
    with pytest.raises(FrameError):
        loop.lookup("odom", "a")


def test_after_a_jump_only_static_frames_are_kept(tree):
    buffer, _ = tree
    buffer.clear()
    assert buffer.frames() == ("dock", "odom", "pelvis", "torso")
