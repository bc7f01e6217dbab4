"""What a pose in one frame is in another."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..core.errors import GoalError
from ..core.rotations import quat_conjugate, quat_multiply, quat_rotate
from ..core.types import Array


class FrameError(GoalError):
    """A frame that cannot be brought into another; the text names the frames that are known."""


class Transform(NamedTuple):
    """Pose of a child frame in its parent: turns what is given in the child into the parent."""

    position: Array
    """[m], shape (3,)."""
    quat: Array
    """wxyz, shape (4,)."""

    def point(self, point: Array) -> Array:
        """A point (..., 3) [m] of the child in the parent."""
        return quat_rotate(self.quat, point) + self.position

    def vector(self, vector: Array) -> Array:
        """A direction or velocity (..., 3) of the child in the axes of the parent."""
        return quat_rotate(self.quat, vector)

    def rotation(self, quat: Array) -> Array:
        """An orientation wxyz (4,) of the child in the parent."""
        return quat_multiply(self.quat, quat)

    def after(self, inner: Transform) -> Transform:
        """First ``inner`` (grandchild to child), then this one."""
        return Transform(self.point(inner.position), self.rotation(inner.quat))

    def inverse(self) -> Transform:
        """From the parent to the child."""
        back = quat_conjugate(self.quat)
        return Transform(-quat_rotate(back, self.position), back)


IDENTITY = Transform(np.zeros(3), np.array([1.0, 0.0, 0.0, 0.0]))


def plain(frame: str) -> str:
    """A frame's name without tf1's leading slash."""
    return frame.lstrip("/")
