"""The filter with its eyes: kinematics, contacts, poses from outside; samples in, :class:`RobotState` out."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..rotations import rotate_yaw
from ..types import Array, ImuSample, JointSample, RobotState
from .contact_detector import ContactConfig, ContactDetector
from .external import DelayedFusion, ExternalConfig, ExternalPose, PoseStatus
from .foot_geometry import FootKinematics, cross, leg_values
from .kalman import ContactAidedFilter, FootReading
from .kalman_config import KalmanConfig
from .kalman_state import GYRO, POS, SIZE, THETA, VEL, moved, quaternion, skew, unseen


class Uncertainty(NamedTuple):
    """Covariances as ``nav_msgs/Odometry`` has them: translation first, then rotation."""

    pose: Array
    """Of pelvis position and of its orientation about the world's axes [m^2, m rad, rad^2], shape (6, 6)."""
    twist: Array
    """Of linear and angular velocity in pelvis axes [(m/s)^2, ...], shape (6, 6)."""


class KalmanEstimator:
    """Holds the estimate; one object per robot and thread."""

    def __init__(self, kalman: KalmanConfig, contact: ContactConfig, external: ExternalConfig, max_gap: float):
        """
        Args:
            kalman: Of the filter.
            contact: Of the judgement which feet stand.
            external: Of poses from outside.
            max_gap: Gap between two samples that is still integrated over [s].
        """
        self._kinematics = FootKinematics()
        self._detector = ContactDetector(contact)
        self._filter = ContactAidedFilter(kalman)
        self._external = external
        self._fusion = DelayedFusion(self._filter, external, self._kinematics.imu_offset_b)
        self._max_gap = max_gap
        self._period = 1.0 / kalman.correction_frequency
        self.restarts = 0
        """Gaps and jumps of time that were bridged."""
        self.reset(np.zeros(2), 0.0)

    def reset(self, xy_w: Array, heading: float) -> None:
        """Forget everything and stand at a place [m], shape (2,), with a heading [rad]."""
        self._start_xy_w, self._start_heading = np.array(xy_w, dtype=float), heading
        self._stamp: float | None = None
        self._fused_at = -math.inf
        self._detector.reset()
        self._fusion.reset()

    @property
    def contact(self) -> tuple[bool, bool]:
        """Whether the left and the right foot stand on the floor."""
        left, right = self._detector.standing
        return bool(left), bool(right)

    @property
    def slips(self) -> int:
        """Times a standing foot was found elsewhere than it stood."""
        return self._filter.slips

    @property
    def external(self) -> bool:
        """Whether poses from outside are coming in."""
        return self._stamp is not None and self._stamp - self._fused_at < self._external.timeout

    def update(self, imu: ImuSample, joints: JointSample) -> RobotState:
        """Estimate from one more sample of both; the stamp is the IMU's."""
        geometry = self._kinematics.see(joints.position)
        if self._stamp is None:
            self._start(imu, geometry.points_b)
        else:
            gap = imu.stamp - self._stamp
            if 0.0 < gap <= self._max_gap:
                self._filter.predict(imu)
            else:
                self._restart(imu, max(0.0, gap))
        self._stamp = imu.stamp
        elapsed = imu.stamp - self._corrected_at
        reading = None
        if elapsed >= self._period - 1e-6 or elapsed <= 0.0:
            elapsed = max(elapsed, 0.0)
            up_b = self._filter.state.R_wb[2]
            self._detector.update(geometry, joints.effort, joints.velocity, up_b, elapsed)
            reading = FootReading(
                geometry, leg_values(joints.velocity), self._detector.standing, self._detector.weights
            )
            self._filter.correct(reading, elapsed)
            self._corrected_at = imu.stamp
        self._fusion.remember(imu, reading, elapsed)
        return self._robot_state(joints)

    def _start(self, imu: ImuSample, points_b: Array) -> None:
        """Stand on the lowest sole point, at the place that was asked for."""
        self._filter.start(imu, self._start_heading, np.zeros(3))
        R = self._filter.state.R_wb
        offset = R @ self._kinematics.imu_offset_b
        height = -float(np.min(points_b @ R[2]))
        self._filter.shift(np.array([self._start_xy_w[0] + offset[0], self._start_xy_w[1] + offset[1], height]))
        self._corrected_at = imu.stamp

    def _restart(self, imu: ImuSample, gap: float) -> None:
        self.restarts += 1
        self._filter.restart(imu, gap)
        self._detector.reset()
        self._fusion.forget_samples()
        self._corrected_at = imu.stamp

    def fuse(self, pose: ExternalPose) -> PoseStatus:
        """Take a pose from outside; see :class:`DelayedFusion`."""
        status = self._fusion.fuse(pose)
        if status is PoseStatus.FUSED and self._stamp is not None:
            self._fused_at = self._stamp
        return status

    def refer(self, xy_w: Array, heading: float, covariance: Array) -> None:
        """Say anew where the robot is: everything believed moves along, what is seen of motion stays.

        Args:
            xy_w: Of the pelvis [m], shape (2,).
            heading: [rad].
            covariance: Of x, y and heading, shape (3, 3).
        """
        if self._stamp is None:
            self._start_xy_w, self._start_heading = np.array(xy_w, dtype=float), heading
            return
        state = self._filter.state
        pelvis = self._pelvis()
        yaw = heading - math.atan2(state.R_wb[1, 0], state.R_wb[0, 0])
        turned = np.asarray(rotate_yaw(pelvis, np.asarray(yaw)))
        shift = np.array([xy_w[0] - turned[0], xy_w[1] - turned[1], 0.0])
        there = moved(state, yaw, shift)
        directions, readings = unseen(turned + shift)
        seen, told = directions[:, [0, 1, 3]], readings[[0, 1, 3]]
        keep = np.eye(SIZE) - seen @ told
        told_anew = keep @ there.covariance @ keep.T + seen @ covariance @ seen.T
        self._filter.replace(there, told_anew)
        self._fusion.move(yaw, shift)

    def _pelvis(self) -> Array:
        state = self._filter.state
        return state.pos_w - state.R_wb @ self._kinematics.imu_offset_b

    def _robot_state(self, joints: JointSample) -> RobotState:
        state, spin_b = self._filter.state, self._filter.ang_vel_b()
        assert self._stamp is not None
        lever = cross(spin_b, self._kinematics.imu_offset_b)
        return RobotState(
            self._stamp,
            self._pelvis(),
            quaternion(state.R_wb),
            state.vel_w - state.R_wb @ lever,
            state.R_wb @ spin_b,
            joints.position,
            joints.velocity,
        )

    @property
    def biases(self) -> tuple[Array, Array]:
        """Of gyro [rad/s] and accelerometer [m/s^2], each shape (3,)."""
        return self._filter.state.gyro_bias, self._filter.state.acc_bias

    @property
    def uncertainty(self) -> Uncertainty:
        """How sure the newest estimate is of itself."""
        state, config = self._filter.state, self._filter.config
        lever = skew(self._kinematics.imu_offset_b)
        pose, twist = np.zeros((6, SIZE)), np.zeros((6, SIZE))
        pose[:3, POS], pose[:3, THETA] = np.eye(3), -skew(self._pelvis())
        pose[3:, THETA] = np.eye(3)
        twist[:3, VEL] = state.R_wb.T
        twist[:3, GYRO] = -lever  # v_b = v_imu - w x r; w is wrong by minus the bias's error
        twist[3:, GYRO] = -np.eye(3)
        noise = np.vstack([lever, np.eye(3)]) * config.gyro_noise
        P = state.covariance
        sampled = noise @ noise.T * config.correction_frequency
        return Uncertainty(pose @ P @ pose.T, twist @ P @ twist.T + sampled)

    @property
    def position_std(self) -> float:
        """Standard deviation of the horizontal position in its worst direction [m]."""
        if self._stamp is None:
            return 0.0
        a, b, _, d = self.uncertainty.pose[:2, :2].ravel()
        return math.sqrt(max(0.0, 0.5 * (a + d) + math.hypot(0.5 * (a - d), b)))
