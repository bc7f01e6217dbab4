"""The filter's equations: how its error moves, and how feet show it. All of them linear, with matrices tested
against finite differences.
"""

from __future__ import annotations

import math

import numpy as np

from ..types import Array
from .attitude import GRAVITY
from .foot_geometry import FEET
from .kalman_config import KalmanConfig
from .kalman_state import ACC, FOOT, GYRO, POS, PSI, SIZE, THETA, VEL, FilterState, skew

_DOWN = np.array([0.0, 0.0, -1.0])


def error_transition(state: FilterState, dt: float) -> Array:
    """How the error (23,) moves on in ``dt`` [s]: d xi / dt = A xi, to second order, shape (23, 23)."""
    A = np.eye(SIZE)
    gravity = skew(GRAVITY * _DOWN)
    A[VEL, THETA] = dt * gravity
    A[POS, THETA] = 0.5 * dt * dt * gravity
    A[POS, VEL] = dt * np.eye(3)
    R = state.R_wb * dt
    A[THETA, GYRO] = -R
    A[VEL, GYRO] = -skew(state.vel_w) @ R
    A[POS, GYRO] = -skew(state.pos_w) @ R
    for foot in range(FEET):
        A[FOOT[foot], GYRO] = -skew(state.feet_w[foot]) @ R
        A[PSI[foot], GYRO] = R[2]
    A[VEL, ACC] = -R
    A[POS, ACC] = -0.5 * dt * R
    return A


def foot_jacobian(foot: int, tilt: Array) -> Array:
    """What a standing foot shows of the error, shape (4, 23): place (3) and heading, innovation = H xi + noise.

    Args:
        foot: 0 left, 1 right.
        tilt: How the foot's heading depends on the tilt errors, shape (2,); near zero for a flat foot.
    """
    H = np.zeros((4, SIZE))
    H[:3, POS] = np.eye(3)
    H[:3, FOOT[foot]] = -np.eye(3)
    H[3, PSI[foot]] = 1.0
    H[3, :2] = tilt
    return H


def process_noise(config: KalmanConfig, imu_inputs: Array, dt: float) -> Array:
    """Covariance that comes in during ``dt`` [s], shape (23, 23).

    Args:
        config: How much there is.
        imu_inputs: How errors of gyro and accelerometer enter, per second, shape (23, 6): as their biases do.
        dt: [s].
    """
    entering = imu_inputs * (np.array([config.gyro_noise] * 3 + [config.acc_noise] * 3) * math.sqrt(dt))
    entering[17:23] = 0.0
    noise = entering @ entering.T
    diagonal = np.zeros(SIZE)
    diagonal[GYRO], diagonal[ACC] = config.gyro_bias_walk**2, config.acc_bias_walk**2
    diagonal[9:15], diagonal[15:17] = config.foot_drift**2, config.foot_turn**2
    noise[np.arange(SIZE), np.arange(SIZE)] += diagonal * dt
    return noise


def heading_terms(axis: Array, joint_axes: Array) -> tuple[Array, Array]:
    """How tilt (2,) and the leg's joints (6,) enter a foot's heading error (see :func:`foot_jacobian`).

    Args:
        axis: The foot's x axis in the world, shape (3,).
        joint_axes: In the world, shape (3, 6).
    """
    flat = axis[:2] / max(axis[0] ** 2 + axis[1] ** 2, 1e-6)
    tilt = axis[2] * flat
    return tilt, joint_axes[2] - tilt @ joint_axes[:2]
