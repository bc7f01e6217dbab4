"""Joints against their ranges, their motors' speed, and positions against velocities."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..types import Array
from .finding import Finding, near
from .sensor_window import Readings

_DEGREES = 180.0 / np.pi
_BEYOND = 0.35
"""How far outside its range a joint may read [rad]; arming is stricter."""
LEAST_LEAP = 0.1
"""No step below this is a leap [rad]."""
_SUM_OF_MOVES = 0.05
"""Joints that moved less than this in total say nothing about velocities [rad]."""
_FROZEN_MOVE = 0.15
"""A velocity that adds up to this while the position stays the same [rad]."""
_COLDEST, _HOTTEST = -40.0, 160.0
"""No motor of a robot that can be armed is colder or hotter [degC]."""
_KELVIN = 273.15


class JointChecks:
    """Knows the joints' names and limits."""

    def __init__(self, names: tuple[str, ...], position_limits: Array, velocity_limits: Array):
        """Arguments as of :class:`.sensor_judge.SensorJudge`."""
        self._names = names
        self._low, self._high = np.asarray(position_limits, dtype=float).T
        self._fastest = np.asarray(velocity_limits, dtype=float)

    def check(self, readings: Readings) -> Iterator[Finding]:
        """What cannot be right about positions and velocities."""
        if not np.isfinite(readings.position).all():
            return
        steps, dt = np.diff(readings.position, axis=0), np.diff(readings.stamps)[:, None]
        wrong = list(self._range(readings.position[-1])) or list(self._leap(steps, dt))
        yield from wrong
        if not wrong and np.isfinite(readings.velocity).all():
            yield from self._velocities(readings, steps, dt)

    def leaps(self, step: Array, dt: float | Array) -> Array:
        """By how much steps [rad] are beyond what motors turn within dt [s]; shape of ``step``, positive: a leap."""
        return np.abs(step) - (LEAST_LEAP + 1.5 * self._fastest * dt)

    def temperature(self, measured: Array) -> Iterator[Finding]:
        """What cannot be right about temperatures [degC], shape (J,)."""
        far = np.maximum(_COLDEST - measured, measured - _HOTTEST)
        joint = int(np.argmax(np.where(np.isfinite(measured), far, np.inf)))
        if far[joint] <= 0.0:
            return
        kelvin = bool(np.all((measured > _KELVIN + _COLDEST) & (measured < _KELVIN + _HOTTEST)))
        cause = "the readings look like kelvin" if kelvin else "another unit (tenths, degF), or a sensor that is broken"
        yield Finding(
            f"temperature of {self._names[joint]}",
            f"{measured[joint]:.0f} degC, {_COLDEST:.0f} to {_HOTTEST:.0f} expected; {cause}",
        )

    def _range(self, newest: Array) -> Iterator[Finding]:
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

    def _leap(self, steps: Array, dt: Array) -> Iterator[Finding]:
        leap = self.leaps(steps, dt)
        row, joint = np.unravel_index(np.argmax(leap), leap.shape)
        if leap[row, joint] > 0.0:
            yield Finding(
                f"encoder of {self._names[joint]}",
                f"leaps by {steps[row, joint]:+.2f} rad within {1e3 * dt[row, 0]:.0f} ms; the motor turns at most "
                f"{self._fastest[joint]:.0f} rad/s: a loose encoder, or messages of two robots",
            )

    def _velocities(self, readings: Readings, steps: Array, dt: Array) -> Iterator[Finding]:
        """Measured joint velocities beside the differences of positions."""
        velocity = readings.velocity
        told = 0.5 * (velocity[1:] + velocity[:-1])
        yield from self._frozen(readings, np.abs(told * dt).sum(axis=0))
        way = np.abs(steps).sum(axis=0)
        moved = float(way.max())
        if moved < _SUM_OF_MOVES:
            return
        if not velocity.any():
            yield Finding(
                "joint velocities", f"all zero while a joint moved by {moved:.2f} rad; they are not filled in"
            )
            return
        silent = np.where(velocity.any(axis=0), 0.0, way)
        joint = int(np.argmax(silent))
        if silent[joint] > 2.0 * _SUM_OF_MOVES:
            yield Finding(
                f"velocity of {self._names[joint]}",
                f"zero while the joint moved by {silent[joint]:.2f} rad; it is not filled in",
            )
        seen = steps / dt
        ratio = float((told * seen).sum() / (seen * seen).sum())
        if near(ratio, _DEGREES):
            yield Finding("joint velocities", f"{ratio:.0f} times what positions change by; they look like deg/s")
        elif near(-ratio, 1.0):
            yield Finding("joint velocities", "opposite to the change of the positions; their sign is reversed")

    def _frozen(self, readings: Readings, told: Array) -> Iterator[Finding]:
        """A position that stays the same to the last bit while its velocity adds up to ``told`` [rad], shape (J,)."""
        silent = np.where(np.ptp(readings.position, axis=0) == 0.0, told, 0.0)
        joint = int(np.argmax(silent))
        if silent[joint] > _FROZEN_MOVE:
            yield Finding(
                f"encoder of {self._names[joint]}",
                f"the same {readings.position[-1, joint]:.2f} rad for half a second while its velocity adds up to "
                f"{silent[joint]:.2f} rad; it is frozen",
            )
