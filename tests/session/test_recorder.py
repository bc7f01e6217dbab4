"""Recordings against the stock reader (``mcap-ros2-support``), and against the live topics they were made of."""

import importlib
import pkgutil
import re
import time

import pytest

pytest.importorskip("rclpy", reason="recordings are made of ROS messages")
pytest.importorskip("beyondmimic_msgs", reason="our messages are not built")

import rclpy
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_diffusion.session.mcap_file import McapFile
from beyondmimic_diffusion.session.recorder import Recorder, matching_qos
from beyondmimic_diffusion.session.schema import full_definition, nested_types
from beyondmimic_msgs import msg as bm
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import serialize_message

pytestmark = pytest.mark.ros

OUR_TYPES = sorted(name for name in dir(bm) if isinstance(getattr(bm, name), type) and name[0].isupper())


def filled(message):
    """The message with something other than zero in every field that is a number or a text; arrays get two entries."""
    for i, (name, kind) in enumerate(message.get_fields_and_field_types().items()):
        value = getattr(message, name)
        if kind in ("float", "double"):
            setattr(message, name, 0.5 + i)
        elif re.fullmatch(r"u?int\d+", kind):
            setattr(message, name, 1 + i)
        elif re.fullmatch(r"(u?int\d+|boolean)\[\d+\]", kind):
            setattr(message, name, [type(value[0])(k % 2) for k in range(len(value))])
        elif kind == "string":
            setattr(message, name, f"text {i}")
        elif kind in ("sequence<float>", "sequence<double>"):
            setattr(message, name, [1.5, 2.5 + i])
        elif kind == "sequence<string>":
            setattr(message, name, ["a", f"b{i}"])
        elif kind.startswith("sequence<beyondmimic_msgs/"):
            nested = getattr(bm, kind.removeprefix("sequence<beyondmimic_msgs/").rstrip(">"))
            setattr(message, name, [filled(nested()), filled(nested())])
        elif hasattr(value, "get_fields_and_field_types"):
            filled(value)
    return message


def same(ours, theirs, where="") -> None:
    """Compare field by field with what another decoder made of the bytes."""
    for name in ours.get_fields_and_field_types():
        a, b = getattr(ours, name), getattr(theirs, name)
        path = f"{where}.{name}"
        if hasattr(a, "get_fields_and_field_types"):
            same(a, b, path)
        elif isinstance(a, str | bool | int | float | bytes):
            assert a == pytest.approx(b) if isinstance(a, float) else a == b, path
        else:
            assert len(a) == len(b), path
            for x, y in zip(a, b, strict=True):
                if hasattr(x, "get_fields_and_field_types"):
                    same(x, y, path)
                else:
                    assert x == y, path


def test_there_are_messages_to_test():
    assert {"ActionPlan", "ExecutorState", "GuidanceGoal", "RobotState", "SdfScene"} <= set(OUR_TYPES)


@pytest.mark.parametrize("name", OUR_TYPES)
def test_every_message_of_ours_is_read_back_by_the_stock_reader(name, tmp_path):
    message = filled(getattr(bm, name)())
    file = McapFile(tmp_path / "a.mcap")
    file.add_channel("/topic", f"beyondmimic_msgs/msg/{name}")
    file.write("/topic", serialize_message(message), 2_000, 1_000)
    file.close()
    with (tmp_path / "a.mcap").open("rb") as stream:
        reader = make_reader(stream, decoder_factories=[DecoderFactory()])
        assert reader.get_header().profile == "ros2"
        [(schema, channel, raw, decoded)] = list(reader.iter_decoded_messages())
    assert (schema.name, schema.encoding) == (f"beyondmimic_msgs/msg/{name}", "ros2msg")
    assert channel.message_encoding == "cdr"
    assert (raw.log_time, raw.publish_time) == (2_000, 1_000)
    same(message, decoded)


def test_every_type_of_the_common_packages_has_a_complete_definition():
    for package in ("geometry_msgs", "nav_msgs", "sensor_msgs", "std_msgs", "diagnostic_msgs"):
        module = importlib.import_module(f"{package}.msg")
        assert list(pkgutil.iter_modules(module.__path__))
        for name in (n for n in dir(module) if isinstance(getattr(module, n), type) and n[0].isupper()):
            fields = getattr(module, name).get_fields_and_field_types().values()
            nested = {kind.split("<")[-1].split(">")[0].split("[")[0] for kind in fields if "/" in kind}
            assert {t.replace("/msg/", "/") for t in nested_types(f"{package}/msg/{name}")} == nested, name


def test_each_nested_type_is_appended_once():
    text = full_definition("nav_msgs/msg/Path")
    assert text.count("MSG: std_msgs/Header\n") == 1
    for nested in ("geometry_msgs/PoseStamped", "geometry_msgs/Quaternion", "builtin_interfaces/Time"):
        assert f"\nMSG: {nested}\n" in text


