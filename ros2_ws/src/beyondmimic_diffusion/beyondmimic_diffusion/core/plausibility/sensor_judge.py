"""Sensors that make sense: units, missing parts, frozen and jumping values, against what a robot can read.

A wrong unit is no fault that a filter averages out: an accelerometer in g lets an estimate fall at 9 m/s^2. Each check
compares readings with one another over half a second (the gyro with the orientation, velocities with positions, the
accelerometer with gravity), so that none of them needs to be believed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..rotations import quat_conjugate, quat_multiply, quat_rotate, quat_to_rotvec
from ..types import Array, ImuSample, JointSample
from .sensor_window import SensorWindow

_GRAVITY = 9.81
_DEGREES = 180.0 / np.pi
_NEAR = 1.35
"""A ratio is near a unit's factor within this factor."""
_STILL_TURN = 0.03
"""Orientation changes below this within the window are rest [rad]."""
_STILL_JOINTS = 0.05
"""So are joint movements below this [rad]."""
_BEYOND = 0.35
"""How far outside its range a joint may read [rad]; arming is stricter."""
_SUM_OF_MOVES = 0.05
"""Joints that moved less than this in total say nothing about velocities [rad]."""


@dataclass(frozen=True)
class Finding:
    """One reading that cannot be right."""

    reading: str
    """What reads wrongly, e.g. ``accelerometer``."""
    text: str
    """What was read, what is expected, and the likely cause."""

    def __str__(self) -> str:
        return f"{self.reading}: {self.text}"


