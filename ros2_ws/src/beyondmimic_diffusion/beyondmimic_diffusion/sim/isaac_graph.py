"""Isaac Sim's side of the robot's topics, as a table: nodes of an OmniGraph, their wires and values. No Isaac here.

It offers what the MuJoCo node offers, at the same rates, in the same frames and qualities of service; a test holds the
two against each other. ``isaac_stage.py`` builds the graph out of it, in Isaac Sim.

The graph is executed on demand, by each *physics* step: the usual playback tick comes with rendered frames only, so
joint states would follow the frame rate.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ..core.errors import ConfigError

PHYSICS_RATE = 500.0
"""[Hz]."""
GRAPH_PATH = "/G1Bridge"


@dataclass(frozen=True)
class Quality:
    """What ``ROS2QoSProfile`` is set to; always keep-last, volatile."""

    reliable: bool
    depth: int


STREAM = Quality(reliable=True, depth=10)
NEWEST = Quality(reliable=False, depth=1)


@dataclass(frozen=True)
class Channel:
    """One topic of the bridge."""

    topic: str
    message: str
    """ROS type, e.g. ``sensor_msgs/msg/Imu``."""
    quality: Quality
    rate: float = 0.0
    """[Hz]; 0 for what comes in."""
    frame_id: str = ""
    child_frame_id: str = ""


CLOCK = Channel("clock", "rosgraph_msgs/msg/Clock", NEWEST, 50.0)
JOINT_STATES = Channel("joint_states", "sensor_msgs/msg/JointState", STREAM, 250.0)
IMU = Channel("imu", "sensor_msgs/msg/Imu", STREAM, 250.0, frame_id="imu_in_pelvis")
TRUTH = Channel("odom_truth", "nav_msgs/msg/Odometry", STREAM, 50.0, frame_id="odom", child_frame_id="pelvis")
COMMAND = Channel("joint_command", "sensor_msgs/msg/JointState", STREAM)
PUBLISHED = (CLOCK, JOINT_STATES, IMU, TRUTH)
"""Names as Isaac Sim's samples have them; ``graph.py`` remaps ours to them. ``odom_truth`` is apart from the
estimator's ``odom``, and no transform is published: odom -> pelvis has one owner, the estimator."""

ROS_PREFIXES = ("isaacsim.ros2.nodes.", "isaacsim.ros2.bridge.")
"""Where the bridge's node types live, newest first; up to 5.1 only the second, later releases moved them.
The first that is registered is taken: this is the one switch between generations."""
_CORE, _PHYSICS = "isaacsim.core.nodes.", "isaacsim.sensors.physics."
JOINT_READER = f"{_PHYSICS}IsaacReadJointState"
"""From 6.0 on; before, the publisher read the robot itself."""


@dataclass(frozen=True)
class Prims:
    """Paths in the stage."""

    robot: str
    """Articulation root."""
    pelvis: str
    imu: str


@dataclass(frozen=True)
class GraphTable:
    """What ``og.Controller.edit`` is given."""

    nodes: tuple[tuple[str, str], ...]
    """Name, type."""
    wires: tuple[tuple[str, str], ...]
    """From, to; ``node.outputs:port`` and ``node.inputs:port``."""
    values: tuple[tuple[str, object], ...]
    """Input, value."""
    targets: tuple[tuple[str, str], ...]
    """Input that takes a prim, its path."""


def make_table(prims: Prims, registered: Collection[str], namespace: str = "") -> GraphTable:
    """The bridge for one robot.

    Args:
        registered: Node types that this Isaac Sim knows.
        namespace: ROS namespace of the robot's topics; ``/clock`` has none.

    Raises:
        ConfigError: A node type is not known in any of its names.
    """
    ros = _prefix(registered)
    builder = _Builder(ros, registered)
    builder.node("PhysicsStep", f"{_CORE}OnPhysicsStep")
    builder.node("Time", f"{_CORE}IsaacReadSimulationTime", resetOnStop=False)
    builder.node("Context", f"{ros}ROS2Context", useDomainIDEnvVar=True)
    for name, quality in (("StreamQuality", STREAM), ("NewestQuality", NEWEST)):
        builder.node(
            name,
            f"{ros}ROS2QoSProfile",
            createProfile="Custom",
            history="keepLast",
            depth=quality.depth,
            reliability="reliable" if quality.reliable else "bestEffort",
            durability="volatile",
        )
    _add_command(builder, prims, namespace)
    _add_clock(builder)
    _add_joint_states(builder, prims, namespace)
    _add_imu(builder, prims, namespace)
    _add_truth(builder, prims, namespace)
    return builder.table()


def _prefix(registered: Collection[str]) -> str:
    for prefix in ROS_PREFIXES:
        if f"{prefix}ROS2Context" in registered:
            return prefix
    raise ConfigError(
        f"this Isaac Sim knows no node type {' or '.join(p + 'ROS2Context' for p in ROS_PREFIXES)}; "
        "enable the extension isaacsim.ros2.bridge, with ROS 2 found (see docs/isaac.md); 5.x and 6.x are supported"
    )


