"""What Unitree's messages have in common: header, checksum, slots of the joints, and what is wrong with bytes."""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Callable

import numpy as np

from ..core.errors import BeyondMimicError
from ..core.robot import g1

HEADER = b"\x00\x01\x00\x00"
"""CDR, little endian, no options."""
NUM_SLOTS = 35
"""Motors in a message; the G1 uses the first 29."""
SLOT_OF_JOINT: tuple[int, ...] = tuple(g1.UNITREE_JOINT_NAMES.index(name) for name in g1.JOINT_NAMES)
"""Motor slot of each joint in internal order."""
SLOTS = slice(0, g1.NUM_JOINTS) if tuple(range(g1.NUM_JOINTS)) == SLOT_OF_JOINT else np.array(SLOT_OF_JOINT)
"""The same as an index; a slice costs a tenth."""
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
"""Each byte with its bits in reverse."""
_LITTLE_ENDIAN = (b"\x00\x01", b"\x00\x07")
"""Representations that are laid out alike for these types: CDR and plain CDR2."""


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


def mask(length: int, padding: tuple[int, ...]) -> int:
    """A message of ones where its bytes mean something, for :func:`require_crc`.

    Args:
        length: Of the whole message [bytes].
        padding: Places of the bytes that mean nothing.
    """
    return int.from_bytes(bytes(0 if i in padding else 255 for i in range(length)), "little")


def require_frame(kind: str, cdr: bytes, *lengths: int) -> None:
    """Refuse bytes of another length or byte order."""
    if len(cdr) not in lengths:
        raise WrongLengthError(f"{kind}: {len(cdr)} bytes arrived, a unitree_hg {kind} has {lengths[0]}")
    if cdr[:2] not in _LITTLE_ENDIAN:
        raise WireError(f"{kind}: begins with {cdr[:4].hex(' ')}; only little-endian CDR ({HEADER.hex(' ')}) is read")


def require_crc(kind: str, cdr: bytes, crc: Callable[[bytes], int], mask: int) -> None:
    """Refuse a message whose last word is not the checksum of its content, padding taken as zero."""
    got, expected = int.from_bytes(cdr[-4:], "little"), crc(cdr)
    if got != expected:  # once more with the padding as it is in the checksum, should a sender not clear it
        expected = crc((int.from_bytes(cdr, "little") & mask).to_bytes(len(cdr), "little"))
    if got != expected:
        raise BadCrcError(
            f"{kind}: checksum is {got:08x}, its content gives {expected:08x}; damaged or not from Unitree"
        )
