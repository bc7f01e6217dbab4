"""What arrives from a Unitree robot: ``LowState`` bytes to samples, with what was wrong about them counted."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np

from ..core.types import ImuSample, JointSample
from .tick_clock import TickClock
from .unitree_remote import Remote, decode_remote
from .unitree_wire import BadCrcError, LowState, WireError, decode_low_state, decode_motion, wireless_remote

_UNIT = 0.1
"""Deviation of a quaternion's squared norm from 1 at which it is no attitude (an IMU that still starts sends zeros)."""


class UnitreeReceiver:
    """Fed by one thread; what it holds may be read by any other."""

    def __init__(
        self,
        clock: Callable[[], float],
        steady: Callable[[], float] = time.monotonic,
        on_pair: Callable[[ImuSample, JointSample], None] | None = None,
    ):
        """
        Args:
            clock: Time in which samples are stamped [s].
            steady: Time that never jumps [s].
            on_pair: Called with the samples of every message, in the feeding thread.
        """
        self._clock, self._steady, self._on_pair = clock, steady, on_pair
        self.ticks = TickClock()
        self.pair: tuple[ImuSample, JointSample] | None = None
        """Samples of the newest message."""
        self.mode_machine: int | None = None
        """Which robot it is; None before the first message."""
        self.received = self.refused = self.bad_checksums = 0
        """Messages that could be used, those that could not, and of the latter those with a wrong checksum."""
        self.last_refusal = ""
        """What was wrong with the newest that could not be used."""
        self.remote_heard = False
        """Whether the remote has ever said anything but zeros."""
        self._received_at = self._bad_at = float("-inf")
        self._newest = b""
        self._decoded: tuple[bytes, LowState] | None = None

    @property
    def age(self) -> float:
        """Since the newest message arrived [s]; infinite before the first."""
        return self._steady() - self._received_at

    @property
    def since_bad_checksum(self) -> float:
        """Since the newest message with a wrong checksum arrived [s]; infinite if none did."""
        return self._steady() - self._bad_at

    @property
    def state(self) -> LowState | None:
        """All of the newest message; decoded when it is asked for."""
        newest, decoded = self._newest, self._decoded
        if not newest:
            return None
        if decoded is None or decoded[0] is not newest:
            self._decoded = decoded = (newest, decode_low_state(newest, check_crc=False))
        return decoded[1]

    @property
    def remote(self) -> Remote:
        """What the operator's fingers do on the robot's own remote."""
        return decode_remote(wireless_remote(self._newest)) if self._newest else Remote()

    def accept(self, cdr: bytes) -> None:
        """Take the bytes of a ``LowState``; what cannot be used is counted and dropped."""
        now = self._steady()
        try:
            motion = decode_motion(cdr)
            norm = sum(x * x for x in motion.quaternion_wxyz)
            if not abs(norm - 1.0) < _UNIT or not math.isfinite(motion.q.sum()):  # False for NaN, too
                raise WireError(f"LowState: attitude {motion.quaternion_wxyz} or a joint position is no measurement")
        except WireError as error:
            self._refuse(error, now)
            return
        stamp = self._clock() - (self._steady() - self.ticks.stamp(motion.tick, now))
        pair = (
            ImuSample(stamp, np.array(motion.quaternion_wxyz), motion.gyroscope, motion.accelerometer),
            JointSample(stamp, motion.q, motion.dq, motion.tau_est, motion.temperature),
        )
        self.mode_machine = cdr[13]
        self._newest, self.pair, self._received_at = cdr, pair, now
        self.received += 1
        if not self.remote_heard:
            self.remote_heard = any(wireless_remote(cdr))
        if self._on_pair is not None:
            self._on_pair(*pair)

    def _refuse(self, error: WireError, now: float) -> None:
        self.refused += 1
        self.last_refusal = str(error)
        if isinstance(error, BadCrcError):
            self.bad_checksums += 1
            self._bad_at = now
