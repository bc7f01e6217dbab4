"""Reader of ``/tf``."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from geometry_msgs.msg import TransformStamped
from tf2_msgs.msg import TFMessage

from ...core.types import Array
from ..conversions.geometry import quat_from_msg, vector_from_msg
from ..conversions.time import time_from_msg
from .layout import FixedLayout
from .readers import POSE, Reader
from .writers import STAMP


class StampedPose(NamedTuple):
    """One transform of a message: where ``child`` is in ``parent``."""

    parent: str
    child: str
    stamp: float
    """[s]."""
    position: Array
    """[m], shape (3,)."""
    quat: Array
    """wxyz, shape (4,), as it was sent."""


class TransformsReader(Reader[list[StampedPose]]):
    """``/tf``."""

    def __init__(self) -> None:
        super().__init__(TFMessage, "/tf", ("header.stamp", "transform"))

    def _general(self, message: TFMessage) -> list[StampedPose]:
        return [stamped_pose(transform) for transform in message.transforms]

    def _changing_of(self, message: TFMessage) -> tuple[str, ...]:
        return tuple(f"transforms.{i}.{name}" for i in range(len(message.transforms)) for name in self._changing)

    def _prepare(self, layout: FixedLayout, message: TFMessage) -> None:
        paths = [f"transforms.{i}." for i in range(len(message.transforms))]
        names = [(t.header.frame_id, t.child_frame_id) for t in message.transforms]
        stamps = [layout.places[p + "header.stamp.sec"].offset for p in paths]
        poses = [layout.doubles(p + "transform.translation.x", 7) for p in paths]
        self._parts = list(zip(names, stamps, poses, strict=True))

    def _fast(self, raw: bytes) -> list[StampedPose]:
        found = []
        for (parent, child), stamp_at, pose_at in self._parts:
            sec, nanosec = STAMP.unpack_from(raw, stamp_at)
            px, py, pz, x, y, z, w = POSE.unpack_from(raw, pose_at)
            numbers = np.array((px, py, pz, w, x, y, z))
            found.append(StampedPose(parent, child, sec + nanosec * 1e-9, numbers[:3], numbers[3:]))
        return found


def stamped_pose(msg: TransformStamped) -> StampedPose:
    """From a decoded transform."""
    position, quat = vector_from_msg(msg.transform.translation), quat_from_msg(msg.transform.rotation)
    return StampedPose(msg.header.frame_id, msg.child_frame_id, time_from_msg(msg.header.stamp), position, quat)
