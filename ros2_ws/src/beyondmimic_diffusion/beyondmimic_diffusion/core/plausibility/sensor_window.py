"""The newest half second of samples, thinned to a constant spacing, as arrays."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..types import Array, ImuSample, JointSample

SPACING = 0.01
"""Samples closer than this to the one before are left out [s]."""
ROWS = 50


class SensorWindow:
    """A ring of samples; taking one in costs a few array copies."""

    def __init__(self, num_joints: int):
        """
        Args:
            num_joints: J.
        """
        self._stamp = np.zeros(ROWS)
        self._imu = np.zeros((ROWS, 10))
        self._joints = np.zeros((ROWS, 2, num_joints))
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._count, self._next, self._last = 0, 0, -math.inf

    def take(self, imu: ImuSample, joints: JointSample) -> None:
        """Take a pair in; a stamp that goes back starts the window again."""
        if imu.stamp < self._last:
            self.reset()
        if imu.stamp - self._last < SPACING - 1e-9:
            return
        row = self._next
        self._stamp[row], self._last = imu.stamp, imu.stamp
        self._imu[row, :4], self._imu[row, 4:7], self._imu[row, 7:] = imu.quat_w, imu.ang_vel_b, imu.lin_acc_b
        self._joints[row, 0], self._joints[row, 1] = joints.position, joints.velocity
        self._next = (row + 1) % ROWS
        self._count = min(self._count + 1, ROWS)

    @property
    def full(self) -> bool:
        """Whether it spans its half second."""
        return self._count == ROWS

    @property
    def _order(self) -> NDArray[np.intp]:
        return (self._next - self._count + np.arange(self._count)) % ROWS

    @property
    def stamps(self) -> Array:
        """[s], oldest first, shape (n,)."""
        return self._stamp[self._order]

    @property
    def quat(self) -> Array:
        """Orientation as measured, wxyz, shape (n, 4)."""
        return self._imu[self._order, :4]

    @property
    def gyro(self) -> Array:
        """Angular velocity [rad/s], shape (n, 3)."""
        return self._imu[self._order, 4:7]

    @property
    def accelerometer(self) -> Array:
        """Specific force [m/s^2], shape (n, 3)."""
        return self._imu[self._order, 7:]

    @property
    def position(self) -> Array:
        """Joint positions [rad], shape (n, J)."""
        return self._joints[self._order, 0]

    @property
    def velocity(self) -> Array:
        """Joint velocities [rad/s], shape (n, J)."""
        return self._joints[self._order, 1]
