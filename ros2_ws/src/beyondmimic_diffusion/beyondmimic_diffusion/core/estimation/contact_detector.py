"""Which feet carry load: from the torques of the leg that presses on the floor, and from height where there are none.

A leg that pushes the floor with a force f has torques -J^T f in its joints, its own weight and inertia left aside
(a tenth of the robot's): the least-squares force of the six joints tells a standing from a swinging foot within a
few samples, on any ground.

Before its first steps a robot stands quietly, with half of its weight on each foot, less than a walking one has on the
foot it stands on, and the filter has all to learn: gravity, biases. Until it has moved, a lower load is enough.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..parameters import param, validate
from ..types import Array
from .contact import POINTS_PER_FOOT
from .foot_geometry import FEET, LEG_JOINTS, FootGeometry, leg_values

_FIRST_STEPS = 0.1
"""A robot has moved when it has done so for this long [s]."""
_RIDGE = 1e-4
"""Keeps the force finite with a stretched leg [m^2]."""


@dataclass(frozen=True)
class ContactConfig:
    """When a foot counts as standing."""

    load: float = param(110.0, unit="N", lo=10.0, hi=400.0, doc="Vertical force from which a foot stands.")
    release: float = param(80.0, unit="N", lo=0.0, hi=400.0, doc="Vertical force below which it no longer does.")
    still_load: float = param(
        40.0, unit="N", lo=0.0, hi=400.0, doc="The same two until the robot moves for the first time."
    )
    still_speed: float = param(
        0.3,
        unit="rad/s",
        lo=0.0,
        hi=10.0,
        doc="Legs that stand move from this joint velocity on, root of the mean square.",
    )
    delay: float = param(
        0.02, unit="s", lo=0.0, hi=0.5, doc="A foot that touches down slides and tilts for this long before it stands."
    )
    lift: float = param(
        0.03, unit="m", lo=0.005, hi=0.3, doc="A foot this far above the other one is in the air, whatever its torques."
    )
    level: float = param(
        0.01, unit="m", lo=0.001, hi=0.1, doc="Sole points this far above the foot's lowest do not touch the floor."
    )
    settle: float = param(
        0.1, unit="s", lo=0.0, hi=0.5, doc="Time in which the point of contact follows a foot that rolls."
    )

    def __post_init__(self) -> None:
        validate(self)


def vertical_forces(geometry: FootGeometry, point_b: Array, effort: Array, up_b: Array) -> Array:
    """Force of the floor on each foot along the vertical [N], shape (2,).

    Args:
        geometry: Of the legs.
        point_b: Where the floor presses [m], shape (2, 3).
        effort: Joint torques [N m], shape (J,).
        up_b: The vertical in pelvis axes, shape (3,).
    """
    jacobian = geometry.jacobian(point_b)  # (2, 3, 6)
    torque = -np.matmul(jacobian, leg_values(effort)[:, :, None])  # (2, 3, 1)
    square = np.matmul(jacobian, jacobian.swapaxes(1, 2)) + _RIDGE * np.eye(3)
    return np.linalg.solve(square, torque)[:, :, 0] @ up_b


class ContactDetector:
    """Remembers which feet stood, so that forces near the threshold do not make them flicker."""

    def __init__(self, config: ContactConfig):
        self._config = config
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.standing: NDArray[np.bool_] = np.zeros(FEET, dtype=bool)
        """Whether the left and the right foot stand, shape (2,)."""
        self._loaded: NDArray[np.bool_] = np.zeros(FEET, dtype=bool)
        self._since: Array = np.zeros(FEET)
        self._moved = 0.0
        """How long it has moved on its feet, up to now [s]."""
        self.weights: Array = np.full((FEET, POINTS_PER_FOOT), 1.0 / POINTS_PER_FOOT)
        """Share of each sole point in its foot's point of contact, shape (2, P)."""

    def update(self, geometry: FootGeometry, effort: Array, joint_vel: Array, up_b: Array, dt: float) -> None:
        """Judge by one more sample.

        Args:
            geometry: Of the legs.
            effort: Joint torques [N m], shape (J,); all zero or not finite: there are none, and height decides alone.
            joint_vel: Joint velocities [rad/s], shape (J,).
            up_b: The vertical in pelvis axes, shape (3,).
            dt: Since the last sample [s]; 0 for the first.
        """
        config = self._config
        height = geometry.points_b @ up_b  # (2, P)
        lowest = np.min(height, axis=1)  # (2,)
        near = np.maximum(0.0, 1.0 - (height - lowest[:, None]) / config.level)
        fresh = near / np.sum(near, axis=1, keepdims=True)
        share = 1.0 if dt <= 0.0 else dt / (dt + config.settle)
        self.weights = np.where(self.standing[:, None], self.weights + share * (fresh - self.weights), fresh)
        low = lowest - np.min(lowest) < config.lift
        self._loaded = low & self._pressed(geometry, effort, up_b, lowest - np.min(lowest))
        self._since = np.where(self._loaded, self._since + dt, 0.0)
        self.standing = self._loaded & (self._since >= config.delay)
        if float(np.sqrt(np.mean(np.square(leg_values(joint_vel))))) >= config.still_speed and self.standing.any():
            self._moved += dt

    def _pressed(self, geometry: FootGeometry, effort: Array, up_b: Array, lift: Array) -> NDArray[np.bool_]:
        config = self._config
        torques = effort[: FEET * LEG_JOINTS]
        if not np.all(np.isfinite(torques)) or not np.any(torques):
            return lift < config.level
        force = vertical_forces(geometry, geometry.contact(self.weights), effort, up_b)
        if self._moved < _FIRST_STEPS:
            return force > min(config.still_load, config.release)
        return force > np.where(self._loaded, config.release, config.load)
