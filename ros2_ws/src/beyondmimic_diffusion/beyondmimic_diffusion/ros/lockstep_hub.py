"""The simulator's side of lockstep: announces the steps, collects the answers, and says whom it waits for."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from rclpy.node import Node
from std_msgs.msg import UInt8MultiArray

from .lockstep import CARRIED, CHANNEL, DONE_TOPIC, MUTE, STEP_TOPIC, carried_entry, carried_topics, due
from .lockstep_frames import Answer, Step, pack_step, unpack_answer
from .lockstep_schedule import EntrySchedule
from .lockstep_topics import CaughtTopics

LATE_MEMBERS = ("session",)
"""Act after all others, who are at rest meanwhile: what they ask for by service happens at one defined instant."""
_GATHERING, _REPEAT = 0.05, 1.0
"""How often the first step, and any other, is announced again while answers are missing [s]."""


@dataclass
class _Member:
    every: int = 1
    phase: int = 0


class LockstepHub:
    """Owned by the simulator's node; all but :meth:`release` is called in the thread of the physics."""

    def __init__(self, node: Node, names: Sequence[str], plan_latency: float, stop: threading.Event):
        """
        Args:
            node: The simulator's; topics that it makes until :meth:`release` take part.
            names: Nodes that take turns; time does not begin before all are there.
            plan_latency: Time from a plan's observation to its arrival [s].
            stop: Set when nobody shall be waited for any more.
        """
        self._members = {name: _Member() for name in names}
        self._stop = stop
        self._answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self._step_pub = node.create_publisher(UInt8MultiArray, STEP_TOPIC, CHANNEL)
        self._done_sub = node.create_subscription(UInt8MultiArray, DONE_TOPIC, self._on_answer, CHANNEL, raw=True)
        self._topics = CaughtTopics(node, timers=False, from_simulator=True)
        self._schedule = EntrySchedule(plan_latency)
        self._carried: set[str] = set()
        self._number = 0
        self._muted = ""
        self.waiting_for: tuple[str, ...] = tuple(names)
        """Members whose answer is missing."""

    def release(self) -> None:
        """The node has made all topics that take part."""
        self._topics.release()

    def gather(self, time_ns: int) -> bool:
        """Wait until every member is there; False if the simulator ends before."""
        self._number = 0
        answers = self._ask(Step(0, time_ns, False, ()), list(self._members), _GATHERING)
        if len(answers) < len(self._members):
            return False
        for answer in answers:
            member = self._members[answer.name]
            member.every, member.phase = answer.every, answer.phase
        self._take(answers)
        return True

    def exchange(self, time_ns: int) -> None:
        """One step: what the simulator published since the last one and what the members did; returns when all did."""
        self._number += 1
        self._topics.deliver_from_outside()
        own = self._topics.take()
        if self._number == 1:
            self._carried |= self._topics.published
            self._topics.carry(self._carried)
            own.insert(0, carried_entry(self._carried))
        entries = [*self._schedule.due(time_ns), *own]
        turn = [name for name, m in self._members.items() if due(self._number, m.every, m.phase)]
        early = [name for name in turn if name not in LATE_MEMBERS]
        self._take(self._ask(Step(self._number, time_ns, False, entries), early))
        late = [name for name in turn if name in LATE_MEMBERS]
        if late:
            self._take(self._ask(Step(self._number, time_ns, True, ()), late))

    def _on_answer(self, message: bytes) -> None:
        self._answers.put(unpack_answer(message))

    def _take(self, answers: list[Answer]) -> None:
        for answer in sorted(answers, key=lambda a: a.name):
            entries = [] if answer.name == self._muted else list(answer.entries)
            self._schedule.add(entries)
            self._topics.deliver(entries)
            for entry in entries:
                if entry.topic == MUTE:
                    self._muted = entry.data.decode()
                elif entry.topic == CARRIED:
                    self._carried.update(carried_topics(entry))
                    self._topics.carry(self._carried)

    def _ask(self, step: Step, names: list[str], repeat: float = _REPEAT) -> list[Answer]:
        """Announce a step until all of ``names`` have answered, or the simulator ends."""
        message, answers = pack_step(step), {}
        self._step_pub.publish(message)
        announced = time.monotonic()
        while len(answers) < len(names) and not self._stop.is_set():
            self.waiting_for = tuple(name for name in names if name not in answers)
            try:
                answer = self._answers.get(timeout=repeat)
            except queue.Empty:
                self._step_pub.publish(message)
                announced = time.monotonic()
                continue
            if answer.number == step.number and answer.name in names:
                answers[answer.name] = answer
            elif time.monotonic() - announced > repeat:
                self._step_pub.publish(message)
                announced = time.monotonic()
        self.waiting_for = ()
        return list(answers.values())
