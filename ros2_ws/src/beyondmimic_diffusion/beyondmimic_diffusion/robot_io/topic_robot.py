"""A robot behind ROS topics: our MuJoCo node, or Isaac Sim's bridge."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from beyondmimic_msgs.msg import JointCommand as JointCommandMsg
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.subscription import Subscription
from sensor_msgs.msg import Imu, JointState

from ..core.errors import BeyondMimicError
from ..core.types import Array, ImuSample, JointCommand, JointSample
from ..ros import qos
from ..ros.cdr import ImuReader, JointCommandWriter, JointStateReader, JointStateWriter
from ..ros.cdr.readers import Reader
from ..ros.conversions import JointMap
from ..ros.polled import Companion, PolledInputs, PolledTopic, QueuedTopic
from ..ros.publisher_types import wrong_type

S = TypeVar("S")

SAME_STAMP = 1e-6
"""Stamps closer than this are of one measurement [s]."""
_COMPLAINT_PERIOD = 1.0
"""How often refused samples are reported [s]."""
_FORGIVEN = 50
"""So many good messages in a row end a complaint about a topic."""
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
    """Motors behind a topic, for whoever only damps. Damping without stiffness pulls nowhere: with gains in the
    commands, samples are subscribed to by :meth:`listen` and cost nothing before; else from the start.
    """

    def __init__(self, node: Node, joint_names: Sequence[str], command_type: str):
        """
        Args:
            node: Owner of publisher and subscription.
            joint_names: The robot's joints in internal order.
            command_type: One of :data:`COMMAND_TYPES`.
        """
        self._reader = JointStateReader(JointMap(joint_names))
        self._motors = MotorTopic(node, joint_names, command_type)
        self._inputs = PolledInputs(node, "sample_inputs")
        self._joint_states: PolledTopic | QueuedTopic | None = None
        if command_type != "gains":
            self.listen()

    def listen(self) -> None:
        """Subscribe to the samples, if that is not done yet; from one thread, be it the reader's or another."""
        if self._joint_states is None:
            self._joint_states = self._inputs.subscribe(JointState, "joint_states", qos.NEWEST)

    def close(self) -> None:
        """Leave the topics."""
        self._inputs.close()
        self._motors.close()

    def write(self, command: JointCommand) -> None:
        """Publish a command."""
        self._motors.write(command)

    def positions(self) -> Array | None:
        """Measured since the last call [rad], (J,); None if there are none, or no numbers."""
        raw = None if self._joint_states is None else self._joint_states.newest()
        if raw is None:
            return None
        try:
            position = self._reader.read(raw).position
        except BeyondMimicError:
            return None
        return position if np.isfinite(position).all() else None


