"""A robot behind ROS topics: our MuJoCo node, or Isaac Sim's bridge."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
from beyondmimic_msgs.msg import JointCommand as JointCommandMsg
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Imu, JointState

from ..core.errors import BeyondMimicError
from ..core.types import Array, ImuSample, JointCommand, JointSample
from ..ros import qos
from ..ros.conversions import (
    JointCommandWriter,
    JointMap,
    JointStateWriter,
    imu_sample_from_msg,
    joint_sample_from_msg,
)

SAME_STAMP = 1e-6
"""Stamps closer than this are of one measurement [s]."""
COMMAND_TYPES = ("gains", "joint_state")
"""``gains``: ``motor_command`` with kp and kd; ``joint_state``: Isaac's ``joint_command``, gains in the simulator."""


class MotorTopic:
    """Where commands go."""

    def __init__(self, node: Node, joint_names: Sequence[str], command_type: str):
        """
        Args:
            node: Owner of the publisher.
            joint_names: The robot's joints in internal order.
            command_type: One of :data:`COMMAND_TYPES`.
        """
        self._node = node
        self._gains = JointCommandWriter(joint_names) if command_type == "gains" else None
        self._targets = JointStateWriter(joint_names)
        self._publisher: Publisher = (
            node.create_publisher(JointCommandMsg, "motor_command", qos.NEWEST)
            if self._gains is not None
            else node.create_publisher(JointState, "joint_command", qos.STREAM)
        )

    def close(self) -> None:
        """Leave the topic."""
        self._node.destroy_publisher(self._publisher)

    def others(self, allowed: Collection[str]) -> list[str]:
        """Who else publishes commands, as full node names.

        Args:
            allowed: Names of nodes (without namespace) of which one each may, in this node's namespace.
        """
        welcome = [self._node.get_fully_qualified_name()]
        welcome += [f"{self._node.get_namespace().rstrip('/')}/{name}" for name in allowed]
        strangers = []
        for info in self._node.get_publishers_info_by_topic(self._publisher.topic_name):
            name = f"{info.node_namespace.rstrip('/')}/{info.node_name}"
            if name in welcome:
                welcome.remove(name)
            else:
                strangers.append(name)
        return strangers

    def write(self, command: JointCommand) -> None:
        """Publish a command."""
        if self._gains is not None:
            self._publisher.publish(self._gains.write(command))
        else:
            sample = JointSample(command.stamp, command.position, command.velocity, command.tau_ff)
            self._publisher.publish(self._targets.write(sample))


class TopicMotors:
    """Motors behind a topic, for whoever only damps: measured positions are decoded when they are asked for."""

    def __init__(self, node: Node, joint_names: Sequence[str], command_type: str):
        """
        Args:
            node: Owner of publisher and subscription.
            joint_names: The robot's joints in internal order.
            command_type: One of :data:`COMMAND_TYPES`.
        """
        self._node = node
        self._joints = JointMap(joint_names)
        self._motors = MotorTopic(node, joint_names, command_type)
        self._raw: bytes | None = None
        self._subscription = node.create_subscription(JointState, "joint_states", self._on_raw, qos.NEWEST, raw=True)

    def close(self) -> None:
        """Leave the topics."""
        self._node.destroy_subscription(self._subscription)
        self._motors.close()

    def write(self, command: JointCommand) -> None:
        """Publish a command."""
        self._motors.write(command)

    def positions(self) -> Array | None:
        """Measured since the last call [rad], (J,); None if there are none, or no numbers."""
        raw, self._raw = self._raw, None
        if raw is None:
            return None
        try:
            position = joint_sample_from_msg(deserialize_message(raw, JointState), self._joints).position
        except BeyondMimicError:
            return None
        return position if np.isfinite(position).all() else None

    def _on_raw(self, raw: bytes) -> None:
        self._raw = raw  # 250 a second


class TopicRobot:
    """Reads ``joint_states`` and ``imu/data``, writes commands.

    ROS callbacks only replace the newest sample; :meth:`read` and :meth:`write` may be called from another thread.
    """

    def __init__(
        self,
        node: Node,
        joint_names: Sequence[str],
        command_type: str | None = None,
        on_pair: Callable[[ImuSample, JointSample], None] | None = None,
    ):
        """
        Args:
            node: Node that owns the subscriptions.
            joint_names: The robot's joints in internal order.
            command_type: One of :data:`COMMAND_TYPES`; None: read only.
            on_pair: Called (in the ROS thread) with each pair of samples of one measurement; None: only the newest
                samples are kept.
        """
        self._node = node
        self._joints = JointMap(joint_names)
        self._on_pair = on_pair
        self._imu: ImuSample | None = None
        self._sample: JointSample | None = None
        self._unpaired: JointSample | None = None
        self.refused = 0
        """Messages that could not be used."""
        profile = qos.STREAM if on_pair is not None else qos.NEWEST
        self._subscriptions = (
            node.create_subscription(JointState, "joint_states", self._on_joints, profile),
            node.create_subscription(Imu, "imu/data", self._on_imu, profile),
        )
        self._motors = None if command_type is None else MotorTopic(node, joint_names, command_type)

    def close(self) -> None:
        """Leave the topics."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        if self._motors is not None:
            self._motors.close()

    def read(self) -> tuple[ImuSample, JointSample] | None:
        """Newest sample of each, or None before the first."""
        imu, joints = self._imu, self._sample
        return None if imu is None or joints is None else (imu, joints)

    def other_writers(self, allowed: Collection[str], allowed_pids: Collection[int] = ()) -> list[str]:
        """Who else commands the motors; see :meth:`MotorTopic.others`."""
        return [] if self._motors is None else self._motors.others(allowed)

    def take(self) -> tuple[bool, str]:
        """Nobody has to be asked for them."""
        return True, "motors behind ROS topics have no controller of their own"

    def trouble(self) -> str:
        """Nothing beyond what the executor checks by itself."""
        return ""

    def stop_asked(self) -> bool:
        """There is no remote."""
        return False

    def sticks(self) -> None:
        """There is no remote."""

    def battery_voltage(self) -> None:
        """Nobody says."""

    def values(self) -> Mapping[str, Any]:
        """For diagnostics."""
        return {"refused_samples": self.refused}

    def write(self, command: JointCommand) -> None:
        """Publish a command."""
        if self._motors is not None:
            self._motors.write(command)

    def _on_joints(self, msg: JointState) -> None:
        try:
            sample = joint_sample_from_msg(msg, self._joints)
        except BeyondMimicError as error:
            self._refuse(error)
            return
        self._sample = sample
        if self._on_pair is None or self._imu is None:
            return
        if self._unpaired is not None and self._unpaired.stamp < sample.stamp:
            self._on_pair(self._imu, self._unpaired)  # its partner was lost, or comes at another rate
        self._unpaired = sample
        self._pair()

    def _on_imu(self, msg: Imu) -> None:
        try:
            self._imu = imu_sample_from_msg(msg)
        except BeyondMimicError as error:
            self._refuse(error)
            return
        if self._on_pair is not None:
            self._pair()

    def _pair(self) -> None:
        imu, joints = self._imu, self._unpaired
        if imu is None or joints is None or self._on_pair is None or imu.stamp < joints.stamp - SAME_STAMP:
            return
        self._unpaired = None
        self._on_pair(imu, joints)

    def _refuse(self, error: BeyondMimicError) -> None:
        self.refused += 1
        self._node.get_logger().warning(f"sample refused: {error}", throttle_duration_sec=1.0)
