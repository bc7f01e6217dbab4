"""Isaac Sim's bridge offers what the MuJoCo node offers: the same types, qualities of service, frames and rates."""

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")
pytest.importorskip("mujoco", reason="the simulator needs mujoco")

from beyondmimic_diffusion.core.robot import g1  # noqa: E402
from beyondmimic_diffusion.graph import BringupArguments, make_graph  # noqa: E402
from beyondmimic_diffusion.nodes.mujoco_sim_node import MujocoSimNode  # noqa: E402
from beyondmimic_diffusion.robot_io.topic_robot import MotorTopic  # noqa: E402
from beyondmimic_diffusion.sim import isaac_graph as bridge  # noqa: E402
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy  # noqa: E402

pytestmark = pytest.mark.ros
OURS = {"clock": "/clock", "joint_states": "joint_states", "imu": "imu/data", "odom_truth": "ground_truth/odom"}
"""Isaac's topic -> the MuJoCo node's."""


def offered(node, topic: str):
    (info,) = [i for i in node.get_publishers_info_by_topic(topic) if i.node_name == node.get_name()]
    return info


def same_quality(info, quality: bridge.Quality) -> bool:
    reliable = info.qos_profile.reliability == ReliabilityPolicy.RELIABLE
    return reliable == quality.reliable and info.qos_profile.durability == DurabilityPolicy.VOLATILE


def test_each_topic_has_the_type_quality_frames_and_rate_of_the_mujoco_nodes(ros):
    node = ros.make(MujocoSimNode, {"hold": False})
    config = node.parameters.config
    rates = {"clock": config.clock_frequency, "odom_truth": config.ground_truth_frequency}
    frames = {"imu": (config.imu_frame, ""), "odom_truth": (config.frame_id, config.base_frame)}
    for channel in bridge.PUBLISHED:
        topic = OURS[channel.topic]
        ros.until(lambda topic=topic: node.get_publishers_info_by_topic(topic))
        info = offered(node, topic)
        assert info.topic_type == channel.message
        assert same_quality(info, channel.quality), channel.topic
        assert channel.rate == rates.get(channel.topic, config.sensor_frequency)
        assert (channel.frame_id, channel.child_frame_id) == frames.get(channel.topic, ("", ""))
    assert node.sim.dt == pytest.approx(1.0 / bridge.PHYSICS_RATE)


def test_the_executor_commands_on_the_topic_the_bridge_listens_to_and_in_a_quality_it_hears(ros):
    motors = MotorTopic(ros.probe, g1.JOINT_NAMES, "joint_state")
    ros.until(lambda: ros.probe.get_publishers_info_by_topic(bridge.COMMAND.topic))
    info = offered(ros.probe, bridge.COMMAND.topic)
    assert info.topic_type == bridge.COMMAND.message
    assert same_quality(info, bridge.COMMAND.quality)
    motors.close()


def test_every_topic_our_nodes_read_from_the_simulator_is_mapped_to_one_the_bridge_publishes(tmp_path):
    (tmp_path / "manifest.json").write_text("{}")
    specs = make_graph(BringupArguments(sim="isaac", policy=str(tmp_path)))
    renamed = {ours: theirs for theirs, ours in OURS.items() if theirs != ours.strip("/")}
    seen = {}
    for spec in specs:
        seen |= dict(spec.remaps)
    assert seen == renamed
    published = {channel.topic for channel in bridge.PUBLISHED}
    assert set(seen.values()) <= published
