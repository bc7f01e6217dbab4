"""Ports of Isaac Sim 6.0.1's node types that we use, read off its ``.ogn`` definitions: (inputs, outputs)."""

ROS = {
    "ROS2Context": ({"domain_id", "useDomainIDEnvVar"}, {"context"}),
    "ROS2QoSProfile": (
        {"history", "depth", "reliability", "durability", "deadline", "lifespan", "liveliness", "createProfile"},
        {"qosProfile"},
    ),
    "ROS2PublishClock": ({"execIn", "context", "nodeNamespace", "topicName", "qosProfile", "timeStamp"}, set()),
    "ROS2PublishImu": (
        {"execIn", "context", "nodeNamespace", "frameId", "topicName", "qosProfile", "timeStamp"}
        | {"orientation", "linearAcceleration", "angularVelocity"},
        set(),
    ),
    "ROS2PublishJointState": (
        {"execIn", "context", "targetPrim", "nodeNamespace", "topicName", "qosProfile", "timeStamp"}
        | {"jointNames", "jointPositions", "jointVelocities", "jointEfforts", "jointDofTypes"}
        | {"stageMetersPerUnit", "sensorTime"},
        set(),
    ),
    "ROS2PublishOdometry": (
        {"execIn", "context", "nodeNamespace", "odomFrameId", "chassisFrameId", "topicName", "qosProfile"}
        | {"publishRawVelocities", "timeStamp", "position", "orientation", "linearVelocity", "angularVelocity"},
        set(),
    ),
    "ROS2SubscribeJointState": (
        {"execIn", "context", "nodeNamespace", "topicName", "qosProfile"},
        {"execOut", "timeStamp", "jointNames", "positionCommand", "velocityCommand", "effortCommand"},
    ),
}
OTHERS = {
    "isaacsim.core.nodes.OnPhysicsStep": (set(), {"step", "deltaSimulationTime", "deltaSystemTime"}),
    "isaacsim.core.nodes.IsaacReadSimulationTime": ({"resetOnStop"}, {"simulationTime"}),
    "isaacsim.core.nodes.IsaacSimulationGate": ({"execIn", "step"}, {"execOut"}),
    "isaacsim.core.nodes.IsaacArticulationController": (
        {"execIn", "targetPrim", "robotPath", "jointNames", "positionCommand", "velocityCommand", "effortCommand"},
        set(),
    ),
    "isaacsim.core.nodes.IsaacReadWorldPose": ({"prim"}, {"translation", "orientation", "scale"}),
    "isaacsim.core.nodes.IsaacComputeOdometry": (
        {"execIn", "chassisPrim"},
        {"execOut", "position", "orientation", "linearVelocity", "angularVelocity", "globalLinearVelocity"},
    ),
    "isaacsim.sensors.physics.IsaacReadIMU": (
        {"execIn", "imuPrim", "useLatestData", "readGravity"},
        {"execOut", "sensorTime", "linAcc", "angVel", "orientation"},
    ),
}
JOINT_READER = {
    "isaacsim.sensors.physics.IsaacReadJointState": (
        {"execIn", "prim"},
        {"execOut", "sensorTime", "jointNames", "jointPositions", "jointVelocities", "jointEfforts", "jointDofTypes"}
        | {"stageMetersPerUnit"},
    )
}


def ports(prefix: str, joint_reader: bool) -> dict[str, tuple[set[str], set[str]]]:
    """Node types of a release whose bridge lives under ``prefix``."""
    return {f"{prefix}{name}": sides for name, sides in ROS.items()} | OTHERS | (JOINT_READER if joint_reader else {})
