"""Unitree's topics as raw bytes over CycloneDDS 0.10: types are registered as the robot's, nothing is (de)serialised.

The generated Python code takes most of a tick of 2 ms to read one LowState and write one LowCmd; here a message stays
the bytes it is on the wire, for ``unitree_wire`` to unpack.
"""

from __future__ import annotations

import importlib
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from .cyclonedds_library import DdsError, check_cyclonedds
from .network_interface import check_interface

_DEPTH = 64
"""Messages that wait for their reader: 0.13 s of a robot's."""
_POLL = 100_000_000
"""How often a reader looks whether it should end [ns]."""
_MAX_BLOCKING = 1_000_000
"""Longest that a write may wait for room [ns]."""
_DISCOVERED = 1000
"""Participants or endpoints looked at in one go."""
_NAME_TAG = b"beyondmimic:"
"""Before a participant's name in what it tells all others."""
_DOMAIN_XML = """<CycloneDDS><Domain Id="any"><General><Interfaces>
<NetworkInterface name="{interface}" priority="default" multicast="default"/>
</Interfaces></General></Domain></CycloneDDS>"""


class Channel(NamedTuple):
    """A topic and its type."""

    topic: str
    type_name: str
    """In ``unitree_hg.msg.dds_``."""


LOW_STATE = Channel("rt/lowstate", "LowState_")
LOW_CMD = Channel("rt/lowcmd", "LowCmd_")
LOW_CMD_DRY_RUN = Channel("rt/lowcmd_dryrun", "LowCmd_")
"""Where commands go that no motor shall hear."""
SECONDARY_IMU = Channel("rt/secondary_imu", "IMUState_")
"""In the torso."""


@dataclass(frozen=True)
class Endpoint:
    """A publisher of or subscriber to a topic that is not this participant's; empty where it does not tell."""

    key: str
    """DDS's identifier of it."""
    name: str = ""
    """Given to its :class:`Participant`, if it is one of ours."""
    process: str = ""
    """Program, as the system knows it."""
    pid: int = 0
    host: str = ""

    @property
    def text(self) -> str:
        """For a sentence."""
        where = f"process {self.pid or '?'} on {self.host or '?'}"
        if not self.process:
            return self.name or f"an unnamed process (DDS key {self.key})"
        return f"{self.name or self.process} ({where})"


class _Discovered:
    """What discovery knows of one kind."""

    def __init__(self, participant: Any, builtin_topic: Any):
        from cyclonedds.builtin import BuiltinDataReader
        from cyclonedds.core import InstanceState, ReadCondition, SampleState, ViewState

        self._reader = BuiltinDataReader(participant, builtin_topic)
        self._alive = ReadCondition(self._reader, ViewState.Any | InstanceState.Alive | SampleState.Any)

    def alive(self) -> list[Any]:
        """The newest of each that has not gone."""
        return self._reader.read(_DISCOVERED, self._alive)


class Participant:
    """This process in a DDS domain, on one network interface."""

    _domains: dict[int, tuple[str, Any]] = {}
    """Domain -> its interface and its handle: CycloneDDS configures a domain once for a process."""
    _lock = threading.Lock()

    def __init__(self, domain: int, network_interface: str, name: str = ""):
        """
        Args:
            domain: 0 on the robot.
            network_interface: Name of the only one to be used, ``lo`` for this machine alone.
            name: By which other processes shall know this one, e.g. a node's full name.

        Raises:
            ConfigError: No such interface, or nothing can go over it.
            DdsError: CycloneDDS is missing or unsuitable, or the domain already uses another interface.
        """
        check_interface(network_interface)
        check_cyclonedds()
        from cyclonedds import builtin
        from cyclonedds.core import DDSException, Policy, Qos
        from cyclonedds.domain import DomainParticipant

        self.domain, self.network_interface = domain, network_interface
        self._configure()
        try:
            self.entity = DomainParticipant(domain, Qos(Policy.Userdata(_NAME_TAG + name.encode())) if name else None)
        except DDSException as error:
            raise DdsError(f"DDS domain {domain} on {network_interface}: {error}") from error
        self.host = socket.gethostname()
        self._guid = self.entity.guid
        self._participants = _Discovered(self.entity, builtin.BuiltinTopicDcpsParticipant)
        self._publications = _Discovered(self.entity, builtin.BuiltinTopicDcpsPublication)
        self._subscriptions = _Discovered(self.entity, builtin.BuiltinTopicDcpsSubscription)

    def _configure(self) -> None:
        from cyclonedds.core import DDSException
        from cyclonedds.domain import Domain

        with self._lock:
            known = self._domains.get(self.domain)
            if known is None:
                xml = _DOMAIN_XML.format(interface=self.network_interface)
                try:
                    self._domains[self.domain] = (self.network_interface, Domain(self.domain, xml))
                except DDSException as error:
                    raise DdsError(
                        f"DDS domain {self.domain} cannot be put on {self.network_interface}: {error}"
                    ) from error
            elif known[0] != self.network_interface:
                raise DdsError(
                    f"DDS domain {self.domain} of this process is on {known[0]} already; it cannot be on "
                    f"{self.network_interface} too"
                )

    def topic(self, channel: Channel) -> Any:
        """The topic's DDS entity, with the robot's type."""
        from cyclonedds.topic import Topic

        types = importlib.import_module("unitree_sdk2py.idl.unitree_hg.msg.dds_")
        return Topic(self.entity, channel.topic, getattr(types, channel.type_name))

    def writers(self, topic: str) -> list[Endpoint]:
        """Who else publishes a topic, as far as discovery knows now."""
        return self._others(self._publications, topic)

    def readers(self, topic: str) -> list[Endpoint]:
        """Who else subscribes to a topic, as far as discovery knows now."""
        return self._others(self._subscriptions, topic)

    def _others(self, endpoints: _Discovered, topic: str) -> list[Endpoint]:
        found = [e for e in endpoints.alive() if e.topic_name == topic and e.participant_key != self._guid]
        if not found:
            return []
        owners = {participant.key: _owner(participant.qos) for participant in self._participants.alive()}
        return [Endpoint(str(e.key), **owners.get(e.participant_key, {})) for e in found]