class _Samples:
    """Decodes ``joint_states`` and ``imu/data``; what cannot be used is counted and reported now and then."""

    def __init__(self, node: Node, joint_names: Sequence[str]):
        self._node = node
        self._joints, self._imu = JointStateReader(JointMap(joint_names)), ImuReader()
        self.refused = 0
        """Messages that could not be used."""
        self.wrong: dict[str, str] = {}
        """By topic: why one of its newest messages could not be used."""
        self._good: dict[str, int] = {}
        self._complaint = ""
        self._timer = node.create_timer(
            _COMPLAINT_PERIOD, self._complain, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    def close(self) -> None:
        """Report nothing any more."""
        self._node.destroy_timer(self._timer)

    def joints(self, raw: bytes) -> JointSample | None:
        """A sample of the joints; None if it was refused."""
        return self._read("joint_states", self._joints, raw)

    def imu(self, raw: bytes) -> ImuSample | None:
        """A sample of the IMU; None if it was refused."""
        return self._read("imu/data", self._imu, raw)

    def _read(self, topic: str, reader: Reader[S], raw: bytes) -> S | None:
        try:
            sample = reader.read(raw)
        except BeyondMimicError as error:
            self.refused += 1
            self._complaint = self.wrong[topic] = str(error)
            self._good[topic] = 0
            return None
        if topic in self.wrong:
            self._good[topic] += 1
            if self._good[topic] >= _FORGIVEN:  # not at once: a second publisher may be the one that is right
                del self.wrong[topic]
        return sample

    def _complain(self) -> None:
        """In ROS's thread: whoever reads samples may be a tick, which must not wait for a log."""
        if self._complaint:
            self._node.get_logger().warning(f"sample refused: {self._complaint}")
            self._complaint = ""


class TopicRobot:
    """Reads ``joint_states`` and ``imu/data``, writes commands.

    Without ``on_pair``, :meth:`read` fetches the newest samples itself, so that no thread is woken for each message.
    :meth:`read` and :meth:`write` may be called from another thread than ROS's.
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
        self._samples = _Samples(node, joint_names)
        self._on_pair = on_pair
        self._imu: ImuSample | None = None
        self._sample: JointSample | None = None
        self._unpaired: JointSample | None = None
        self._fetching = threading.Lock()
        self._inputs = PolledInputs(node, "sample_inputs")
        self._subscription: Subscription | None = None
        if on_pair is None:
            self._joint_topic = self._inputs.subscribe(JointState, "joint_states", qos.NEWEST)
            self._imu_topic = self._inputs.subscribe(Imu, "imu/data", qos.NEWEST)
        else:
            self._imus = Companion(node, self._inputs, Imu, "imu/data", qos.SAMPLES, self._on_imu)
            self._subscription = node.create_subscription(
                JointState, "joint_states", self._on_joints, qos.SAMPLES, raw=True
            )
        self._motors = None if command_type is None else MotorTopic(node, joint_names, command_type)

    def close(self) -> None:
        """Leave the topics."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._imus.close()
        self._inputs.close()
        self._samples.close()
        if self._motors is not None:
            self._motors.close()

    @property
    def refused(self) -> int:
        """Messages that could not be used."""
        return self._samples.refused

    def read(self) -> tuple[ImuSample, JointSample] | None:
        """Newest sample of each, or None before the first."""
        if self._on_pair is None:
            self._fetch()
        imu, joints = self._imu, self._sample
        return None if imu is None or joints is None else (imu, joints)

    def other_writers(self, allowed: Collection[str], allowed_pids: Collection[int] = ()) -> list[str]:
        """Who else commands the motors; see :meth:`MotorTopic.others`."""
        return [] if self._motors is None else self._motors.others(allowed)

    def take(self) -> tuple[bool, str]:
        """Nobody has to be asked for them."""
        return True, "motors behind ROS topics have no controller of their own"

    def trouble(self) -> str:
        """What forbids to arm beyond what the executor checks by itself."""
        return self.sample_trouble()

    def sample_trouble(self) -> str:
        """Why the newest messages of a topic cannot be used, or why none come; empty if all is well."""
        wrong = tuple(self._samples.wrong.values())
        if wrong:
            return "; ".join(wrong)
        for topic, kind, sample in (("joint_states", JointState, self._sample), ("imu/data", Imu, self._imu)):
            other = "" if sample is not None else wrong_type(self._node, topic, kind)
            if other:
                return other
        return ""

    def missing(self) -> str:
        """Topics of which no message has come, in a sentence; empty if both have."""
        topics = [t for t, sample in (("joint_states", self._sample), ("imu/data", self._imu)) if sample is None]
        counts = [f"{topic} ({self._node.count_publishers(topic)} publishers)" for topic in topics]
        return f"no message yet on {' and '.join(counts)}" if topics else ""

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

    def _fetch(self) -> None:
        with self._fetching:
            raw = self._joint_topic.newest()
            if raw is not None:
                self._sample = self._samples.joints(raw) or self._sample
            raw = self._imu_topic.newest()
            if raw is not None:
                self._imu = self._samples.imu(raw) or self._imu

    def _on_joints(self, raw: bytes) -> None:
        sample = self._samples.joints(raw)
        if sample is None:
            return
        self._sample = sample
        self._imus.fetch()
        if self._on_pair is None or self._imu is None:
            return
        if self._unpaired is not None and self._unpaired.stamp < sample.stamp:
            self._on_pair(self._imu, self._unpaired)  # its partner was lost, or comes at another rate
        self._unpaired = sample
        self._pair()
        self._imus.look(self._unpaired is not None)

    def _on_imu(self, raw: bytes) -> None:
        imu = self._samples.imu(raw)
        if imu is None:
            return
        self._imu = imu
        self._pair()
        self._imus.look(self._unpaired is not None)

    def _pair(self) -> None:
        imu, joints = self._imu, self._unpaired
        if imu is None or joints is None or self._on_pair is None or imu.stamp < joints.stamp - SAME_STAMP:
            return
        self._unpaired = None
        self._on_pair(imu, joints)
