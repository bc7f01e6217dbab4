"""Topics that are fetched instead of called back, and clocks that are set by fetching."""

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("beyondmimic_msgs", reason="our messages are not built")

from beyondmimic_diffusion.ros import qos  # noqa: E402
from beyondmimic_diffusion.ros.clock import LoopClock  # noqa: E402
from beyondmimic_diffusion.ros.conversions import time_to_msg  # noqa: E402
from beyondmimic_diffusion.ros.polled import Companion, PolledInputs, PolledSimTime, read_clock_as_bytes  # noqa: E402
from rclpy.node import Node  # noqa: E402
from rclpy.serialization import deserialize_message, serialize_message  # noqa: E402
from rosgraph_msgs.msg import Clock  # noqa: E402
from std_msgs.msg import Int32  # noqa: E402

pytestmark = pytest.mark.ros


class Owner(Node):
    """A node with inputs."""

    def __init__(self, **arguments):
        super().__init__("owner", namespace="robot", **arguments)
        self.inputs = PolledInputs(self)

    def destroy_node(self):
        self.inputs.close()
        super().destroy_node()


@pytest.fixture
def owner(ros):
    return ros.make(Owner)


def numbers(raw):
    return [deserialize_message(message, Int32).data for message in raw]


def fetched(ros, topic):
    """Everything that comes until something has."""
    got = []
    ros.until(lambda: got, lambda: got.extend(topic.all()))
    return numbers(got)


def test_messages_wait_in_the_queue_until_they_are_fetched_and_come_in_order(ros, owner):
    topic = owner.inputs.subscribe(Int32, "count", qos.SAMPLES)
    publisher = ros.probe.create_publisher(Int32, "/robot/count", 10)
    ros.connected(publisher)
    assert topic.all() == []
    for i in range(5):
        publisher.publish(Int32(data=i))
    ros.spin(0.2)
    assert fetched(ros, topic) == [0, 1, 2, 3, 4]
    assert topic.newest() is None


@pytest.mark.parametrize("profile", [qos.NEWEST, qos.SAMPLES], ids=["depth 1", "depth 10"])
def test_the_newest_message_is_what_remains_of_several(ros, owner, profile):
    topic = owner.inputs.subscribe(Int32, "count", profile)
    publisher = ros.probe.create_publisher(Int32, "/robot/count", 10)
    ros.connected(publisher)
    for i in range(5):
        publisher.publish(Int32(data=i))
    ros.spin(0.2)
    assert numbers([topic.newest()]) == [4]
    assert topic.newest() is None


def test_a_latched_message_reaches_who_subscribes_later(ros, owner):
    publisher = ros.probe.create_publisher(Int32, "/robot/count", qos.LATCHED)
    publisher.publish(Int32(data=7))
    assert fetched(ros, owner.inputs.subscribe(Int32, "count", qos.LATCHED)) == [7]


def test_inputs_belong_to_a_second_node_and_leave_with_it(ros, owner):
    owner.inputs.subscribe(Int32, "count", qos.NEWEST)
    infos = owner.get_subscriptions_info_by_topic("/robot/count")
    assert [info.node_name for info in infos] == ["owner_inputs"]
    owner.inputs.close()
    ros.until(lambda: not owner.get_subscriptions_info_by_topic("/robot/count"))
    owner.inputs.subscribe(Int32, "count", qos.NEWEST)  # and may come back


def test_a_node_whose_way_to_subscribe_was_replaced_gets_its_messages_in_that_way(ros, owner):
    made = []

    def caught(kind, topic, callback, *arguments, **options):
        made.append((topic, callback))
        return Node.create_subscription(owner, kind, topic, lambda raw: None, *arguments, **options)

    owner.create_subscription = caught
    topic = owner.inputs.subscribe(Int32, "count", qos.SAMPLES)
    ((name, deliver),) = made
    assert name == "count"
    for i in range(12):
        deliver(serialize_message(Int32(data=i)))
    assert numbers(topic.all()) == list(range(2, 12)), "as many as the middleware would have kept"
    deliver(serialize_message(Int32(data=12)))
    deliver(serialize_message(Int32(data=13)))
    assert numbers([topic.newest()]) == [13]
    assert topic.newest() is None
    owner.inputs.close()
    assert "/robot/count" not in [s.topic_name for s in owner.subscriptions]


