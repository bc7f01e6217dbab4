"""The simulated robot behaves as one on topics."""

import importlib.util

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
bm = pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")
pytest.importorskip("mujoco", reason="the simulator needs mujoco")

from beyondmimic_diffusion.core.errors import ConfigError, GoalError  # noqa: E402
from beyondmimic_diffusion.core.robot import g1  # noqa: E402
from beyondmimic_diffusion.core.rotations import yaw_of  # noqa: E402
from beyondmimic_diffusion.core.tasks import Obstacle, Scene, forest, save_scene  # noqa: E402
from beyondmimic_diffusion.core.types import JointCommand  # noqa: E402
from beyondmimic_diffusion.nodes.mujoco_sim_node import MujocoSimNode  # noqa: E402
from beyondmimic_diffusion.ros import qos  # noqa: E402
from beyondmimic_diffusion.ros.conversions import JointCommandWriter, time_from_msg  # noqa: E402
from geometry_msgs.msg import Vector3Stamped  # noqa: E402
from nav_msgs.msg import Odometry  # noqa: E402
from rcl_interfaces.msg import Log  # noqa: E402
from rosgraph_msgs.msg import Clock  # noqa: E402
from sensor_msgs.msg import Imu, JointState  # noqa: E402
from std_msgs.msg import Float32, UInt32  # noqa: E402
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


@pytest.fixture
def placed(sim, tmp_path):
    """Scene -> simulator with its obstacles."""

    def make(scene: Scene, **parameters):
        save_scene(scene, tmp_path / "scene.yaml")
        return sim(scene=str(tmp_path / "scene.yaml"), **parameters)

    return make


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


def test_sensors_that_fail_fall_silent_or_hold_nan_and_come_back_while_the_clock_runs_on(ros, sim):
    from rclpy.parameter import Parameter

    node = sim()
    joints = ros.heard(JointState, "joint_states", qos.NEWEST)
    imus = ros.heard(Imu, "imu/data", qos.NEWEST)
    ros.until(lambda: joints and imus)
    assert node.set_parameters([Parameter("sensor_fault", value="silent")])[0].successful
    ros.spin(0.2)  # what is still on its way
    heard, since = (len(joints), len(imus)), node.sim.stamp
    ros.until(lambda: node.sim.stamp > since + 0.2)
    assert (len(joints), len(imus)) == heard
    assert node.set_parameters([Parameter("sensor_fault", value="nan")])[0].successful
    ros.until(lambda: joints and np.isnan(joints[-1].position).all() and np.isnan(imus[-1].orientation.w))
    assert node.set_parameters([Parameter("sensor_fault", value="none")])[0].successful
    ros.until(lambda: np.isfinite(joints[-1].position).all() and np.isfinite(imus[-1].orientation.w))


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


def test_the_log_says_whether_the_standard_services_are_offered_and_so_it_is(ros, sim):
    installed = importlib.util.find_spec("simulation_interfaces") is not None
    logged = ros.heard(Log, "/rosout", qos.LATCHED)
    node = sim()
    ros.until(lambda: any("simulation_interfaces" in m.msg for m in logged))
    [text] = [m.msg for m in logged if "simulation_interfaces" in m.msg]
    assert ("are offered" in text, "not installed" in text) == (installed, not installed)
    name = f"{node.get_name()}_services"
    assert (name in ros.probe.get_node_names()) == installed


@pytest.mark.parametrize("name", ["clock_frequency", "sensor_frequency"])
def test_a_rate_that_does_not_divide_the_physics_rate_is_refused(sim, name):
    with pytest.raises(ConfigError, match=f"{name} = 300.0 Hz; allowed are divisors of 500 Hz"):
        sim(**{name: 300.0})


def test_the_robot_starts_where_the_scene_says_and_is_put_back_there(ros, placed):
    scene = Scene("somewhere", start=(1.5, -2.0, 0.8))
    node = placed(scene)
    for _ in range(2):
        state = node.sim.state()
        assert state.root_pos_w[:2] == pytest.approx([1.5, -2.0], abs=0.05)  # it hangs in a gantry
        assert float(yaw_of(state.root_quat_w)) == pytest.approx(0.8, abs=0.05)
        node.sim.push(np.array([3.0, 0.0]))
        assert ros.ask("sim/reset").success


