"""State features against SciPy's rotations, differences of positions in MuJoCo, and themselves."""

from dataclasses import replace

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.state import (
    BodyPosRepresentation,
    CharacterFrame,
    JointRotRepresentation,
    StateRepresentation,
    StateSequence,
    character_frame,
    make_representation,
    relative_frame,
)
from scipy.spatial.transform import Rotation

from tests.reference.state_features import about_z, body_pos_features, compose_planar, heading

FRAME = CharacterFrame(np.array([0.7, -0.4]), np.array(-2.2))
BODY_POS = BodyPosRepresentation(g1.KEY_POINT_NAMES)


def quaternions(rotation: Rotation) -> np.ndarray:
    return rotation.as_quat(scalar_first=True)


def moved(seq: StateSequence, yaw: float, shift: np.ndarray) -> StateSequence:
    """The same motion elsewhere on the ground."""
    turn = about_z(yaw)
    offset = np.array([*shift, 0.0])

    def turned(vectors: np.ndarray) -> np.ndarray:
        return turn.apply(vectors.reshape(-1, 3)).reshape(vectors.shape)

    return replace(
        seq,
        root_pos_w=turned(seq.root_pos_w) + offset,
        root_quat_w=quaternions(turn * Rotation.from_quat(seq.root_quat_w, scalar_first=True)),
        root_lin_vel_w=turned(seq.root_lin_vel_w),
        root_ang_vel_w=turned(seq.root_ang_vel_w),
        key_pos_w=turned(seq.key_pos_w) + offset,
        key_vel_w=turned(seq.key_vel_w),
    )


def test_body_pos_features_are_what_a_loop_over_vectors_gives(rollout: StateSequence):
    features = BODY_POS.encode(rollout, FRAME)
    for t in range(0, 120, 17):
        s = rollout[t]
        root = (s.root_pos_w, s.root_quat_w, s.root_lin_vel_w, s.root_ang_vel_w)
        expected = body_pos_features(root, (s.key_pos_w, s.key_vel_w), FRAME.xy, float(FRAME.yaw))
        np.testing.assert_allclose(features[t], expected, atol=1e-12)


def test_joint_rot_features_are_the_root_of_body_pos_and_then_the_joints(rollout: StateSequence):
    features = JointRotRepresentation(g1.JOINT_NAMES).encode(rollout, FRAME)
    np.testing.assert_array_equal(features[:, :12], BODY_POS.encode(rollout, FRAME)[:, :12])
    np.testing.assert_array_equal(features[:, 12:], np.concatenate([rollout.joint_pos, rollout.joint_vel], axis=-1))


def test_decoding_the_root_gives_back_what_was_encoded(representation: StateRepresentation, rollout: StateSequence):
    pos, quat, linear, angular = representation.decode_root(representation.encode(rollout, FRAME), FRAME)
    np.testing.assert_allclose(pos, rollout.root_pos_w, atol=1e-12)
    difference = Rotation.from_quat(quat, scalar_first=True).inv() * Rotation.from_quat(
        rollout.root_quat_w, scalar_first=True
    )
    np.testing.assert_allclose(difference.magnitude(), 0.0, atol=1e-7)  # acos near 1 loses half of the digits
    np.testing.assert_allclose(linear, rollout.root_lin_vel_w, atol=1e-12)
    np.testing.assert_allclose(angular, rollout.root_ang_vel_w, atol=1e-12)


def test_decoding_key_points_gives_back_what_was_encoded(rollout: StateSequence):
    pos, vel = BODY_POS.decode_key_points(BODY_POS.encode(rollout, FRAME), FRAME)
    np.testing.assert_allclose(pos, rollout.key_pos_w, atol=1e-12)
    np.testing.assert_allclose(vel, rollout.key_vel_w, atol=1e-12)


def test_features_in_each_steps_own_frame_start_above_the_origin_facing_ahead(
    representation: StateRepresentation, rollout: StateSequence
):
    local = representation.encode_local(rollout)
    own = character_frame(rollout)
    np.testing.assert_allclose(local, representation.encode(rollout, own), atol=1e-12)
    np.testing.assert_array_equal(local[:, 0:2], 0.0)
    np.testing.assert_array_equal(local[:, 2], rollout.root_pos_w[:, 2])
    headings = [heading(quaternions(Rotation.from_rotvec(r))) for r in local[:, 3:6]]
    np.testing.assert_allclose(headings, 0.0, atol=1e-12)


