"""Samples of IMU and joints in, :class:`RobotState` out: the one door to this package.

By default a contact-aided Kalman filter (:mod:`.kalman`); heading and horizontal position drift, as with any odometry,
and :attr:`StateEstimator.position_std` says by how much. Poses from outside stop the drift.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum, IntEnum

import numpy as np

from ..parameters import param, validate
from ..types import Array, ImuSample, JointSample, RobotState
from .complementary import ComplementaryConfig, ComplementaryEstimator
from .contact import SOLE_POINTS
from .contact_detector import ContactConfig
from .external import ExternalConfig, ExternalPose, PoseStatus
from .kalman_config import KalmanConfig
from .kalman_estimator import KalmanEstimator, Uncertainty
from .leg_odometry import LegOdometry

METHODS = ("kalman", "complementary")
_FASTEST, _HARDEST = 60.0, 500.0
"""No gyro [rad/s] and no accelerometer [m/s^2] of a robot that is whole reads more."""


class OdometrySource(IntEnum):
    """Where root position and velocity come from; the numbers are those of ``RobotState.msg``."""

    NONE = 0
    LEG = 1
    EXTERNAL = 2
    SIM_TRUTH = 3


class SampleFault(Enum):
    """Why a sample was left out."""

    NOT_FINITE = "holds NaN or infinity"
    ABSURD = "reads more than a sensor can measure"
    LATE = "not newer than the last one"


@dataclass(frozen=True)
class EstimatorConfig:
    """What an operator may tune about the estimate."""

    method: str = param("kalman", choices=METHODS, doc="Kalman filter, or the simple one that trusts the IMU.")
    max_gap: float = param(
        0.1, unit="s", lo=0.002, hi=1.0, doc="Gap between two samples after which the velocity starts anew."
    )
    floor_contact: float = param(
        0.01, unit="m", lo=0.001, hi=0.2, doc="With the simulator's truth: a sole so near the floor touches it."
    )
    kalman: KalmanConfig = field(default_factory=KalmanConfig)
    contact: ContactConfig = field(default_factory=ContactConfig)
    external: ExternalConfig = field(default_factory=ExternalConfig)
    complementary: ComplementaryConfig = field(default_factory=ComplementaryConfig)

    def __post_init__(self) -> None:
        validate(self)


class StateEstimator:
    """Holds the estimate; one object per robot and thread."""

    def __init__(self, config: EstimatorConfig | None = None) -> None:
        """
        Args:
            config: The defaults if None.
        """
        self._config = config = config or EstimatorConfig()
        self._kalman: KalmanEstimator | None = None
        if config.method == "kalman":
            self._kalman = KalmanEstimator(config.kalman, config.contact, config.external, config.max_gap)
            self._legs: KalmanEstimator | ComplementaryEstimator = self._kalman
        else:
            self._legs = ComplementaryEstimator(config.complementary, config.max_gap)
        self._soles = LegOdometry()
        self.faults = dict.fromkeys(SampleFault, 0)
        """How many samples were left out, by reason."""
        self.reset()

    def reset(self, root_pos_xy_w: Array | None = None, heading: float = 0.0) -> None:
        """Forget everything and stand at a place.

        Args:
            root_pos_xy_w: [m], shape (2,); the origin if None.
            heading: [rad]; the simple estimate adds it to the IMU's own.
        """
        self._legs.reset(np.zeros(2) if root_pos_xy_w is None else np.asarray(root_pos_xy_w, dtype=float), heading)
        self._stamp = -math.inf
        self._truth: tuple[bool, bool] | None = None
        self._source = OdometrySource.NONE

    @property
    def foot_contact(self) -> tuple[bool, bool]:
        """Whether the left and the right foot stand on the floor."""
        return self._legs.contact if self._truth is None else self._truth

    @property
    def source(self) -> OdometrySource:
        """Where the newest root position and velocity came from."""
        return self._source

    @property
    def position_std(self) -> float:
        """Standard deviation of the horizontal position [m]; 0 with the simulator's truth."""
        return 0.0 if self._truth is not None else self._legs.position_std

    @property
    def uncertainty(self) -> Uncertainty | None:
        """Covariances of the newest estimate; None where nobody keeps them (truth, the simple estimate)."""
        known = self._kalman is not None and self._truth is None and self._source is not OdometrySource.NONE
        return self._kalman.uncertainty if known and self._kalman is not None else None

    @property
    def kalman(self) -> KalmanEstimator | None:
        """The filter, for its diagnostics; None with the simple estimate."""
        return self._kalman

    def update(self, imu: ImuSample, joints: JointSample) -> RobotState | None:
        """Estimate from the robot's own sensors alone.

        Args:
            imu: One sample.
            joints: That of the same moment; the stamp is the IMU's.

        Returns:
            The state, or None where the sample cannot be used (counted in :attr:`faults`).
        """
        fault = self._fault(imu, joints)
        if fault is not None:
            self.faults[fault] += 1
            return None
        self._stamp = imu.stamp
        state = self._legs.update(imu, joints)
        external = self._kalman is not None and self._kalman.external
        self._truth, self._source = None, OdometrySource.EXTERNAL if external else OdometrySource.LEG
        return state

    def _fault(self, imu: ImuSample, joints: JointSample) -> SampleFault | None:
        """What is wrong with a sample. One that is a little older than the last came late; much older: time jumped."""
        readings = (imu.ang_vel_b, imu.lin_acc_b, joints.position, joints.velocity)
        if not math.isfinite(imu.stamp) or not all(np.isfinite(values).all() for values in readings):
            return SampleFault.NOT_FINITE
        if max(map(abs, imu.ang_vel_b)) > _FASTEST or max(map(abs, imu.lin_acc_b)) > _HARDEST:
            return SampleFault.ABSURD
        if -self._config.max_gap <= imu.stamp - self._stamp <= 0.0:
            return SampleFault.LATE
        return None

    def fuse(self, pose: ExternalPose) -> PoseStatus:
        """Correct by a pose from outside, at its stamp; the next state shows it. Only the Kalman filter can."""
        return PoseStatus.NO_ESTIMATE if self._kalman is None else self._kalman.fuse(pose)

    def refer(self, xy_w: Array, heading: float, covariance: Array) -> bool:
        """Say anew where the robot is; the estimate jumps there. False (and nothing done) with the simple estimate.

        Args:
            xy_w: Of the pelvis [m], shape (2,).
            heading: [rad].
            covariance: Of x, y and heading, shape (3, 3).
        """
        if self._kalman is not None:
            self._kalman.refer(xy_w, heading, covariance)
        return self._kalman is not None

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
        height = (root_pos_w[2] + self._soles.sole_heights(quat, joints.position)).reshape(2, len(SOLE_POINTS) // 2)
        left, right = np.min(height, axis=1) < self._config.floor_contact  # above the floor at z = 0
        self._truth, self._source = (bool(left), bool(right)), OdometrySource.SIM_TRUTH
        pos = np.array(root_pos_w, dtype=np.float64)
        return RobotState(stamp, pos, quat, root_lin_vel_w, root_ang_vel_w, joints.position, joints.velocity)
