r"""What the filter believes, and how its error is counted.

The orientation R (pelvis to world), velocity v and position p of the IMU and the points of contact d of the feet form
one matrix group (SE_k(3), Hartley et al. 2020, "Contact-aided invariant extended Kalman filtering"). The error is the
right-invariant one, :math:`\hat X = \exp(\xi) X`, with J the left Jacobian of rotations

.. math:: \hat R = \exp(\xi_R) R, \quad \hat x = \exp(\xi_R) x + J(\xi_R)\,\xi_x \ \text{for}\ x \in \{v, p, d_1, d_2\}.

In these terms motion and foot measurements are linear with constant matrices, whatever the estimate, so that the
filter never believes to have seen what cannot be seen: place and heading. Ours are the headings of the standing feet,
:math:`\xi_\psi = \hat\psi - \psi - \xi_{R,z}`, and the biases, whose errors are differences.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ..types import Array
from .foot_geometry import FEET, cross

THETA, VEL, POS, FOOT = slice(0, 3), slice(3, 6), slice(6, 9), (slice(9, 12), slice(12, 15))
PSI = (15, 16)
GYRO, ACC = slice(17, 20), slice(20, 23)
SIZE = 23
"""Length of the error."""


@dataclass(frozen=True)
class FilterState:
    """One belief; arrays are never written to in place."""

    R_wb: Array
    """Pelvis axes to world, shape (3, 3)."""
    vel_w: Array
    """Of the IMU [m/s], shape (3,)."""
    pos_w: Array
    """Of the IMU [m], shape (3,)."""
    feet_w: Array
    """Points of contact [m], shape (2, 3)."""
    heading: Array
    """Of the feet [rad], shape (2,)."""
    gyro_bias: Array
    """[rad/s], shape (3,)."""
    acc_bias: Array
    """[m/s^2], shape (3,)."""
    covariance: Array
    """Of the error, shape (23, 23)."""


def skew(v: Array) -> Array:
    """The matrix of v x, shape (3, 3)."""
    x, y, z = v
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


def rotation(rotvec: Array) -> Array:
    """Rodrigues' formula: rotation vector [rad], shape (3,), to a matrix (3, 3)."""
    x, y, z = (float(c) for c in rotvec)
    square = x * x + y * y + z * z
    angle = math.sqrt(square)
    if angle < 1e-4:  # the next terms are angle^4 / 120 and below rounding
        a, b = 1.0 - square / 6.0, 0.5 - square / 24.0
    else:
        a, b = math.sin(angle) / angle, (1.0 - math.cos(angle)) / square
    return np.array(
        [
            [1.0 - b * (y * y + z * z), b * x * y - a * z, b * x * z + a * y],
            [b * x * y + a * z, 1.0 - b * (x * x + z * z), b * y * z - a * x],
            [b * x * z - a * y, b * y * z + a * x, 1.0 - b * (x * x + y * y)],
        ]
    )


def rotation_vector(R: Array) -> Array:
    """The shortest rotation vector of a matrix [rad], shape (3,); for turns well below half."""
    axis = 0.5 * np.array([R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1]])
    sine = float(np.linalg.norm(axis))
    cosine = 0.5 * (float(np.trace(R)) - 1.0)
    return axis if sine < 1e-9 else axis * (math.atan2(sine, cosine) / sine)


def quaternion(R: Array) -> Array:
    """Of a rotation matrix (3, 3), wxyz with w >= 0, shape (4,): one at a time a tenth of the batched one's time."""
    diagonal = (R[0, 0] + R[1, 1] + R[2, 2], R[0, 0], R[1, 1], R[2, 2])
    best = max(range(4), key=diagonal.__getitem__)
    if best == 0:
        q = np.array([1.0 + diagonal[0], R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1]])
    else:
        i = best - 1
        j, k = (i + 1) % 3, (i + 2) % 3
        q = np.empty(4)
        q[0], q[1 + i] = R[k, j] - R[j, k], 1.0 + R[i, i] - R[j, j] - R[k, k]
        q[1 + j], q[1 + k] = R[j, i] + R[i, j], R[k, i] + R[i, k]
    return q / math.copysign(math.sqrt(float(q @ q)), q[0])


