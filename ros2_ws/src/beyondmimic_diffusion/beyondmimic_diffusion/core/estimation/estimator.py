"""Samples of IMU and joints in, :class:`RobotState` out. Basic: a complementary filter on a flat floor.

Per sample: orientation (IMU) -> soles relative to the pelvis -> velocity predicted by the accelerometer and pulled
towards what the standing foot says -> position integrated, height pulled towards the standing foot's. Heading and
horizontal position drift, as with any odometry; :attr:`StateEstimator.position_std` says by how much.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from ..parameters import param, validate
from ..rotations import quat_to_matrix
from ..types import Array, ImuSample, JointSample, RobotState
from .attitude import GRAVITY, Attitude, ComplementaryAttitude, ImuAttitude
from .contact import feet_in_contact, stance_weights
from .leg_odometry import LegOdometry, stance_height, stance_velocity

_GRAVITY_W = np.array([0.0, 0.0, -GRAVITY])


class OdometrySource(IntEnum):
    """Where root position and velocity come from; the numbers are those of ``RobotState.msg``."""

    NONE = 0
    LEG = 1
    EXTERNAL = 2
    SIM_TRUTH = 3


@dataclass(frozen=True)
class EstimatorConfig:
    """What an operator may tune about the estimate."""

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
    max_gap: float = param(
        0.1, unit="s", lo=0.002, hi=1.0, doc="Gap between two samples after which the velocity starts anew."
    )

    def __post_init__(self) -> None:
        validate(self)


class StateEstimator:
    """Holds the estimate; one object per robot and thread."""

    def __init__(self, config: EstimatorConfig | None = None) -> None:
        """
        Args:
            config: The defaults if None.
        """
        self._config = config or EstimatorConfig()
        self._attitude: Attitude = ImuAttitude() if self._config.attitude == "imu" else ComplementaryAttitude()
        self._legs = LegOdometry()
        self.reset()

    def reset(self, root_pos_xy_w: Array | None = None) -> None:
        """Forget everything and stand at a place [m], shape (2,); the origin if None."""
        self._attitude.reset()
        self._stamp = math.nan
        self._pos = np.zeros(3)
        if root_pos_xy_w is not None:
            self._pos[:2] = root_pos_xy_w
        self._imu_vel = np.zeros(3)  # of the IMU, world axes: what the accelerometer integrates to
        self._travelled = 0.0
        self._contact = (False, False)
        self._source = OdometrySource.NONE

    @property
    def foot_contact(self) -> tuple[bool, bool]:
        """Whether the left and the right foot stand on the floor."""
        return self._contact

    @property
    def source(self) -> OdometrySource:
        """Where the newest root position and velocity came from."""
        return self._source

    @property
    def position_std(self) -> float:
        """Standard deviation of the horizontal position [m]; 0 with the simulator's truth."""
        return 0.0 if self._source is OdometrySource.SIM_TRUTH else self._config.drift * self._travelled

    def update(self, imu: ImuSample, joints: JointSample) -> RobotState:
        """Estimate from the robot's own sensors alone; the two samples belong together, the stamp is the IMU's."""
        quat = self._attitude.update(imu)
        R_wb = quat_to_matrix(quat)
        ang_vel_w = R_wb @ imu.ang_vel_b
        lever_vel_w = R_wb @ _cross(imu.ang_vel_b, self._legs.imu_offset_b)  # IMU relative to pelvis origin
        soles = self._legs.soles(quat, ang_vel_w, joints.position, joints.velocity)
        dt = imu.stamp - self._stamp
        fresh = not 0.0 <= dt <= self._config.max_gap  # the first sample, a gap, or time ran backwards
        if not fresh:
            self._imu_vel = self._imu_vel + dt * (R_wb @ imu.lin_acc_b + _GRAVITY_W)
        predicted = np.zeros(3) if fresh else self._imu_vel - lever_vel_w
        speed = np.zeros(len(soles.velocity)) if fresh else np.linalg.norm(predicted + soles.velocity, axis=1)
        weights = stance_weights(soles.position[:, 2], speed, self._config.contact_height, self._config.contact_speed)
        measured = stance_velocity(soles, weights)
        vel = measured if fresh else predicted + _share(dt, self._config.velocity_time) * (measured - predicted)
        self._imu_vel = vel + lever_vel_w
        self._move(vel, stance_height(soles), 0.0 if fresh else dt, fresh)
        left, right = feet_in_contact(soles.position[:, 2], self._config.contact_height)
        self._contact = (bool(left), bool(right))
        self._stamp, self._source = imu.stamp, OdometrySource.LEG
        return RobotState(imu.stamp, self._pos.copy(), quat, vel, ang_vel_w, joints.position, joints.velocity)

    def update_with_truth(
        self,
        joints: JointSample,
        *,
        stamp: float,
        root_pos_w: Array,
        root_quat_w: Array,
        root_lin_vel_w: Array,
        root_ang_vel_w: Array,
    ) -> RobotState:
        """Joints from the sensors, root from a simulator's truth.

        Args:
            joints: Newest joint sample.
            stamp: When the root was there [s]; also the state's stamp.
            root_pos_w: Pelvis origin [m], shape (3,).
            root_quat_w: Pelvis orientation wxyz, shape (4,).
            root_lin_vel_w: Velocity of the pelvis origin in world axes [m/s], shape (3,).
            root_ang_vel_w: In world axes [rad/s], shape (3,).
        """
        quat = root_quat_w / np.linalg.norm(root_quat_w)
        soles = self._legs.soles(quat, root_ang_vel_w, joints.position, joints.velocity)
        height = root_pos_w[2] + soles.position[:, 2]
        left, right = np.min(height.reshape(2, -1), axis=1) < self._config.contact_height  # above the floor at z = 0
        self._contact = (bool(left), bool(right))
        self._pos = np.array(root_pos_w, dtype=np.float64)
        self._stamp, self._travelled, self._source = math.nan, 0.0, OdometrySource.SIM_TRUTH
        return RobotState(
            stamp, self._pos.copy(), quat, root_lin_vel_w, root_ang_vel_w, joints.position, joints.velocity
        )

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
