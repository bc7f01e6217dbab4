"""A robot motion, whatever file it came from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from beyondmimic_diffusion.core.errors import ArtifactError
from beyondmimic_diffusion.core.rotations import quat_conjugate, quat_multiply, quat_to_rotvec, slerp
from beyondmimic_diffusion.core.types import Array


class MotionError(ArtifactError):
    """A motion file that cannot be used; the text says what is wrong and what would be right."""


@dataclass(frozen=True)
class Motion:
    """T frames at a constant rate, joints in the order of ``core/robot/g1.py``."""

    rate_hz: float
    """Frames per second."""
    root_pos_w: Array
    """Pelvis origin [m], shape (T, 3)."""
    root_quat_w: Array
    """Pelvis orientation wxyz, shape (T, 4)."""
    joint_pos: Array
    """[rad], shape (T, J)."""

    def __len__(self) -> int:
        return len(self.joint_pos)

    @property
    def duration(self) -> float:
        """Time from the first to the last frame [s]."""
        return (len(self) - 1) / self.rate_hz

    def resampled(self, rate_hz: float) -> Motion:
        """At another rate: joints and positions linearly, orientations along the shortest arc."""
        if rate_hz == self.rate_hz:
            return self
        times = np.arange(np.floor(self.duration * rate_hz + 1e-6) + 1) / rate_hz * self.rate_hz  # in source frames
        low = np.minimum(times.astype(int), len(self) - 1)
        high, part = np.minimum(low + 1, len(self) - 1), times - low

        def linear(values: Array) -> Array:
            return values[low] + part[:, None] * (values[high] - values[low])

        quat = slerp(self.root_quat_w[low], self.root_quat_w[high], part)
        return Motion(rate_hz, linear(self.root_pos_w), quat, linear(self.joint_pos))

    def raised(self, height: float) -> Motion:
        """The same motion, higher by ``height`` [m]."""
        return replace(self, root_pos_w=self.root_pos_w + np.array([0.0, 0.0, height]))

    def joint_velocity(self) -> Array:
        """Joint velocities by central differences [rad/s], shape (T, J)."""
        return difference(self.joint_pos, self.rate_hz)


def difference(values: Array, rate_hz: float) -> Array:
    """Derivative along the first axis by central differences, one-sided at the ends; zero for a single frame."""
    return np.gradient(values, axis=0) * rate_hz if len(values) > 1 else np.zeros_like(values)


def angular_velocity(quat: Array, rate_hz: float) -> Array:
    """Angular velocity in world axes from orientations (T, ..., 4) by central differences [rad/s], (T, ..., 3)."""
    if len(quat) < 2:
        return np.zeros((*quat.shape[:-1], 3))
    index = np.arange(len(quat))
    before, after = np.maximum(index - 1, 0), np.minimum(index + 1, len(quat) - 1)
    turn = quat_to_rotvec(quat_multiply(quat[after], quat_conjugate(quat[before])))
    span = ((after - before) / rate_hz).reshape(-1, *([1] * (quat.ndim - 1)))
    return turn / span
