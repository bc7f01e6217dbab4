r"""The bytes of Unitree's ``LowState``, ``LowCmd`` and second IMU, without DDS; fast enough for 500 Hz in Python.

On the wire a message is CDR, little endian, behind a header of four bytes; its checksum is taken over the C structure,
whose first motor is padded differently::

    LowState, bytes after the header                         LowCmd, bytes after the header
       0  version 2 x u4, mode_pr u1, mode_machine u1           0  mode_pr u1, mode_machine u1
      12  tick u4 [ms]                                           2  motor 0: mode u1
      16  IMU 13 x f4 (wxyz, gyro, acc, rpy), temperature i2     4  motor 0: q dq tau kp kd f4, reserve u4
      70  motor 0: mode u1                                      28  motors 1-34: mode u1 ..., 28 bytes each
      72  motor 0: q dq ddq tau f4, 2 temperatures i2,         980  reserve 4 x u4
          voltage f4, sensor 2 x u4, error u4, reserve 4 x u4  996  crc u4
     124  motors 1-34: mode u1 ..., 56 bytes each             1000
    2028  remote 40 x u1, reserve 4 x u4, crc u4
    2088

Joints are in the robot's internal order (:data:`..core.robot.g1.JOINT_NAMES`), mapped by name to the motors' slots.
"""

from __future__ import annotations

import math
import struct
import zlib
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BeyondMimicError
from ..core.robot import g1
from ..core.types import Array

HEADER = b"\x00\x01\x00\x00"
"""CDR, little endian, no options."""
NUM_SLOTS = 35
"""Motors in a message; the G1 uses the first 29."""
LOW_STATE_BYTES = 4 + 2088
LOW_CMD_BYTES = 4 + 1000
IMU_BYTES = 4 + 54
REMOTE_BYTES = 40

SLOT_OF_JOINT: tuple[int, ...] = tuple(g1.UNITREE_JOINT_NAMES.index(name) for name in g1.JOINT_NAMES)
"""Motor slot of each joint in internal order."""
_SLOTS = slice(0, g1.NUM_JOINTS) if tuple(range(g1.NUM_JOINTS)) == SLOT_OF_JOINT else np.array(SLOT_OF_JOINT)
"""The same as an index; a slice costs a tenth."""

_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
"""Each byte with its bits in reverse."""
_LITTLE_ENDIAN = (b"\x00\x01", b"\x00\x07")
"""Representations that are laid out alike for these types: CDR and plain CDR2."""


LOW_STATE_PADDING: tuple[int, ...] = (14, 15, 75, *(128 + 56 * i + k for i in range(NUM_SLOTS - 1) for k in (1, 2, 3)))
LOW_CMD_PADDING: tuple[int, ...] = (7, *(32 + 28 * i + k for i in range(NUM_SLOTS - 1) for k in (1, 2, 3)))
"""Bytes of the whole message that mean nothing; they count as zero in the checksum."""


def _mask(length: int, padding: tuple[int, ...]) -> int:
    return int.from_bytes(bytes(0 if i in padding else 255 for i in range(length)), "little")


_LOW_STATE_MASK = _mask(LOW_STATE_BYTES, LOW_STATE_PADDING)
_LOW_CMD_MASK = _mask(LOW_CMD_BYTES, LOW_CMD_PADDING)


class WireError(BeyondMimicError):
    """Bytes that are not the message they should be, or values that must not become one."""


class WrongLengthError(WireError):
    """A message of another type, or of another version of it."""


class BadCrcError(WireError):
    """A message whose checksum says that it was damaged."""


