"""Nodes that take turns with a simulator: what is seen when, against a table by hand."""

import threading

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")

from beyondmimic_diffusion.ros import qos, robot_time  # noqa: E402
from beyondmimic_diffusion.ros.conversions import set_stamp  # noqa: E402
from beyondmimic_diffusion.ros.lockstep import LockstepMember, due  # noqa: E402
from beyondmimic_diffusion.ros.lockstep_frames import (  # noqa: E402
    Answer,
    Entry,
    Step,
    pack_answer,
    pack_step,
    unpack_answer,
    unpack_step,
)
from beyondmimic_diffusion.ros.lockstep_hub import LockstepHub  # noqa: E402
from beyondmimic_diffusion.ros.lockstep_schedule import EntrySchedule  # noqa: E402
from beyondmimic_diffusion.ros.lockstep_topics import LockstepTimer  # noqa: E402
from beyondmimic_msgs.msg import ActionPlan  # noqa: E402
from rclpy.node import Node  # noqa: E402
from rclpy.serialization import deserialize_message, serialize_message  # noqa: E402
from std_msgs.msg import UInt8MultiArray, UInt32  # noqa: E402

pytestmark = pytest.mark.ros
STEP_NS = 4_000_000


@pytest.fixture(autouse=True)
def real_time_again():
    yield
    robot_time.leave()


class Echo(Node):
    """Answers each number on ``ping`` with the next one on ``pong``, and keeps what it saw and when."""

    def __init__(self, name="echo", **arguments):
        super().__init__(name, **arguments)
        self.lockstep = LockstepMember(self)
        self.seen = []
        self._pub = self.create_publisher(UInt32, "pong", qos.STREAM)
        self.create_subscription(UInt32, "ping", self._on_ping, qos.STREAM)

    def _on_ping(self, msg):
        self.seen.append((self.get_clock().now().nanoseconds // STEP_NS, msg.data))
        self._pub.publish(UInt32(data=msg.data + 1))


class Simulator(Node):
    """Publishes its step on ``ping`` in each step, and keeps when it saw which ``pong``."""

    def __init__(self, names, **arguments):
        super().__init__("simulator", **arguments)
        self.stop = threading.Event()
        self.hub = LockstepHub(self, names, 0.02, self.stop)
        self.step, self.seen = 0, []
        self._pub = self.create_publisher(UInt32, "ping", qos.STREAM)
        self.create_subscription(UInt32, "pong", lambda msg: self.seen.append((self.step, msg.data)), qos.STREAM)
        self.hub.release()

    def run(self, steps):
        self.hub.gather(0)
        for self.step in range(1, steps + 1):
            self._pub.publish(UInt32(data=self.step))
            self.hub.exchange(self.step * STEP_NS)


def test_frames_are_read_as_they_were_written_and_are_messages_of_ros():
    entries = [Entry("/a", "std_msgs/msg/Bool", b"\x00\x01\x00", True), Entry("/ü", "", b"")]
    step = Step(7, 123_456_789_012, True, entries)
    answer = Answer(7, 5, 1, "node", entries)
    assert unpack_step(pack_step(step)) == step
    assert unpack_answer(pack_answer(answer)) == answer
    for data in (pack_step(step), pack_answer(answer)):
        assert len(deserialize_message(data, UInt8MultiArray).data) == len(data) - 16


def test_a_member_sees_each_message_at_its_step_and_the_simulator_its_answer_before_the_next(ros):
    echo = ros.make(Echo, {})
    simulator = ros.make(lambda **arguments: Simulator(["echo"], **arguments), {})
    thread = threading.Thread(target=simulator.run, args=(50,))
    thread.start()
    ros.until(lambda: not thread.is_alive())
    assert echo.seen == [(step, step) for step in range(1, 51)]
    assert simulator.seen == [(step, step + 1) for step in range(1, 51)]


def test_time_stands_still_until_every_member_has_come(ros):
    simulator = ros.make(lambda **arguments: Simulator(["echo", "absent"], **arguments), {})
    ros.make(Echo, {})
    thread = threading.Thread(target=simulator.run, args=(3,))
    thread.start()
    ros.until(lambda: simulator.hub.waiting_for == ("absent",))
    assert simulator.step == 0
    simulator.stop.set()
    ros.until(lambda: not thread.is_alive())


def test_who_takes_every_fifth_turn_from_the_second_step_on():
    assert [n for n in range(20) if due(n, 5, 1)] == [0, 1, 6, 11, 16]
    assert all(due(n, 1, 0) for n in range(20))


def plan(stamp):
    message = ActionPlan()
    set_stamp(message.header, stamp)
    return Entry("/plan", "beyondmimic_msgs/msg/ActionPlan", serialize_message(message))


def test_a_plan_is_seen_after_its_modelled_latency_and_everything_else_in_the_next_step():
    schedule, other = EntrySchedule(0.02), Entry("/other", "std_msgs/msg/Bool", b"\x00\x01\x00\x00\x01")
    schedule.add([plan(1.0), other])
    seen = [(step, entry.topic) for step in range(251, 260) for entry in schedule.due(step * STEP_NS)]
    assert seen == [(251, "/other"), (255, "/plan")]  # 1.0 s + 20 ms = step 255 of 4 ms


def test_a_timer_rings_at_the_first_turn_after_its_time_and_makes_up_for_nothing():
    rung = []
    timer = LockstepTimer(0.05, lambda: rung.append(round(now, 3)))
    for now in (0.0, 0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.5, 0.52, 0.54, 0.56):
        timer.turn(now)
    assert rung == [0.06, 0.1, 0.5, 0.56]
    timer.cancel()
    timer.turn(1.0)
    assert len(rung) == 4


def test_a_steady_clock_in_lockstep_shows_robot_time():
    robot_time.follow(12.5)
    assert robot_time._monotonic() == robot_time._perf_counter() == 12.5
    robot_time.leave()
    before = robot_time.REAL_MONOTONIC()
    assert before <= robot_time._monotonic() <= robot_time.REAL_MONOTONIC()