def _owner(qos: Any) -> dict[str, Any]:
    """What a participant tells of itself, as fields of an :class:`Endpoint`."""
    properties: dict[str, str] = {}
    name = ""
    for policy in qos or ():
        if hasattr(policy, "key"):
            properties[policy.key] = policy.value
        elif hasattr(policy, "data") and policy.data.startswith(_NAME_TAG):
            name = policy.data.removeprefix(_NAME_TAG).decode(errors="replace")
    pid = properties.get("__Pid", "0")
    return {
        "name": name,
        "process": properties.get("__ProcessName", ""),
        "pid": int(pid) if pid.isdigit() else 0,
        "host": properties.get("__Hostname", ""),
    }


class RawReader:
    """Hands every message of a topic to a function, in a thread of its own."""

    def __init__(
        self, participant: Participant, channel: Channel, on_bytes: Callable[[bytes], None], depth: int = _DEPTH
    ):
        """
        Args:
            participant: Of the domain.
            channel: What to read.
            depth: Messages that wait while the function is at work; older ones are dropped.
            on_bytes: Gets each message with its CDR header; what it raises ends the reader and is kept in ``failure``.
        """
        from cyclonedds._clayer import ddspy_take
        from cyclonedds.core import InstanceState, Policy, Qos, ReadCondition, SampleState, ViewState, WaitSet
        from cyclonedds.sub import DataReader

        self.failure: Exception | None = None
        self._take, self._on_bytes = ddspy_take, on_bytes
        self._reader = DataReader(participant.entity, participant.topic(channel), Qos(Policy.History.KeepLast(depth)))
        self._wait = WaitSet(participant.entity)
        self._fresh = ReadCondition(self._reader, ViewState.Any | InstanceState.Any | SampleState.NotRead)
        self._wait.attach(self._fresh)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"read {channel.topic}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=5.0)

    def _run(self) -> None:
        reference = self._fresh._ref  # the number behind the entity
        try:
            while not self._stop.is_set():
                if self._wait.wait(_POLL) <= 0:
                    continue
                for data, info in self._take(reference, _DEPTH):
                    if info.valid_data:
                        self._on_bytes(data)
        except Exception as error:
            self.failure = error


class RawWriter:
    """Publishes messages that are packed already."""

    def __init__(self, participant: Participant, channel: Channel):
        """
        Args:
            participant: Of the domain.
            channel: What to write.
        """
        from cyclonedds._clayer import ddspy_write
        from cyclonedds.core import Policy, Qos
        from cyclonedds.pub import DataWriter

        self.channel = channel
        qos = Qos(Policy.Reliability.Reliable(_MAX_BLOCKING), Policy.History.KeepLast(1))
        self._write = ddspy_write
        self._writer = DataWriter(participant.entity, participant.topic(channel), qos)
        self._reference = self._writer._ref  # the number behind the entity

    def write(self, cdr: bytes) -> None:
        """Publish a message given with its CDR header.

        Raises:
            DdsError: DDS did not take it.
        """
        code = self._write(self._reference, cdr)
        if code < 0:
            raise DdsError(f"{self.channel.topic}: DDS did not take a message (code {code})")
