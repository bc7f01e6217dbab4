"""The mirror image against the robot's own kinematics and against a rollout reflected in the world."""

from dataclasses import replace

import numpy as np
import pytest
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.robot.kinematics import Kinematics
from beyondmimic_diffusion.core.state import (
    BodyPosRepresentation,
    CharacterFrame,
    Mirror,
    StateRepresentation,
    StateSequence,
    character_frame,
)
from beyondmimic_diffusion.core.types import RobotState

FLIP = np.array([1.0, -1.0, 1.0])
MODEL_ASYMMETRY = 2e-4
"""The robot's MJCF gives left and right offsets with four to five digits [m]."""


def reflected(seq: StateSequence, mirror: Mirror) -> StateSequence:
    """The rollout seen in a mirror that stands in the plane y = 0."""
    w, x, y, z = np.moveaxis(seq.root_quat_w, -1, 0)
    partner = list(g1.MIRROR_KEY_POINT_INDEX)
    return StateSequence(
        root_pos_w=seq.root_pos_w * FLIP,
        root_quat_w=np.stack([w, -x, y, -z], axis=-1),
        root_lin_vel_w=seq.root_lin_vel_w * FLIP,
        root_ang_vel_w=-seq.root_ang_vel_w * FLIP,  # an axial vector
        joint_pos=mirror.joints(seq.joint_pos),
        joint_vel=mirror.joints(seq.joint_vel),
        key_pos_w=seq.key_pos_w[:, partner] * FLIP,
        key_vel_w=seq.key_vel_w[:, partner] * FLIP,
    )


def as_robot_state(s: StateSequence) -> RobotState:
    return RobotState(0.0, s.root_pos_w, s.root_quat_w, s.root_lin_vel_w, s.root_ang_vel_w, s.joint_pos, s.joint_vel)


def test_mirroring_twice_changes_nothing(representation: StateRepresentation, mirror: Mirror, rollout: StateSequence):
    features = representation.encode(rollout, character_frame(rollout[0]))
    np.testing.assert_array_equal(mirror.states(mirror.states(features)), features)
    np.testing.assert_array_equal(mirror.joints(mirror.joints(rollout.joint_pos)), rollout.joint_pos)


def test_mirrored_features_are_the_features_of_the_reflected_rollout(
    representation: StateRepresentation, mirror: Mirror, rollout: StateSequence
):
    image = reflected(rollout, mirror)
    expected = representation.encode(image, character_frame(image[50]))
    features = mirror.states(representation.encode(rollout, character_frame(rollout[50])))
    np.testing.assert_allclose(features, expected, atol=1e-12)


def test_a_robot_with_mirrored_joints_has_its_key_points_where_the_mirror_shows_them(
    kinematics: Kinematics, mirror: Mirror, rollout: StateSequence
):
    image = reflected(rollout, mirror)
    for t in range(0, 120, 24):
        pos, vel = kinematics.key_points(as_robot_state(image[t]))
        np.testing.assert_allclose(pos, image.key_pos_w[t], atol=MODEL_ASYMMETRY)
        fastest = np.abs(rollout.joint_vel[t]).max() + np.abs(rollout.root_ang_vel_w[t]).max()
        np.testing.assert_allclose(vel, image.key_vel_w[t], atol=8 * fastest * MODEL_ASYMMETRY)


def test_a_mirrored_rollout_stays_a_rollout(rollout: StateSequence, rollout_dt: float):
    """Its positions still change by its velocities."""
    representation = BodyPosRepresentation(g1.KEY_POINT_NAMES)
    mirror = Mirror(representation, g1.MIRROR_KEY_POINT_INDEX, g1.MIRROR_JOINT_INDEX, g1.MIRROR_JOINT_SIGN)
    frame = CharacterFrame(np.array([0.2, 0.1]), np.array(0.9))
    features = mirror.states(representation.encode(rollout, character_frame(rollout[0])))
    root, _, velocity, _ = representation.decode_root(features, frame)
    np.testing.assert_allclose(np.diff(root, axis=0) / rollout_dt, velocity[1:], atol=1e-9)
    pos, vel = representation.decode_key_points(features, frame)
    difference = (pos[2:] - pos[:-2]) / (2 * rollout_dt)
    acceleration = np.abs(np.diff(vel, axis=0)).max() / rollout_dt
    assert np.abs(difference - vel[1:-1]).max() < rollout_dt * acceleration


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_mirroring_keeps_the_precision_of_its_input(dtype: type):
    representation = BodyPosRepresentation(g1.KEY_POINT_NAMES)
    mirror = Mirror(representation, g1.MIRROR_KEY_POINT_INDEX, g1.MIRROR_JOINT_INDEX, g1.MIRROR_JOINT_SIGN)
    assert mirror.states(np.ones((2, representation.dim), dtype)).dtype == dtype
    assert mirror.joints(np.ones((2, g1.NUM_JOINTS), dtype)).dtype == dtype


def test_a_left_turn_becomes_a_right_turn(representation: StateRepresentation, mirror: Mirror, rollout: StateSequence):
    image = reflected(replace(rollout, root_ang_vel_w=np.tile([0.0, 0.0, 1.0], (120, 1))), mirror)
    np.testing.assert_array_equal(image.root_ang_vel_w[:, 2], -1.0)
    turning = np.zeros(representation.dim)
    turning[representation.layout["root_ang_vel_c"].stop - 1] = 1.0
    np.testing.assert_array_equal(mirror.states(turning), -turning)
