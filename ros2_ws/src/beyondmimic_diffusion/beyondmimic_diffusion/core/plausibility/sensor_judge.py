"""Sensors that make sense: units, missing parts, frozen and jumping values, against what a robot can read.

A wrong unit is no fault that a filter averages out: an accelerometer in g lets an estimate fall at 9 m/s^2. The checks
compare readings with one another over half a second (the gyro with the orientation, velocities with positions, the
accelerometer with gravity), so that none of them needs to be believed.

Not decidable, and not judged: a joint that reads one constant position with zero velocity (a locked joint does), and
temperatures in another unit that lie where motors can be (100 degF are a warm motor in degC).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np

from ..types import Array, ImuSample, JointSample
from .finding import Finding
from .imu_checks import check_imu, orientation_leaps
from .joint_checks import LEAST_LEAP, JointChecks
from .sensor_window import Readings, SensorWindow
from .stamp_order import StampOrder

_MOST_LEAPS = 2
"""A robot that is put elsewhere (a simulator's reset) leaps once; more often within the newest messages is a fault."""
_LEAP_MEMORY = 64
"""Of so many samples it is known whether everything leapt."""
_PUT_ELSEWHERE = 0.02
"""Half of the joints move more than this within one sample only if somebody puts the robot elsewhere [rad]."""

_LEAP_TIME = 0.02
"""Leaps are judged as if samples were so far apart [s]."""


class SensorJudge:
    """Collects samples and says what is wrong with them."""

    def __init__(self, joint_names: tuple[str, ...], position_limits: Array, velocity_limits: Array):
        """
        Args:
            joint_names: J names, for the sentences.
            position_limits: Low and high [rad], shape (J, 2).
            velocity_limits: Greatest speeds of the motors [rad/s], shape (J,).
        """
        self._joints = JointChecks(joint_names, position_limits, velocity_limits)
        self._window = SensorWindow(len(joint_names))
        self._orders = {"IMU": StampOrder("imu/data"), "joints": StampOrder("joint_states")}
        self._leaps: deque[bool] = deque(maxlen=_LEAP_MEMORY)
        self._temperature: Array | None = None

    def reset(self) -> None:
        """Forget everything (a time jump)."""
        self._window.reset()
        self._leaps.clear()
        for order in self._orders.values():
            order.reset()

    def take(self, imu: ImuSample, joints: JointSample) -> None:
        """Take one pair of samples in; cheap, at any rate."""
        self._orders["IMU"].take(imu.stamp)
        self._orders["joints"].take(joints.stamp)
        if not self._window.due(imu.stamp):
            return
        self._temperature = joints.temperature
        with np.errstate(all="ignore"):
            leapt = self._leapt(imu, joints)
        self._leaps.append(leapt)
        if leapt:
            self._window.reset()
        self._window.take(imu, joints)

    @property
    def seen(self) -> float:
        """How much time the samples span that are judged [s]."""
        return self._window.span

    @property
    def ready(self) -> bool:
        """Whether it has seen its half second."""
        return self._window.full

    def findings(self) -> list[Finding]:
        """What cannot be right about the newest half second; empty if all is well, or too little was seen."""
        with np.errstate(all="ignore"):  # hostile numbers are what is being looked for
            return [*self._streams(), *(self._values(self._window.readings()) if self._window.full else ())]

    def _streams(self) -> Iterator[Finding]:
        """What needs no half second."""
        for reading, order in self._orders.items():
            trouble = order.trouble()
            if trouble:
                yield Finding(reading, trouble)
        leaps = tuple(self._leaps).count(True)
        if leaps > _MOST_LEAPS:
            yield Finding(
                "IMU and joints",
                f"the whole robot leaps {leaps} times in {len(self._leaps)} samples, it must move steadily; messages "
                "of two robots, or an IMU that restarts",
            )
        if self._temperature is not None:
            yield from self._joints.temperature(self._temperature)

    def _values(self, readings: Readings) -> Iterator[Finding]:
        yield from _finite(readings)
        yield from check_imu(readings)
        yield from self._joints.check(readings)

    def _leapt(self, imu: ImuSample, joints: JointSample) -> bool:
        """Whether the robot is elsewhere than in the sample before."""
        newest = self._window.newest()
        if newest is None:
            return False
        quat, position = newest
        if orientation_leaps(quat, imu.quat_w):
            return True
        step = np.abs(joints.position - position)
        if not step.max() > LEAST_LEAP:
            return False
        return bool(np.median(step) > _PUT_ELSEWHERE and self._joints.leaps(step, _LEAP_TIME).max() > 0.0)


def _finite(readings: Readings) -> Iterator[Finding]:
    for name, spoken in _SPOKEN.items():
        values = getattr(readings, name)
        bad = int(np.count_nonzero(~np.isfinite(values).all(axis=1)))
        if name == "velocity" and np.isnan(values).all():
            yield Finding(
                "joint velocities",
                f"NaN in all of the last {bad} samples, rad/s expected; joint_states is sent without velocities",
            )
        elif bad:
            yield Finding(
                spoken, f"{bad} of the last {len(values)} samples hold NaN or infinity; the driver drops values"
            )


_SPOKEN = {
    "quat": "IMU orientation",
    "gyro": "gyro",
    "accelerometer": "accelerometer",
    "position": "joint positions",
    "velocity": "joint velocities",
}
