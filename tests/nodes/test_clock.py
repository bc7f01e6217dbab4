"""ROS time between two /clock messages, on a virtual steady clock."""

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from beyondmimic_diffusion.ros.clock import LoopClock  # noqa: E402
from rclpy.clock import ROSClock  # noqa: E402
from rclpy.time import Time  # noqa: E402

pytestmark = pytest.mark.ros
NANO = 1e-9
"""Stamps are whole nanoseconds."""


class Steady:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Clocks:
    """A simulated ROS clock and a steady one, both set by hand."""

    def __init__(self, node):
        self.steady = Steady()
        self.jumps = []
        ros_clock = node.get_clock()
        assert isinstance(ros_clock, ROSClock)
        self.ros_clock = ros_clock
        self.ros_clock._set_ros_time_is_active(True)
        self.loop = LoopClock(node, self.jumps.append, self.steady)

    def tick(self, stamp, steady):
        """One /clock message."""
        self.steady.now = steady
        self.ros_clock.set_ros_time_override(Time(nanoseconds=round(stamp * 1e9)))

    def at(self, steady):
        self.steady.now = steady
        return self.loop.now()


@pytest.fixture
def clocks(ros):
    clocks = Clocks(ros.probe)
    for i in range(200):  # simulated time at half speed
        clocks.tick(5.0 + 0.008 * i, 100.0 + 0.016 * i)
    return clocks


END, STEADY_END = 5.0 + 0.008 * 199, 100.0 + 0.016 * 199


def test_between_two_messages_time_runs_on_at_the_rate_at_which_the_simulation_runs(clocks):
    assert clocks.at(STEADY_END + 0.008) == pytest.approx(END + 0.004, abs=1e-6)


def test_it_waits_at_the_time_of_the_next_message_however_late_that_is(clocks):
    assert clocks.at(STEADY_END + 3.0) == pytest.approx(END + 0.008, abs=NANO)
    assert clocks.at(STEADY_END + 9.0) == pytest.approx(END + 0.008, abs=NANO)


def test_it_never_runs_backwards_when_a_message_is_behind_the_extrapolation(clocks):
    ahead = clocks.at(STEADY_END + 0.016)
    clocks.tick(END + 0.002, STEADY_END + 0.017)
    assert clocks.at(STEADY_END + 0.017) == ahead


@pytest.mark.parametrize("step", [-1.0, 2.0])
def test_a_jump_is_reported_with_its_size_and_time_goes_on_from_there(clocks, step):
    assert clocks.jumps == []
    clocks.tick(END + step, STEADY_END + 0.016)
    assert clocks.jumps == [pytest.approx(step, abs=NANO)]
    assert clocks.at(STEADY_END + 0.016) == pytest.approx(END + step, abs=NANO)


def test_without_simulated_time_it_is_the_clock_itself(ros):
    before = ros.probe.get_clock().now().nanoseconds * 1e-9
    now = LoopClock(ros.probe).now()
    assert before <= now <= ros.probe.get_clock().now().nanoseconds * 1e-9