@pytest.mark.parametrize("yaw", [-3.0, 0.4, 2.9])
def test_features_do_not_change_when_the_world_is_turned_and_shifted(
    representation: StateRepresentation, rollout: StateSequence, yaw: float
):
    there = moved(rollout, yaw, np.array([30.0, -7.0]))
    here_frame, there_frame = (character_frame(s[60]) for s in (rollout, there))
    # 30 m in double precision leave about 1e-14 of each position
    np.testing.assert_allclose(
        representation.encode(there, there_frame), representation.encode(rollout, here_frame), atol=1e-12
    )


def test_moving_features_twice_is_moving_them_by_the_composed_pose(
    representation: StateRepresentation, rollout: StateSequence
):
    features = representation.encode(rollout, FRAME)
    first = (np.array([0.3, 2.0]), 2.5)
    second = (np.array([-1.0, 0.2]), 1.9)
    twice = representation.transform(
        representation.transform(features, CharacterFrame(*map(np.asarray, first))),
        CharacterFrame(*map(np.asarray, second)),
    )
    once = representation.transform(features, CharacterFrame(*map(np.asarray, compose_planar(second, first))))
    np.testing.assert_allclose(twice, once, atol=1e-12)


def test_moving_features_to_another_frame_equals_encoding_them_there(
    representation: StateRepresentation, rollout: StateSequence
):
    old, new = character_frame(rollout[10]), character_frame(rollout[110])
    moved_over = representation.transform(representation.encode(rollout, old), relative_frame(old, new))
    np.testing.assert_allclose(moved_over, representation.encode(rollout, new), atol=1e-12)


def test_encoding_a_batch_with_a_frame_per_row_is_encoding_each_row(
    representation: StateRepresentation, rollout: StateSequence
):
    starts = np.array([0, 30, 77])
    steps = starts[:, None] + np.arange(5)
    now = character_frame(rollout[starts])
    batch = representation.encode(rollout[steps], CharacterFrame(now.xy[:, None], now.yaw[:, None]))
    for row, start in enumerate(starts):
        alone = representation.encode(rollout[start : start + 5], character_frame(rollout[start]))
        np.testing.assert_allclose(batch[row], alone, atol=1e-12)


def test_root_velocities_are_differences_of_root_positions_along_a_rollout(rollout: StateSequence, rollout_dt: float):
    features = BODY_POS.encode(rollout, FRAME)
    part = BODY_POS.layout
    step = np.diff(features[:, part["root_pos_c"]], axis=0) / rollout_dt
    # MuJoCo steps the velocity first and moves with the new one: exact but for rounding
    np.testing.assert_allclose(step, features[1:, part["root_lin_vel_c"]], atol=1e-9)
    rotation = Rotation.from_rotvec(features[:, part["root_rot_c"]])
    turned = (rotation[1:] * rotation[:-1].inv()).as_rotvec() / rollout_dt
    # between the two steps' axes: the body turns by 1e-3 rad in a step
    np.testing.assert_allclose(turned, features[1:, part["root_ang_vel_c"]], atol=5e-3)


def test_key_point_velocities_are_differences_of_positions_along_a_rollout(rollout: StateSequence, rollout_dt: float):
    pos, vel = BODY_POS.decode_key_points(BODY_POS.encode(rollout, FRAME), FRAME)
    difference = (pos[2:] - pos[:-2]) / (2 * rollout_dt)
    middle = (vel[2:] + 2 * vel[1:-1] + vel[:-2]) / 4
    error = np.abs(difference - middle)
    speed = np.abs(vel).max()
    # MuJoCo's half-implicit step is of first order: half a step of acceleration, dt a / 2
    acceleration = np.abs(np.diff(vel, axis=0)).max() / rollout_dt
    assert error.max() < rollout_dt * acceleration
    assert np.median(error) < 1e-3 * speed


def test_the_relative_frame_undoes_composition():
    reference, offset = (np.array([1.0, 2.0]), 3.0), (np.array([-0.3, 0.9]), 1.2)
    frame = compose_planar(reference, offset)
    found = relative_frame(CharacterFrame(*map(np.asarray, frame)), CharacterFrame(*map(np.asarray, reference)))
    np.testing.assert_allclose(found.xy, offset[0], atol=1e-12)
    assert found.yaw == pytest.approx(offset[1])


def test_an_unknown_kind_of_state_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="'pixels'.*body_pos.*joint_rot"):
        make_representation("pixels", (), ())
