"""What the simulated robot's sensors would say if they were not perfect: white noise, and an IMU with biases.

"2 % noise" means: standard deviation of each sample 0.02 of :class:`FullScale`, the size of the signal in walking.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..core.robot import g1
from ..core.types import Array, ImuSample, JointSample
from .mujoco_g1 import MujocoG1


@dataclass(frozen=True)
class FullScale:
    """Sizes that hardly a sample of a walking G1 goes beyond, rounded; legs where it is about joints."""

    gyro: float = 1.5
    """[rad/s]."""
    accelerometer: float = 25.0
    """[m/s^2]."""
    joint_pos: float = 0.5
    """About the mean pose [rad]."""
    joint_vel: float = 5.0
    """[rad/s]."""
    effort: float = 50.0
    """[N m]."""


@dataclass(frozen=True)
class SensorNoise:
    """How bad the sensors are."""

    share: float = 0.02
    """Standard deviation of the white noise of each sample, as a share of ``full_scale``."""
    full_scale: FullScale = field(default_factory=FullScale)
    gyro_bias: float = 0.02
    """Standard deviation of each axis's bias from one robot to the next [rad/s]: about 1 degree per second."""
    accelerometer_bias: float = 0.1
    """Likewise [m/s^2]."""
    gyro_bias_walk: float = 1e-4
    """The biases wander: standard deviation after one second [rad/s]."""
    accelerometer_bias_walk: float = 1e-3
    """[m/s^2], likewise."""


class NoisySensors:
    """IMU and encoders of one simulated robot; the same seed gives the same noise at the same samples.

    The IMU gives no orientation of its own (identity, as if nobody had told it anything): what is to be estimated
    must not leak in.
    """

    def __init__(self, noise: SensorNoise, rng: np.random.Generator):
        """
        Args:
            noise: How bad.
            rng: Where biases and noise are drawn from.
        """
        self._noise, self._rng = noise, rng
        self.gyro_bias: Array = noise.gyro_bias * rng.standard_normal(3)
        """[rad/s], shape (3,)."""
        self.accelerometer_bias: Array = noise.accelerometer_bias * rng.standard_normal(3)
        """[m/s^2], shape (3,)."""
        self._stamp: float | None = None

    def read(self, sim: MujocoG1) -> tuple[ImuSample, JointSample]:
        """One sample of each, of the same moment."""
        return self.spoil(sim.imu(), sim.joints())

    def spoil(self, imu: ImuSample, joints: JointSample) -> tuple[ImuSample, JointSample]:
        """What these sensors say where perfect ones say this; stamps must not run backwards."""
        noise, scale, rng = self._noise, self._noise.full_scale, self._rng
        elapsed = 0.0 if self._stamp is None else max(0.0, imu.stamp - self._stamp)
        self._stamp = imu.stamp
        self.gyro_bias = self.gyro_bias + noise.gyro_bias_walk * np.sqrt(elapsed) * rng.standard_normal(3)
        wander = noise.accelerometer_bias_walk * np.sqrt(elapsed) * rng.standard_normal(3)
        self.accelerometer_bias = self.accelerometer_bias + wander
        gyro = noise.share * scale.gyro * rng.standard_normal(3)
        accelerometer = noise.share * scale.accelerometer * rng.standard_normal(3)
        draws = noise.share * rng.standard_normal((3, g1.NUM_JOINTS))
        return (
            ImuSample(
                imu.stamp,
                np.array([1.0, 0.0, 0.0, 0.0]),
                imu.ang_vel_b + self.gyro_bias + gyro,
                imu.lin_acc_b + self.accelerometer_bias + accelerometer,
            ),
            JointSample(
                joints.stamp,
                joints.position + scale.joint_pos * draws[0],
                joints.velocity + scale.joint_vel * draws[1],
                joints.effort + scale.effort * draws[2],
            ),
        )
