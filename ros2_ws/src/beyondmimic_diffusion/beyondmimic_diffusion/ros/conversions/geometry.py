"""Vectors and rotations; quaternions become wxyz here."""

from __future__ import annotations

import array
import math

import numpy as np
from geometry_msgs.msg import Point, Pose, Quaternion, Vector3

from ...core.errors import GoalError
from ...core.rotations import yaw_of
from ...core.types import Array


def quat_to_msg(quat_wxyz: Array) -> Quaternion:
    """wxyz, shape (4,) -> message."""
    w, x, y, z = (float(v) for v in quat_wxyz)
    return Quaternion(x=x, y=y, z=z, w=w)


def quat_from_msg(quat: Quaternion) -> Array:
    """Message -> wxyz, shape (4,)."""
    return np.array([quat.w, quat.x, quat.y, quat.z])


def vector_from_msg(vector: Vector3 | Point) -> Array:
    """Message -> shape (3,)."""
    return np.array([vector.x, vector.y, vector.z])


def assign_vector(target: Vector3 | Point, values: Array) -> None:
    """Write shape (3,) into a message."""
    target.x, target.y, target.z = (float(v) for v in values)


def yaw_from_pose(pose: Pose, what: str) -> float:
    """Heading of a pose [rad]; ``what`` names it.

    Raises:
        GoalError: NaN, or an orientation that nobody filled in.
    """
    quat: Array = quat_from_msg(pose.orientation)
    length = float(np.linalg.norm(quat))
    if not 1e-6 < length < math.inf:
        raise GoalError(f"{what}: orientation {quat.tolist()} (wxyz) has no direction")
    return float(yaw_of(quat / length))


def floats(values: Array) -> array.array[float]:
    """Any array, flattened row by row, as a float32 sequence of a message."""
    out = array.array("f")
    out.frombytes(np.ascontiguousarray(values, dtype=np.float32).tobytes())
    return out


def assign_pose(pose: Pose, position: Array, quat: Array) -> None:
    """Write a position (3,) and a quaternion wxyz (4,) into a pose."""
    pose.position.x, pose.position.y, pose.position.z = (float(v) for v in position)
    pose.orientation = quat_to_msg(quat)
