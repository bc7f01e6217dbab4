"""How the simulated robot is connected: sensors out and commands in, over ROS topics or over Unitree's DDS."""

from __future__ import annotations

from typing import Protocol

from beyondmimic_msgs.msg import JointCommand as JointCommandMsg
from rclpy.node import Node
from sensor_msgs.msg import Imu, JointState

from ..core.errors import BeyondMimicError
from ..core.robot import g1
from ..core.types import ImuSample, JointCommand, JointSample
from ..robot_io.unitree_board import UnitreeBoard
from ..ros import qos
from ..ros.cdr import ImuWriter, JointCommandReader, JointStateWriter
from ..ros.conversions import JointMap
from ..ros.polled import PolledInputs

ROBOT_INTERFACES = ("topics", "unitree")
"""``topics``: joint_states, imu/data, motor_command; ``unitree``: rt/lowstate and rt/lowcmd."""


class Connection(Protocol):
    """One end of the way between the robot and its controller: the robot's."""

    def publish(self, imu: ImuSample, joints: JointSample) -> None:
        """Send what was measured in one step."""
        ...

    def command(self) -> JointCommand | None:
        """Newest command; None before the first."""
        ...

    def forget(self) -> None:
        """The robot was put back: there is no command any more."""
        ...

    def close(self) -> None:
        """Leave."""
        ...


class TopicConnection:
    """As Isaac Sim's bridge names the topics."""

    def __init__(self, node: Node, imu_frame: str):
        """
        Args:
            node: Owns publishers and subscription.
            imu_frame: Frame of ``imu/data``.
        """
        self._node = node
        self._reader = JointCommandReader(JointMap(g1.JOINT_NAMES))
        self._joint_writer, self._imu_writer = JointStateWriter(g1.JOINT_NAMES), ImuWriter(imu_frame)
        self._joint_pub = node.create_publisher(JointState, "joint_states", qos.STREAM)
        self._imu_pub = node.create_publisher(Imu, "imu/data", qos.STREAM)
        self._command: JointCommand | None = None
        self._inputs = PolledInputs(node, "command_input")
        self._commands = self._inputs.subscribe(JointCommandMsg, "motor_command", qos.NEWEST)

    def publish(self, imu: ImuSample, joints: JointSample) -> None:
        """See :class:`Connection`."""
        self._imu_pub.publish(self._imu_writer.write(imu))
        self._joint_pub.publish(self._joint_writer.write(joints))

    def command(self) -> JointCommand | None:
        """See :class:`Connection`; in the physics' thread."""
        raw = self._commands.newest()
        if raw is not None:
            try:
                self._command = self._reader.read(raw)
            except BeyondMimicError as error:
                self._node.get_logger().warning(f"command refused: {error}", throttle_duration_sec=1.0)
        return self._command

    def forget(self) -> None:
        """See :class:`Connection`."""
        self._commands.newest()
        self._command = None

    def close(self) -> None:
        """Leave the topics of commands; the others end with the node."""
        self._inputs.close()


def connect(node: Node, interface: str, imu_frame: str, unitree_domain: int) -> Connection:
    """Connect the simulated robot.

    Args:
        node: Of the simulator.
        interface: One of :data:`ROBOT_INTERFACES`.
        imu_frame: Frame of ``imu/data``, where there is that topic.
        unitree_domain: Of DDS, where that is used.

    Raises:
        DdsError: CycloneDDS is missing or unsuitable, or the domain is that of real robots.
    """
    return TopicConnection(node, imu_frame) if interface == "topics" else UnitreeBoard(unitree_domain)
