"""Recordings in other people's tools: profiles of topics, and a whole file read by rosbags."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy")

from beyondmimic_diffusion.ros import qos
from beyondmimic_diffusion.session.mcap_file import McapFile
from beyondmimic_diffusion.session.qos_profiles import offered_qos_profiles
from rclpy.duration import Duration
from rclpy.qos import QoSProfile
from rclpy.serialization import serialize_message
from std_msgs.msg import Bool

rosbags_metadata = pytest.importorskip("rosbags.rosbag2.metadata")
PROFILES = {name: value for name, value in vars(qos).items() if isinstance(value, QoSProfile)}


@pytest.mark.parametrize("name", PROFILES)
def test_rosbags_reads_each_of_our_profiles_as_it_was_offered(name):
    (read,) = rosbags_metadata.parse_qos(offered_qos_profiles([PROFILES[name]]))
    profile = PROFILES[name]
    assert read.reliability.name == profile.reliability.name
    assert read.durability.name == profile.durability.name
    assert read.history.name == profile.history.name
    assert read.depth == profile.depth


def test_a_limit_of_time_is_kept_in_seconds_and_nanoseconds():
    profile = QoSProfile(depth=1, lifespan=Duration(nanoseconds=1_500_000_000))
    (read,) = rosbags_metadata.parse_qos(offered_qos_profiles([profile]))
    assert (read.lifespan.sec, read.lifespan.nsec) == (1, 500_000_000)
    assert read.deadline.sec == 9223372036


def test_a_recording_is_read_back_by_rosbags(tmp_path):
    from rosbags.highlevel import AnyReader

    file = McapFile(tmp_path / "session.mcap")
    file.add_channel("/e_stop", "std_msgs/msg/Bool", offered_qos_profiles([qos.LATCHED, qos.STREAM]))
    file.write("/e_stop", serialize_message(Bool(data=True)), 5_000_000_000, 4_000_000_000)
    file.close()
    with AnyReader([tmp_path / "session.mcap"]) as reader:
        (connection,) = reader.connections
        assert (connection.topic, connection.msgtype) == ("/e_stop", "std_msgs/msg/Bool")
        assert len(connection.ext.offered_qos_profiles) == 2
        values = [reader.deserialize(raw, kind.msgtype).data for kind, _, raw in reader.messages()]
    assert values == [True]
