"""A recorded session, sent as Isaac Sim's bridge sends it, is what the estimator of ``sim:=isaac`` tells of.

The robot of the recording is MuJoCo's, stepped in this process; names, rates and qualities of service are the bridge's
(``sim/isaac_graph.py``), remaps and parameters those of the start-up (``graph.py``). Only the simulator is another one.
"""

from dataclasses import dataclass, field

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
bm = pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")
mujoco = pytest.importorskip("mujoco", reason="the simulator needs mujoco")

from beyondmimic_diffusion.core.robot import g1  # noqa: E402
from beyondmimic_diffusion.core.types import JointCommand, JointSample  # noqa: E402
from beyondmimic_diffusion.graph import BringupArguments, make_graph  # noqa: E402
from beyondmimic_diffusion.nodes.state_estimator_node import StateEstimatorNode  # noqa: E402
from beyondmimic_diffusion.ros import qos  # noqa: E402
from beyondmimic_diffusion.ros.conversions import (  # noqa: E402
    ImuWriter,
    JointStateWriter,
    odometry_to_msg,
    time_from_msg,
    time_to_msg,
)
from beyondmimic_diffusion.sim import isaac_graph as bridge  # noqa: E402
from beyondmimic_diffusion.sim.mujoco_g1 import MujocoG1  # noqa: E402
from beyondmimic_msgs.msg import RobotState  # noqa: E402
from nav_msgs.msg import Odometry  # noqa: E402
from rclpy.qos import QoSProfile, ReliabilityPolicy  # noqa: E402
from rclpy.serialization import serialize_message  # noqa: E402
from rosgraph_msgs.msg import Clock  # noqa: E402
from sensor_msgs.msg import Imu, JointState  # noqa: E402

pytestmark = pytest.mark.ros
TYPES = {"clock": Clock, "joint_states": JointState, "imu": Imu, "odom_truth": Odometry}
DURATION = 1.0
"""Of the recording [s]."""
PERIOD = 0.02
"""Of robot_state, by default [s]."""
FLOAT32 = 4e-7
"""Half a step of float32 for angles below 4 rad, twice over."""


@dataclass
class Truth:
    """What MuJoCo itself says at one stamp of robot_state."""

    qpos: np.ndarray
    joint_vel: np.ndarray
    effort: np.ndarray
    twist_b: np.ndarray
    """Angular, then linear velocity in the pelvis' axes, by MuJoCo's own routine."""
    gyro: np.ndarray
    accelerometer: np.ndarray


@dataclass
class Recording:
    """Serialised messages in the order they were sent in, and the truth."""

    messages: list[tuple[int, str, bytes]] = field(default_factory=list)
    """Physics step, the bridge's topic, bytes."""
    truth: dict[int, Truth] = field(default_factory=dict)
    """Stamp [ns] -> truth."""


def nanoseconds(stamp) -> int:
    return stamp.sec * 1_000_000_000 + stamp.nanosec


def truth_of(sim: MujocoG1) -> Truth:
    data, twist = sim.data, np.zeros(6)
    body = sim.model.body(g1.ROOT_BODY).id
    mujoco.mj_objectVelocity(sim.model, data, mujoco.mjtObj.mjOBJ_XBODY, body, twist, 1)
    gyro, accelerometer = (data.sensor(name).data.copy() for name in ("imu_ang_vel", "imu_lin_acc"))
    return Truth(data.qpos.copy(), data.qvel[6:].copy(), data.actuator_force.copy(), twist, gyro, accelerometer)


def record() -> Recording:
    """A robot that holds its pose after a push, sways, and tells of itself at the bridge's rates."""
    sim, recording = MujocoG1(), Recording()
    zero = np.zeros(g1.NUM_JOINTS)
    sim.apply(JointCommand(0.0, np.array(g1.DEFAULT_JOINT_POS), zero, g1.KP, g1.KD, zero))
    sim.push(np.array([0.4, 0.2]))
    order = np.random.default_rng(0).permutation(g1.NUM_JOINTS)  # Isaac Sim's articulations have an order of their own
    joints, imu = JointStateWriter([g1.JOINT_NAMES[i] for i in order]), ImuWriter(bridge.IMU.frame_id)
    for step in range(1, round(DURATION * bridge.PHYSICS_RATE) + 1):
        sim.advance()
        mujoco.mj_forward(sim.model, sim.data)  # sensors and velocities of this moment, not of the step's beginning
        sample = sim.joints()
        told = {
            "clock": Clock(clock=time_to_msg(sim.stamp)),
            "joint_states": joints.write(
                JointSample(sim.stamp, sample.position[order], sample.velocity[order], sample.effort[order])
            ),
            "imu": imu.write(sim.imu()),
            "odom_truth": odometry_to_msg(sim.state(), bridge.TRUTH.frame_id, bridge.TRUTH.child_frame_id),
        }
        for channel in bridge.PUBLISHED:
            if step % round(bridge.PHYSICS_RATE / channel.rate) == 0:
                message = told[channel.topic]
                raw = message if isinstance(message, bytes) else serialize_message(message)
                recording.messages.append((step, channel.topic, raw))
        if step % round(bridge.PHYSICS_RATE * PERIOD) == 0:
            recording.truth[nanoseconds(time_to_msg(sim.stamp))] = truth_of(sim)
    return recording


