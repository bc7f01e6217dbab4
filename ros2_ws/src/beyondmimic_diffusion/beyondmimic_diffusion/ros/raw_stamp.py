"""The stamp of a serialised message that begins with its header, without decoding the rest."""

from __future__ import annotations

import struct

_STAMP = struct.Struct("<iI")
_AT = 4
"""After the bytes that say how the message is encoded."""


def stamp_ns(data: bytes) -> int:
    """``header.stamp`` [ns].

    Args:
        data: Little-endian CDR of a message whose first field is its header.
    """
    seconds, nanoseconds = _STAMP.unpack_from(data, _AT)
    return seconds * 1_000_000_000 + nanoseconds
