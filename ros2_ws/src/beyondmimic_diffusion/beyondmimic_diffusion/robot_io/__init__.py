"""Ways to motors and IMU; whoever moves or measures the robot sees only ``RobotInterface``."""

from .command_lease import ExecutorLease, LeaseError, SupervisorLease, lease_path
from .robot_port import ROBOT_INTERFACES, Motors, RobotPort, UnitreeConfig, open_motors, open_robot
from .topic_robot import COMMAND_TYPES, MotorTopic, TopicMotors, TopicRobot
from .unitree_checks import UnitreeLimits
from .writer_watch import WriterWatch

__all__ = [
    "COMMAND_TYPES",
    "ROBOT_INTERFACES",
    "ExecutorLease",
    "LeaseError",
    "MotorTopic",
    "Motors",
    "RobotPort",
    "SupervisorLease",
    "TopicMotors",
    "TopicRobot",
    "UnitreeConfig",
    "UnitreeLimits",
    "WriterWatch",
    "lease_path",
    "open_motors",
    "open_robot",
]
