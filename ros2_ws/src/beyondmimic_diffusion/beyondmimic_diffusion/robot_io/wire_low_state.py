"""``LowState`` and ``IMUState``: unpacked and packed; their layout is in ``unitree_wire.py``."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..core.types import Array
from .wire_frame import HEADER, NUM_SLOTS, SLOT_OF_JOINT, SLOTS, crc32, mask, require_crc, require_frame

LOW_STATE_BYTES = 4 + 2088
IMU_BYTES = 4 + 54
REMOTE_BYTES = 40
LOW_STATE_PADDING: tuple[int, ...] = (14, 15, 75, *(128 + 56 * i + k for i in range(NUM_SLOTS - 1) for k in (1, 2, 3)))
"""Bytes of the whole message that mean nothing; they count as zero in the checksum."""
_MASK = mask(LOW_STATE_BYTES, LOW_STATE_PADDING)


@dataclass(frozen=True)
class LowState:
    """What the robot says of itself; joints in internal order, J = 29."""

    tick: int
    """Robot's own time since its start [ms], wraps at 2^32."""
    mode_pr: int
    """0: ankles and waist as pitch and roll; 1: as their parallel motors A and B."""
    mode_machine: int
    """Which robot this is (5: 29 joints); must be sent back in commands."""
    quaternion_wxyz: Array
    """Attitude of the pelvis IMU, shape (4,)."""
    gyroscope: Array
    """[rad/s], IMU axes, shape (3,)."""
    accelerometer: Array
    """Specific force [m/s^2], IMU axes, shape (3,)."""
    rpy: Array
    """The same attitude as roll, pitch, yaw [rad], shape (3,)."""
    imu_temperature: int
    """[degC]"""
    q: Array
    """[rad], shape (J,)."""
    dq: Array
    """[rad/s], shape (J,)."""
    tau_est: Array
    """[N m], shape (J,)."""
    temperature: Array
    """Of each motor's case and winding [degC], shape (J, 2)."""
    voltage: Array
    """At each motor [V], shape (J,)."""
    motor_error: NDArray[np.integer]
    """Unitree's error word of each motor, 0: none; shape (J,)."""
    wireless_remote: bytes = field(default=bytes(REMOTE_BYTES), repr=False)
    """The remote's 40 bytes, see ``unitree_remote``."""


@dataclass(frozen=True)
class ImuState:
    """A second IMU, e.g. the torso's on ``rt/secondary_imu``."""

    quaternion_wxyz: Array
    """Shape (4,)."""
    gyroscope: Array
    """[rad/s], shape (3,)."""
    accelerometer: Array
    """[m/s^2], shape (3,)."""
    rpy: Array
    """[rad], shape (3,)."""
    temperature: int
    """[degC]"""


class Motion(NamedTuple):
    """The part of a ``LowState`` that is needed of every message."""

    tick: int
    """[ms]"""
    quaternion_wxyz: tuple[float, float, float, float]
    gyroscope: Array
    """[rad/s], shape (3,)."""
    accelerometer: Array
    """[m/s^2], shape (3,)."""
    q: Array
    """[rad], shape (J,)."""
    dq: Array
    """[rad/s], shape (J,)."""
    tau_est: Array
    """[N m], shape (J,)."""
    temperature: Array
    """Of each motor's hottest sensor [degC], shape (J,)."""


_MOTORS_AT, _STATE_WORDS = 76, 14
"""LowState: where motor 0's q is in the whole message, and words from one motor to the next."""
_TICK_AND_ATTITUDE = struct.Struct("<16xI4f")


def decode_motion(cdr: bytes) -> Motion:
    """Unpack of a ``LowState`` what is needed every 2 ms.

    Raises:
        WireError: Not a LowState, or damaged.
    """
    require_frame("LowState", cdr, LOW_STATE_BYTES)
    require_crc("LowState", cdr, low_state_crc, _MASK)
    tick, *attitude = _TICK_AND_ATTITUDE.unpack_from(cdr)
    inertial = np.frombuffer(cdr, np.float32, 6, 36).astype(np.float64)
    motors = _motors(cdr)
    moving = motors[:, :4].T.astype(np.float64)  # q, dq, ddq, tau
    hottest = np.maximum(motors.view(np.int16)[:, 8], motors.view(np.int16)[:, 9]).astype(np.float64)
    return Motion(tick, (*attitude,), inertial[:3], inertial[3:], moving[0], moving[1], moving[3], hottest)


