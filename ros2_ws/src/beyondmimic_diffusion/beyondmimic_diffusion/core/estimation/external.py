"""Poses from outside (LIO, motion capture) that arrive late: put in at their stamp, and what came since done again.

Where the others' frame lies in ours is not known: the first pose tells (place and heading; both frames are level), and
again a pose after several in a row that cannot be true, as when a mapper finds itself anew.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

import numpy as np

from ..parameters import param, validate
from ..types import Array, ImuSample
from .kalman import ContactAidedFilter, FootReading
from .kalman_state import POS, SIZE, THETA, rotation, skew


@dataclass(frozen=True)
class ExternalConfig:
    """How poses from outside are taken."""

    max_delay: float = param(0.3, unit="s", lo=0.01, hi=2.0, doc="An older pose is dropped; so long samples are kept.")
    position_std: float = param(
        0.02, unit="m", lo=1e-4, hi=10.0, doc="Least standard deviation of such a position, whatever the message says."
    )
    heading_std: float = param(
        0.02, unit="rad", lo=1e-4, hi=3.0, doc="Least standard deviation of such a heading, whatever the message says."
    )
    gate: float = param(
        30.0, lo=5.0, hi=1e4, doc="Squared normalised innovation (4 numbers) from which a pose cannot be true."
    )
    realign: int = param(10, lo=1, hi=1000, doc="After so many such poses in a row their frame is taken to have moved.")
    timeout: float = param(1.0, unit="s", lo=0.05, hi=60.0, doc="Without poses for so long the source is the legs.")

    def __post_init__(self) -> None:
        validate(self)


class PoseStatus(Enum):
    """What became of a pose."""

    FUSED = "put in at its stamp"
    ALIGNED = "first of its frame: tells where that frame lies"
    IMPLAUSIBLE = "further from the estimate than both can be off; left out"
    TOO_OLD = "older than the samples that are kept; left out"
    FROM_THE_FUTURE = "newer than the newest sample; left out"
    NOT_FINITE = "holds NaN or infinity; left out"
    NO_ESTIMATE = "no samples of IMU and joints yet; left out"


class ExternalPose(NamedTuple):
    """Where something else sees the pelvis, in its own level frame."""

    stamp: float
    """When it was there [s]."""
    position: Array
    """[m], shape (3,)."""
    heading: float
    """[rad]."""
    position_variance: float = 0.0
    """Of each axis [m^2]; 0: not told."""
    heading_variance: float = 0.0
    """[rad^2]; 0: not told."""


class _Past(NamedTuple):
    imu: ImuSample
    reading: FootReading | None
    dt: float
    memory: tuple
    """Of the filter, after this sample and its poses."""
    poses: tuple[ExternalPose, ...] = ()
    """Those that were put in here."""


_SLACK = 0.02
"""A pose may be this much newer than the newest sample [s]."""


class DelayedFusion:
    """The samples of the last moments, and the filter's state after each."""

    def __init__(self, kalman: ContactAidedFilter, config: ExternalConfig, imu_offset_b: Array):
        """
        Args:
            kalman: Filter that is corrected.
            config: How.
            imu_offset_b: Of the IMU in the pelvis frame [m], shape (3,).
        """
        self._filter, self._config, self._offset = kalman, config, imu_offset_b
        self.reset()

    def reset(self) -> None:
        """Forget samples and the others' frame."""
        self.forget_samples()
        self._yaw: float | None = None
        self._shift = np.zeros(3)
        self._implausible = 0

    def forget_samples(self) -> None:
        """What was before cannot be done again (a gap, or the estimate was set)."""
        self._past: deque[_Past] = deque()

    def remember(self, imu: ImuSample, reading: FootReading | None, dt: float) -> None:
        """One more sample went through the filter; ``reading`` is None where the feet were not looked at."""
        self._past.append(_Past(imu, reading, dt, self._filter.memory))
        while self._past[0].imu.stamp < imu.stamp - self._config.max_delay:
            self._past.popleft()

    def move(self, yaw: float, shift_w: Array) -> None:
        """Our frame was set anew: what lay in it is now turned by ``yaw`` [rad] about z, then shifted [m], (3,)."""
        if self._yaw is not None:
            self._yaw += yaw
            self._shift = rotation(np.array([0.0, 0.0, yaw])) @ self._shift + shift_w
        self.forget_samples()

    def fuse(self, pose: ExternalPose) -> PoseStatus:
        """Correct the estimate at the pose's stamp, then do everything again that came after."""
        if not (np.all(np.isfinite(pose.position)) and math.isfinite(pose.heading) and math.isfinite(pose.stamp)):
            return PoseStatus.NOT_FINITE
        if not self._past:
            return PoseStatus.NO_ESTIMATE
        if pose.stamp > self._past[-1].imu.stamp + _SLACK:
            return PoseStatus.FROM_THE_FUTURE
        if pose.stamp < self._past[0].imu.stamp - _SLACK:
            return PoseStatus.TOO_OLD
        at = min(range(len(self._past)), key=lambda i: abs(self._past[i].imu.stamp - pose.stamp))
        self._filter.recall(self._past[at].memory)
        status = self._take(pose)
        if status is PoseStatus.FUSED:
            self._past[at] = self._past[at]._replace(poses=(*self._past[at].poses, pose))
            self._repeat(at)
        else:
            self._filter.recall(self._past[-1].memory)
        return status

    def _take(self, pose: ExternalPose) -> PoseStatus:
        state = self._filter.state
        heading = math.atan2(state.R_wb[1, 0], state.R_wb[0, 0])
        pelvis = state.pos_w - state.R_wb @ self._offset
        if self._yaw is None or self._implausible >= self._config.realign:
            self._yaw = heading - pose.heading
            self._shift = pelvis - rotation(np.array([0.0, 0.0, self._yaw])) @ pose.position
            self._implausible = 0
            return PoseStatus.ALIGNED
        z, H = np.empty(4), np.zeros((4, SIZE))
        z[:3] = pelvis - (rotation(np.array([0.0, 0.0, self._yaw])) @ pose.position + self._shift)
        z[3] = math.remainder(heading - pose.heading - self._yaw, 2.0 * math.pi)
        H[:3, POS], H[:3, THETA] = np.eye(3), -skew(pelvis)
        H[3, 2] = 1.0
        config = self._config
        place = max(pose.position_variance, config.position_std**2)
        turn = max(pose.heading_variance, config.heading_std**2)
        if not self._filter.update(H, z, np.diag([place, place, place, turn]), config.gate):
            self._implausible += 1
            return PoseStatus.IMPLAUSIBLE
        self._implausible = 0
        return PoseStatus.FUSED

    def _repeat(self, at: int) -> None:
        past = self._past
        past[at] = past[at]._replace(memory=self._filter.memory)
        for i in range(at + 1, len(past)):
            step = past[i]
            self._filter.predict(step.imu)
            if step.reading is not None:
                self._filter.correct(step.reading, step.dt)
            for pose in step.poses:
                self._take(pose)
            past[i] = step._replace(memory=self._filter.memory)


__all__ = ["DelayedFusion", "ExternalConfig", "ExternalPose", "PoseStatus"]