class SensorJudge:
    """Collects samples and says what is wrong with them."""

    def __init__(self, joint_names: tuple[str, ...], position_limits: Array, velocity_limits: Array):
        """
        Args:
            joint_names: J names, for the sentences.
            position_limits: Low and high [rad], shape (J, 2).
            velocity_limits: Greatest speeds of the motors [rad/s], shape (J,).
        """
        self._names = joint_names
        self._low, self._high = np.asarray(position_limits, dtype=float).T
        self._fastest = np.asarray(velocity_limits, dtype=float)
        self._window = SensorWindow(len(joint_names))

    def reset(self) -> None:
        """Forget everything (a time jump)."""
        self._window.reset()

    def take(self, imu: ImuSample, joints: JointSample) -> None:
        """Take one pair of samples in; cheap, at any rate."""
        self._window.take(imu, joints)

    def findings(self) -> list[Finding]:
        """What cannot be right about the newest half second; empty before that much was seen, and if all is well."""
        if not self._window.full:
            return []
        with np.errstate(all="ignore"):  # hostile numbers are what is being looked for
            return [
                finding for check in (self._finite, self._orientation, self._imu, self._joints) for finding in check()
            ]

    def _finite(self) -> Iterator[Finding]:
        for name in ("quat", "gyro", "accelerometer", "position", "velocity"):
            bad = int(np.count_nonzero(~np.isfinite(getattr(self._window, name)).all(axis=1)))
            if bad:
                yield Finding(_SPOKEN[name], f"{bad} of the last samples hold NaN or infinity; the driver drops values")

    def _orientation(self) -> Iterator[Finding]:
        length = np.linalg.norm(self._window.quat, axis=1)
        worst = float(length[np.argmax(np.abs(length - 1.0))])
        if not abs(worst - 1.0) < 0.05:
            cause = "it is not filled in" if worst == 0.0 else "a field is missing, or it is no quaternion"
            yield Finding("IMU orientation", f"a quaternion of length {worst:.3g}, 1 expected; {cause}")

    def _imu(self) -> Iterator[Finding]:
        window = self._window
        if not (np.isfinite(window.quat).all() and np.isfinite(window.gyro).all()):
            return
        turns = quat_to_rotvec(quat_multiply(quat_conjugate(window.quat[:-1]), window.quat[1:]))
        turned = float(np.linalg.norm(turns, axis=1).sum())
        felt = float((np.linalg.norm(window.gyro[1:], axis=1) * np.diff(window.stamps)).sum())
        yield from _compare_gyro(turned, felt)
        moved = np.ptp(window.position, axis=0).max()
        if turned < _STILL_TURN and moved < _STILL_JOINTS:
            yield from self._gravity()
        frozen = not np.ptp(window.gyro, axis=0).any() and not np.ptp(window.accelerometer, axis=0).any()
        if frozen and moved > _STILL_JOINTS:
            yield Finding(
                "IMU", f"the same numbers for half a second while joints moved by {moved:.2f} rad; it is frozen"
            )

    def _gravity(self) -> Iterator[Finding]:
        """The accelerometer of a robot at rest."""
        mean = self._window.accelerometer.mean(axis=0)
        size = float(np.linalg.norm(mean))
        if not 0.85 * _GRAVITY < size < 1.15 * _GRAVITY:
            yield Finding(
                "accelerometer", f"at rest it reads {size:.3g} m/s^2, {_GRAVITY} expected; {_acceleration_cause(size)}"
            )
            return
        up = quat_rotate(self._window.quat[-1], mean / size)
        angle = float(np.arccos(np.clip(up[2], -1.0, 1.0)))
        if angle > 0.35:
            cause = (
                "its sign is reversed (at rest it should read +g upwards)"
                if angle > 2.8
                else "the orientation's fields are in another order (w x y z, x y z w), or the IMU is mounted otherwise"
            )
            yield Finding(
                "accelerometer",
                f"at rest it points {np.degrees(angle):.0f} deg away from the orientation's vertical, "
                f"below 20 expected; {cause}",
            )

    def _joints(self) -> Iterator[Finding]:
        window = self._window
        position, velocity = window.position, window.velocity
        if not np.isfinite(position).all():
            return
        newest = position[-1]
        beyond = np.maximum(self._low - newest, newest - self._high)
        joint = int(np.argmax(beyond))
        if beyond[joint] > _BEYOND:
            scaled = newest / _DEGREES
            fits = bool(np.all(scaled > self._low - 0.1) and np.all(scaled < self._high + 0.1))
            degrees = fits and np.mean(beyond <= 0.0) > 0.25  # a joint at zero is at zero in either unit
            cause = "the readings look like degrees" if degrees else "an encoder offset, or joints in another order"
            yield Finding(
                f"encoder of {self._names[joint]}",
                f"{newest[joint]:.2f} rad, {self._low[joint]:.2f} to {self._high[joint]:.2f} expected; {cause}",
            )
            return
        steps, dt = np.diff(position, axis=0), np.diff(window.stamps)[:, None]
        leap = np.abs(steps) - (0.1 + 1.5 * self._fastest * dt)
        row, joint = np.unravel_index(np.argmax(leap), leap.shape)
        if leap[row, joint] > 0.0:
            yield Finding(
                f"encoder of {self._names[joint]}",
                f"leaps by {steps[row, joint]:+.2f} rad within {1e3 * dt[row, 0]:.0f} ms; the motor turns at most "
                f"{self._fastest[joint]:.0f} rad/s: a loose encoder, or messages of two robots",
            )
            return
        if np.isfinite(velocity).all():
            yield from self._velocities(steps, dt, velocity)

    def _velocities(self, steps: Array, dt: Array, velocity: Array) -> Iterator[Finding]:
        """Measured joint velocities beside the differences of positions."""
        moved = float(np.abs(steps).sum(axis=0).max())
        if moved < _SUM_OF_MOVES:
            return
        if not velocity.any():
            yield Finding(
                "joint velocities", f"all zero while a joint moved by {moved:.2f} rad; they are not filled in"
            )
            return
        seen = steps / dt
        told = 0.5 * (velocity[1:] + velocity[:-1])
        ratio = float((told * seen).sum() / (seen * seen).sum())
        if _near(ratio, _DEGREES):
            yield Finding("joint velocities", f"{ratio:.0f} times what positions change by; they look like deg/s")
        elif _near(-ratio, 1.0):
            yield Finding("joint velocities", "opposite to the change of the positions; their sign is reversed")


_SPOKEN = {
    "quat": "IMU orientation",
    "gyro": "gyro",
    "accelerometer": "accelerometer",
    "position": "joint positions",
    "velocity": "joint velocities",
}


def _compare_gyro(turned: float, felt: float) -> Iterator[Finding]:
    """What the orientation turned by, beside what the gyro says [rad]."""
    if turned > 0.1 and _near(felt / turned, _DEGREES):
        yield Finding("gyro", f"{felt / turned:.0f} times what the orientation turns by; it looks like deg/s")
    elif turned > 0.1 and felt < 0.1 * turned:
        yield Finding("gyro", f"{felt:.3g} rad while the orientation turned by {turned:.2f} rad; it is not filled in")
    elif turned < _STILL_TURN and felt > 0.3:
        yield Finding(
            "gyro",
            f"{felt:.2f} rad in half a second while the orientation stands still; a bias, or another unit (deg/s)",
        )


def _acceleration_cause(size: float) -> str:
    if _near(size, 1.0):
        return "it looks like g instead of m/s^2"
    if _near(size, 1e3 * _GRAVITY) or _near(size, 1e3):
        return "it looks like mm/s^2 or milli-g"
    if size < 0.5:
        return "it is not filled in, or gravity was taken out"
    return "its scale or calibration is wrong, or the robot is not at rest"


def _near(value: float, target: float) -> bool:
    return target / _NEAR < value < target * _NEAR
