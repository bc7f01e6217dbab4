"""The simple estimate: the IMU's own orientation, velocity pulled towards what the standing foot says.

Per sample: orientation (IMU) -> soles relative to the pelvis -> velocity predicted by the accelerometer and pulled
towards what the standing foot says -> position integrated, height pulled towards the standing foot's. It needs an IMU
that knows its orientation, no torques, and knows nothing of its own error: a fixed share of the way travelled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..parameters import param, validate
from ..rotations import quat_from_yaw, quat_multiply, quat_to_matrix
from ..types import Array, ImuSample, JointSample, RobotState
from .attitude import GRAVITY, Attitude, ComplementaryAttitude, ImuAttitude
from .contact import feet_in_contact, stance_weights
from .leg_odometry import LegOdometry, stance_height, stance_velocity

_GRAVITY_W = np.array([0.0, 0.0, -GRAVITY])


@dataclass(frozen=True)
class ComplementaryConfig:
    """What an operator may tune about the simple estimate."""

    attitude: str = param("imu", choices=("imu", "complementary"), doc="Take the IMU's orientation, or make our own.")
    velocity_time: float = param(
        0.1, unit="s", lo=0.0, hi=2.0, doc="Time in which the velocity follows the standing foot; 0: at once."
    )
    height_time: float = param(0.1, unit="s", lo=0.0, hi=2.0, doc="Time in which the height follows it; 0: at once.")
    contact_height: float = param(
        0.01, unit="m", lo=0.001, hi=0.2, doc="A sole point this far above the lowest one is in the air."
    )
    contact_speed: float = param(
        0.2, unit="m/s", lo=0.01, hi=5.0, doc="A sole point at this predicted speed counts half as standing."
    )
    drift: float = param(0.05, lo=0.0, hi=1.0, doc="Standard deviation of the position per metre travelled [m/m].")

    def __post_init__(self) -> None:
        validate(self)


class ComplementaryEstimator:
    """Holds the estimate; one object per robot and thread."""

    def __init__(self, config: ComplementaryConfig, max_gap: float):
        """
        Args:
            config: How it is made.
            max_gap: Gap between two samples after which the velocity starts anew [s].
        """
        self._config, self._max_gap = config, max_gap
        self._attitude: Attitude = ImuAttitude() if config.attitude == "imu" else ComplementaryAttitude()
        self._legs = LegOdometry()
        self.reset(np.zeros(2), 0.0)

    def reset(self, xy_w: Array, heading: float) -> None:
        """Forget everything and stand at a place [m], shape (2,); a heading is added to the IMU's own [rad]."""
        self._attitude.reset()
        self._heading: Array = quat_from_yaw(heading)
        self._stamp = math.nan
        self._pos = np.array([*xy_w, 0.0])
        self._imu_vel = np.zeros(3)  # of the IMU, world axes: what the accelerometer integrates to
        self._travelled = 0.0
        self.contact = (False, False)
        """Whether the left and the right foot stand on the floor."""

    @property
    def position_std(self) -> float:
        """Standard deviation of the horizontal position [m]."""
        return self._config.drift * self._travelled

    def update(self, imu: ImuSample, joints: JointSample) -> RobotState:
        """Estimate from one more sample of both; the stamp is the IMU's."""
        config = self._config
        quat = quat_multiply(self._heading, self._attitude.update(imu))
        R_wb = quat_to_matrix(quat)
        ang_vel_w = R_wb @ imu.ang_vel_b
        lever_vel_w = R_wb @ _cross(imu.ang_vel_b, self._legs.imu_offset_b)  # IMU relative to pelvis origin
        soles = self._legs.soles(quat, ang_vel_w, joints.position, joints.velocity)
        dt = imu.stamp - self._stamp
        fresh = not 0.0 <= dt <= self._max_gap  # the first sample, a gap, or time ran backwards
        if not fresh:
            self._imu_vel = self._imu_vel + dt * (R_wb @ imu.lin_acc_b + _GRAVITY_W)
        predicted = np.zeros(3) if fresh else self._imu_vel - lever_vel_w
        speed = np.zeros(len(soles.velocity)) if fresh else np.linalg.norm(predicted + soles.velocity, axis=1)
        weights = stance_weights(soles.position[:, 2], speed, config.contact_height, config.contact_speed)
        measured = stance_velocity(soles, weights)
        vel = measured if fresh else predicted + _share(dt, config.velocity_time) * (measured - predicted)
        self._imu_vel = vel + lever_vel_w
        self._move(vel, stance_height(soles), 0.0 if fresh else dt, fresh)
        left, right = feet_in_contact(soles.position[:, 2], config.contact_height)
        self.contact = (bool(left), bool(right))
        self._stamp = imu.stamp
        return RobotState(imu.stamp, self._pos.copy(), quat, vel, ang_vel_w, joints.position, joints.velocity)

    def _move(self, vel: Array, height: float, dt: float, fresh: bool) -> None:
        step = vel * dt
        self._pos = self._pos + step
        self._travelled += float(np.hypot(step[0], step[1]))
        share = 1.0 if fresh else _share(dt, self._config.height_time)
        self._pos[2] += share * (height - self._pos[2])


def _cross(a: Array, b: Array) -> Array:
    """Cross product of two single vectors (3,); ``np.cross`` takes ten times as long for them."""
    return np.array([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])


def _share(dt: float, time: float) -> float:
    """Part of the way that a first-order lag of the given time constant goes in ``dt``."""
    return 1.0 if time <= 0.0 else 1.0 - math.exp(-dt / time)
