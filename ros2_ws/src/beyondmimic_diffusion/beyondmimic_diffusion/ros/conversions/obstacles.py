"""A scene as the message that tells others of it."""

from __future__ import annotations

from beyondmimic_msgs import msg as bm

from ...core.tasks import Scene
from .scene import obstacle_to_msg
from .time import set_stamp


def scene_to_msg(scene: Scene, stamp: float, seq: int, frame_id: str = "odom") -> bm.SdfScene:
    """A scene as ``sdf_scene`` has it, with moving obstacles where they are at ``stamp`` [s]."""
    msg = bm.SdfScene(seq=seq)
    set_stamp(msg.header, stamp)
    msg.header.frame_id = frame_id
    msg.primitives = [obstacle_to_msg(obstacle) for obstacle in scene.at(stamp).obstacles]
    return msg
