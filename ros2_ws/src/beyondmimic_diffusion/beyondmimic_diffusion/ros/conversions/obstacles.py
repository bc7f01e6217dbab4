"""A scene as the message that tells others of it."""

from __future__ import annotations

import array

import numpy as np
from beyondmimic_msgs import msg as bm
from shape_msgs.msg import SolidPrimitive

from ...core.rotations import quat_from_yaw
from ...core.tasks import Obstacle, Scene
from .geometry import assign_pose, assign_vector
from .time import set_stamp


def scene_to_msg(scene: Scene, stamp: float, seq: int, frame_id: str = "odom") -> bm.SdfScene:
    """A scene, with moving obstacles where they are at ``stamp`` [s].

    A message knows no capsules: upright ones become the cylinders that just hold them.
    """
    msg = bm.SdfScene(seq=seq)
    set_stamp(msg.header, stamp)
    msg.header.frame_id = frame_id
    msg.primitives = [_primitive(obstacle) for obstacle in scene.at(stamp).obstacles]
    return msg


def _primitive(obstacle: Obstacle) -> bm.SdfPrimitive:
    msg = bm.SdfPrimitive(id=obstacle.name, operation=bm.SdfPrimitive.ADD)
    size = obstacle.size
    if obstacle.shape == "box":
        msg.shape.type, dimensions = SolidPrimitive.BOX, size
    elif obstacle.shape == "sphere":
        msg.shape.type, dimensions = SolidPrimitive.SPHERE, size
    else:
        length = size[1] + (2.0 * size[0] if obstacle.shape == "capsule" else 0.0)
        msg.shape.type, dimensions = SolidPrimitive.CYLINDER, (length, size[0])  # in the message: height, radius
    msg.shape.dimensions = array.array("d", dimensions)
    assign_pose(msg.pose, np.array(obstacle.center), quat_from_yaw(obstacle.yaw))
    assign_vector(msg.twist.linear, np.array(obstacle.velocity))
    return msg
