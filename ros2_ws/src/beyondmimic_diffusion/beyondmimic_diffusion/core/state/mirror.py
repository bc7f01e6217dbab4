"""Left-right symmetry of state features and actions: the reflection y -> -y of the character frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..types import Array
from .representation import BodyPosRepresentation, JointRotRepresentation

_VECTOR = np.array([1.0, -1.0, 1.0])
"""Polar vectors (positions, velocities) change sign along y."""
_AXIAL = np.array([-1.0, 1.0, -1.0])
"""Axial vectors (rotations, angular velocities) change sign along x and z."""


class Mirror:
    """Mirrors feature vectors: ``mirrored = features[..., index] * sign``."""

    def __init__(
        self,
        representation: BodyPosRepresentation | JointRotRepresentation,
        key_point_index: Sequence[int],
        joint_index: Sequence[int],
        joint_sign: Sequence[float] | Array,
    ):
        """
        Args:
            representation: Whose states are mirrored.
            key_point_index: For each key point, the index of its partner on the other side, shape (M,).
            joint_index: For each joint, the index of its partner, shape (J,).
            joint_sign: Sign of the partner's angle, shape (J,).
        """
        self.joint_index: NDArray[np.intp] = np.asarray(joint_index, dtype=np.intp)
        self.joint_sign = np.asarray(joint_sign, dtype=np.float32)
        index = np.arange(representation.dim)
        sign = np.ones(representation.dim, dtype=np.float32)
        layout = representation.layout
        for name, signs in (
            ("root_pos_c", _VECTOR),
            ("root_rot_c", _AXIAL),
            ("root_lin_vel_c", _VECTOR),
            ("root_ang_vel_c", _AXIAL),
        ):
            sign[layout[name]] = signs
        if isinstance(representation, BodyPosRepresentation):
            partner = np.asarray(key_point_index, dtype=np.intp)
            for name in ("key_pos_l", "key_vel_l"):
                start = layout[name].start
                index[layout[name]] = (start + 3 * partner[:, None] + np.arange(3)).ravel()
                sign[layout[name]] = np.tile(_VECTOR, len(partner))
        else:
            for name in ("joint_pos", "joint_vel"):
                index[layout[name]] = layout[name].start + self.joint_index
                sign[layout[name]] = self.joint_sign
        self.state_index, self.state_sign = index, sign

    def states(self, features: Array) -> Array:
        """Mirror image of state features, shape (..., D)."""
        return features[..., self.state_index] * self.state_sign.astype(features.dtype)

    def joints(self, targets: Array) -> Array:
        """Mirror image of joint positions or targets, shape (..., J)."""
        return targets[..., self.joint_index] * self.joint_sign.astype(targets.dtype)
