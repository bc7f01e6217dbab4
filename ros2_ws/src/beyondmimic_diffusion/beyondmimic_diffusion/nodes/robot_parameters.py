"""Parameters of the way to the robot, the same in each node that goes it."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..core.parameters import param
from ..robot_io import COMMAND_TYPES, ROBOT_INTERFACES, UnitreeConfig


@dataclass(frozen=True)
class RobotParameters:
    """To its sensors."""

    robot_interface: str = param(
        "topics",
        choices=ROBOT_INTERFACES,
        doc="The way to motors and sensors: ROS topics, or Unitree's DDS.",
    )
    unitree: UnitreeConfig = field(default_factory=UnitreeConfig)


@dataclass(frozen=True)
class MotorParameters(RobotParameters):
    """To its motors, too."""

    command_type: str = param(
        "gains",
        choices=COMMAND_TYPES,
        doc="motor_command with gains (MuJoCo node), or joint_command as JointState (Isaac Sim).",
    )