def crc32(words: bytes) -> int:
    """Unitree's checksum: CRC-32/MPEG-2 (polynomial 0x04C11DB7, start 0xFFFFFFFF, not reflected) over 32-bit words.

    zlib's CRC-32 is the same polynomial seen in a mirror: with the bits of every byte and of the result reversed.

    Args:
        words: Little-endian words, most significant bit of each first; a multiple of 4 bytes.
    """
    big_endian = array("I", words)
    big_endian.byteswap()
    mirrored = zlib.crc32(big_endian.tobytes().translate(_REVERSED)) ^ 0xFFFFFFFF
    return int.from_bytes(mirrored.to_bytes(4, "big").translate(_REVERSED), "little")


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
class LowCmd:
    """What the motors are told; joints in internal order, J = 29."""

    mode_pr: int
    mode_machine: int
    enabled: NDArray[np.bool_]
    """Whether each motor is switched on, shape (J,), bool."""
    q: Array
    """[rad], shape (J,)."""
    dq: Array
    """[rad/s], shape (J,)."""
    tau: Array
    """[N m], shape (J,)."""
    kp: Array
    """[N m/rad], shape (J,)."""
    kd: Array
    """[N m s/rad], shape (J,)."""


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
    """Unpack of a ``LowState`` what is needed every 2 ms, in a third of the time that all of it takes.

    Raises:
        WireError: Not a LowState, or damaged.
    """
    _check_frame("LowState", cdr, LOW_STATE_BYTES)
    _check_crc("LowState", cdr, low_state_crc, _LOW_STATE_MASK)
    tick, *attitude = _TICK_AND_ATTITUDE.unpack_from(cdr)
    inertial = np.frombuffer(cdr, np.float32, 6, 36).astype(np.float64)
    motors = _motors(cdr)
    moving = motors[:, :4].T.astype(np.float64)  # q, dq, ddq, tau
    hottest = np.maximum(motors.view(np.int16)[:, 8], motors.view(np.int16)[:, 9]).astype(np.float64)
    return Motion(tick, (*attitude,), inertial[:3], inertial[3:], moving[0], moving[1], moving[3], hottest)


def _motors(cdr: bytes) -> NDArray[np.float32]:
    """Words of each joint's motor, from q on, shape (J, 14)."""
    words = np.frombuffer(cdr, np.float32, NUM_SLOTS * _STATE_WORDS, _MOTORS_AT)
    return words.reshape(NUM_SLOTS, _STATE_WORDS)[_SLOTS]


def decode_low_state(cdr: bytes, check_crc: bool = True) -> LowState:
    """Unpack a ``LowState``.

    Args:
        cdr: The message with its header.
        check_crc: Refuse a wrong checksum.

    Raises:
        WireError: Not a LowState, or damaged.
    """
    _check_frame("LowState", cdr, LOW_STATE_BYTES)
    if check_crc:
        _check_crc("LowState", cdr, low_state_crc, _LOW_STATE_MASK)
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
    motors[_SLOTS, 0], motors[_SLOTS, 1], motors[_SLOTS, 3] = state.q, state.dq, state.tau_est
    motors.view(np.int16)[_SLOTS, 8:10] = state.temperature
    motors[_SLOTS, 5] = state.voltage
    motors.view(np.uint32)[_SLOTS, 8] = state.motor_error
    for slot in SLOT_OF_JOINT:
        buffer[74 if slot == 0 else 72 + 56 * slot] = 1  # switched on
    buffer[2032:2072] = state.wireless_remote
    buffer[-4:] = low_state_crc(bytes(buffer)).to_bytes(4, "little")
    return bytes(buffer)


def low_state_crc(cdr: bytes) -> int:
    """Checksum that a ``LowState`` should carry."""
    return crc32(b"".join((cdr[4:74], b"\0\0", cdr[74:75], b"\0\0\0", cdr[76:-4])))


class LowCmdPacker:
    """Packs commands into the same memory again and again; for one thread."""

    def __init__(self) -> None:
        self._struct = np.zeros(251, np.uint32)  # the C structure
        self._bytes = self._struct.view(np.uint8)
        words = self._struct[1:246].reshape(NUM_SLOTS, 7)
        self._mode = words[:, 0]
        self._values = words.view(np.float32)[:, 1:6]  # q, dq, tau, kp, kd

    def pack(
        self,
        mode_pr: int,
        mode_machine: int,
        q: Array,
        dq: Array,
        kp: Array,
        kd: Array,
        tau: Array,
        enable: bool = True,
    ) -> bytes:
        """The message with its header and checksum.

        Args:
            mode_pr: 0: ankles and waist as pitch and roll.
            mode_machine: What the robot said in its LowState.
            q: [rad], shape (J,) in internal order, as all others.
            dq: [rad/s]
            kp: [N m/rad]
            kd: [N m s/rad]
            tau: [N m]
            enable: Switch the motors on.

        Raises:
            WireError: A value is not finite as float32.
        """
        self._bytes[0], self._bytes[1] = mode_pr, mode_machine
        self._mode[_SLOTS] = 1 if enable else 0
        values = self._values
        values[_SLOTS, 0], values[_SLOTS, 1], values[_SLOTS, 2] = q, dq, tau
        values[_SLOTS, 3], values[_SLOTS, 4] = kp, kd
        if not math.isfinite(values.sum()) and not np.isfinite(values).all():  # the sum is cheaper than asking each
            raise WireError(_not_finite(values))
        memory = self._struct.tobytes()
        crc = crc32(memory[:1000])
        return b"".join((HEADER, memory[:2], memory[4:5], b"\0", memory[8:1000], crc.to_bytes(4, "little")))


