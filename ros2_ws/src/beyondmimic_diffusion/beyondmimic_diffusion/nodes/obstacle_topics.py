"""What the simulator tells of its obstacles: the scene as a perfect sensor would see it, and its own verdict apart."""

from __future__ import annotations

from beyondmimic_msgs.msg import SdfScene
from rclpy.node import Node
from std_msgs.msg import Float32, UInt32

from ..core.guidance.sdf import Union
from ..core.tasks import Scene
from ..ros import qos
from ..ros.conversions.obstacles import scene_to_msg
from ..sim.gap import GapMeter
from ..sim.mujoco_g1 import MujocoG1
from ..sim.witness import Witness

_MOVING_PERIOD = 0.1
"""How often a scene with moving obstacles is sent again [s]."""


class ObstacleTopics:
    """``sdf_scene``, ``ground_truth/contacts`` and ``ground_truth/clearance``; used by the physics' thread."""

    def __init__(self, node: Node, scene: Scene, sim: MujocoG1, frame_id: str, announce: bool):
        """
        Args:
            node: Owns the publishers.
            scene: What stands around; at least one obstacle.
            sim: The robot among it.
            frame_id: Frame of the scene.
            announce: Whether ``sdf_scene`` is published at all.
        """
        self._node, self._sim = node, sim
        self._scene = scene
        self._witness = Witness(sim)
        self._gap = GapMeter(sim, Union([obstacle.sdf() for obstacle in scene.obstacles]))
        self._frame_id = frame_id
        self._moves = any(obstacle.moves for obstacle in scene.obstacles)
        self._seq, self._next_scene = 0, 0.0
        self._scene_pub = node.create_publisher(SdfScene, "sdf_scene", qos.LATCHED) if announce else None
        self._contacts_pub = node.create_publisher(UInt32, "ground_truth/contacts", qos.LATCHED)
        self._clearance_pub = node.create_publisher(Float32, "ground_truth/clearance", qos.STREAM)
        self._contacts_pub.publish(UInt32(data=0))

    def restart(self) -> None:
        """Simulated time begins anew, and with it the count of touches."""
        self._witness = Witness(self._sim)
        self._contacts_pub.publish(UInt32(data=0))
        self._next_scene = 0.0

    def look(self) -> None:
        """To be called after each step."""
        if self._witness.look():
            self._node.get_logger().warning(f"touch {self._witness.touches}: {self._witness.last}")
            self._contacts_pub.publish(UInt32(data=self._witness.touches))

    def publish(self, stamp: float) -> None:
        """Send the narrowest gap, and the scene if it is due; ``stamp`` [s] is the simulated time."""
        self._clearance_pub.publish(Float32(data=self._gap.measure()))
        if self._scene_pub is None or stamp < self._next_scene:
            return
        self._seq += 1
        self._scene_pub.publish(scene_to_msg(self._scene, stamp, self._seq, self._frame_id))
        self._next_scene = stamp + _MOVING_PERIOD if self._moves else float("inf")
