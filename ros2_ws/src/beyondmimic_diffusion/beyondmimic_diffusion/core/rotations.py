"""The only quaternion and rotation-vector maths of the stack: NumPy, batched, quaternions ``wxyz``.

All leading dimensions broadcast; ``(..., 4)`` means a unit quaternion in the last axis. A quaternion ``quat_wb`` maps
body vectors to the world: ``v_w = quat_rotate(quat_wb, v_b)``. ``q`` and ``-q`` are the same rotation.

Conventions: Hamilton product, right-handed, active rotations (as MuJoCo, and as SciPy with ``scalar_first=True``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.floating]
"""Any floating NumPy array."""

_TINY = 1e-12
"""Below this length of the vector part, sin(x)/x equals 1 in double precision."""


def quat_multiply(a: ArrayLike, b: ArrayLike) -> Array:
    """Hamilton product: the rotation ``b`` first, then ``a``; shape (..., 4)."""
    a, b = np.asarray(a), np.asarray(b)
    aw, ax, ay, az = a[..., 0], a[..., 1], a[..., 2], a[..., 3]
    bw, bx, by, bz = b[..., 0], b[..., 1], b[..., 2], b[..., 3]
    w = aw * bw - ax * bx - ay * by - az * bz
    out = np.empty((*np.shape(w), 4), w.dtype)
    out[..., 0] = w
    out[..., 1] = aw * bx + ax * bw + ay * bz - az * by
    out[..., 2] = aw * by - ax * bz + ay * bw + az * bx
    out[..., 3] = aw * bz + ax * by - ay * bx + az * bw
    return out


def quat_conjugate(quat: ArrayLike) -> Array:
    """The inverse rotation of a unit quaternion, shape (..., 4)."""
    quat = np.asarray(quat)
    return np.concatenate([quat[..., :1], -quat[..., 1:]], axis=-1)


def quat_rotate(quat: ArrayLike, vec: ArrayLike) -> Array:
    """Rotate vectors: ``v + w t + u x t`` with ``t = 2 u x v`` and ``u`` the vector part; shape (..., 3).

    By components: for one vector, as in every control tick, a third of the time of two calls of ``np.cross``.
    """
    quat, vec = np.asarray(quat), np.asarray(vec)
    w, x, y, z = quat[..., 0], quat[..., 1], quat[..., 2], quat[..., 3]
    vx, vy, vz = vec[..., 0], vec[..., 1], vec[..., 2]
    tx, ty, tz = 2.0 * (y * vz - z * vy), 2.0 * (z * vx - x * vz), 2.0 * (x * vy - y * vx)
    shape = np.broadcast_shapes(quat.shape[:-1], vec.shape[:-1])
    out = np.empty((*shape, 3), dtype=np.result_type(quat, vec, np.float32))
    out[..., 0] = vx + w * tx + y * tz - z * ty
    out[..., 1] = vy + w * ty + z * tx - x * tz
    out[..., 2] = vz + w * tz + x * ty - y * tx
    return out


def quat_rotate_inverse(quat: ArrayLike, vec: ArrayLike) -> Array:
    """Rotate vectors by the inverse of ``quat``, shape (..., 3)."""
    return quat_rotate(quat_conjugate(quat), vec)


def quat_from_rotvec(rotvec: ArrayLike) -> Array:
    """Exponential map: rotation vector [rad], shape (..., 3), to a quaternion (..., 4); exact at zero."""
    rotvec = np.asarray(rotvec)
    half = 0.5 * _length(rotvec)
    tiny = half < _TINY
    share = 0.5 * np.where(tiny, 1.0, np.sin(half) / np.where(tiny, 1.0, half))
    out = np.empty((*rotvec.shape[:-1], 4), half.dtype)
    out[..., 0] = np.cos(half)
    out[..., 1:] = share[..., None] * rotvec
    return out


def quat_to_rotvec(quat: ArrayLike) -> Array:
    """Logarithm: the shortest rotation vector [rad], length in 0..pi, shape (..., 3)."""
    quat = np.asarray(quat)
    cosine, vector = quat[..., 0], quat[..., 1:]
    sine = _length(vector)
    angle = 2.0 * np.arctan2(sine, np.abs(cosine))
    small = sine < _TINY
    factor = np.where(small, 2.0, angle / np.where(small, 1.0, sine))
    return vector * np.where(cosine < 0.0, -factor, factor)[..., None]


def quat_to_matrix(quat: ArrayLike) -> Array:
    """Rotation matrix whose columns are the rotated axes, shape (..., 3, 3)."""
    w, x, y, z = np.moveaxis(np.asarray(quat), -1, 0)
    rows = [
        [1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - w * z), 2.0 * (x * z + w * y)],
        [2.0 * (x * y + w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - w * x)],
        [2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def quat_from_matrix(matrix: ArrayLike) -> Array:
    """Quaternion with w >= 0 of a rotation matrix (..., 3, 3).

    Of the four ways to divide (by w, x, y or z) the one with the largest divisor is used (Shepperd 1978), so that
    nothing is lost near half turns.
    """
    m = np.asarray(matrix)
    m00, m11, m22 = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    wx, wy, wz = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    xy, xz, yz = m[..., 1, 0] + m[..., 0, 1], m[..., 0, 2] + m[..., 2, 0], m[..., 2, 1] + m[..., 1, 2]
    four_qq = np.stack(  # row i is 4 q_i (w, x, y, z)
        [
            np.stack([1.0 + m00 + m11 + m22, wx, wy, wz], axis=-1),
            np.stack([wx, 1.0 + m00 - m11 - m22, xy, xz], axis=-1),
            np.stack([wy, xy, 1.0 - m00 + m11 - m22, yz], axis=-1),
            np.stack([wz, xz, yz, 1.0 - m00 - m11 + m22], axis=-1),
        ],
        axis=-2,
    )
    best = np.argmax(np.diagonal(four_qq, axis1=-2, axis2=-1), axis=-1)
    quat = np.take_along_axis(four_qq, best[..., None, None], axis=-2)[..., 0, :]
    quat = quat / np.linalg.norm(quat, axis=-1, keepdims=True)
    return np.where(quat[..., :1] < 0.0, -quat, quat)


def yaw_of(quat: ArrayLike) -> Array:
    """Heading about world z [rad], -pi..pi, of the rotated x axis (Tait-Bryan z-y-x); shape (...)."""
    quat = np.asarray(quat)
    w, x, y, z = quat[..., 0], quat[..., 1], quat[..., 2], quat[..., 3]
    return np.arctan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))


def quat_from_yaw(yaw: ArrayLike) -> Array:
    """Rotation about z by ``yaw`` [rad], shape (...) to (..., 4)."""
    half = 0.5 * np.asarray(yaw)
    cos = np.cos(half)
    out = np.zeros((*half.shape, 4), cos.dtype)
    out[..., 0] = cos
    out[..., 3] = np.sin(half)
    return out


def wrap_angle(angle: ArrayLike) -> Array:
    """The same angle [rad] within [-pi, pi)."""
    return np.mod(np.asarray(angle) + np.pi, 2.0 * np.pi) - np.pi


def rotate_yaw(vec: ArrayLike, yaw: ArrayLike) -> Array:
    """Turn the first two components of ``vec`` (..., D >= 2) by ``yaw`` [rad] (...) about z; the rest stays."""
    vec, yaw = np.asarray(vec), np.asarray(yaw)
    cos, sin = np.cos(yaw), np.sin(yaw)
    x = cos * vec[..., 0] - sin * vec[..., 1]
    out = np.empty((*x.shape, vec.shape[-1]), x.dtype)
    out[..., 0] = x
    out[..., 1] = sin * vec[..., 0] + cos * vec[..., 1]
    out[..., 2:] = vec[..., 2:]
    return out


def slerp(start: ArrayLike, end: ArrayLike, fraction: ArrayLike) -> Array:
    """The rotation ``fraction`` (...) of the way along the shortest arc from ``start`` to ``end``; shape (..., 4)."""
    difference = quat_to_rotvec(quat_multiply(quat_conjugate(start), end))
    return quat_multiply(start, quat_from_rotvec(np.asarray(fraction)[..., None] * difference))


def _length(vectors: Array) -> Array:
    """Norm of (..., 3): for a few vectors a third of the time of ``np.linalg.norm``."""
    x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    return np.sqrt(x * x + y * y + z * z)
