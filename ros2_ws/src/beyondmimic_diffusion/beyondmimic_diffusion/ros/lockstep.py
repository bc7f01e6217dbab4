"""Lockstep: the simulator and the nodes take turns in robot time, so that a run depends on nothing but its seed.

The simulator announces each instant with all messages that may be seen from then on (``sim/step``). A member whose turn
it is takes them in order, lets its timers ring, does its work, and answers with what it published (``sim/done``); time
stands still until all have answered. What is published in one step is seen in the next, by the simulator at once: no
thread, no network and no load of the machine has a say in it. Messages also go out on their own topics, for onlookers.
"""

from __future__ import annotations

from collections.abc import Callable

from rclpy.clock import ROSClock
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.time import Time
from std_msgs.msg import UInt8MultiArray

from . import robot_time
from .lockstep_frames import Answer, Entry, Step, pack_answer, unpack_step
from .lockstep_topics import CaughtTopics

STEP_TOPIC, DONE_TOPIC = "sim/step", "sim/done"
CHANNEL = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=200, reliability=ReliabilityPolicy.RELIABLE)
"""Of both topics."""
CARRIED = "lockstep/carried"
"""Topic of an entry that lists, one per line, the topics whose messages come by lockstep."""
MUTE = "lockstep/mute"
"""Topic of an entry that names a member that is not heard from now on, as if it were frozen; empty: all are."""
RESULT = "lockstep/result"
"""Topic of an entry without content: the result of an action was sent to its client, who may wait for it."""
TURNS = {"diffusion_planner": (5, 1), "guidance_task_server": (5, 1), "session": (5, 1)}
"""Who takes its turn in each so-many-th step, and from which on; all others in each. With steps of 4 ms these look
every 20 ms, one step after the estimator, whose states they wait for."""


def due(number: int, every: int, phase: int) -> bool:
    """Whether step ``number`` is one of a member's turns; the first step is everybody's."""
    return number == 0 or number % every == phase


def carried_entry(topics: set[str]) -> Entry:
    """Tells of topics whose messages come by lockstep."""
    return Entry(CARRIED, "", "\n".join(sorted(topics)).encode())


def carried_topics(entry: Entry) -> list[str]:
    """Inverse of :func:`carried_entry`."""
    return entry.data.decode().split("\n")


class LockstepMember:
    """One node that takes turns. All callbacks run in the thread that spins the node."""

    def __init__(self, node: Node, ready: Callable[[], bool] = lambda: True):
        """
        Args:
            node: Freshly made; it must not follow ``/clock``.
            ready: Time does not begin before this is true.
        """
        self._node = node
        self._ready = ready
        self._name = node.get_name()
        self._every, self._phase = TURNS.get(self._name, (1, 0))
        self._seen: list[Entry] = []
        self._answer: tuple[int, bytes] = (-1, b"")
        self._announced: set[str] = set()
        self.on_turn: Callable[[], object] = lambda: None
        """The node's work in each turn, after messages and timers."""
        self._done_pub = node.create_publisher(UInt8MultiArray, DONE_TOPIC, CHANNEL)
        self._step_sub = node.create_subscription(UInt8MultiArray, STEP_TOPIC, self._on_step, CHANNEL, raw=True)
        self._topics = CaughtTopics(node, timers=True)
        clock = node.get_clock()
        assert isinstance(clock, ROSClock)
        self._clock = clock
        clock._set_ros_time_is_active(
            True
        )  # the public way is a subscription to /clock, whose time comes when it likes
        self._set_time(0)

    def note_result(self) -> None:
        """The result of an action goes to its client now."""
        self._topics.add(Entry(RESULT, "", b""))

    def _set_time(self, time_ns: int) -> None:
        robot_time.follow(1e-9 * time_ns)
        self._clock.set_ros_time_override(Time(nanoseconds=time_ns))

    def _on_step(self, message: bytes) -> None:
        step = unpack_step(message)
        if step.late:
            return
        if step.number == self._answer[0]:
            self._done_pub.publish(self._answer[1])  # the simulator did not hear it
            return
        if step.number == 0 and not self._ready():
            return
        self._seen += step.entries
        if due(step.number, self._every, self._phase):
            self._turn(step)

    def _turn(self, step: Step) -> None:
        self._set_time(step.time_ns)
        seen, self._seen = self._seen, []
        for entry in seen:
            if entry.topic == CARRIED:
                self._topics.carry(carried_topics(entry))
        if step.number > 0:  # before, it is not known which topics are carried
            self._topics.deliver_from_outside()
        self._topics.deliver(seen)
        self._topics.turn(1e-9 * step.time_ns)
        self.on_turn()
        entries = self._topics.take()
        if self._topics.published != self._announced:
            self._announced = set(self._topics.published)
            entries.insert(0, carried_entry(self._announced))
        answer = pack_answer(Answer(step.number, self._every, self._phase, self._name, entries))
        self._answer = step.number, answer
        self._done_pub.publish(answer)


def join_lockstep(node: Node, ready: Callable[[], bool] = lambda: True) -> LockstepMember | None:
    """Let a node take turns if its start-up is in lockstep; to be called before it makes topics and timers.

    Args:
        node: Freshly made.
        ready: Time does not begin before this is true.

    Returns:
        None where time runs as usual.
    """
    return LockstepMember(node, ready) if robot_time.in_lockstep() else None
