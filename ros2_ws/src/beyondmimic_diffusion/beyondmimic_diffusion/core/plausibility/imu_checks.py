"""Orientation, gyro and accelerometer against one another."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from ..rotations import quat_conjugate, quat_multiply, quat_rotate, quat_to_rotvec
from ..types import Array
from .finding import Finding, near
from .sensor_window import Readings

_GRAVITY = 9.81
_DEGREES = 180.0 / np.pi
_STILL_TURN = 0.03
"""Orientation changes below this within the window are rest [rad]."""
_STILL_JOINTS = 0.05
"""So are joint movements below this [rad]."""
_LEAP = 0.5
"""An orientation that turns further within one sample leaps: 40 rad/s [rad]."""
_COS_LEAP = float(np.cos(0.5 * _LEAP)) ** 2
_AXES = "xyz"
_MIXED_UP = tuple(
    (order, signs)
    for order in itertools.permutations(range(3))
    for signs in itertools.product((1.0, -1.0), repeat=3)
    if order != (0, 1, 2) or signs != (1.0, 1.0, 1.0)
)
"""Every way to swap and reverse three axes but the right one."""


def orientation_leaps(before: Array, after: Array) -> bool:
    """Whether an orientation (wxyz) turned further from one sample to the next than a robot can."""
    (a, b, c, d), (e, f, g, h) = before.tolist(), after.tolist()  # four numbers: faster than arrays
    size = (a * a + b * b + c * c + d * d) * (e * e + f * f + g * g + h * h)
    dot = a * e + b * f + c * g + d * h
    return size > 0.0 and dot * dot < _COS_LEAP * size  # a power would raise where a product overflows


def check_imu(readings: Readings) -> Iterator[Finding]:
    """What cannot be right about the IMU."""
    yield from _orientation(readings.quat)
    if not (np.isfinite(readings.quat).all() and np.isfinite(readings.gyro).all()):
        return
    turns = quat_to_rotvec(quat_multiply(quat_conjugate(readings.quat[:-1]), readings.quat[1:]))  # (n-1, 3)
    felt = 0.5 * (readings.gyro[1:] + readings.gyro[:-1]) * np.diff(readings.stamps)[:, None]
    apart = np.linalg.norm(turns, axis=1) - np.linalg.norm(felt, axis=1)
    keep = np.arange(len(turns)) != np.argmax(np.abs(apart))  # one step may be that of a robot put elsewhere
    turns, felt = turns[keep], felt[keep]
    turned = float(np.linalg.norm(turns, axis=1).sum())
    yield from _gyro(turns, felt, turned)
    moved = np.ptp(readings.position, axis=0).max()
    if turned < _STILL_TURN and moved < _STILL_JOINTS:
        yield from _gravity(readings)
    frozen = not np.ptp(readings.gyro, axis=0).any() and not np.ptp(readings.accelerometer, axis=0).any()
    if frozen and moved > _STILL_JOINTS:
        yield Finding("IMU", f"the same numbers for half a second while joints moved by {moved:.2f} rad; it is frozen")


def _orientation(quat: Array) -> Iterator[Finding]:
    length = np.linalg.norm(quat, axis=1)
    worst = float(length[np.argmax(np.abs(length - 1.0))])
    if not abs(worst - 1.0) < 0.05:
        cause = "it is not filled in" if worst == 0.0 else "a field is missing, or it is no quaternion"
        yield Finding("IMU orientation", f"a quaternion of length {worst:.3g}, 1 expected; {cause}")


def _gyro(turns: Array, felt: Array, turned: float) -> Iterator[Finding]:
    """What the orientation turned by, beside what the gyro says [rad], shapes (n, 3)."""
    way = float(np.linalg.norm(felt, axis=1).sum())
    if turned > 0.1 and near(way / turned, _DEGREES):
        yield Finding("gyro", f"{way / turned:.0f} times what the orientation turns by; it looks like deg/s")
    elif turned > 0.1 and way < 0.1 * turned:
        yield Finding("gyro", f"{way:.3g} rad while the orientation turned by {turned:.2f} rad; it is not filled in")
    elif turned < _STILL_TURN and way > 0.3:
        yield Finding(
            "gyro",
            f"{way:.2f} rad in half a second while the orientation stands still; a bias, or another unit (deg/s)",
        )
    elif turned > 0.1:
        yield from _axes(turns, felt)


def _axes(turns: Array, felt: Array) -> Iterator[Finding]:
    """A gyro that is right once its axes are put into another order, or reversed."""
    size = float((turns * turns).sum())
    if float(((turns - felt) ** 2).sum()) < 0.5 * size:
        return
    order, signs = min(_MIXED_UP, key=lambda way: float(((turns - felt[:, way[0]] * way[1]) ** 2).sum()))
    if float(((turns - felt[:, order] * signs) ** 2).sum()) > 0.1 * size:
        return
    axis = int(np.argmax((turns * turns).sum(axis=0)))
    reads = f"{'-' if signs[axis] < 0.0 else ''}{_AXES[order[axis]]}"
    yield Finding(
        "gyro", f"a turn about {_AXES[axis]} is read on {reads}; its axes are swapped, reversed, or mounted otherwise"
    )


def _gravity(readings: Readings) -> Iterator[Finding]:
    """The accelerometer of a robot at rest."""
    mean = readings.accelerometer.mean(axis=0)
    size = float(np.linalg.norm(mean))
    if not 0.85 * _GRAVITY < size < 1.15 * _GRAVITY:
        yield Finding(
            "accelerometer", f"at rest it reads {size:.3g} m/s^2, {_GRAVITY} expected; {_acceleration_cause(size)}"
        )
        return
    up = quat_rotate(readings.quat[-1], mean / size)
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


def _acceleration_cause(size: float) -> str:
    if near(size, 1.0):
        return "it looks like g instead of m/s^2"
    if near(size, 1e3 * _GRAVITY) or near(size, 1e3):
        return "it looks like mm/s^2 or milli-g"
    if size < 0.5:
        return "it is not filled in, or gravity was taken out"
    return "its scale or calibration is wrong, or the robot is not at rest"
