"""Ways to motors and IMU; whoever moves or measures the robot sees only ``RobotInterface``."""

from .command_lease import ExecutorLease, LeaseError, SupervisorLease, lease_path
from .topic_robot import COMMAND_TYPES, MotorTopic, TopicRobot
from .writer_watch import WriterWatch

__all__ = [
    "COMMAND_TYPES",
    "ExecutorLease",
    "LeaseError",
    "MotorTopic",
    "SupervisorLease",
    "TopicRobot",
    "WriterWatch",
    "lease_path",
]
