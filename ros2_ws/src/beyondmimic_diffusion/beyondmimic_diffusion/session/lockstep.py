"""The session as a member of lockstep: it acts after all others, and records what they exchange in robot time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from std_msgs.msg import UInt8MultiArray

from ..core.errors import ConfigError
from ..ros.lockstep import CHANNEL, DONE_TOPIC, MUTE, RESULT, STEP_TOPIC, TURNS, carried_entry
from ..ros.lockstep_frames import Answer, Entry, Step, pack_answer, unpack_step
from ..ros.lockstep_topics import CaughtTopics
from .cdr_padding import PaddingZeroer
from .mcap_file import McapFile
from .recorder import RawMessage

NAME = "session"
_LOOK = 0.05
"""How often it is looked whether the operator wants to leave, while time stands still [s]."""
_STEP_NS = 4_000_000
"""What a member published in one step is on record at the time of that step, one before it was seen [ns]."""


class LockstepRecorder:
    """Stands where :class:`~.recorder.Recorder` does without lockstep: newest messages, and the file.

    Everything is recorded at robot time, so that the recording of a run depends on nothing but its seed.
    """

    def __init__(self, listener: Node, node: Node, file: McapFile):
        """
        Args:
            listener: Hears the steps.
            node: The session's; what it publishes from now on is seen by the other members.
            file: Takes the messages; the caller closes it.
        """
        self._file = file
        self._ros_executor = SingleThreadedExecutor(context=listener.context)
        self._ros_executor.add_node(listener)
        self._done_pub = listener.create_publisher(UInt8MultiArray, DONE_TOPIC, CHANNEL)
        self._step_sub = listener.create_subscription(UInt8MultiArray, STEP_TOPIC, self._on_step, CHANNEL, raw=True)
        self._topics = CaughtTopics(node, timers=False)
        self._padding = PaddingZeroer()
        self._turn: int | None = None
        self._answered: tuple[int, bytes] = (-1, b"")
        self._last = -1
        self._now_ns = 0
        self.latest: dict[str, RawMessage] = {}
        """Newest message by topic."""
        self.unreadable: dict[str, str] = {}
        """Topics that could not be recorded, with the reason."""
        self.trouble = ""
        """Why nothing is recorded any more; what comes is still shown in :attr:`latest`."""
        self.results = 0
        """Results of actions that were sent to their clients so far."""

    def poll(self) -> None:
        """Messages are recorded as they come."""

    def fetch(self) -> None:
        """As :meth:`poll`."""

    def next_turn(self, check: Callable[[], None]) -> None:
        """Give the turn back, and wait for the next one.

        Args:
            check: Called now and then while nothing comes; may raise.
        """
        if self._turn is not None:
            self._reply(self._turn)
            self._turn = None
        while self._turn is None:
            check()
            self._ros_executor.spin_once(timeout_sec=_LOOK)

    def mute(self, name: str) -> None:
        """Let nothing be heard of a member from now on, as if it were frozen; empty: of nobody."""
        self._topics.add(Entry(MUTE, "", name.encode()))

    def newest(self, topic: str) -> Any | None:
        """Newest message of a topic as an object, None before the first."""
        raw = self.latest.get(topic)
        return None if raw is None else raw.decode()

    def sim_time(self) -> float:
        """Robot time of the session's turn [s]."""
        return 1e-9 * self._now_ns

    def close(self) -> None:
        """Leave; time stands still from now on."""
        self._ros_executor.shutdown()

    def _on_step(self, message: bytes) -> None:
        step = unpack_step(message)
        if step.number == self._answered[0] and (step.late or step.number == 0):
            self._done_pub.publish(self._answered[1])  # the simulator did not hear it
        elif step.number == 0:
            self._reply(0, [carried_entry(self._topics.published)])
        elif step.late:
            self._turn, self._now_ns = step.number, step.time_ns
        elif step.number > self._last:
            self._last = step.number
            self._take(step)

    def _reply(self, number: int, entries: list[Entry] | None = None) -> None:
        every, phase = TURNS[NAME]
        own = [*(entries or []), *self._topics.take()]
        self._answered = number, pack_answer(Answer(number, every, phase, NAME, own))
        self._done_pub.publish(self._answered[1])

    def _take(self, step: Step) -> None:
        for entry in step.entries:
            if entry.topic == RESULT:
                self.results += 1
            elif entry.type_name:
                self._record(entry, step.time_ns if entry.from_simulator else step.time_ns - _STEP_NS)

    def _record(self, entry: Entry, at_ns: int) -> None:
        before = self.latest.get(entry.topic)
        self.latest[entry.topic] = RawMessage(
            entry.type_name, entry.data, at_ns, 1 if before is None else before.count + 1
        )
        if self.trouble or entry.topic in self.unreadable:
            return
        try:
            self._file.add_channel(entry.topic, entry.type_name)
            self._file.write(entry.topic, self._padding.zeroed(entry.type_name, entry.data), at_ns, at_ns)
        except ConfigError as error:
            self.unreadable[entry.topic] = str(error)
        except OSError as error:
            self.trouble = f"recording stopped: {self._file.path.name}: {error.strerror or error}"
