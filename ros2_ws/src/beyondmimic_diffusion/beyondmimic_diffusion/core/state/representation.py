r"""State features in the character frame (BeyondMimic v3 section VI-D; Diffuse-CLoC section 4.1).

The character frame ``c`` of a step has its origin at the pelvis's ground projection and only the pelvis's yaw::

            z (world up, absolute height kept)
            |   x (the way the pelvis faces)
            |  /
            | /
    y ------o   pelvis's x, y on the ground

Features of a step, in this order:

====================  ======  ==========================================================================
``root_pos_c``        3       pelvis position in the frame of the *current* step; z absolute [m]
``root_rot_c``        3       rotation vector of the pelvis relative to the current yaw [rad]
``root_lin_vel_c``    3       pelvis velocity, rotated to the current frame, not made relative [m/s]
``root_ang_vel_c``    3       angular velocity, rotated to the current frame [rad/s]
Body-Pos ``key_pos_l``   3 M  key points minus pelvis, rotated by each step's *own* yaw [m]
Body-Pos ``key_vel_l``   3 M  key-point velocities minus the pelvis's, rotated by own yaw [m/s]
Joint-Rot ``joint_pos``  J    joint positions [rad] (the paper's comparison)
Joint-Rot ``joint_vel``  J    joint velocities [rad/s]
====================  ======  ==========================================================================

Only the first four change when the current step changes; :meth:`StateRepresentation.transform` moves them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from ..errors import ConfigError
from ..rotations import (
    quat_from_rotvec,
    quat_from_yaw,
    quat_multiply,
    quat_to_rotvec,
    rotate_yaw,
    wrap_angle,
    yaw_of,
)
from ..types import Array


class CharacterFrame(NamedTuple):
    """A planar pose."""

    xy: Array
    """Origin [m], shape (..., 2)."""
    yaw: Array
    """Heading [rad], shape (...)."""


@dataclass(frozen=True)
class StateSequence:
    """Robot states over time, as arrays with any leading dimensions (``...`` below)."""

    root_pos_w: Array
    """[m], shape (..., 3)."""
    root_quat_w: Array
    """wxyz, shape (..., 4)."""
    root_lin_vel_w: Array
    """[m/s], shape (..., 3)."""
    root_ang_vel_w: Array
    """World axes [rad/s], shape (..., 3)."""
    joint_pos: Array
    """[rad], shape (..., J)."""
    joint_vel: Array
    """[rad/s], shape (..., J)."""
    key_pos_w: Array
    """Key points [m], shape (..., M, 3)."""
    key_vel_w: Array
    """Their velocities [m/s], shape (..., M, 3)."""

    def __getitem__(self, index: object) -> StateSequence:
        """Index or slice every array along the leading dimensions."""
        return StateSequence(*(getattr(self, f.name)[index] for f in fields(self)))


def character_frame(seq: StateSequence) -> CharacterFrame:
    """The character frame of each step, shape (...)."""
    return CharacterFrame(seq.root_pos_w[..., :2], yaw_of(seq.root_quat_w))


def relative_frame(frame: CharacterFrame, reference: CharacterFrame) -> CharacterFrame:
    """Pose of ``frame`` as seen from ``reference``; the two broadcast."""
    offset = frame.xy - reference.xy
    c, s = np.cos(reference.yaw), np.sin(reference.yaw)
    xy = np.stack([c * offset[..., 0] + s * offset[..., 1], -s * offset[..., 0] + c * offset[..., 1]], axis=-1)
    return CharacterFrame(xy, wrap_angle(frame.yaw - reference.yaw))


class StateRepresentation(ABC):
    """Encodes robot states as feature vectors and back."""

    kind: str
    dim: int
    layout: dict[str, slice]
    sizes: dict[str, int]

    def __init__(self, sizes: Sequence[tuple[str, int]]):
        names = [("root_pos_c", 3), ("root_rot_c", 3), ("root_lin_vel_c", 3), ("root_ang_vel_c", 3), *sizes]
        self.sizes = dict(names)
        self.layout = {}
        start = 0
        for name, size in names:
            self.layout[name] = slice(start, start + size)
            start += size
        self.dim = start

    @abstractmethod
    def _local(self, seq: StateSequence, yaw: Array) -> list[Array]:
        """The parts that depend on each step's own yaw only, each flat on the last axis."""

    def encode_local(self, seq: StateSequence) -> Array:
        """Features of each step in its *own* character frame, shape (..., D)."""
        yaw = yaw_of(seq.root_quat_w)
        pos = np.concatenate([np.zeros_like(seq.root_pos_w[..., :2]), seq.root_pos_w[..., 2:]], axis=-1)
        rot = quat_to_rotvec(quat_multiply(quat_from_yaw(-yaw), seq.root_quat_w))
        parts = [pos, rot, rotate_yaw(seq.root_lin_vel_w, -yaw), rotate_yaw(seq.root_ang_vel_w, -yaw)]
        return np.concatenate([*parts, *self._local(seq, yaw)], axis=-1)

    def encode(self, seq: StateSequence, frame: CharacterFrame) -> Array:
        """Features of each step in the character frame given.

        Args:
            seq: States, leading shape (..., T) or (...).
            frame: Frame of the current step; it and the leading shape broadcast.

        Returns:
            Shape (..., D).
        """
        back = -frame.yaw
        rot = quat_to_rotvec(quat_multiply(quat_from_yaw(back), seq.root_quat_w))  # (..., 3): the two broadcast here
        out = np.empty((*rot.shape[:-1], self.dim), rot.dtype)
        out[..., self.layout["root_rot_c"]] = rot
        pos = out[..., self.layout["root_pos_c"]]
        pos[..., :2] = rotate_yaw(seq.root_pos_w[..., :2] - frame.xy, back)
        pos[..., 2] = seq.root_pos_w[..., 2]
        out[..., self.layout["root_lin_vel_c"]] = rotate_yaw(seq.root_lin_vel_w, back)
        out[..., self.layout["root_ang_vel_c"]] = rotate_yaw(seq.root_ang_vel_w, back)
        start = self.layout["root_ang_vel_c"].stop
        out[..., start:] = np.concatenate(self._local(seq, yaw_of(seq.root_quat_w)), axis=-1)
        return out

    def transform(self, features: Array, pose: CharacterFrame) -> Array:
        """Features re-expressed in another frame, of which ``pose`` is the old frame's pose.

        Only the root parts change. ``pose`` broadcasts against the leading shape of ``features``.
        """
        out = np.array(features)
        pos, rot = self.layout["root_pos_c"], self.layout["root_rot_c"]
        moved = rotate_yaw(features[..., pos], pose.yaw)
        moved[..., :2] += pose.xy
        out[..., pos] = moved
        turned = quat_multiply(quat_from_yaw(pose.yaw), quat_from_rotvec(features[..., rot]))
        out[..., rot] = quat_to_rotvec(turned)
        for name in ("root_lin_vel_c", "root_ang_vel_c"):
            out[..., self.layout[name]] = rotate_yaw(features[..., self.layout[name]], pose.yaw)
        return out

    def decode_pose(self, features: Array, frame: CharacterFrame) -> tuple[Array, Array]:
        """Root position [m], shape (..., 3), and orientation (wxyz), shape (..., 4), in the world.

        Args:
            features: In the character frame ``frame``, shape (..., 6 or more): only ``root_pos_c`` and ``root_rot_c``
                are read.
            frame: Pose of that frame in the world; broadcasts.
        """
        pos = rotate_yaw(features[..., self.layout["root_pos_c"]], frame.yaw)
        pos[..., :2] += frame.xy
        return pos, quat_multiply(quat_from_yaw(frame.yaw), quat_from_rotvec(features[..., self.layout["root_rot_c"]]))

    def decode_root(self, features: Array, frame: CharacterFrame) -> tuple[Array, Array, Array, Array]:
        """Root position [m], orientation (wxyz), linear [m/s] and angular velocity [rad/s] in the world.

        Args:
            features: Shape (..., D), in the character frame ``frame``.
            frame: Pose of that frame in the world; broadcasts.
        """
        world = self.transform(features, frame)
        return (
            world[..., self.layout["root_pos_c"]],
            quat_from_rotvec(world[..., self.layout["root_rot_c"]]),
            world[..., self.layout["root_lin_vel_c"]],
            world[..., self.layout["root_ang_vel_c"]],
        )


