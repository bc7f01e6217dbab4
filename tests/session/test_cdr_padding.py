"""Padding of serialised messages, against rclpy's own serialisation into memory that held something else."""

import importlib
import random

import pytest

pytest.importorskip("rclpy", reason="messages are serialised by ROS 2")
pytest.importorskip("beyondmimic_msgs", reason="our messages are not built")

from beyondmimic_diffusion.session.cdr_padding import PaddingZeroer
from rclpy.serialization import deserialize_message, serialize_message

pytestmark = pytest.mark.ros

TYPES = (
    *("std_msgs/msg/Bool", "std_msgs/msg/Empty", "rosgraph_msgs/msg/Clock", "sensor_msgs/msg/JointState"),
    *("sensor_msgs/msg/Imu", "nav_msgs/msg/Odometry", "geometry_msgs/msg/TwistStamped", "nav_msgs/msg/Path"),
    *("beyondmimic_msgs/msg/ActionPlan", "beyondmimic_msgs/msg/GuidanceGoal", "beyondmimic_msgs/msg/ExecutorState"),
    *("diagnostic_msgs/msg/DiagnosticArray", "beyondmimic_msgs/msg/RobotState", "beyondmimic_msgs/msg/SdfScene"),
)


def class_of(name):
    package, _, kind = name.split("/")
    return getattr(importlib.import_module(f"{package}.msg"), kind)


def filled(cls, rng, depth=0):
    """A message with texts and sequences of odd lengths, so that there is padding everywhere."""
    message = cls()
    for field, kind in message.get_fields_and_field_types().items():
        value = getattr(message, field)
        if kind == "string":
            setattr(message, field, "x" * rng.randrange(1, 6))
        elif kind in ("sequence<double>", "sequence<float>"):
            setattr(message, field, [rng.random() for _ in range(rng.randrange(4))])
        elif kind == "sequence<string>":
            setattr(message, field, ["y" * rng.randrange(5) for _ in range(rng.randrange(4))])
        elif kind.startswith("sequence<") and "/" in kind and depth < 3:
            package, name = kind[len("sequence<") : -1].split("/")
            inner = class_of(f"{package}/msg/{name}")
            setattr(message, field, [filled(inner, rng, depth + 1) for _ in range(rng.randrange(3))])
        elif hasattr(value, "get_fields_and_field_types"):
            setattr(message, field, filled(type(value), rng, depth + 1))
    return message


@pytest.mark.parametrize("name", TYPES)
def test_equal_messages_are_equal_bytes_and_keep_their_meaning(name):
    cls, rng, padding = class_of(name), random.Random(name), PaddingZeroer()
    for _ in range(20):
        message = filled(cls, rng)
        first = padding.zeroed(name, serialize_message(message))
        dirt = [bytes([rng.randrange(1, 256)]) * rng.randrange(1, 4096) for _ in range(50)]
        del dirt  # leaves memory that is not zero for the next serialisation
        second = padding.zeroed(name, serialize_message(message))
        assert first == second
        assert deserialize_message(first, cls) == message


def test_every_byte_that_is_not_a_value_is_zero():
    from std_msgs.msg import Bool

    data = bytearray(serialize_message(Bool(data=True)))
    data[5:] = b"\xff" * (len(data) - 5)
    assert PaddingZeroer().zeroed("std_msgs/msg/Bool", bytes(data))[4:] == b"\x01" + bytes(len(data) - 5)