def quality_of(channel: bridge.Channel) -> QoSProfile:
    reliability = ReliabilityPolicy.RELIABLE if channel.quality.reliable else ReliabilityPolicy.BEST_EFFORT
    return QoSProfile(depth=channel.quality.depth, reliability=reliability)


@pytest.fixture
def estimator(ros, tmp_path):
    """The estimator with the command line that the start-up of ``sim:=isaac`` gives it."""
    (tmp_path / "manifest.json").write_text("{}")
    specs = make_graph(BringupArguments(sim="isaac", policy=str(tmp_path)))
    assert "mujoco_sim" not in [spec.name for spec in specs]
    (spec,) = [spec for spec in specs if spec.name == "state_estimator"]
    node = ros.add(StateEstimatorNode(context=ros.context, cli_args=spec.ros_arguments("", "info")))
    assert node.autostart()
    return node


def replay(ros, recording: Recording) -> list[RobotState]:
    """Send a recording, one period of robot_state after the other, each when the last one was answered."""
    states = ros.heard(RobotState, "robot_state", qos.DECIMATED)
    publishers = {
        channel.topic: ros.probe.create_publisher(
            TYPES[channel.topic], "/clock" if channel.topic == "clock" else channel.topic, quality_of(channel)
        )
        for channel in bridge.PUBLISHED
    }
    for publisher in publishers.values():
        ros.connected(publisher)
    ros.until(lambda: ros.probe.count_publishers("robot_state"))
    ros.spin(0.2)
    steps_per_state = round(bridge.PHYSICS_RATE * PERIOD)
    answered = 0
    for step, topic, raw in recording.messages:
        if (step - 1) // steps_per_state > answered:
            answered += 1
            ros.until(lambda n=answered: len(states) >= n)
        publishers[topic].publish(raw)
    ros.until(lambda: len(states) > answered)
    return states


def test_a_recorded_session_replays_as_isaac_sim_and_each_state_is_the_recorded_truth(ros, estimator):
    recording = record()
    states = replay(ros, recording)
    assert [nanoseconds(state.header.stamp) for state in states] == list(recording.truth)
    moved = 0.0
    for state, truth in zip(states, recording.truth.values(), strict=True):
        assert state.odom_source == RobotState.ODOM_SIM_TRUTH
        assert (state.header.frame_id, list(state.joint_names)) == ("odom", list(g1.JOINT_NAMES))
        pose = state.root_pose
        # doubles all the way; turned into the pelvis' axes and back
        assert (pose.position.x, pose.position.y, pose.position.z) == pytest.approx(tuple(truth.qpos[:3]), abs=1e-12)
        quat = (pose.orientation.w, pose.orientation.x, pose.orientation.y, pose.orientation.z)
        assert quat == pytest.approx(tuple(truth.qpos[3:7]), abs=1e-12)
        twist = [state.root_twist.angular, state.root_twist.linear]
        assert [v for part in twist for v in (part.x, part.y, part.z)] == pytest.approx(list(truth.twist_b), abs=1e-9)
        assert list(state.position) == pytest.approx(list(truth.qpos[7:]), abs=FLOAT32)
        assert list(state.velocity) == pytest.approx(list(truth.joint_vel), rel=FLOAT32, abs=FLOAT32)
        assert list(state.effort) == pytest.approx(list(truth.effort), rel=FLOAT32, abs=FLOAT32)
        felt = state.linear_acceleration
        assert (felt.x, felt.y, felt.z) == pytest.approx(tuple(truth.accelerometer), abs=1e-12)
        turned = state.angular_velocity
        assert (turned.x, turned.y, turned.z) == pytest.approx(tuple(truth.gyro), abs=1e-9)
        moved = max(moved, float(np.linalg.norm(truth.qpos[:2])))
    assert moved > 0.02  # it did sway: a constant would not have passed
    assert estimator._watch._judge.ready
    assert estimator._watch._judge.findings() == []


def test_the_estimator_lives_in_the_time_of_the_recording(ros, estimator):
    recording = record()
    recording.messages = [entry for entry in recording.messages if entry[0] <= 0.2 * bridge.PHYSICS_RATE]
    states = replay(ros, recording)
    assert estimator.get_parameter("use_sim_time").value is True
    assert len(states) == round(0.2 / PERIOD)
    for state in states:  # received within the period in which it was sent: clock and samples go by different ways
        assert abs(time_from_msg(state.receive_stamp) - time_from_msg(state.header.stamp)) <= PERIOD + 1e-9