def test_obstacles_are_announced_once_to_all_who_join_late(ros, placed):
    scene = forest(3)
    node = placed(scene)
    ros.until(lambda: node.sim.stamp > 0.2)
    heard = ros.heard(bm.SdfScene, "sdf_scene", qos.LATCHED)
    ros.until(lambda: heard)
    [message] = heard
    assert message.header.frame_id == "odom"
    assert [p.id for p in message.primitives] == [o.name for o in scene.obstacles]
    for primitive, obstacle in zip(message.primitives, scene.obstacles, strict=True):
        height, radius = primitive.shape.dimensions
        assert (radius, height) == pytest.approx(obstacle.size)
        center = primitive.pose.position
        assert (center.x, center.y, center.z) == pytest.approx(obstacle.center)


def test_a_scene_is_kept_to_itself_when_told_so(ros, placed):
    node = placed(forest(3), announce_scene=False)
    assert node.count_publishers("sdf_scene") == 0


def test_moving_obstacles_are_announced_again_and_again_where_they_are(ros, placed):
    cart = Obstacle("cart", "box", (3.0, 0.0, 0.5), (0.4, 0.6, 1.0), 0.3, velocity=(0.0, 0.5, 0.0))
    node = placed(Scene("traffic", (cart,)))
    heard = ros.heard(bm.SdfScene, "sdf_scene", qos.LATCHED)
    ros.until(lambda: len(heard) > 3)
    for message in heard:
        stamp = time_from_msg(message.header.stamp)
        [primitive] = message.primitives
        assert primitive.pose.position.y == pytest.approx(0.5 * stamp, abs=1e-6)
        assert primitive.twist.linear.y == 0.5
    assert [m.seq for m in heard] == list(range(heard[0].seq, heard[0].seq + len(heard)))
    assert node.sim.data.mocap_pos[0, 1] == pytest.approx(0.5 * node.sim.stamp, abs=0.02)  # and it is really there


def test_when_an_obstacle_runs_into_the_robot_the_gap_closes_and_then_a_touch_is_reported(ros, placed):
    ram = Obstacle("ram", "cylinder", (-1.0, 0.0, 0.9), (0.2, 1.8), velocity=(0.5, 0.0, 0.0))
    contacts, gaps = (
        ros.heard(UInt32, "ground_truth/contacts", qos.LATCHED),
        ros.heard(Float32, "ground_truth/clearance"),
    )
    node = placed(Scene("crash", (ram,)))
    ros.until(lambda: contacts)
    assert contacts[0].data == 0
    ros.until(lambda: contacts[-1].data > 0)
    assert 0.8 < node.sim.stamp < 4.0  # its skin reaches the pelvis' middle at 1.6 s; hands and heels stand out
    ros.until(lambda: any(m.data < 0.02 for m in gaps))
    first = [m.data for m in gaps[:10]]
    assert all(b <= a + 1e-3 for a, b in zip(first, first[1:], strict=False))  # it comes nearer all the time
    assert 0.5 < first[0] < 1.0


def test_a_scene_that_is_none_is_refused_with_its_file(sim, tmp_path):
    (tmp_path / "broken.yaml").write_text("name: x\nobstacles: 3\n")
    with pytest.raises(GoalError, match=r"broken.yaml.*obstacles must be a list"):
        sim(scene=str(tmp_path / "broken.yaml"))
    with pytest.raises(GoalError, match=r"nothing_there.yaml cannot be read"):
        sim(scene=str(tmp_path / "nothing_there.yaml"))


@pytest.mark.parametrize(("fault", "shift"), [("old", -1.0), ("future", 1.0)])
def test_sensors_with_a_wrong_clock_stamp_a_second_off_and_measure_on(ros, sim, fault, shift):
    node = sim(sensor_fault=fault, clock_offset=10.0)
    joints = ros.heard(JointState, "joint_states", qos.NEWEST)
    clock = ros.heard(Clock, "/clock", qos.NEWEST)
    ros.until(lambda: len(joints) > SOME and len(clock) > SOME)
    assert time_from_msg(joints[-1].header.stamp) - node.sim.stamp == pytest.approx(shift, abs=0.5)
    assert np.isfinite(joints[-1].position).all()


@pytest.mark.parametrize("step", [-1.0, 2.0])
def test_another_clock_offset_makes_the_clock_jump_while_the_robot_goes_on(ros, sim, step):
    from rclpy.parameter import Parameter

    node = sim(clock_offset=10.0)
    clock = ros.heard(Clock, "/clock", qos.NEWEST)
    ros.until(lambda: len(clock) > SOME)
    assert node.set_parameters([Parameter("clock_offset", value=10.0 + step)])[0].successful
    seen = len(clock)
    ros.until(lambda: len(clock) > seen + 2 * SOME)
    stamps = [time_from_msg(message.clock) for message in clock]
    jumps = np.diff(stamps)
    assert max(jumps, key=abs) == pytest.approx(step, abs=0.3)  # some periods of /clock went by as well
    assert sum(abs(jumps) > 0.5) == 1
