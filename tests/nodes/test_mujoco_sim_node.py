"""The simulated robot behaves as one on topics."""

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
bm = pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")
pytest.importorskip("mujoco", reason="the simulator needs mujoco")

from beyondmimic_diffusion.core.errors import ConfigError  # noqa: E402
from beyondmimic_diffusion.core.robot import g1  # noqa: E402
from beyondmimic_diffusion.core.types import JointCommand  # noqa: E402
from beyondmimic_diffusion.nodes.mujoco_sim_node import MujocoSimNode  # noqa: E402
from beyondmimic_diffusion.ros import qos  # noqa: E402
from beyondmimic_diffusion.ros.conversions import JointCommandWriter, time_from_msg  # noqa: E402
from geometry_msgs.msg import Vector3Stamped  # noqa: E402
from nav_msgs.msg import Odometry  # noqa: E402
from rosgraph_msgs.msg import Clock  # noqa: E402
from sensor_msgs.msg import Imu, JointState  # noqa: E402
from std_srvs.srv import SetBool  # noqa: E402

pytestmark = pytest.mark.ros
SOME = 10
ELBOW = g1.JOINT_NAMES.index("left_elbow_joint")


@pytest.fixture
def sim(ros):
    return lambda **parameters: ros.make(MujocoSimNode, parameters)


def command(position=g1.DEFAULT_JOINT_POS):
    zero = np.zeros(g1.NUM_JOINTS)
    return JointCommandWriter(g1.JOINT_NAMES).write(JointCommand(0.0, np.array(position), zero, g1.KP, g1.KD, zero))


def test_samples_of_one_step_share_their_stamp_and_stamps_only_grow(ros, sim):
    imu, joints = ros.heard(Imu, "imu/data", qos.STREAM), ros.heard(JointState, "joint_states", qos.STREAM)
    sim()
    ros.until(lambda: len(imu) > SOME and len(joints) > SOME)
    imu_stamps = [time_from_msg(m.header.stamp) for m in imu]
    joint_stamps = [time_from_msg(m.header.stamp) for m in joints]
    assert joint_stamps == sorted(set(joint_stamps))
    assert set(joint_stamps[1:-1]) <= set(imu_stamps)
    assert np.diff(joint_stamps).min() == pytest.approx(0.004)
    assert joints[0].name == list(g1.JOINT_NAMES)


def test_at_rest_the_imu_feels_gravity_upwards(ros, sim):
    imu = ros.heard(Imu, "imu/data", qos.STREAM)
    node = sim()
    ros.until(lambda: node.sim.stamp > 1.0)
    ros.until(lambda: len(imu) > 100)
    newest = imu[-1]
    assert newest.header.frame_id == "imu_in_pelvis"
    # the pelvis still sways in the gantry, so on average, and roughly
    assert np.mean([message.linear_acceleration.z for message in imu[-100:]]) == pytest.approx(9.81, abs=2.0)


def test_a_commanded_joint_goes_where_it_was_told(ros, sim):
    joints = ros.heard(JointState, "joint_states", qos.STREAM)
    sim()
    publisher = ros.probe.create_publisher(bm.JointCommand, "motor_command", qos.NEWEST)
    target = np.array(g1.DEFAULT_JOINT_POS)
    target[ELBOW] += 0.5
    # PD without integral under gravity: stays a little below its target
    ros.until(lambda: joints and abs(joints[-1].position[ELBOW] - target[ELBOW]) < 0.1,
              lambda: publisher.publish(command(target)))  # fmt: skip


def test_the_gantry_holds_until_the_executor_plays_and_then_lets_go(ros, sim):
    node = sim(release_time=0.02)
    states = ros.probe.create_publisher(bm.ExecutorState, "executor/state", qos.LATCHED)
    ros.connected(states)
    states.publish(bm.ExecutorState(state=bm.ExecutorState.BLEND))
    ros.until(lambda: node.sim.stamp > 0.5)
    assert node.gantry.strength == 1.0
    assert node.sim.state().root_pos_w[2] > 0.65
    states.publish(bm.ExecutorState(state=bm.ExecutorState.TRACKING))
    ros.until(lambda: node.gantry.strength == 0.0)
    ros.until(lambda: node.sim.fallen(0.5))  # limp, nothing commands it
    answer = ros.ask("sim/reset")
    assert answer.success
    assert node.sim.state().root_pos_w[2] > 0.65


def test_a_push_changes_the_velocity_and_nan_is_refused(ros, sim):
    truth = ros.heard(Odometry, "ground_truth/odom", qos.STREAM)
    node = sim(hold=False)
    publisher = ros.probe.create_publisher(Vector3Stamped, "sim/push", qos.STREAM)
    ros.connected(publisher)
    bad, good = Vector3Stamped(), Vector3Stamped()
    bad.vector.x, good.vector.y = float("nan"), 3.0
    publisher.publish(bad)
    publisher.publish(good)
    ros.until(lambda: any(m.twist.twist.linear.y > 1.0 for m in truth))
    assert np.all(np.isfinite(node.sim.state().root_pos_w))


def test_a_pause_stops_the_clock_and_time_goes_on_from_there(ros, sim):
    clock = ros.heard(Clock, "/clock", qos.NEWEST)
    node = sim()
    ros.until(lambda: len(clock) > SOME)
    client = ros.probe.create_client(SetBool, "sim/pause")
    ros.until(client.service_is_ready)
    for pause in (True, False):
        answer = client.call_async(SetBool.Request(data=pause))
        ros.until(answer.done)
        if pause:
            ros.spin(0.2)
            stopped = node.sim.stamp
            ros.spin(0.3)
            assert node.sim.stamp == stopped
    ros.until(lambda: node.sim.stamp > stopped)
    assert node.sim.stamp < stopped + 1.0


@pytest.mark.parametrize("name", ["clock_frequency", "sensor_frequency"])
def test_a_rate_that_does_not_divide_the_physics_rate_is_refused(sim, name):
    with pytest.raises(ConfigError, match=f"{name} = 300.0 Hz; allowed are divisors of 500 Hz"):
        sim(**{name: 300.0})