def left_jacobian(rotvec: Array) -> Array:
    """Of the exponential of rotations: what a turn on the way does to a shift, shape (3, 3)."""
    cross_of = skew(rotvec)
    square = float(rotvec @ rotvec)
    angle = math.sqrt(square)
    if angle < 1e-3:  # the next terms are angle^2 / 24 and angle^2 / 120 of these
        a, b = 0.5 - square / 24.0, 1.0 / 6.0 - square / 120.0
    else:
        a, b = (1.0 - math.cos(angle)) / square, (angle - math.sin(angle)) / (square * angle)
    return np.eye(3) + a * cross_of + b * (cross_of @ cross_of)


def error(believed: FilterState, true: FilterState) -> Array:
    """What a belief is off by, shape (23,): the logarithm of believed times true's inverse."""
    turn = believed.R_wb @ true.R_wb.T
    xi = rotation_vector(turn)
    out = np.empty(SIZE)
    out[THETA] = xi
    before, after = (np.vstack([s.vel_w, s.pos_w, s.feet_w]).T for s in (true, believed))  # (3, 4)
    out[3:15] = np.linalg.solve(left_jacobian(xi), after - turn @ before).T.ravel()
    for i in range(FEET):
        out[PSI[i]] = believed.heading[i] - true.heading[i] - xi[2]
    out[GYRO] = believed.gyro_bias - true.gyro_bias
    out[ACC] = believed.acc_bias - true.acc_bias
    return out


def corrected(state: FilterState, xi: Array, covariance: Array) -> FilterState:
    """The belief without an error of ``xi`` (23,): the inverse of :func:`error`.

    With the exact exponential, for a turn to first order would move a robot that is far from the origin.
    """
    turn = rotation(-xi[THETA])
    shifts = xi[3:15].reshape(4, 3) @ left_jacobian(xi[THETA]).T
    return FilterState(
        turn @ state.R_wb,
        turn @ (state.vel_w - shifts[0]),
        turn @ (state.pos_w - shifts[1]),
        (state.feet_w - shifts[2:]) @ turn.T,
        state.heading - xi[15:17] - xi[2],
        state.gyro_bias - xi[GYRO],
        state.acc_bias - xi[ACC],
        covariance,
    )


def moved(state: FilterState, yaw: float, shift_w: Array) -> FilterState:
    """The same belief in a world that is turned by ``yaw`` [rad] about z and then shifted [m], shape (3,)."""
    turn = rotation(np.array([0.0, 0.0, yaw]))
    adjoint = np.eye(SIZE)
    for block in (THETA, VEL, POS, *FOOT):
        adjoint[block, block] = turn
    across = skew(shift_w) @ turn  # the error of a place is counted about the world's origin
    for block in (POS, *FOOT):
        adjoint[block, THETA] = across
    return replace(
        state,
        R_wb=turn @ state.R_wb,
        vel_w=turn @ state.vel_w,
        pos_w=turn @ state.pos_w + shift_w,
        feet_w=state.feet_w @ turn.T + shift_w,
        heading=state.heading + yaw,
        covariance=adjoint @ state.covariance @ adjoint.T,
    )


def turns(state: FilterState) -> Array:
    """How the error moves when the robot alone turns about each axis, its place and velocity kept, shape (23, 3)."""
    out = np.zeros((SIZE, 3))
    out[THETA] = np.eye(3)
    out[VEL] = skew(state.vel_w)  # xi_v = -xi_R x v keeps v
    for block in (POS, *FOOT):
        out[block] = skew(state.pos_w)
    return out


def unseen(about_w: Array) -> tuple[Array, Array]:
    """What the robot's own sensors cannot see: place and heading of everything together.

    Args:
        about_w: A point of the robot [m], shape (3,).

    Returns:
        Directions G (23, 4) in which the error moves when the world is shifted in x, y, z or turned about the point,
        and the readings C (4, 23) with C G = 1: the point's errors of place (differences) and the robot's of heading.
    """
    directions, readings = np.zeros((SIZE, 4)), np.zeros((4, SIZE))
    for block in (POS, *FOOT):
        directions[block, :3] = np.eye(3)
    up = np.array([0.0, 0.0, 1.0])
    directions[THETA, 3] = up
    away = -cross(up, about_w)  # turning about the point instead of the world's origin
    for block in (POS, *FOOT):
        directions[block, 3] = away
    readings[:3, POS] = np.eye(3)
    readings[:3, THETA] = -skew(about_w)  # difference of places = xi_p + xi_R x p
    readings[3, 2] = 1.0
    return directions, readings
