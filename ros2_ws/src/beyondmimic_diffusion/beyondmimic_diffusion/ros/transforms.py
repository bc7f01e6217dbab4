"""Where frames are in each other: a small buffer of ``/tf`` and ``/tf_static``.

tf2's own buffer has no wheel, and what is asked of it here is little: poses of goals and obstacles, once each, in the
odometry's frame. So the same few lines serve with and without an install of ROS.
"""

from __future__ import annotations

import contextlib
import math
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable

from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from tf2_msgs.msg import TFMessage

from ..core.errors import BeyondMimicError
from ..core.rotations import slerp
from . import qos
from .cdr import StampedPose, TransformsReader, stamped_pose
from .frames import IDENTITY, FrameError, Transform, plain
from .polled import PolledInputs

_KEPT = 10.0
"""History of a moving frame [s]; tf2's default."""
_TOLERANCE = 0.5
"""A pose stamped so much outside the history is placed by its nearest end [s]: senders' clocks are a little apart."""
_JUMP = 1.0
"""A stamp so much older than the last one means that time was set back [s]; less is a message that came late."""
_LONGEST_CHAIN = 64
"""More links than this between two frames are a loop."""


class _Link:
    """One child's poses in its parent, in order of time; a static one has no times."""

    def __init__(self, parent: str, static: bool):
        self.parent = parent
        self.static = static
        self._stamps: deque[float] = deque()
        self._poses: deque[Transform] = deque()

    def add(self, stamp: float, pose: Transform) -> None:
        if self.static or (self._stamps and stamp < self._stamps[-1] - _JUMP):
            self._stamps.clear()
            self._poses.clear()
        if self._stamps and stamp <= self._stamps[-1]:
            return
        self._stamps.append(stamp)
        self._poses.append(pose)
        while self._stamps[0] < stamp - _KEPT:
            self._stamps.popleft()
            self._poses.popleft()

    def at(self, stamp: float | None, child: str) -> Transform:
        """Pose at a time [s], interpolated; None: the newest."""
        if self.static or stamp is None:
            return self._poses[-1]
        first, last = self._stamps[0], self._stamps[-1]
        if not first - _TOLERANCE <= stamp <= last + _TOLERANCE:
            raise FrameError(
                f"frame '{child}' is known in '{self.parent}' from {first:.3f} s to {last:.3f} s, not at "
                f"{stamp:.3f} s; give a stamp within, or zero for the newest"
            )
        after = bisect_left(self._stamps, stamp)
        if after in (0, len(self._stamps)):
            return self._poses[min(after, len(self._poses) - 1)]
        start, end = self._stamps[after - 1], self._stamps[after]
        share = (stamp - start) / (end - start)
        before, behind = self._poses[after - 1], self._poses[after]
        position = before.position + share * (behind.position - before.position)
        return Transform(position, slerp(before.quat, behind.quat, share))


class TransformBuffer:
    """All frames that have been announced, and the way between any two of them."""

    def __init__(self, root: str):
        """
        Args:
            root: A frame that counts as known before anything was announced: the odometry's.
        """
        self._root = root
        self._links: dict[str, _Link] = {}

    def add(self, transforms: Iterable[TransformStamped], static: bool = False) -> None:
        """Take transforms in; those with NaN or without direction are left out."""
        self.add_poses((stamped_pose(msg) for msg in transforms), static)

    def add_poses(self, poses: Iterable[StampedPose], static: bool = False) -> None:
        """As :meth:`add`, of transforms that were read already."""
        for pose in poses:
            length = math.hypot(*pose.quat)
            child, parent = plain(pose.child), plain(pose.parent)
            if not all(map(math.isfinite, pose.position)) or not length > 1e-6 or child == parent:
                continue
            link = self._links.get(child)
            if link is None or link.parent != parent or link.static != static:
                link = self._links[child] = _Link(parent, static)
            link.add(pose.stamp, Transform(pose.position, pose.quat / length))

    def clear(self) -> None:
        """Forget what moves (after a time jump)."""
        self._links = {child: link for child, link in self._links.items() if link.static}

    def frames(self) -> tuple[str, ...]:
        """Names of all known frames, sorted."""
        return tuple(sorted({self._root, *self._links, *(link.parent for link in self._links.values())}))

    def knows(self, target: str, frame: str) -> bool:
        """Whether a frame is connected to another one now."""
        try:
            self.lookup(target, frame)
        except FrameError:
            return False
        return True

    def lookup(self, target: str, source: str, stamp: float | None = None) -> Transform:
        """What turns coordinates of ``source`` into ``target``.

        Args:
            target: Frame of the result.
            source: Frame of what is given.
            stamp: When [s]; None: with the newest poses.

        Raises:
            FrameError: A frame is unknown, the two are not connected, or the time is not covered.
        """
        target, source = plain(target), plain(source)
        for name in (target, source):
            if name not in self.frames():
                raise FrameError(f"frame '{name}' is unknown; known are {', '.join(self.frames())}")
        up, down = self._ancestors(source), self._ancestors(target)
        common = next((name for name in up if name in down), None)
        if common is None:
            raise FrameError(
                f"frame '{source}' is not connected to '{target}': it hangs under '{up[-1]}', the other under "
                f"'{down[-1]}'; publish a transform between them"
            )
        return self._climb(target, common, stamp).inverse().after(self._climb(source, common, stamp))

    def _ancestors(self, frame: str) -> list[str]:
        chain = [frame]
        while chain[-1] in self._links and len(chain) < _LONGEST_CHAIN:
            chain.append(self._links[chain[-1]].parent)
        return chain

    def _climb(self, frame: str, ancestor: str, stamp: float | None) -> Transform:
        """From a frame to one of its ancestors."""
        total = IDENTITY
        while frame != ancestor:
            link = self._links[frame]
            total = link.at(stamp, frame).after(total)
            frame = link.parent
        return total


class TransformListener:
    """Fills a :class:`TransformBuffer` from ``/tf``, which is fetched in each cycle, and ``/tf_static``."""

    def __init__(self, node: Node, inputs: PolledInputs, root: str):
        self.buffer = TransformBuffer(root)
        self._node = node
        self._reader = TransformsReader()
        self._moving = inputs.subscribe(TFMessage, "/tf", qos.TRANSFORMS)
        self._static = node.create_subscription(TFMessage, "/tf_static", self._on_static, qos.STATIC_TRANSFORMS)

    def refresh(self) -> None:
        """Fetch what has come on ``/tf`` since the last call; what cannot be read is left out."""
        for raw in self._moving.all():
            with contextlib.suppress(BeyondMimicError):
                self.buffer.add_poses(self._reader.read(raw))

    def _on_static(self, msg: TFMessage) -> None:
        self.buffer.add(msg.transforms, static=True)

    def destroy(self) -> None:
        """Stop listening to what is not polled."""
        self._node.destroy_subscription(self._static)


def stamp_or_newest(stamp: float) -> float | None:
    """ROS's convention: a stamp of zero means the newest."""
    return stamp if stamp > 0.0 and math.isfinite(stamp) else None
