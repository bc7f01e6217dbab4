"""One orientation at a time, in plain floats: what a tick asks of the pelvis, at a tenth of the price of arrays.

The batched maths is in :mod:`..rotations`; quaternions are ``wxyz`` here as there.
"""

from __future__ import annotations

import math

import numpy as np

from ..types import Array

Vector = tuple[float, float, float]
"""Three components."""


def up_axis_w(quat_w: Array) -> Vector:
    """The body's z axis in world axes: third column of the rotation matrix; of a quaternion of any length but 0."""
    w, x, y, z = _unit(quat_w)
    return 2.0 * (x * z + w * y), 2.0 * (y * z - w * x), 1.0 - 2.0 * (x * x + y * y)


def vertical_b(quat_w: Array) -> Vector:
    """The world's z axis in body axes: third row of the rotation matrix; of a quaternion of any length but 0."""
    w, x, y, z = _unit(quat_w)
    return 2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y)


def to_world(quat_w: Array, vec_b: Array) -> Array:
    """Rotate a vector from body to world axes by a unit quaternion, shape (3,)."""
    w, x, y, z = quat_w.tolist()
    return np.array(_rotate(w, x, y, z, vec_b.tolist()))


def to_body(quat_w: Array, vec_w: Array) -> Array:
    """Rotate a vector from world to body axes by the inverse of a quaternion of any length but 0, shape (3,)."""
    w, x, y, z = _unit(quat_w)
    return np.array(_rotate(w, -x, -y, -z, vec_w.tolist()))


def _unit(quat: Array) -> tuple[float, float, float, float]:
    w, x, y, z = quat.tolist()
    length = math.sqrt(w * w + x * x + y * y + z * z)
    return w / length, x / length, y / length, z / length


def _rotate(w: float, x: float, y: float, z: float, vec: list[float]) -> Vector:
    """``v + w t + u x t`` with ``t = 2 u x v`` and ``u`` = (x, y, z)."""
    vx, vy, vz = vec
    tx, ty, tz = 2.0 * (y * vz - z * vy), 2.0 * (z * vx - x * vz), 2.0 * (x * vy - y * vx)
    return vx + w * tx + y * tz - z * ty, vy + w * ty + z * tx - x * tz, vz + w * tz + x * ty - y * tx