class BodyPosRepresentation(StateRepresentation):
    """Root and Cartesian key points: costs in space can be read off directly."""

    kind = "body_pos"

    def __init__(self, key_point_names: Sequence[str]):
        """
        Args:
            key_point_names: Names of the M key points, in the order of ``StateSequence.key_pos_w``.
        """
        self.key_point_names = tuple(key_point_names)
        size = 3 * len(self.key_point_names)
        super().__init__([("key_pos_l", size), ("key_vel_l", size)])

    def _local(self, seq: StateSequence, yaw: Array) -> list[Array]:
        pos = rotate_yaw(seq.key_pos_w - seq.root_pos_w[..., None, :], -yaw[..., None])
        vel = rotate_yaw(seq.key_vel_w - seq.root_lin_vel_w[..., None, :], -yaw[..., None])
        flat = (*pos.shape[:-2], -1)
        return [pos.reshape(flat), vel.reshape(flat)]

    def decode_key_points(self, features: Array, frame: CharacterFrame) -> tuple[Array, Array]:
        """Key-point positions [m] and velocities [m/s] in the world, shape (..., M, 3)."""
        pos, quat, vel, _ = self.decode_root(features, frame)
        yaw = yaw_of(quat)[..., None]
        shape = (*features.shape[:-1], len(self.key_point_names), 3)
        key_pos = rotate_yaw(features[..., self.layout["key_pos_l"]].reshape(shape), yaw) + pos[..., None, :]
        key_vel = rotate_yaw(features[..., self.layout["key_vel_l"]].reshape(shape), yaw) + vel[..., None, :]
        return key_pos, key_vel


class JointRotRepresentation(StateRepresentation):
    """Root and joint angles: the paper's comparison (BeyondMimic v3, table III)."""

    kind = "joint_rot"

    def __init__(self, joint_names: Sequence[str]):
        """
        Args:
            joint_names: Names of the J joints, in the order of ``StateSequence.joint_pos``.
        """
        self.joint_names = tuple(joint_names)
        super().__init__([("joint_pos", len(self.joint_names)), ("joint_vel", len(self.joint_names))])

    def _local(self, seq: StateSequence, yaw: Array) -> list[Array]:
        return [seq.joint_pos, seq.joint_vel]


def make_representation(
    kind: str, key_point_names: Sequence[str], joint_names: Sequence[str]
) -> BodyPosRepresentation | JointRotRepresentation:
    """The representation a manifest names.

    Raises:
        ConfigError: ``kind`` is unknown.
    """
    if kind == BodyPosRepresentation.kind:
        return BodyPosRepresentation(key_point_names)
    if kind == JointRotRepresentation.kind:
        return JointRotRepresentation(joint_names)
    raise ConfigError(f"state representation '{kind}' is unknown; known are 'body_pos' and 'joint_rot'")
