"""MCAP files as ROS 2 tools expect them: profile ``ros2``, schemas ``ros2msg``, messages in CDR."""

from __future__ import annotations

import contextlib
from pathlib import Path

from mcap.writer import Writer

from .schema import full_definition

_LIBRARY = "beyondmimic_diffusion"


class McapFile:
    """Writes serialised messages; each topic becomes a channel when its first message or its announcement comes."""

    def __init__(self, path: Path):
        """
        Args:
            path: File to write; it is readable once :meth:`close` has been called.
        """
        self.path = path
        self._stream = path.open("wb")
        self._writer = Writer(self._stream)
        self._writer.start(profile="ros2", library=_LIBRARY)
        self._schemas: dict[str, int] = {}
        self._channels: dict[str, int] = {}
        self.count = 0
        """Messages written."""

    def add_channel(self, topic: str, type_name: str, qos: str = "") -> None:
        """Announce a topic.

        Args:
            topic: Absolute name.
            type_name: ``package/msg/Name``.
            qos: Profiles the publishers offer, as text, for whoever plays the recording back.

        Raises:
            ConfigError: The type's definition is not installed.
        """
        if topic in self._channels:
            return
        if type_name not in self._schemas:
            text = full_definition(type_name).encode()
            self._schemas[type_name] = self._writer.register_schema(name=type_name, encoding="ros2msg", data=text)
        metadata = {"offered_qos_profiles": qos} if qos else {}
        self._channels[topic] = self._writer.register_channel(
            topic=topic, message_encoding="cdr", schema_id=self._schemas[type_name], metadata=metadata
        )

    def write(self, topic: str, data: bytes, received_ns: int, published_ns: int) -> None:
        """Append one message.

        Args:
            topic: Announced with :meth:`add_channel`.
            data: Serialised message.
            received_ns: Wall time of arrival [ns since 1970].
            published_ns: Wall time of sending [ns since 1970].
        """
        self._writer.add_message(self._channels[topic], log_time=received_ns, data=data, publish_time=published_ns)
        self.count += 1

    def add_metadata(self, name: str, values: dict[str, str]) -> None:
        """Append a named table of texts."""
        self._writer.add_metadata(name, values)

    def close(self) -> None:
        """Write the index and close the file; a second call does nothing.

        On a full disk the index is missing, and readers have to do without it.
        """
        if not self._stream.closed:
            for last_step in (self._writer.finish, self._stream.close):
                with contextlib.suppress(OSError):
                    last_step()
