"""Joint drives for USD from the policy's gains: USD counts angles in degrees."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..core.errors import ArtifactMismatchError
from ..core.robot import g1

PER_DEGREE = math.pi / 180.0


@dataclass(frozen=True)
class Drive:
    """Attributes of one revolute joint with ``DriveAPI:angular`` and ``PhysxJointAPI``."""

    joint: str
    stiffness: float
    """[N m/deg]."""
    damping: float
    """[N m s/deg]."""
    max_force: float
    """[N m]."""
    target: float
    """Where it stands until the first command [deg]."""
    armature: float
    """[kg m^2]."""
    max_velocity: float
    """[deg/s]."""


def drives(joint_names: Sequence[str], kp: Sequence[float], kd: Sequence[float]) -> tuple[Drive, ...]:
    """One drive for each joint.

    Args:
        joint_names: The policy's, as in its manifest.
        kp: [N m/rad], per joint.
        kd: [N m s/rad].

    Raises:
        ArtifactMismatchError: The policy is for another robot.
    """
    if tuple(joint_names) != g1.JOINT_NAMES:
        raise ArtifactMismatchError(f"the policy acts on joints {tuple(joint_names)}; the G1 has {g1.JOINT_NAMES}")
    return tuple(
        Drive(
            joint=name,
            stiffness=kp[j] * PER_DEGREE,
            damping=kd[j] * PER_DEGREE,
            max_force=float(g1.EFFORT_LIMITS[j]),
            target=float(g1.DEFAULT_JOINT_POS[j]) / PER_DEGREE,
            armature=float(g1.ARMATURES[j]),
            max_velocity=float(g1.VELOCITY_LIMITS[j]) / PER_DEGREE,
        )
        for j, name in enumerate(joint_names)
    )
