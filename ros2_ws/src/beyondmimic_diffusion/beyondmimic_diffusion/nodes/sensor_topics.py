"""What a robot without ROS tells, as standard topics: ``joint_states``, ``imu/data``, ``joy``, battery."""

from __future__ import annotations

import math

from rclpy.node import Node
from sensor_msgs.msg import BatteryState, Imu, JointState, Joy

from ..core.estimation.grid import StampGrid
from ..core.robot import g1
from ..core.types import ImuSample, JointSample
from ..robot_io import RobotPort
from ..ros import qos
from ..ros.conversions import ImuWriter, JointStateWriter, time_to_msg

_BATTERY_PERIOD = 1.0
"""[s]."""
_JOY_PERIOD = 0.05
"""As ROS 2's joy node repeats itself [s]."""


class SensorTopics:
    """Publishers that take every sample and publish some."""

    def __init__(self, node: Node, frequency: float, imu_frame: str = "imu_in_pelvis"):
        """
        Args:
            node: Owns the publishers.
            frequency: Rate of ``joint_states`` and ``imu/data`` [Hz].
            imu_frame: Frame of ``imu/data``.
        """
        self._node = node
        self._joints, self._imu = JointStateWriter(g1.JOINT_NAMES), ImuWriter(imu_frame)
        self._joint_pub = node.create_publisher(JointState, "joint_states", qos.STREAM)
        self._imu_pub = node.create_publisher(Imu, "imu/data", qos.STREAM)
        self._joy_pub = node.create_publisher(Joy, "joy", qos.STREAM)
        self._battery_pub = node.create_publisher(BatteryState, "battery_state", qos.STREAM)
        self._sample_grid, self._joy_grid = StampGrid(1.0 / frequency), StampGrid(_JOY_PERIOD)
        self._battery_grid = StampGrid(_BATTERY_PERIOD)

    def close(self) -> None:
        """Remove the topics."""
        for publisher in (self._joint_pub, self._imu_pub, self._joy_pub, self._battery_pub):
            self._node.destroy_publisher(publisher)

    def publish(self, imu: ImuSample, joints: JointSample, robot: RobotPort) -> None:
        """Publish what is due at the samples' stamp."""
        if self._sample_grid.take(joints.stamp):
            self._imu_pub.publish(self._imu.write(imu))
            self._joint_pub.publish(self._joints.write(joints))
        sticks = robot.sticks() if self._joy_grid.take(joints.stamp) else None
        if sticks is not None:
            axes, buttons = sticks
            message = Joy(axes=list(axes), buttons=list(buttons))
            message.header.stamp = time_to_msg(joints.stamp)
            self._joy_pub.publish(message)
        voltage = robot.battery_voltage() if self._battery_grid.take(joints.stamp) else None
        if voltage is not None:
            self._battery_pub.publish(_battery(joints.stamp, voltage))


def _battery(stamp: float, voltage: float) -> BatteryState:
    """Only its voltage is known; what is not is NaN, as the message wants it."""
    message = BatteryState(voltage=voltage, present=True)
    message.header.stamp = time_to_msg(stamp)
    for name in ("temperature", "current", "charge", "capacity", "design_capacity", "percentage"):
        setattr(message, name, math.nan)
    return message