def _motors(cdr: bytes) -> NDArray[np.float32]:
    """Words of each joint's motor, from q on, shape (J, 14)."""
    words = np.frombuffer(cdr, np.float32, NUM_SLOTS * _STATE_WORDS, _MOTORS_AT)
    return words.reshape(NUM_SLOTS, _STATE_WORDS)[SLOTS]


def decode_low_state(cdr: bytes, check_crc: bool = True) -> LowState:
    """Unpack a ``LowState``.

    Args:
        cdr: The message with its header.
        check_crc: Refuse a wrong checksum.

    Raises:
        WireError: Not a LowState, or damaged.
    """
    require_frame("LowState", cdr, LOW_STATE_BYTES)
    if check_crc:
        require_crc("LowState", cdr, low_state_crc, _MASK)
    imu = np.frombuffer(cdr, np.float32, 13, 20).astype(np.float64)
    motors = _motors(cdr)
    moving = motors[:, :4].T.astype(np.float64)  # q, dq, ddq, tau
    return LowState(
        tick=int.from_bytes(cdr[16:20], "little"),
        mode_pr=cdr[12],
        mode_machine=cdr[13],
        quaternion_wxyz=imu[:4],
        gyroscope=imu[4:7],
        accelerometer=imu[7:10],
        rpy=imu[10:],
        imu_temperature=int.from_bytes(cdr[72:74], "little", signed=True),
        q=moving[0],
        dq=moving[1],
        tau_est=moving[3],
        temperature=motors.view(np.int16)[:, 8:10].astype(np.float64),
        voltage=motors[:, 5].astype(np.float64),
        motor_error=motors.view(np.uint32)[:, 8],
        wireless_remote=wireless_remote(cdr),
    )


def wireless_remote(cdr: bytes) -> bytes:
    """The remote's 40 bytes in a ``LowState``."""
    return cdr[2032:2072]


def encode_low_state(state: LowState) -> bytes:
    """Pack a ``LowState`` as the robot sends it (for simulated robots); fields that we do not read are zero."""
    buffer = bytearray(LOW_STATE_BYTES)
    buffer[:4] = HEADER
    buffer[12:14] = state.mode_pr, state.mode_machine
    buffer[16:20] = (state.tick & 0xFFFFFFFF).to_bytes(4, "little")
    buffer[72:74] = int(state.imu_temperature).to_bytes(2, "little", signed=True)
    floats = np.frombuffer(buffer, np.float32)
    floats[5:18] = np.concatenate((state.quaternion_wxyz, state.gyroscope, state.accelerometer, state.rpy))
    motors = np.frombuffer(buffer, np.float32, NUM_SLOTS * _STATE_WORDS, _MOTORS_AT).reshape(NUM_SLOTS, _STATE_WORDS)
    motors[SLOTS, 0], motors[SLOTS, 1], motors[SLOTS, 3] = state.q, state.dq, state.tau_est
    motors.view(np.int16)[SLOTS, 8:10] = state.temperature
    motors[SLOTS, 5] = state.voltage
    motors.view(np.uint32)[SLOTS, 8] = state.motor_error
    for slot in SLOT_OF_JOINT:
        buffer[74 if slot == 0 else 72 + 56 * slot] = 1  # switched on
    buffer[2032:2072] = state.wireless_remote
    buffer[-4:] = low_state_crc(bytes(buffer)).to_bytes(4, "little")
    return bytes(buffer)


def low_state_crc(cdr: bytes) -> int:
    """Checksum that a ``LowState`` should carry."""
    return crc32(b"".join((cdr[4:74], b"\0\0", cdr[74:75], b"\0\0\0", cdr[76:-4])))


def decode_imu(cdr: bytes) -> ImuState:
    """Unpack an ``IMUState`` of its own; it carries no checksum.

    Raises:
        WireError: Not an IMUState.
    """
    require_frame("IMUState", cdr, IMU_BYTES, IMU_BYTES + 2)
    values = np.frombuffer(cdr, np.float32, 13, 4).astype(np.float64)
    temperature = int.from_bytes(cdr[56:58], "little", signed=True)
    return ImuState(values[:4], values[4:7], values[7:10], values[10:], temperature)


def encode_imu(imu: ImuState) -> bytes:
    """Pack an ``IMUState``, padded as DDS does."""
    values = np.concatenate((imu.quaternion_wxyz, imu.gyroscope, imu.accelerometer, imu.rpy)).astype(np.float32)
    return b"".join((HEADER, values.tobytes(), int(imu.temperature).to_bytes(2, "little", signed=True), b"\0\0"))