def test_an_uninstalled_type_is_named():
    with pytest.raises(ConfigError, match="no definition of no_such_msgs/msg/Thing"):
        full_definition("no_such_msgs/msg/Thing")


@pytest.fixture
def nodes():
    context = rclpy.Context()
    rclpy.init(context=context)
    pair = [rclpy.create_node(name, context=context) for name in ("talker", "listener")]
    yield pair
    for node in pair:
        node.destroy_node()
    rclpy.shutdown(context=context)


def poll_until(recorder: Recorder, done, patience: float = 20.0) -> None:
    until = time.monotonic() + patience
    while not done():
        assert time.monotonic() < until, f"nothing came; heard so far: {sorted(recorder.latest)}"
        recorder.poll()
        time.sleep(0.01)


def test_topics_are_found_and_recorded_whatever_their_quality_of_service(nodes, tmp_path):
    from rosgraph_msgs.msg import Clock
    from std_msgs.msg import String

    talker, listener = nodes
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    lossy = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    said_before = talker.create_publisher(String, "said_before", latched)
    said_before.publish(String(data="early"))
    clock = talker.create_publisher(Clock, "/clock", lossy)
    file = McapFile(tmp_path / "a.mcap")
    recorder = Recorder(listener, file)
    poll_until(recorder, lambda: "/said_before" in recorder.latest and clock.get_subscription_count() > 0)
    message = Clock()
    message.clock.sec, message.clock.nanosec = 12, 500_000_000
    sent = time.time_ns()
    clock.publish(message)
    poll_until(recorder, lambda: "/clock" in recorder.latest)
    assert recorder.newest("/said_before").data == "early"
    assert 12.5 <= recorder.sim_time() <= 12.52
    assert sent <= recorder.latest["/clock"].published_ns <= time.time_ns()
    recorder.close()
    file.close()
    with (tmp_path / "a.mcap").open("rb") as stream:
        found = {
            c.topic: m
            for _, c, _, m in make_reader(stream, decoder_factories=[DecoderFactory()]).iter_decoded_messages()
        }
    assert found["/said_before"].data == "early"
    assert found["/clock"].clock.sec == 12


def test_a_burst_between_two_polls_is_recorded_completely_and_in_order(nodes, tmp_path):
    from std_msgs.msg import Int32

    talker, listener = nodes
    publisher = talker.create_publisher(Int32, "numbers", 100)
    file = McapFile(tmp_path / "a.mcap")
    recorder = Recorder(listener, file)
    poll_until(recorder, lambda: publisher.get_subscription_count() > 0)
    for i in range(100):
        publisher.publish(Int32(data=i))
    poll_until(recorder, lambda: "/numbers" in recorder.latest and recorder.latest["/numbers"].count == 100)
    file.close()
    with (tmp_path / "a.mcap").open("rb") as stream:
        reader = make_reader(stream, decoder_factories=[DecoderFactory()])
        numbers = [m.data for _, _, _, m in reader.iter_decoded_messages(topics=["/numbers"])]
    assert numbers == list(range(100))


def test_one_lossy_publisher_makes_the_recorder_ask_for_no_guarantee(nodes):
    from std_msgs.msg import Int32

    talker, listener = nodes
    talker.create_publisher(Int32, "mixed", 10)
    talker.create_publisher(Int32, "mixed", QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT))
    until = time.monotonic() + 20.0
    while len(offers := listener.get_publishers_info_by_topic("mixed")) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    assert matching_qos(offers).reliability is ReliabilityPolicy.BEST_EFFORT
    assert matching_qos(offers[:1]).reliability is ReliabilityPolicy.RELIABLE


def test_when_the_disk_is_full_the_recorder_says_so_once_and_the_newest_messages_are_still_seen(tmp_path):
    class FullDisk:
        path = tmp_path / "session.mcap"
        written = 0

        def add_channel(self, *_):
            pass

        def write(self, *_):
            self.written += 1
            if self.written > 3:
                raise OSError(28, "No space left on device")

    context = rclpy.Context()
    rclpy.init(context=context)
    listener, talker = (rclpy.create_node(name, context=context) for name in ("full_disk", "talker"))
    try:
        file = FullDisk()
        recorder = Recorder(listener, file)
        publisher = talker.create_publisher(bm.Heartbeat, "full_disk_test", 10)
        end = time.monotonic() + 20.0
        number = 0
        while not recorder.trouble or recorder.newest("/full_disk_test").progress < 10:
            assert time.monotonic() < end
            number += 1
            publisher.publish(bm.Heartbeat(progress=number))
            time.sleep(0.02)
            recorder.poll()
        assert recorder.trouble == "recording stopped: session.mcap: No space left on device"
        assert file.written == 4
    finally:
        recorder.close()
        listener.destroy_node()
        talker.destroy_node()
        context.try_shutdown()
