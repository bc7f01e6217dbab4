"""The two messages of lockstep as bytes: a step that the simulator announces, and the answer of each member.

Both travel as ``std_msgs/UInt8MultiArray``, so that no message type of our own is needed. Layout, little endian::

    step    number u32, time i64 [ns], late u8, entries
    answer  number u32, every u16, phase u16, name, entries
    entries count u16, then per entry: origin u8, topic, type, payload
    text    length u16, UTF-8;    payload: length u32, bytes
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

_ENVELOPE = struct.Struct("<4sIII")  # encapsulation, no dimensions, data_offset, length
_LITTLE_ENDIAN = b"\x00\x01\x00\x00"
_STEP, _ANSWER = struct.Struct("<IqB"), struct.Struct("<IHH")
_U8, _U16, _U32 = struct.Struct("<B"), struct.Struct("<H"), struct.Struct("<I")


class Entry(NamedTuple):
    """One message of one topic."""

    topic: str
    """Absolute name."""
    type_name: str
    """``package/msg/Name``."""
    data: bytes
    """Serialised message."""
    from_simulator: bool = False


class Step(NamedTuple):
    """What happens at one instant of robot time."""

    number: int
    time_ns: int
    late: bool
    """True: it is the turn of the members that act after all others."""
    entries: Sequence[Entry]
    """What everybody may see from now on."""


class Answer(NamedTuple):
    """What one member did in its turn."""

    number: int
    """Of the step."""
    every: int
    """The member takes a turn in each so-many-th step ..."""
    phase: int
    """... counted from this one."""
    name: str
    entries: Sequence[Entry]


def pack_step(step: Step) -> bytes:
    """A step as a serialised ``UInt8MultiArray``."""
    return _wrap([_STEP.pack(step.number, step.time_ns, step.late), *_pack_entries(step.entries)])


def unpack_step(message: bytes) -> Step:
    """Inverse of :func:`pack_step`."""
    body = _body(message)
    number, time_ns, late = _STEP.unpack_from(body)
    return Step(number, time_ns, bool(late), _unpack_entries(body, _STEP.size))


def pack_answer(answer: Answer) -> bytes:
    """An answer as a serialised ``UInt8MultiArray``."""
    head = _ANSWER.pack(answer.number, answer.every, answer.phase)
    return _wrap([head, *_pack_text(answer.name), *_pack_entries(answer.entries)])


def unpack_answer(message: bytes) -> Answer:
    """Inverse of :func:`pack_answer`."""
    body = _body(message)
    number, every, phase = _ANSWER.unpack_from(body)
    name, at = _unpack_text(body, _ANSWER.size)
    return Answer(number, every, phase, name, _unpack_entries(body, at))


def type_name(message_type: type) -> str:
    """``package/msg/Name`` of a message class."""
    return f"{message_type.__module__.split('.')[0]}/msg/{message_type.__name__}"


def _wrap(parts: list[bytes]) -> bytes:
    body = b"".join(parts)
    return _ENVELOPE.pack(_LITTLE_ENDIAN, 0, 0, len(body)) + body


def _body(message: bytes) -> bytes:
    length = _ENVELOPE.unpack_from(message)[3]
    return message[_ENVELOPE.size : _ENVELOPE.size + length]


def _pack_entries(entries: Sequence[Entry]) -> list[bytes]:
    parts = [_U16.pack(len(entries))]
    for topic, kind, data, from_simulator in entries:
        parts += [_U8.pack(from_simulator), *_pack_text(topic), *_pack_text(kind), _U32.pack(len(data)), data]
    return parts


def _unpack_entries(body: bytes, at: int) -> list[Entry]:
    (count,) = _U16.unpack_from(body, at)
    at += _U16.size
    entries = []
    for _ in range(count):
        (origin,) = _U8.unpack_from(body, at)
        topic, at = _unpack_text(body, at + _U8.size)
        kind, at = _unpack_text(body, at)
        (length,) = _U32.unpack_from(body, at)
        at += _U32.size
        entries.append(Entry(topic, kind, body[at : at + length], bool(origin)))
        at += length
    return entries


def _pack_text(text: str) -> tuple[bytes, bytes]:
    data = text.encode()
    return _U16.pack(len(data)), data


def _unpack_text(body: bytes, at: int) -> tuple[str, int]:
    (length,) = _U16.unpack_from(body, at)
    at += _U16.size
    return body[at : at + length].decode(), at + length
