"""Tells a second node that commands the motors from discovery's moments of half-knowledge."""

from __future__ import annotations

from collections.abc import Sequence

_UNKNOWN = "_NODE_NAME_UNKNOWN_"
"""What rmw says while it knows a publisher and not yet its node."""
_LOOKS = 2
"""A stranger counts once it was seen this often in a row."""
_LOOKS_UNKNOWN = 25
"""The same for one that has no name: it may be ours, not fully discovered yet."""


class WriterWatch:
    """Looked at again and again; remembers how long strangers have been there."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def look(self, strangers: Sequence[str]) -> list[str]:
        """Those that count.

        Args:
            strangers: Full names of the nodes that are not expected, as discovery has them now.
        """
        self._seen = {name: self._seen.get(name, 0) + 1 for name in dict.fromkeys(strangers)}
        return [name for name, looks in self._seen.items() if looks >= (_LOOKS_UNKNOWN if _UNKNOWN in name else _LOOKS)]
