"""What arrives from a Unitree robot: ``LowState`` bytes to samples, with what was wrong about them counted."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from ..core.types import ImuSample, JointSample
from .tick_clock import TickClock
from .unitree_remote import Remote, decode_remote
from .unitree_wire import BadCrcError, LowState, WireError, decode_low_state

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
        self.state: LowState | None = None
        """The newest."""
        self.pair: tuple[ImuSample, JointSample] | None = None
        """Its samples."""
        self.received = self.refused = self.bad_checksums = 0
        """Messages that could be used, those that could not, and of the latter those with a wrong checksum."""
        self.last_refusal = ""
        """What was wrong with the newest that could not be used."""
        self.remote_heard = False
        """Whether the remote has ever said anything but zeros."""
        self._received_at = self._bad_at = float("-inf")

    @property
    def age(self) -> float:
        """Since the newest message arrived [s]; infinite before the first."""
        return self._steady() - self._received_at

    @property
    def since_bad_checksum(self) -> float:
        """Since the newest message with a wrong checksum arrived [s]; infinite if none did."""
        return self._steady() - self._bad_at

    @property
    def remote(self) -> Remote:
        """What the operator's fingers do on the robot's own remote."""
        return Remote() if self.state is None else decode_remote(self.state.wireless_remote)

    def accept(self, cdr: bytes) -> None:
        """Take the bytes of a ``LowState``; what cannot be used is counted and dropped."""
        now = self._steady()
        try:
            state = decode_low_state(cdr)
            unit = abs(state.quaternion_wxyz @ state.quaternion_wxyz - 1.0) < _UNIT  # False for NaN, too
            if not unit or not np.isfinite(state.q).all():
                raise WireError(
                    f"LowState: attitude {np.round(state.quaternion_wxyz, 3)} or a joint position is no measurement"
                )
        except WireError as error:
            self._refuse(error, now)
            return
        measured = self.ticks.stamp(state.tick, now)
        stamp = self._clock() - (self._steady() - measured)
        pair = (
            ImuSample(stamp, state.quaternion_wxyz, state.gyroscope, state.accelerometer),
            JointSample(stamp, state.q, state.dq, state.tau_est, state.temperature.max(axis=1)),
        )
        self.state, self.pair, self._received_at = state, pair, now
        self.received += 1
        self.remote_heard = self.remote_heard or any(state.wireless_remote)
        if self._on_pair is not None:
            self._on_pair(*pair)

    def _refuse(self, error: WireError, now: float) -> None:
        self.refused += 1
        self.last_refusal = str(error)
        if isinstance(error, BadCrcError):
            self.bad_checksums += 1
            self._bad_at = now
