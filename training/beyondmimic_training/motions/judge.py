"""Whether a motion can be one of the robot: finite numbers, sensible rate, orientations in the right order, limits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.types import Array

from .motion import Motion, MotionError

_RATES = (5.0, 1000.0)
_FARTHEST = 1000.0
"""A pelvis farther away than this is in another unit [m]."""
_FASTEST = 60.0
"""No joint of a motion moves faster [rad/s]; the motors end at 37."""
_SLACK = 0.35
"""How far outside its limits a retargeted joint may be [rad]."""
_UPRIGHT = 0.9
"""Cosine of the tilt that the median frame of a robot on its feet exceeds."""
_CLEARLY = 0.1
"""By how much more upright a robot must be in the other order of its quaternions for that to be the right one."""


def judge(motion: Motion, name: str) -> Motion:
    """The motion with unit quaternions, if nothing speaks against it.

    Args:
        motion: As read.
        name: Of its file, for the text.

    Raises:
        MotionError: What is wrong, with the frame, what was found, and the likely reason.
    """
    if not np.isfinite(motion.rate_hz) or not _RATES[0] <= motion.rate_hz <= _RATES[1]:
        raise MotionError(
            f"motion '{name}' has {motion.rate_hz:g} frames a second; {_RATES[0]:g} to {_RATES[1]:g} were expected"
        )
    for what, values in (
        ("pelvis position", motion.root_pos_w),
        ("orientation", motion.root_quat_w),
        ("joint angle", motion.joint_pos),
    ):
        bad = ~np.isfinite(values).all(axis=1)
        if bad.any():
            raise MotionError(f"motion '{name}', frame {int(np.argmax(bad))}: a {what} is not finite")
    _check_position(motion, name)
    quat = _unit(motion, name)
    _check_joints(motion, name)
    return replace(motion, root_quat_w=quat)


def _check_position(motion: Motion, name: str) -> None:
    far = np.abs(motion.root_pos_w).max()
    if far > _FARTHEST:
        raise MotionError(
            f"motion '{name}': the pelvis is {far:.0f} m from the origin; are the positions in millimetres?"
        )


def _unit(motion: Motion, name: str) -> Array:
    """Unit quaternions; refuses those that are none, or are in the other order."""
    length = np.linalg.norm(np.clip(motion.root_quat_w, -1e6, 1e6), axis=1)
    off = np.abs(length - 1.0)
    if off.max() > 0.05:
        frame = int(np.argmax(off))
        raise MotionError(
            f"motion '{name}', frame {frame}: the orientation has length {length[frame]:.3f}; quaternions have 1"
        )
    quat = motion.root_quat_w / length[:, None]
    upright = np.median(_upright(quat))
    for other in (np.roll(quat, 1, axis=1), np.roll(quat, -1, axis=1)):
        if np.median(_upright(other)) > max(_UPRIGHT, upright + _CLEARLY):
            raise MotionError(
                f"motion '{name}': as read, the robot lies down; with w at the other end of the quaternions "
                "it stands: they are in the other order (CSV and pickle: x y z w; NPZ: w x y z)"
            )
    return quat


def _upright(quat: Array) -> Array:
    """Cosine of the tilt, shape (T,)."""
    return 1.0 - 2.0 * (quat[:, 1] ** 2 + quat[:, 2] ** 2)


def _check_joints(motion: Motion, name: str) -> None:
    low, high = g1.JOINT_POS_LIMITS.T
    beyond = np.maximum(low - motion.joint_pos, motion.joint_pos - high)
    frame, joint = np.unravel_index(np.argmax(beyond), beyond.shape)
    if beyond[frame, joint] > _SLACK:
        value = motion.joint_pos[frame, joint]
        reason = (
            "are the angles in degrees?" if np.abs(motion.joint_pos).max() > 4.0 else "are the joints in another order?"
        )
        raise MotionError(
            f"motion '{name}', frame {frame}: {g1.JOINT_NAMES[joint]} is at {value:.2f} rad, its range is "
            f"{low[joint]:.2f} to {high[joint]:.2f}; {reason}"
        )
    speed = np.abs(np.diff(motion.joint_pos, axis=0)) * motion.rate_hz
    if len(speed) and speed.max() > _FASTEST:
        frame, joint = np.unravel_index(np.argmax(speed), speed.shape)
        raise MotionError(
            f"motion '{name}', frame {frame}: {g1.JOINT_NAMES[joint]} moves at {speed[frame, joint]:.0f} rad/s; "
            f"the motors reach 37. Frames are missing, or {motion.rate_hz:g} frames a second is not its rate"
        )
