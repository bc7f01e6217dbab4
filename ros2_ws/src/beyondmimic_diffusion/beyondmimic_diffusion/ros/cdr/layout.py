"""Where the fields of a message are in its serialised form (CDR, little endian).

Strings and sequences of one length always make one layout: after a header of 4 bytes each number is aligned to its own
size, and lengths are 32-bit numbers in front of their contents. Padding between the fields has no defined content.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rclpy.serialization import deserialize_message, serialize_message

from ...core.errors import BeyondMimicError

HEADER = b"\x00\x01\x00\x00"
"""CDR, little endian, no options."""
_DTYPES = {
    **{"boolean": "u1", "octet": "u1", "uint8": "u1", "int8": "i1", "float": "<f4", "double": "<f8"},
    **{f"{sign}int{bits}": f"<{sign or 'i'}{bits // 8}" for sign in ("", "u") for bits in (16, 32, 64)},
}
_ARRAY = re.compile(r"(.+)\[(\d+)\]$")
_SEQUENCE = re.compile(r"sequence<([^,]+)(?:, *\d+)?>$")


class LayoutError(BeyondMimicError):
    """A message is not laid out as this module expects."""


class Place(NamedTuple):
    """Where one field's numbers are."""

    offset: int
    """From the first byte of the serialised message, header included."""
    dtype: str
    size: int
    """How many numbers."""

    @property
    def end(self) -> int:
        """First byte after it."""
        return self.offset + self.size * np.dtype(self.dtype).itemsize


def field_places(message: Any) -> tuple[dict[str, Place], int]:
    """Places of all numbers of a message, by path (``header.stamp.sec``), and its length in bytes.

    Strings and the lengths of sequences have entries of their own with the suffixes ``#text`` and ``#count``.
    """
    walk = _Walk()
    walk.message(message, "")
    return walk.places, walk.at + len(HEADER)


class _Walk:
    """Goes through a message as its serialisation does."""

    def __init__(self) -> None:
        self.at = 0
        self.places: dict[str, Place] = {}

    def message(self, message: Any, prefix: str) -> None:
        for name, kind in message.get_fields_and_field_types().items():
            self._field(kind, getattr(message, name), prefix + name)

    def _field(self, kind: str, value: Any, path: str) -> None:
        if match := _SEQUENCE.match(kind):
            self._numbers(path + "#count", "<u4", 1)
            self._elements(match[1], value, path)
        elif match := _ARRAY.match(kind):
            self._elements(match[1], value, path)
        elif kind in _DTYPES:
            self._numbers(path, _DTYPES[kind], 1)
        elif kind == "string":
            self._numbers(path + "#count", "<u4", 1)
            self._numbers(path + "#text", "u1", len(value.encode()) + 1)
        elif "/" in kind:
            self.message(value, path + ".")
        else:
            raise LayoutError(f"field '{path}' is of type '{kind}', whose layout is not known here")

    def _elements(self, kind: str, values: Sequence[Any], path: str) -> None:
        if kind in _DTYPES:
            self._numbers(path, _DTYPES[kind], len(values))
            return
        for i, value in enumerate(values):
            self._field(kind, value, f"{path}.{i}")

    def _numbers(self, path: str, dtype: str, count: int) -> None:
        size = np.dtype(dtype).itemsize
        if count:
            self.at += -self.at % size
        self.places[path] = Place(self.at + len(HEADER), dtype, count)
        self.at += count * size


class FixedLayout:
    """Serialised messages that differ in some fields only."""

    def __init__(self, message: Any, changing: Collection[str]):
        """
        Args:
            message: One of them.
            changing: Paths of the fields in which they differ; a path stands for everything below it, too.

        Raises:
            LayoutError: rclpy lays it out in another way.
        """
        self.template = serialize_message(message)
        """The given message, serialised."""
        self.places, length = field_places(message)
        if self.template[:4] != HEADER or len(self.template) != length:
            raise LayoutError(
                f"{type(message).__name__}: rclpy makes {len(self.template)} bytes that begin with "
                f"{self.template[:4].hex(' ')}; {length} that begin with {HEADER.hex(' ')} were expected"
            )
        self._changing = {p for p in self.places if any(p == c or p.startswith(c + ".") for c in changing)}
        self._spans = self._fixed_spans()
        self._mask = self._fixed_mask()
        self._fixed = int.from_bytes(self.template, "little") & self._mask
        self._check(type(message))

    def matches(self, raw: bytes) -> bool:
        """Whether a serialised message has this layout and the same content in all fields that do not change."""
        if len(raw) != len(self.template):
            return False
        for start, end, content in self._spans:
            if raw[start:end] != content:
                break
        else:
            return True
        return int.from_bytes(raw, "little") & self._mask == self._fixed  # padding may hold anything

    def rows(self, buffer: bytes | bytearray, *paths: str) -> NDArray[Any]:
        """Fields of one type and length that follow each other at one distance, as a view of shape (fields, count).

        Raises:
            LayoutError: They are not laid out like that.
        """
        places = [self.places[path] for path in paths]
        first = places[0]
        stride = places[1].offset - first.offset if len(places) > 1 else 0
        expected = [Place(first.offset + i * stride, first.dtype, first.size) for i in range(len(places))]
        if places != expected:
            raise LayoutError(f"the fields {paths} are not spaced evenly: {places}")
        size = np.dtype(first.dtype).itemsize
        return np.ndarray((len(places), first.size), first.dtype, buffer, first.offset, (stride, size))

    def doubles(self, path: str, count: int) -> int:
        """Offset of ``count`` double precision numbers that begin at a field and follow each other without a gap.

        Raises:
            LayoutError: They do not.
        """
        first = self.places[path]
        inside = sorted(p for p in self.places.values() if first.offset <= p.offset < first.offset + 8 * count)
        if any(p.dtype != "<f8" for p in inside) or sum(p.size for p in inside) != count:
            raise LayoutError(f"'{path}' does not begin {count} numbers of double precision in a row")
        return first.offset

    def _fixed_spans(self) -> list[tuple[int, int, bytes]]:
        spans, at = [], 0
        for place in sorted(self.places[path] for path in self._changing):
            if place.offset > at:
                spans.append((at, place.offset, self.template[at : place.offset]))
            at = max(at, place.end)
        if at < len(self.template):
            spans.append((at, len(self.template), self.template[at:]))
        return spans

    def _fixed_mask(self) -> int:
        mask = bytearray(len(self.template))
        mask[:4] = b"\xff" * 4
        for path, place in self.places.items():
            if path not in self._changing:
                mask[place.offset : place.end] = b"\xff" * (place.end - place.offset)
        return int.from_bytes(mask, "little")

    def _check(self, message_type: Any) -> None:
        """Numbers put at the places must be found in the fields by rclpy."""
        buffer, expected = bytearray(self.template), {}
        for number, path in enumerate(sorted(self._changing)):
            place = self.places[path]
            values = (
                np.arange(number, number + place.size) % 2 if place.dtype == "u1" else np.arange(place.size) + number
            )
            np.frombuffer(buffer, place.dtype, place.size, place.offset)[:] = values
            expected[path] = values
        message = deserialize_message(bytes(buffer), message_type)
        for path, values in expected.items():
            found = np.atleast_1d(_value(message, path)).astype(float)
            if not np.array_equal(found, values):
                raise LayoutError(f"{message_type.__name__}.{path}: rclpy reads {found} where {values} was written")


def _value(message: Any, path: str) -> Any:
    for name in path.split("."):
        message = message[int(name)] if name.isdigit() else getattr(message, name)
    return message
