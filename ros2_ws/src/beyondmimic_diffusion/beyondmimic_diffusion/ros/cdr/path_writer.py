"""Writer of the pelvis's predicted way, for displays."""

from __future__ import annotations

import struct

from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Path

from ...core.types import Plan
from .layout import FixedLayout
from .writers import STAMP_AT, pack_stamp

_POSE = struct.Struct("<7d")


class PathWriter:
    """``nav_msgs/Path``; as many poses as the first plan has, and again as many when that changes."""

    def __init__(self, frame_id: str):
        self._frame = frame_id
        self._buffer = bytearray()
        self._places: list[tuple[int, int]] = []

    def write(self, plan: Plan) -> bytes:
        """The serialised message: pose ``i``, from 0, is predicted for ``stamp + (i + 1) * state_dt``."""
        if not self._buffer or len(self._places) != len(plan.root_pos_w):
            self._prepare(len(plan.root_pos_w))
        buffer = self._buffer
        pack_stamp(buffer, STAMP_AT, plan.observation_stamp)
        poses = zip(self._places, plan.root_pos_w.tolist(), plan.root_quat_w.tolist(), strict=True)
        for i, ((stamp_at, pose_at), position, (w, x, y, z)) in enumerate(poses):
            pack_stamp(buffer, stamp_at, plan.stamp + (i + 1) * plan.state_dt)
            _POSE.pack_into(buffer, pose_at, *position, x, y, z, w)
        return bytes(buffer)

    def _prepare(self, count: int) -> None:
        message = Path(poses=[PoseStamped() for _ in range(count)])
        for header in (message.header, *(pose.header for pose in message.poses)):
            header.frame_id = self._frame
        paths = [f"poses.{i}." for i in range(count)]
        changing = [path + name for path in paths for name in ("header.stamp", "pose")]
        layout = FixedLayout(message, ("header.stamp", *changing))
        self._buffer = bytearray(layout.template)
        self._places = [
            (layout.places[p + "header.stamp.sec"].offset, layout.doubles(p + "pose.position.x", 7)) for p in paths
        ]
