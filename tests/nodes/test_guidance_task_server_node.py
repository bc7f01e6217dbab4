"""What the operator asks for becomes one goal, and silence becomes standing."""

import math

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")

from beyondmimic_diffusion.nodes.guidance_task_server_node import GuidanceTaskServerNode  # noqa: E402
from beyondmimic_diffusion.ros import qos  # noqa: E402
from beyondmimic_diffusion.ros.conversions import time_from_msg  # noqa: E402
from beyondmimic_msgs.msg import GuidanceGoal  # noqa: E402
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus  # noqa: E402
from geometry_msgs.msg import Twist, TwistStamped  # noqa: E402
from sensor_msgs.msg import Joy  # noqa: E402

pytestmark = pytest.mark.ros


def wish(goal):
    twist = goal.terms[0].velocity.twist
    return twist.linear.x, twist.linear.y, twist.angular.z


class Operator:
    def __init__(self, ros, **parameters):
        self.ros = ros
        self.goals = ros.heard(GuidanceGoal, "guidance/active", qos.LATCHED)
        self.node = ros.make(GuidanceTaskServerNode, parameters)
        assert self.node.autostart()
        self.type = TwistStamped if parameters.get("enable_stamped_cmd_vel", True) else Twist
        self.cmd_vel = ros.probe.create_publisher(self.type, "cmd_vel", qos.ORDER)
        self.joy = ros.probe.create_publisher(Joy, "joy", qos.SENSOR_INPUT)
        ros.connected(self.cmd_vel)
        ros.connected(self.joy)

    def command(self, vx, vy=0.0, wz=0.0):
        message = self.type()
        twist = message.twist if self.type is TwistStamped else message
        twist.linear.x, twist.linear.y, twist.angular.z = vx, vy, wz
        self.cmd_vel.publish(message)

    def sticks(self, forward, held):
        axes = [0.0] * 6
        axes[1] = forward
        self.joy.publish(Joy(axes=axes, buttons=[0, 0, 0, 0, int(held), 0]))

    def newest(self):
        return wish(self.goals[-1]) if self.goals else None


def test_it_tells_whether_it_is_active(ros):
    operator = Operator(ros)
    assert ros.ask("guidance_task_server/is_active").success
    operator.node.trigger_deactivate()
    assert not ros.ask("guidance_task_server/is_active").success


def test_before_any_command_the_wish_is_to_stand_without_expiry(ros):
    operator = Operator(ros)
    ros.until(lambda: operator.goals)
    assert operator.newest() == (0.0, 0.0, 0.0)
    assert time_from_msg(operator.goals[-1].expires) == 0.0


@pytest.mark.parametrize("stamped", [True, False])
def test_a_command_becomes_a_goal_that_expires_half_a_second_later(ros, stamped):
    operator = Operator(ros, enable_stamped_cmd_vel=stamped)
    ros.until(lambda: operator.newest() == (0.4, 0.1, -0.3), lambda: operator.command(0.4, 0.1, -0.3))
    first = next(goal for goal in operator.goals if wish(goal) == (0.4, 0.1, -0.3))
    lifetime = time_from_msg(first.expires) - time_from_msg(first.header.stamp)
    assert 0.0 < lifetime <= 0.5


def test_a_command_that_is_not_renewed_becomes_the_wish_to_stand(ros):
    operator = Operator(ros, cmd_vel_timeout=0.2)
    ros.until(lambda: operator.newest() == (0.4, 0.0, 0.0), lambda: operator.command(0.4))
    ros.until(lambda: operator.newest() == (0.0, 0.0, 0.0))
    assert time_from_msg(operator.goals[-1].expires) == 0.0


def test_goals_are_numbered_upwards(ros):
    operator = Operator(ros)
    for speed in (0.1, 0.2, 0.3):
        ros.until(
            lambda speed=speed: operator.newest() == (speed, 0.0, 0.0), lambda speed=speed: operator.command(speed)
        )
    numbers = [goal.seq for goal in operator.goals]
    assert numbers == sorted(set(numbers))


def test_a_command_with_nan_is_refused_the_goal_stays_and_diagnostics_say_so(ros):
    operator = Operator(ros)
    found = ros.heard(DiagnosticArray, "/diagnostics")
    ros.until(lambda: operator.goals)

    def warned():
        texts = [s.message for m in found for s in m.status if s.level == DiagnosticStatus.WARN]
        return any("cmd_vel refused" in text and "finite" in text for text in texts)

    def ask():
        operator.command(0.4, math.nan)
        operator.node.diagnostics.publish()

    ros.until(warned, ask)
    assert {wish(goal) for goal in operator.goals} == {(0.0, 0.0, 0.0)}


def test_a_command_beyond_the_limits_is_cut_to_them(ros):
    operator = Operator(ros, **{"limits.forward": 0.5, "limits.lateral": 0.2})
    ros.until(lambda: operator.newest() == (0.5, -0.2, 0.0), lambda: operator.command(2.0, -2.0))


def test_the_joystick_counts_only_while_the_dead_man_is_held_and_after_it_was_seen_at_rest(ros):
    operator = Operator(ros, **{"limits.forward": 0.8, "joy.slow": 0.5})
    for _ in range(5):
        operator.sticks(1.0, held=True)
        ros.spin(0.05)
    assert operator.newest() == (0.0, 0.0, 0.0)
    operator.sticks(0.0, held=False)
    ros.spin(0.1)
    ros.until(lambda: operator.newest() == (0.4, 0.0, 0.0), lambda: operator.sticks(1.0, held=True))
    ros.until(lambda: operator.newest() == (0.0, 0.0, 0.0), lambda: operator.sticks(1.0, held=False))


def test_clearing_the_goals_means_to_stand(ros):
    operator = Operator(ros, cmd_vel_timeout=5.0)
    ros.until(lambda: operator.newest() == (0.4, 0.0, 0.0), lambda: operator.command(0.4))
    assert ros.ask("guidance/clear").success
    ros.until(lambda: operator.newest() == (0.0, 0.0, 0.0))


def test_a_command_and_a_stick_are_forwarded_as_they_come_and_wait_for_no_tick(ros):
    operator = Operator(ros)
    ros.until(lambda: operator.goals)
    operator.node._timer.cancel()  # the tick
    operator.command(0.3)
    ros.until(lambda: operator.newest() == (0.3, 0.0, 0.0))
    operator.sticks(0.0, held=False)
    ros.until(lambda: operator.node._joy._seen_neutral)
    operator.sticks(1.0, held=True)
    ros.until(lambda: operator.newest()[0] == pytest.approx(0.5 * 0.8))


def test_a_flood_of_commands_gives_a_goal_each_20_ms_and_the_newest_command_is_never_left_out(ros):
    operator = Operator(ros)
    ros.until(lambda: operator.goals)
    operator.node._timer.cancel()
    del operator.goals[:]
    for number in range(1, 501):
        operator.command(0.001 * number)
        ros.spin(0.001)
    ros.until(lambda: operator.newest() == (0.5, 0.0, 0.0))
    stamps = [time_from_msg(goal.header.stamp) for goal in operator.goals]
    assert len(stamps) <= (stamps[-1] - stamps[0]) / 0.02 + 2
    speeds = [wish(goal)[0] for goal in operator.goals]
    assert speeds == sorted(set(speeds))