def test_a_companion_is_fetched_when_it_is_asked_for_and_by_itself_only_while_something_waits(ros, owner):
    heard = []
    companion = Companion(owner, owner.inputs, Int32, "count", qos.SAMPLES, lambda raw: heard.extend(numbers([raw])))
    publisher = ros.probe.create_publisher(Int32, "/robot/count", 10)
    ros.connected(publisher)
    publisher.publish(Int32(data=1))
    ros.spin(0.2)
    assert heard == []
    companion.fetch()
    assert heard == [1]
    companion.look(True)
    publisher.publish(Int32(data=2))
    ros.until(lambda: heard == [1, 2])
    companion.look(False)
    publisher.publish(Int32(data=3))
    ros.spin(0.2)
    assert heard == [1, 2]
    companion.fetch()
    assert heard == [1, 2, 3]
    companion.close()


def clock_message(seconds):
    return Clock(clock=time_to_msg(seconds))


def test_a_polled_clock_tells_the_newest_time_when_it_is_refreshed_and_jumps_are_told(ros):
    owner = ros.make(Owner, {"use_sim_time": True})
    publisher = ros.probe.create_publisher(Clock, "/clock", 10)
    sim_time = PolledSimTime(owner, owner.inputs)
    jumps = []
    loop_clock = LoopClock(owner, on_jump=jumps.append)
    assert "/clock" not in [s.topic_name for s in owner.subscriptions], "no callback for each message"
    ros.connected(publisher)

    def tell(seconds):
        publisher.publish(clock_message(seconds))
        ros.spin(0.05)
        before = owner.get_clock().now().nanoseconds
        sim_time.refresh()
        return before

    tell(10.0)
    ros.until(lambda: owner.get_clock().now().nanoseconds == 10_000_000_000, sim_time.refresh)
    assert tell(10.25) == 10_000_000_000, "nothing happens until it is refreshed"
    assert owner.get_clock().now().nanoseconds == 10_250_000_000
    assert 10.25 <= loop_clock.now() <= 10.5
    tell(3.0)
    assert owner.get_clock().now().nanoseconds == 3_000_000_000
    assert jumps == pytest.approx([-7.25])


def test_a_clock_that_is_read_as_bytes_tells_each_time_by_itself(ros):
    owner = ros.make(Owner, {"use_sim_time": True})
    read_clock_as_bytes(owner)
    assert len(owner.get_subscriptions_info_by_topic("/clock")) == 1
    jumps = []
    loop_clock = LoopClock(owner, on_jump=jumps.append)
    publisher = ros.probe.create_publisher(Clock, "/clock", 10)
    ros.connected(publisher)
    for seconds in (6.0, 2.5):
        publisher.publish(clock_message(seconds))
        ros.until(lambda seconds=seconds: owner.get_clock().now().nanoseconds == round(1e9 * seconds))
        assert loop_clock.now() == pytest.approx(seconds)
    assert jumps == pytest.approx([-3.5])
    publisher.publish(serialize_message(clock_message(5.0))[:7])
    ros.spin(0.2)
    assert owner.get_clock().now().nanoseconds == 2_500_000_000


def test_a_node_on_wall_time_has_no_clock_to_refresh(ros, owner):
    PolledSimTime(owner, owner.inputs).refresh()
    read_clock_as_bytes(owner)
    assert not owner.get_clock().ros_time_is_active
    assert owner.get_subscriptions_info_by_topic("/clock") == []


def test_a_clock_message_that_cannot_be_read_is_left_out(ros):
    owner = ros.make(Owner, {"use_sim_time": True})
    sim_time = PolledSimTime(owner, owner.inputs)
    publisher = ros.probe.create_publisher(Clock, "/clock", 10)
    ros.connected(publisher)
    publisher.publish(clock_message(4.0))
    ros.until(lambda: owner.get_clock().now().nanoseconds == 4_000_000_000, sim_time.refresh)
    publisher.publish(serialize_message(clock_message(5.0))[:7])
    ros.spin(0.2)
    sim_time.refresh()
    assert owner.get_clock().now().nanoseconds == 4_000_000_000
