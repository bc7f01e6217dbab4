"""What is heard of a pad and of cmd_vel is in /diagnostics, and what the robot is not to do for it."""

from __future__ import annotations

import contextlib
import os

import pytest

rclpy = pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")

from beyondmimic_diffusion.nodes.guidance_task_server_node import GuidanceTaskServerNode  # noqa: E402
from beyondmimic_diffusion.ros import qos  # noqa: E402
from beyondmimic_msgs.msg import GuidanceGoal  # noqa: E402
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus  # noqa: E402
from geometry_msgs.msg import Twist, TwistStamped  # noqa: E402
from sensor_msgs.msg import Joy  # noqa: E402

pytestmark = pytest.mark.ros


class Desk:
    """A task server and what it says."""

    def __init__(self, ros, **parameters):
        self.ros = ros
        self.goals = ros.heard(GuidanceGoal, "guidance/active", qos.LATCHED)
        self.found = ros.heard(DiagnosticArray, "/diagnostics")
        self.node = ros.make(GuidanceTaskServerNode, parameters)
        assert self.node.autostart()

    def entry(self, name):
        entries = [s for m in self.found for s in m.status if s.name == f"guidance_task_server: {name}"]
        return (entries[-1].level, entries[-1].message) if entries else (b"", "")

    def turning(self):
        return any(term.velocity.twist.angular.z for goal in self.goals for term in goal.terms)


@contextlib.contextmanager
def stranger():
    """A node of another participant: one participant knows one type per topic only."""
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=int(os.environ["ROS_DOMAIN_ID"]))
    node = rclpy.create_node("teleop_of_another", context=context)
    try:
        yield node
    finally:
        node.destroy_node()
        context.try_shutdown()


@pytest.mark.parametrize(("stamped", "published"), [(True, Twist), (False, TwistStamped)])
def test_a_publisher_of_the_other_kind_of_twist_is_named_with_what_to_do(ros, stamped, published):
    desk = Desk(ros, enable_stamped_cmd_vel=stamped)
    with stranger() as node:
        node.create_publisher(published, "cmd_vel", 10)
        ros.until(lambda: "cmd_vel is published" in desk.entry("commands")[1])
    level, text = desk.entry("commands")
    assert level == DiagnosticStatus.WARN
    assert f"as geometry_msgs/msg/{published.__name__} by /teleop_of_another" in text
    assert f"set the parameter enable_stamped_cmd_vel to {str(not stamped).lower()}" in text
    ros.until(lambda: "cmd_vel is published" not in desk.entry("commands")[1])


def test_the_right_kind_of_twist_is_no_matter(ros):
    desk = Desk(ros)
    ros.probe.create_publisher(TwistStamped, "cmd_vel", 10)
    ros.until(lambda: len(desk.found) >= 3)
    assert desk.entry("commands") == (DiagnosticStatus.OK, "serving")


def test_a_stick_that_reads_1_as_the_dead_man_closes_does_not_turn_the_robot_and_is_named(ros):
    desk = Desk(ros)
    ros.until(lambda: "no pad" in desk.entry("pad")[1])
    pad = ros.probe.create_publisher(Joy, "joy", 10)
    ros.until(lambda: "no message came" in desk.entry("pad")[1])
    assert desk.entry("pad")[0] == DiagnosticStatus.WARN
    ros.connected(pad)
    axes, buttons = [0.0] * 8, [0] * 11
    for _ in range(40):
        pad.publish(Joy(axes=axes, buttons=buttons))
        ros.spin(0.02)
    ros.until(
        lambda: "never pressed so far" in desk.entry("pad")[1], lambda: pad.publish(Joy(axes=axes, buttons=buttons))
    )
    axes[3], buttons[4] = 1.0, 1
    closed = Joy(axes=axes, buttons=buttons)
    ros.until(lambda: "axis 3 (turn) reads +1.00" in desk.entry("pad")[1], lambda: pad.publish(closed))
    assert not desk.turning()
    ros.until(lambda: "no message on joy for" in desk.entry("pad")[1])


def test_a_pad_that_nobody_knows_is_told_by_its_numbers(ros):
    desk = Desk(ros, **{"joy.layout": "auto"})
    pad = ros.probe.create_publisher(Joy, "joy", 10)
    ros.connected(pad)
    unknown = Joy(axes=[0.0] * 3, buttons=[0] * 5)
    ros.until(lambda: "unknown pad with 3 axes and 5 buttons" in desk.entry("pad")[1], lambda: pad.publish(unknown))
