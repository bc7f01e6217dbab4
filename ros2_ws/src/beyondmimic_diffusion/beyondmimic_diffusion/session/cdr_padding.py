"""Zeroes the padding of serialised messages, which the middleware leaves as it found the memory.

Two equal messages are then equal bytes. Layout of CDR version 1: after four bytes of encapsulation each number is
aligned to its own size, lengths to four bytes, and the message ends on a multiple of four.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from rosidl_parser.definition import AbstractSequence, AbstractString, Array, BasicType, NamespacedType

from .recorder import message_class

_HEADER = 4
_SIZES = {
    **dict.fromkeys(("boolean", "octet", "char", "uint8", "int8"), 1),
    **dict.fromkeys(("uint16", "int16"), 2),
    **dict.fromkeys(("uint32", "int32", "float"), 4),
    **dict.fromkeys(("uint64", "int64", "double"), 8),
}
_U32 = struct.Struct("<I")
Walker = Callable[[bytearray, int], int]
"""Zeroes the padding before and inside one value that begins at a position; returns where it ends."""


class PaddingZeroer:
    """For messages of any type; what a type looks like is worked out once."""

    def __init__(self) -> None:
        self._walkers: dict[str, Walker] = {}

    def zeroed(self, type_name: str, data: bytes) -> bytes:
        """The same message with zeros between its values.

        Args:
            type_name: ``package/msg/Name``.
            data: Serialised, little endian.

        Raises:
            ConfigError: The type is not installed.
        """
        walker = self._walkers.get(type_name)
        if walker is None:
            walker = self._walkers[type_name] = _of_message(message_class(type_name))
        buffer = bytearray(data)
        end = walker(buffer, _HEADER)
        buffer[end:] = bytes(len(buffer) - end)
        return bytes(buffer)


def _of_message(cls: Any) -> Walker:
    walkers = [_of_type(kind) for kind in cls.SLOT_TYPES]

    def walk(buffer: bytearray, at: int) -> int:
        for walker in walkers:
            at = walker(buffer, at)
        return at

    return walk if walkers else lambda _, at: at + 1  # a message without fields has one byte


def _of_type(kind: Any) -> Walker:
    if isinstance(kind, BasicType):
        return _numbers(_SIZES[kind.typename], lambda _, at: (1, at))
    if isinstance(kind, AbstractString):
        return lambda buffer, at: _text(buffer, at)
    if isinstance(kind, NamespacedType):
        package = next(iter(kind.namespaces))
        return _of_message(message_class(f"{package}/msg/{kind.name}"))
    if isinstance(kind, Array):
        return _many(kind.value_type, lambda _, at: (kind.size, at))
    assert isinstance(kind, AbstractSequence)
    return _many(kind.value_type, _count)


def _many(kind: Any, count: Callable[[bytearray, int], tuple[int, int]]) -> Walker:
    if isinstance(kind, BasicType):
        return _numbers(_SIZES[kind.typename], count)
    walker = _of_type(kind)

    def walk(buffer: bytearray, at: int) -> int:
        number, at = count(buffer, at)
        for _ in range(number):
            at = walker(buffer, at)
        return at

    return walk


def _numbers(size: int, count: Callable[[bytearray, int], tuple[int, int]]) -> Walker:
    def walk(buffer: bytearray, at: int) -> int:
        number, at = count(buffer, at)
        return _aligned(buffer, at, size) + number * size if number else at

    return walk


def _text(buffer: bytearray, at: int) -> int:
    number, at = _count(buffer, at)
    return at + number


def _count(buffer: bytearray, at: int) -> tuple[int, int]:
    at = _aligned(buffer, at, 4)
    return _U32.unpack_from(buffer, at)[0], at + 4


def _aligned(buffer: bytearray, at: int, size: int) -> int:
    gap = (_HEADER - at) % size
    if gap:
        buffer[at : at + gap] = bytes(gap)
    return at + gap