class _Builder:
    def __init__(self, ros: str, registered: Collection[str]):
        self.ros, self.registered = ros, registered
        self._nodes: list[tuple[str, str]] = []
        self._wires: list[tuple[str, str]] = []
        self._values: list[tuple[str, object]] = []
        self._targets: list[tuple[str, str]] = []

    def node(self, name: str, kind: str, **values: object) -> None:
        if kind not in self.registered:
            raise ConfigError(f"this Isaac Sim knows no node type '{kind}', which '{name}' of the bridge is")
        self._nodes.append((name, kind))
        self._values += [(f"{name}.inputs:{port}", value) for port, value in values.items()]

    def wire(self, source: str, port: str, target: str, into: str) -> None:
        self._wires.append((f"{source}.outputs:{port}", f"{target}.inputs:{into}"))

    def target(self, name: str, port: str, path: str) -> None:
        self._targets.append((f"{name}.inputs:{port}", path))

    def gate(self, channel: Channel) -> str:
        """A node that lets every n-th physics step through."""
        name = f"Gate_{channel.topic}"
        self.node(name, f"{_CORE}IsaacSimulationGate", step=round(PHYSICS_RATE / channel.rate))
        self.wire("PhysicsStep", "step", name, "execIn")
        return name

    def ros_node(self, name: str, kind: str, channel: Channel, namespace: str, **values: object) -> None:
        self.node(name, f"{self.ros}{kind}", topicName=channel.topic, nodeNamespace=namespace, **values)
        self.wire("Context", "context", name, "context")
        quality = "StreamQuality" if channel.quality == STREAM else "NewestQuality"
        self.wire(quality, "qosProfile", name, "qosProfile")

    def table(self) -> GraphTable:
        return GraphTable(tuple(self._nodes), tuple(self._wires), tuple(self._values), tuple(self._targets))


def _add_command(b: _Builder, prims: Prims, namespace: str) -> None:
    """Commands first, so that a step acts on the newest; the drives' gains are in the stage."""
    b.ros_node("SubscribeCommand", "ROS2SubscribeJointState", COMMAND, namespace)
    b.wire("PhysicsStep", "step", "SubscribeCommand", "execIn")
    b.node("Motors", f"{_CORE}IsaacArticulationController")
    b.target("Motors", "targetPrim", prims.robot)
    b.wire("SubscribeCommand", "execOut", "Motors", "execIn")
    for port in ("jointNames", "positionCommand", "velocityCommand", "effortCommand"):
        b.wire("SubscribeCommand", port, "Motors", port)


def _add_clock(b: _Builder) -> None:
    b.ros_node("PublishClock", "ROS2PublishClock", CLOCK, "")
    b.wire(b.gate(CLOCK), "execOut", "PublishClock", "execIn")
    b.wire("Time", "simulationTime", "PublishClock", "timeStamp")


def _add_joint_states(b: _Builder, prims: Prims, namespace: str) -> None:
    b.ros_node("PublishJoints", "ROS2PublishJointState", JOINT_STATES, namespace)
    b.wire("Time", "simulationTime", "PublishJoints", "timeStamp")
    gate = b.gate(JOINT_STATES)
    if JOINT_READER not in b.registered:
        b.target("PublishJoints", "targetPrim", prims.robot)
        b.wire(gate, "execOut", "PublishJoints", "execIn")
        return
    b.node("ReadJoints", JOINT_READER)
    b.target("ReadJoints", "prim", prims.robot)
    b.wire(gate, "execOut", "ReadJoints", "execIn")
    b.wire("ReadJoints", "execOut", "PublishJoints", "execIn")
    for port in ("jointNames", "jointPositions", "jointVelocities", "jointEfforts", "jointDofTypes"):
        b.wire("ReadJoints", port, "PublishJoints", port)
    b.wire("ReadJoints", "stageMetersPerUnit", "PublishJoints", "stageMetersPerUnit")


def _add_imu(b: _Builder, prims: Prims, namespace: str) -> None:
    """The specific force: gravity is in it, as in a real accelerometer and in MuJoCo's."""
    b.node("ReadImu", f"{_PHYSICS}IsaacReadIMU", readGravity=True, useLatestData=True)
    b.target("ReadImu", "imuPrim", prims.imu)
    b.wire(b.gate(IMU), "execOut", "ReadImu", "execIn")
    b.ros_node("PublishImu", "ROS2PublishImu", IMU, namespace, frameId=IMU.frame_id)
    b.wire("ReadImu", "execOut", "PublishImu", "execIn")
    b.wire("Time", "simulationTime", "PublishImu", "timeStamp")
    for source, into in (("linAcc", "linearAcceleration"), ("angVel", "angularVelocity"), ("orientation",) * 2):
        b.wire("ReadImu", source, "PublishImu", into)


def _add_truth(b: _Builder, prims: Prims, namespace: str) -> None:
    """Pose in the world, twist in pelvis axes.

    ``IsaacComputeOdometry`` tells the pose relative to the first one, height and heading included; so the pose comes
    from the prim itself and only the velocities, which it gives in body axes, from there.
    """
    b.node("Pose", f"{_CORE}IsaacReadWorldPose")
    b.target("Pose", "prim", prims.pelvis)
    b.node("Velocity", f"{_CORE}IsaacComputeOdometry")
    b.target("Velocity", "chassisPrim", prims.robot)
    b.wire(b.gate(TRUTH), "execOut", "Velocity", "execIn")
    frames = {"odomFrameId": TRUTH.frame_id, "chassisFrameId": TRUTH.child_frame_id, "publishRawVelocities": True}
    b.ros_node("PublishTruth", "ROS2PublishOdometry", TRUTH, namespace, **frames)
    b.wire("Velocity", "execOut", "PublishTruth", "execIn")
    b.wire("Time", "simulationTime", "PublishTruth", "timeStamp")
    b.wire("Pose", "translation", "PublishTruth", "position")
    b.wire("Pose", "orientation", "PublishTruth", "orientation")
    b.wire("Velocity", "linearVelocity", "PublishTruth", "linearVelocity")
    b.wire("Velocity", "angularVelocity", "PublishTruth", "angularVelocity")
