"""Messages written and read as arrays over their bytes, against rclpy and the general conversions."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
bm = pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")

from beyondmimic_diffusion.core.estimation import Uncertainty  # noqa: E402
from beyondmimic_diffusion.core.robot import g1  # noqa: E402
from beyondmimic_diffusion.core.types import ImuSample, JointCommand, JointSample, Plan, RobotState  # noqa: E402
from beyondmimic_diffusion.ros import cdr  # noqa: E402
from beyondmimic_diffusion.ros import conversions as c  # noqa: E402
from beyondmimic_diffusion.ros.conversions.time import time_to_msg  # noqa: E402
from geometry_msgs.msg import TransformStamped  # noqa: E402
from nav_msgs.msg import Odometry  # noqa: E402
from rclpy.serialization import deserialize_message, serialize_message  # noqa: E402
from rosgraph_msgs.msg import Clock  # noqa: E402
from sensor_msgs.msg import Imu, JointState  # noqa: E402
from tf2_msgs.msg import TFMessage  # noqa: E402

NAMES = list(g1.JOINT_NAMES)
J = len(NAMES)
FRAMES = ("odom", "base_footprint", "pelvis")
STAMPS = st.floats(0.0, 2.0e9)
SEEDS = st.integers(0, 2**32 - 1)
ODD = (np.nan, np.inf, -np.inf, -0.0, 5e-324, 1e300)
"""Numbers that a sensor should not send, and that must come through as they are."""
MANY = settings(max_examples=60, deadline=None)


def numbers(rng, count):
    """Normal ones, now and then an odd one."""
    values = rng.normal(size=count)
    if rng.random() < 0.3:
        values[rng.integers(count)] = rng.choice(ODD)
    return values


def unit_quat(rng):
    quat = rng.normal(size=4)
    return quat / np.linalg.norm(quat)


def joint_sample(rng, stamp):
    return JointSample(stamp, numbers(rng, J), numbers(rng, J), numbers(rng, J))


def command(rng, stamp):
    with np.errstate(over="ignore"):
        return JointCommand(stamp, *(numbers(rng, J).astype(np.float32).astype(float) for _ in range(5)))


def imu_sample(rng, stamp):
    return ImuSample(stamp, unit_quat(rng), numbers(rng, 3), numbers(rng, 3))


def robot_state(rng, stamp):
    vectors = (rng.normal(size=3), unit_quat(rng), rng.normal(size=3), rng.normal(size=3))
    return RobotState(stamp, *vectors, rng.normal(size=J), rng.normal(size=J))


def assert_same(found, expected):
    """Every field, NaN equal to NaN, to the bit."""
    for name, value in vars(expected).items():
        np.testing.assert_array_equal(np.asarray(getattr(found, name)), np.asarray(value), err_msg=name)


def fields(message):
    """All numbers and strings of a message, by path."""
    found = {}
    for name, kind in message.get_fields_and_field_types().items():
        value = getattr(message, name)
        if hasattr(value, "get_fields_and_field_types"):
            found |= {f"{name}.{path}": v for path, v in fields(value).items()}
        elif "/" in kind:
            for i, element in enumerate(value):
                found |= {f"{name}[{i}].{path}": v for path, v in fields(element).items()}
        else:
            found[name] = value
    return found


def assert_same_message(raw, expected):
    """rclpy reads from ``raw`` what it reads from its own serialisation of ``expected``."""
    kind = type(expected)
    got, wanted = (fields(deserialize_message(b, kind)) for b in (raw, serialize_message(expected)))
    assert got.keys() == wanted.keys()
    for path, value in wanted.items():
        np.testing.assert_array_equal(np.asarray(got[path]), np.asarray(value), err_msg=path)
    assert len(raw) == len(serialize_message(expected))


# ---------------------------------------------------------------- writers: what rclpy makes of the same content


@MANY
@given(SEEDS, STAMPS)
def test_joint_states_are_what_rclpy_would_have_sent(seed, stamp):
    sample = joint_sample(np.random.default_rng(seed), stamp)
    expected = JointState(
        name=NAMES, position=list(sample.position), velocity=list(sample.velocity), effort=list(sample.effort)
    )
    expected.header.stamp = time_to_msg(stamp)
    assert_same_message(cdr.JointStateWriter(NAMES).write(sample), expected)


@MANY
@given(SEEDS, STAMPS)
def test_commands_are_what_rclpy_would_have_sent_and_can_carry_another_stamp(seed, stamp):
    sent = command(np.random.default_rng(seed), stamp)
    arrays = {name: np.asarray(getattr(sent, name), np.float32) for name in ("position", "velocity", "kp", "kd")}
    expected = bm.JointCommand(joint_names=NAMES, effort=np.asarray(sent.tau_ff, np.float32), **arrays)
    expected.header.stamp = time_to_msg(stamp)
    writer = cdr.JointCommandWriter(NAMES)
    assert_same_message(writer.write(sent), expected)
    expected.header.stamp = time_to_msg(stamp + 0.02)
    assert_same_message(writer.write(sent, stamp + 0.02), expected)


@MANY
@given(SEEDS, STAMPS)
def test_imu_data_are_what_rclpy_would_have_sent(seed, stamp):
    sample = imu_sample(np.random.default_rng(seed), stamp)
    expected = Imu()
    expected.header.stamp, expected.header.frame_id = time_to_msg(stamp), "imu_in_pelvis"
    expected.orientation = c.quat_to_msg(sample.quat_w)
    c.assign_vector(expected.angular_velocity, sample.ang_vel_b)
    c.assign_vector(expected.linear_acceleration, sample.lin_acc_b)
    assert_same_message(cdr.ImuWriter("imu_in_pelvis").write(sample), expected)


@MANY
@given(SEEDS, STAMPS, st.booleans())
def test_robot_state_is_what_the_general_conversion_sends(seed, stamp, left):
    rng = np.random.default_rng(seed)
    state, imu, effort = robot_state(rng, stamp), imu_sample(rng, stamp), numbers(rng, J)
    told = {"odom_source": 3, "foot_contact": (left, not left), "position_std": 0.125, "receive_stamp": stamp + 0.001}
    expected = c.robot_state_to_msg(state, NAMES, "odom", imu=imu, effort=effort, **told)
    assert_same_message(cdr.RobotStateWriter(NAMES, "odom").write(state, imu, effort, **told), expected)


@MANY
@given(SEEDS, STAMPS)
def test_odometry_is_what_the_general_conversion_sends_with_and_without_covariances(seed, stamp):
    rng = np.random.default_rng(seed)
    state, writer = robot_state(rng, stamp), cdr.OdometryWriter("odom", "pelvis")
    known = Uncertainty(rng.normal(size=(6, 6)), rng.normal(size=(6, 6)))
    for std, uncertainty in ((0.0, None), (0.5, None), (0.5, known), (0.25, None)):
        expected = c.odometry_to_msg(state, "odom", "pelvis", std, uncertainty)
        assert_same_message(writer.write(state, std, uncertainty), expected)


@MANY
@given(SEEDS, STAMPS)
def test_the_transforms_of_the_base_are_those_of_the_general_conversion(seed, stamp):
    state = robot_state(np.random.default_rng(seed), stamp)
    got = deserialize_message(cdr.BaseTransformsWriter(*FRAMES).write(state), TFMessage)
    expected = TFMessage(transforms=c.base_transforms(state, *FRAMES))
    for path, value in fields(expected).items():
        if isinstance(value, float):
            assert fields(got)[path] == pytest.approx(value, abs=1e-15), path  # the heading's half angle rounds apart
        else:
            assert fields(got)[path] == value, path


@MANY
@given(SEEDS, STAMPS)
def test_a_path_is_what_the_general_conversion_sends_however_many_poses_it_has(seed, stamp):
    rng, writer = np.random.default_rng(seed), cdr.PathWriter("odom")
    for count in (16, 16, 3, 0):
        quats = np.array([unit_quat(rng) for _ in range(count)]).reshape(-1, 4)
        times = (stamp + 0.02, stamp, 0.02)
        plan = Plan(1, 2, *times, np.zeros((16, J)), 16, 1, stamp + 1.0, 0.04, rng.normal(size=(count, 3)), quats)
        assert_same_message(writer.write(plan), c.path_to_msg(plan, "odom"))


@MANY
@given(STAMPS)
def test_the_clock_is_what_rclpy_would_have_sent(stamp):
    raw = cdr.ClockWriter().write(stamp)
    assert raw == serialize_message(Clock(clock=time_to_msg(stamp)))
    assert cdr.clock_seconds(raw) == c.time_from_msg(time_to_msg(stamp))


def test_a_heartbeat_is_what_rclpy_would_have_sent():
    expected = bm.Heartbeat(progress=2**40 + 1, period=0.05)
    expected.header.stamp, expected.header.frame_id = time_to_msg(12.25), "state_estimator"
    assert_same_message(cdr.HeartbeatWriter("state_estimator", 0.05).write(12_250_000_000, 2**40 + 1), expected)


# ---------------------------------------------------------------- readers: what the general conversions read


def readers():
    """Reader, and the conversion that it stands for, by message type."""
    joints = c.JointMap(NAMES)
    return {
        JointState: (cdr.JointStateReader(joints), lambda m: c.joint_sample_from_msg(m, joints)),
        bm.JointCommand: (cdr.JointCommandReader(joints), lambda m: c.joint_command_from_msg(m, joints)),
        Imu: (cdr.ImuReader(), c.imu_sample_from_msg),
        bm.RobotState: (cdr.RobotStateReader(joints), lambda m: c.robot_state_from_msg(m, joints)),
        Odometry: (cdr.OdometryReader(), c.root_from_odometry),
    }


def made(kind, rng, names=NAMES, frame="odom"):
    """A message of a stream with random content."""
    n = len(names)
    stamp = float(rng.uniform(0.0, 1e6))
    if kind is JointState:
        message = JointState(
            name=names, position=list(numbers(rng, n)), velocity=list(numbers(rng, n)), effort=list(numbers(rng, n))
        )
    elif kind is bm.JointCommand:
        arrays = {name: numbers(rng, n).astype(np.float32) for name in ("position", "velocity", "kp", "kd", "effort")}
        message = bm.JointCommand(joint_names=names, **arrays)
    elif kind is Imu:
        message = Imu(orientation=c.quat_to_msg(unit_quat(rng)), orientation_covariance=np.abs(rng.normal(size=9)))
        c.assign_vector(message.angular_velocity, numbers(rng, 3))
        c.assign_vector(message.linear_acceleration, numbers(rng, 3))
    elif kind is bm.RobotState:
        arrays = {name: rng.normal(size=n).astype(np.float32) for name in ("position", "velocity", "effort")}
        message = bm.RobotState(joint_names=names, **arrays)
        c.assign_pose(message.root_pose, rng.normal(size=3), unit_quat(rng))
        c.assign_vector(message.root_twist.linear, rng.normal(size=3))
        c.assign_vector(message.root_twist.angular, rng.normal(size=3))
    else:
        message = Odometry(child_frame_id="pelvis")
        c.assign_pose(message.pose.pose, rng.normal(size=3), unit_quat(rng))
        c.assign_vector(message.twist.twist.linear, rng.normal(size=3))
        message.pose.covariance = rng.normal(size=36)
    message.header.stamp, message.header.frame_id = time_to_msg(stamp), frame
    return message


def assert_read_alike(found, expected):
    if hasattr(expected, "__dataclass_fields__"):
        assert_same(found, expected)
        return
    for got, value in zip(found, expected, strict=True):
        np.testing.assert_array_equal(got, value)


KINDS = list(readers())
WITH_NAMES = [kind for kind in KINDS if kind not in (Imu, Odometry)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@MANY
@given(SEEDS)
def test_a_stream_is_read_as_the_general_conversion_reads_it(kind, seed):
    rng = np.random.default_rng(seed)
    reader, general = readers()[kind]
    for _ in range(3):
        message = made(kind, rng)
        assert_read_alike(reader.read(serialize_message(message)), general(message))
    assert reader._layout is not None, "the quick way was not taken"


@pytest.mark.parametrize("kind", WITH_NAMES, ids=lambda kind: kind.__name__)
def test_foreign_joint_orders_and_more_joints_and_other_frames_are_read_by_name(kind):
    rng = np.random.default_rng(1)
    reader, general = readers()[kind]
    others = [*rng.permutation(NAMES).tolist(), "left_thumb_joint"]
    streams = [(NAMES, "odom"), (others, "odom"), (NAMES[::-1], "a_frame_of_another_length"), (NAMES, "")]
    for names, frame in [*streams, *streams]:
        for _ in range(2):
            message = made(kind, rng, names, frame)
            assert_read_alike(reader.read(serialize_message(message)), general(message))


def test_a_stream_whose_layout_never_stays_is_read_all_the_same():
    rng, (reader, general) = np.random.default_rng(2), readers()[JointState]
    for i in range(60):
        message = made(JointState, rng, frame="x" * (i % 7))
        assert_read_alike(reader.read(serialize_message(message)), general(message))


def test_whatever_is_in_the_padding_a_message_is_read_as_an_array():
    rng, (reader, general) = np.random.default_rng(3), readers()[bm.RobotState]
    message = made(bm.RobotState, rng)
    raw = serialize_message(message)
    reader.read(raw)
    meant = bytearray(len(raw))
    for place in cdr.field_places(message)[0].values():
        meant[place.offset : place.end] = b"\1" * (place.end - place.offset)
    padded = bytes(b if used else 0xA5 for b, used in zip(raw, b"\1" * 4 + meant[4:], strict=True))
    assert padded != raw
    reader._general = lambda message: pytest.fail("took the general path")
    assert_same(reader.read(padded), general(message))


def test_a_velocity_or_effort_that_is_not_sent_is_nan():
    rng, (reader, _) = np.random.default_rng(4), readers()[JointState]
    reader.read(serialize_message(made(JointState, rng)))
    message = made(JointState, rng)
    message.velocity, message.effort = [], []
    sample = reader.read(serialize_message(message))
    np.testing.assert_array_equal(sample.position, message.position)
    assert np.isnan(sample.velocity).all() and np.isnan(sample.effort).all()


def test_what_the_general_conversions_refuse_is_refused_in_the_middle_of_a_stream():
    rng = np.random.default_rng(5)
    reader, _ = readers()[JointState]
    good = serialize_message(made(JointState, rng))
    reader.read(good)
    with pytest.raises(c.MessageError, match="missing"):
        reader.read(serialize_message(made(JointState, rng, names=NAMES[:-1])))
    short = made(JointState, rng)
    short.position = short.position[:-1]
    with pytest.raises(c.MessageError, match="28 values for 29"):
        reader.read(serialize_message(short))
    reader.read(good)

    imus, _ = readers()[Imu]
    imus.read(serialize_message(made(Imu, rng)))
    blind = made(Imu, rng)
    blind.orientation_covariance[0] = -1.0
    with pytest.raises(c.MessageError, match="no orientation"):
        imus.read(serialize_message(blind))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(max_examples=150, deadline=None)
@given(SEEDS)
def test_damaged_bytes_are_refused_or_read_as_rclpy_reads_them(kind, seed):
    rng = np.random.default_rng(seed)
    reader, general = readers()[kind]
    raw = serialize_message(made(kind, rng))
    if rng.random() < 0.5:
        reader.read(raw)
    damaged = bytearray(raw)
    for _ in range(rng.integers(1, 4)):
        damaged[rng.integers(len(damaged))] = rng.integers(256)
    if rng.random() < 0.4:
        damaged = damaged[: rng.integers(len(damaged))]
    try:
        found = reader.read(bytes(damaged))
    except c.MessageError:
        return
    assert_read_alike(found, general(deserialize_message(bytes(damaged), kind)))


@pytest.mark.parametrize("raw", [b"", b"\0", b"\0\1\0\0", b"\7\7\7\7" + bytes(40)])
def test_bytes_that_are_no_message_are_refused(raw):
    for reader, _ in readers().values():
        with pytest.raises(c.MessageError):
            reader.read(raw)
    with pytest.raises(c.MessageError):
        cdr.stamp_of(raw)
    with pytest.raises(c.MessageError):
        cdr.clock_seconds(raw)


def test_the_clock_of_a_big_endian_machine_is_read():
    assert cdr.clock_seconds(b"\0\0\0\0" + struct.pack(">iI", 7, 250_000_000)) == 7.25


@MANY
@given(SEEDS, st.integers(1, 4))
def test_transforms_are_read_as_the_general_conversion_reads_them(seed, count):
    rng, reader = np.random.default_rng(seed), cdr.TransformsReader()
    for _ in range(3):
        message = TFMessage(transforms=[TransformStamped(child_frame_id=f"link_{i}") for i in range(count)])
        for transform in message.transforms:
            transform.header.frame_id, transform.header.stamp = "odom", time_to_msg(float(rng.uniform(0, 1e6)))
            c.assign_vector(transform.transform.translation, numbers(rng, 3))
            transform.transform.rotation = c.quat_to_msg(numbers(rng, 4))
        for found, sent in zip(reader.read(serialize_message(message)), message.transforms, strict=True):
            assert (found.parent, found.child) == (sent.header.frame_id, sent.child_frame_id)
            assert found.stamp == c.time_from_msg(sent.header.stamp)
            np.testing.assert_array_equal(found.position, c.vector_from_msg(sent.transform.translation))
            np.testing.assert_array_equal(found.quat, c.quat_from_msg(sent.transform.rotation))


# ---------------------------------------------------------------- layouts


def test_a_field_of_a_type_whose_layout_is_not_known_is_refused():
    class Wide:
        text = "x"

        @staticmethod
        def get_fields_and_field_types():
            return {"text": "wstring"}

    with pytest.raises(cdr.LayoutError, match="wstring"):
        cdr.field_places(Wide())


def test_a_layout_that_rclpy_does_not_confirm_is_refused(monkeypatch):
    from beyondmimic_diffusion.ros.cdr import layout

    swapped = {**layout._DTYPES, "double": "<f4", "float": "<f8"}
    monkeypatch.setattr(layout, "_DTYPES", swapped)
    with pytest.raises(cdr.LayoutError, match="JointState"):
        cdr.JointStateWriter(NAMES)
