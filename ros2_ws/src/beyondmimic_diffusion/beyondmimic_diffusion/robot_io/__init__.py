"""Ways to motors and IMU; whoever moves or measures the robot sees only ``RobotInterface``."""

from .topic_robot import TopicRobot

__all__ = ["TopicRobot"]