def decode_low_cmd(cdr: bytes, check_crc: bool = True) -> LowCmd:
    """Unpack a ``LowCmd``.

    Args:
        cdr: The message with its header.
        check_crc: Refuse a wrong checksum.

    Raises:
        WireError: Not a LowCmd, or damaged.
    """
    _check_frame("LowCmd", cdr, LOW_CMD_BYTES)
    if check_crc:
        _check_crc("LowCmd", cdr, low_cmd_crc, _LOW_CMD_MASK)
    struct = _low_cmd_struct(cdr)
    words = np.frombuffer(struct, np.uint32)[1:246].reshape(NUM_SLOTS, 7)
    q, dq, tau, kp, kd = words.view(np.float32)[_SLOTS, 1:6].T.astype(np.float64)
    return LowCmd(struct[0], struct[1], words[_SLOTS, 0] == 1, q, dq, tau, kp, kd)


def low_cmd_crc(cdr: bytes) -> int:
    """Checksum that a ``LowCmd`` should carry."""
    return crc32(_low_cmd_struct(cdr)[:1000])


def _low_cmd_struct(cdr: bytes) -> bytes:
    return b"".join((cdr[4:6], b"\0\0", cdr[6:7], b"\0\0\0", cdr[8:]))


def decode_imu(cdr: bytes) -> ImuState:
    """Unpack an ``IMUState`` of its own; it carries no checksum.

    Raises:
        WireError: Not an IMUState.
    """
    _check_frame("IMUState", cdr, IMU_BYTES, IMU_BYTES + 2)
    values = np.frombuffer(cdr, np.float32, 13, 4).astype(np.float64)
    temperature = int.from_bytes(cdr[56:58], "little", signed=True)
    return ImuState(values[:4], values[4:7], values[7:10], values[10:], temperature)


def encode_imu(imu: ImuState) -> bytes:
    """Pack an ``IMUState``, padded as DDS does."""
    values = np.concatenate((imu.quaternion_wxyz, imu.gyroscope, imu.accelerometer, imu.rpy)).astype(np.float32)
    return b"".join((HEADER, values.tobytes(), int(imu.temperature).to_bytes(2, "little", signed=True), b"\0\0"))


def _check_frame(kind: str, cdr: bytes, *lengths: int) -> None:
    if len(cdr) not in lengths:
        raise WrongLengthError(f"{kind}: {len(cdr)} bytes arrived, a unitree_hg {kind} has {lengths[0]}")
    if cdr[:2] not in _LITTLE_ENDIAN:
        raise WireError(f"{kind}: begins with {cdr[:4].hex(' ')}; only little-endian CDR ({HEADER.hex(' ')}) is read")


def _check_crc(kind: str, cdr: bytes, crc: Callable[[bytes], int], mask: int) -> None:
    got, expected = int.from_bytes(cdr[-4:], "little"), crc(cdr)
    if got != expected:  # once more with the padding as it is in the checksum, should a sender not clear it
        expected = crc((int.from_bytes(cdr, "little") & mask).to_bytes(len(cdr), "little"))
    if got != expected:
        raise BadCrcError(
            f"{kind}: checksum is {got:08x}, its content gives {expected:08x}; damaged or not from Unitree"
        )


def _not_finite(values: Array) -> str:
    slot, column = np.argwhere(~np.isfinite(values))[0]
    name = g1.JOINT_NAMES[SLOT_OF_JOINT.index(int(slot))]
    return f"LowCmd: {('q', 'dq', 'tau', 'kp', 'kd')[column]} of {name} is {values[slot, column]}; nothing was sent"
