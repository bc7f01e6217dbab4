"""``LowCmd``: packed and unpacked; its layout is in ``unitree_wire.py``."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.robot import g1
from ..core.types import Array
from .wire_frame import HEADER, NUM_SLOTS, SLOT_OF_JOINT, SLOTS, WireError, crc32, mask, require_crc, require_frame

LOW_CMD_BYTES = 4 + 1000
LOW_CMD_PADDING: tuple[int, ...] = (7, *(32 + 28 * i + k for i in range(NUM_SLOTS - 1) for k in (1, 2, 3)))
"""Bytes of the whole message that mean nothing; they count as zero in the checksum."""
_MASK = mask(LOW_CMD_BYTES, LOW_CMD_PADDING)


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
        self._mode[SLOTS] = 1 if enable else 0
        values = self._values
        values[SLOTS, 0], values[SLOTS, 1], values[SLOTS, 2] = q, dq, tau
        values[SLOTS, 3], values[SLOTS, 4] = kp, kd
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
    require_frame("LowCmd", cdr, LOW_CMD_BYTES)
    if check_crc:
        require_crc("LowCmd", cdr, low_cmd_crc, _MASK)
    struct = _low_cmd_struct(cdr)
    words = np.frombuffer(struct, np.uint32)[1:246].reshape(NUM_SLOTS, 7)
    q, dq, tau, kp, kd = words.view(np.float32)[SLOTS, 1:6].T.astype(np.float64)
    return LowCmd(struct[0], struct[1], words[SLOTS, 0] == 1, q, dq, tau, kp, kd)


def low_cmd_crc(cdr: bytes) -> int:
    """Checksum that a ``LowCmd`` should carry."""
    return crc32(_low_cmd_struct(cdr)[:1000])


def _low_cmd_struct(cdr: bytes) -> bytes:
    return b"".join((cdr[4:6], b"\0\0", cdr[6:7], b"\0\0\0", cdr[8:]))


def _not_finite(values: Array) -> str:
    slot, column = np.argwhere(~np.isfinite(values))[0]
    name = g1.JOINT_NAMES[SLOT_OF_JOINT.index(int(slot))]
    return f"LowCmd: {('q', 'dq', 'tau', 'kp', 'kd')[column]} of {name} is {values[slot, column]}; nothing was sent"
