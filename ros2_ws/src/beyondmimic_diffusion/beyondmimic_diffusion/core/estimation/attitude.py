"""Orientation of the pelvis: the IMU's own, or gyro and accelerometer where the IMU gives none."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from ..rotations import quat_from_rotvec, quat_multiply, quat_rotate_inverse, quat_to_matrix
from ..types import Array, ImuSample

GRAVITY = 9.81
"""[m/s^2]."""
_UP_W = np.array([0.0, 0.0, 1.0])


class Attitude(Protocol):
    """One way to the orientation."""

    def reset(self) -> None:
        """Forget everything."""
        ...

    def update(self, imu: ImuSample) -> Array:
        """Orientation wxyz of unit length after one more sample, shape (4,)."""
        ...


class ImuAttitude:
    """Trusts the IMU: the G1's fuses its own gyro and accelerometer at a higher rate than we see."""

    def reset(self) -> None:
        """Nothing is remembered."""

    def update(self, imu: ImuSample) -> Array:
        """The IMU's quaternion, made unit length, shape (4,)."""
        return imu.quat_w / np.linalg.norm(imu.quat_w)


class ComplementaryAttitude:
    r"""Integrates the gyro and leans slowly towards the accelerometer's vertical (Mahony's filter without bias).

    .. math:: \hat q \leftarrow \hat q \otimes \exp(\omega_b\,\Delta t) \otimes \exp(k\, u_m \times u_p\,\Delta t)

    with u_m the measured and u_p the predicted up vector in body axes, the gyro's turn included. The
    heading is the gyro's alone and drifts.
    """

    def __init__(self, gain: float = 0.5, acceleration_band: float = 2.0, max_gap: float = 0.1) -> None:
        """
        Args:
            gain: k [1/s]: 1/k is the time in which a tilt error decays.
            acceleration_band: Deviation of the specific force from gravity at which it is no longer used [m/s^2].
            max_gap: Longest time between two samples that is integrated over [s].
        """
        self._gain, self._band, self._max_gap = gain, acceleration_band, max_gap
        self.reset()

    def reset(self) -> None:
        """Start anew, upright as the accelerometer says, heading 0."""
        self._quat: Array | None = None
        self._stamp = math.nan

    def update(self, imu: ImuSample) -> Array:
        """Orientation wxyz after one more sample, shape (4,)."""
        norm = float(np.linalg.norm(imu.lin_acc_b))
        up_measured = imu.lin_acc_b / norm if norm > 1e-6 else _UP_W
        if self._quat is None:
            self._quat = _from_up(up_measured)
        else:
            dt = min(max(imu.stamp - self._stamp, 0.0), self._max_gap)
            trust = max(0.0, 1.0 - abs(norm - GRAVITY) / self._band)
            turned = quat_multiply(self._quat, quat_from_rotvec(imu.ang_vel_b * dt))
            up_predicted = quat_rotate_inverse(turned, _UP_W)
            lean = self._gain * trust * dt * np.cross(up_measured, up_predicted)
            quat = quat_multiply(turned, quat_from_rotvec(lean))
            self._quat = quat / np.linalg.norm(quat)
        self._stamp = imu.stamp
        return self._quat


def up_to_rotation(lin_acc_b: Array) -> Array:
    """Rotation matrix pelvis to world, shape (3, 3), at rest: the shortest that turns the specific force up."""
    norm = float(np.linalg.norm(lin_acc_b))
    return quat_to_matrix(_from_up(lin_acc_b / norm if norm > 1e-6 else _UP_W))


def _from_up(up_b: Array) -> Array:
    """The shortest rotation that brings the body vector ``up_b`` (unit) to the world's z axis, wxyz."""
    axis = np.cross(up_b, _UP_W)
    sine = float(np.linalg.norm(axis))
    if sine < 1e-9:
        return np.array([1.0, 0.0, 0.0, 0.0]) if up_b[2] > 0.0 else np.array([0.0, 1.0, 0.0, 0.0])
    return quat_from_rotvec(axis / sine * math.atan2(sine, float(up_b[2])))
