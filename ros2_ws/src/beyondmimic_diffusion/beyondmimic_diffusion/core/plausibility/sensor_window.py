"""The newest half second of samples, thinned to a constant spacing, as arrays."""

from __future__ import annotations

import math
import threading
from typing import NamedTuple

import numpy as np

from ..types import Array, ImuSample, JointSample

SPACING = 0.01
"""Samples closer than this to the one before are left out [s]."""
SPAN = 0.5
"""Older samples are left out [s]."""
ROWS = 50
_FEWEST = 5
"""So many samples at least are compared, however slowly they come."""
_GAP = 0.3
"""After a longer pause between two samples the window starts again [s]."""
_SLACK = 0.11
"""Of samples that come slowly one more is kept [s]."""


class Readings(NamedTuple):
    """A copy of the window, oldest first."""

    stamps: Array
    """Of the IMU [s], shape (n,)."""
    quat: Array
    """Orientation as measured, wxyz, shape (n, 4)."""
    gyro: Array
    """Angular velocity [rad/s], shape (n, 3)."""
    accelerometer: Array
    """Specific force [m/s^2], shape (n, 3)."""
    position: Array
    """Joint positions [rad], shape (n, J)."""
    velocity: Array
    """Joint velocities [rad/s], shape (n, J)."""


class SensorWindow:
    """A ring of samples; taking one in costs a few array copies. One thread may take while another reads."""

    def __init__(self, num_joints: int):
        """
        Args:
            num_joints: J.
        """
        self._stamp = np.zeros(ROWS)
        self._imu = np.zeros((ROWS, 10))
        self._joints = np.zeros((ROWS, 2, num_joints))
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        with self._lock:
            self._count, self._next, self._last = 0, 0, -math.inf

    def due(self, stamp: float) -> bool:
        """Whether a sample of this stamp [s] would be taken in."""
        return not 0.0 <= stamp - self._last < SPACING - 1e-9

    def take(self, imu: ImuSample, joints: JointSample) -> None:
        """Take a pair in; a stamp that goes back, or leaps ahead, starts the window again."""
        if not 0.0 <= imu.stamp - self._last <= _GAP:
            self.reset()
        with self._lock:
            row = self._next
            self._stamp[row], self._last = imu.stamp, imu.stamp
            self._imu[row, :4], self._imu[row, 4:7], self._imu[row, 7:] = imu.quat_w, imu.ang_vel_b, imu.lin_acc_b
            self._joints[row, 0], self._joints[row, 1] = joints.position, joints.velocity
            self._next = (row + 1) % ROWS
            self._count = min(self._count + 1, ROWS)

    def newest(self) -> tuple[Array, Array] | None:
        """Orientation (4,) and joint positions (J,) taken in last; None if the window is empty."""
        row = (self._next - 1) % ROWS
        return (self._imu[row, :4], self._joints[row, 0]) if self._count else None

    @property
    def span(self) -> float:
        """Time between the oldest and the newest sample [s]."""
        with self._lock:
            return self._last - float(self._stamp[(self._next - self._count) % ROWS]) if self._count else 0.0

    @property
    def full(self) -> bool:
        """Whether it spans its half second."""
        return self._count >= _FEWEST and self.span > SPAN - 2.0 * SPACING

    def readings(self) -> Readings:
        """What was read within the newest half second."""
        with self._lock:
            order = (self._next - self._count + np.arange(self._count)) % ROWS
            order = order[self._stamp[order] > self._last - SPAN - _SLACK]
            stamps, imu, joints = self._stamp[order], self._imu[order], self._joints[order]  # copies
        return Readings(stamps, imu[:, :4], imu[:, 4:7], imu[:, 7:], joints[:, 0], joints[:, 1])
