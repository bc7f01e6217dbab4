r"""Velocity and height of the pelvis from the leg that stands.

A point of the sole that stands still has :math:`0 = v_{root} + \dot p_{rel}`, where :math:`p_{rel}` is its position
relative to the pelvis, in world axes. So the pelvis moves with minus that velocity, and is as high above the floor as
the point is below it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..robot.g1 import IMU_SITE
from ..robot.kinematics import Kinematics
from ..types import Array, RobotState
from .contact import SOLE_POINTS


@dataclass(frozen=True)
class SoleMotion:
    """Sole points relative to the pelvis origin, in world axes; F = 12, see ``contact.SOLE_POINTS``."""

    position: Array
    """[m], shape (F, 3)."""
    velocity: Array
    """[m/s], shape (F, 3)."""


class LegOdometry:
    """Kinematics of the soles; holds a scratch model, so one object per thread."""

    def __init__(self) -> None:
        self._kinematics = Kinematics(key_points=SOLE_POINTS)
        self.imu_offset_b: Array = np.array(self._kinematics.model.site(IMU_SITE).pos)
        """Where the IMU sits, in the pelvis frame [m], shape (3,)."""

    def soles(self, quat_w: Array, ang_vel_w: Array, joint_pos: Array, joint_vel: Array) -> SoleMotion:
        """Where the soles are and how they move, seen from the pelvis.

        Args:
            quat_w: Pelvis orientation wxyz, shape (4,).
            ang_vel_w: Pelvis angular velocity in world axes [rad/s], shape (3,).
            joint_pos: [rad], shape (J,).
            joint_vel: [rad/s], shape (J,).
        """
        here = RobotState(0.0, np.zeros(3), quat_w, np.zeros(3), ang_vel_w, joint_pos, joint_vel)
        return SoleMotion(*self._kinematics.key_points(here))

    def sole_heights(self, quat_w: Array, joint_pos: Array) -> Array:
        """Heights of the sole points above the pelvis origin [m], shape (F,).

        Args:
            quat_w: Pelvis orientation wxyz, shape (4,).
            joint_pos: [rad], shape (J,).
        """
        return self._kinematics.key_point_heights(quat_w, joint_pos)


def stance_velocity(soles: SoleMotion, weights: Array) -> Array:
    """Velocity of the pelvis origin if the weighted points stand still [m/s], shape (3,)."""
    return -weights @ soles.velocity


def stance_height(soles: SoleMotion, floor_height: float = 0.0) -> float:
    """Height of the pelvis origin if the lowest point is on the floor [m]."""
    return floor_height - float(np.min(soles.position[:, 2]))
