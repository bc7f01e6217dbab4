"""One vector turned by one quaternion in plain Python floats: NumPy's calls cost ten times the arithmetic."""

from __future__ import annotations

from collections.abc import Iterable


def rotated(quat_wxyz: tuple[float, float, float, float], vector: Iterable[float]) -> tuple[float, float, float]:
    """As :func:`...core.rotations.quat_rotate`, operation by operation, so that the result has the same bits."""
    w, x, y, z = quat_wxyz
    vx, vy, vz = map(float, vector)
    tx, ty, tz = 2.0 * (y * vz - z * vy), 2.0 * (z * vx - x * vz), 2.0 * (x * vy - y * vx)
    return vx + w * tx + y * tz - z * ty, vy + w * ty + z * tx - x * tz, vz + w * tz + x * ty - y * tx
