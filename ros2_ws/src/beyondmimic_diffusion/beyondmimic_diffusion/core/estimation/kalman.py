r"""Contact-aided right-invariant Kalman filter: IMU and encoders in, pelvis motion with its covariance out.

Prediction integrates the IMU. Each standing foot then says two things: its point of contact has not moved
(:math:`\hat R c + \hat p - \hat d = \xi_p - \xi_d + \hat R n`, c from the encoders), and it has not turned. A foot that
slips fails a chi-square test and is put down anew where the robot believes it to be. On a flat floor each foot that is
put down also tells the height. Hartley et al. (2020), eqs. 21-33, is the frame; headings of the feet, rolling points of
contact, slip and re-referencing are ours.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..types import Array, ImuSample
from .attitude import GRAVITY, up_to_rotation
from .foot_geometry import FEET, LEG_JOINTS, FootGeometry, cross
from .kalman_config import KalmanConfig
from .kalman_model import error_transition, foot_jacobian, heading_terms, process_noise
from .kalman_state import (
    ACC,
    FOOT,
    GYRO,
    POS,
    PSI,
    SIZE,
    THETA,
    VEL,
    FilterState,
    corrected,
    moved,
    rotation,
    skew,
    turns,
)

_UP = np.array([0.0, 0.0, 1.0])
_CALM = 1.5
"""Specific force this near gravity tells which way is up [m/s^2]."""


_MEMORY = ("state", "anchored", "_weights", "_creep", "_imu", "_lost_since", "_loaded_at", "_floor_known")
"""What a step changes."""


class FootReading(NamedTuple):
    """What the encoders say of one moment."""

    geometry: FootGeometry
    joint_vel: Array
    """Of the legs [rad/s], shape (2, 6)."""
    standing: NDArray[np.bool_]
    """Shape (2,)."""
    weights: Array
    """Share of each sole point in the point of contact, shape (2, P)."""


class ContactAidedFilter:
    """The filter; one object per robot and thread. All it knows is in :attr:`state` and :attr:`memory`."""

    def __init__(self, config: KalmanConfig | None = None):
        """
        Args:
            config: The defaults if None.
        """
        self.config = config or KalmanConfig()
        self.slips = 0
        """Standing feet that failed the test."""

    def start(self, imu: ImuSample, heading: float, imu_pos_w: Array) -> None:
        """Begin from one sample: upright as the accelerometer says, speed nearly unknown.

        Where the accelerometer feels something else than gravity, the robot is taken to be upright, more or less.

        Args:
            imu: First sample.
            heading: [rad].
            imu_pos_w: [m], shape (3,).
        """
        c = self.config
        calm = abs(float(np.linalg.norm(imu.lin_acc_b)) - GRAVITY) < _CALM
        R = up_to_rotation(imu.lin_acc_b) if calm else np.eye(3)
        R = rotation((heading - math.atan2(R[1, 0], R[0, 0])) * _UP) @ R
        std = np.empty(SIZE)
        std[THETA] = (0.1, 0.1, 1e-4) if calm else (0.3, 0.3, 1e-4)
        std[VEL], std[POS] = 0.3, 1e-3
        std[9:15], std[15:17] = 1.0, 1.0
        std[GYRO], std[ACC] = c.gyro_bias, c.acc_bias
        zero = np.zeros(3)
        here = FilterState(R, zero, zero, np.zeros((FEET, 3)), np.zeros(FEET), zero, zero, np.diag(std**2))
        self.state = moved(here, 0.0, np.asarray(imu_pos_w, dtype=float))  # a tilt error is no error of the place
        self._forget(imu)

    def shift(self, by_w: Array) -> None:
        """Move the whole belief [m], shape (3,)."""
        self.state = moved(self.state, 0.0, by_w)

    def replace(self, state: FilterState, covariance: Array) -> None:
        """Believe something else."""
        self.state = replace(state, covariance=0.5 * (covariance + covariance.T))

    def restart(self, imu: ImuSample, gap: float) -> None:
        """Go on after a time without samples: biases are kept, the rest is as uncertain as the gap makes it.

        Args:
            imu: First sample after it.
            gap: How long it was [s]; 0 where time jumped back.
        """
        gap, state = min(gap, 10.0), self.state
        P = state.covariance.copy()
        for block, std in ((VEL, 0.5), (POS, 0.5 * gap)):
            P[block, block] += std**2 * np.eye(3)
        turned = turns(state)
        P += (0.1 + gap) ** 2 * (turned @ turned.T)
        self.state = replace(state, covariance=P)
        self._forget(imu)

    def _forget(self, imu: ImuSample) -> None:
        self.anchored: NDArray[np.bool_] = np.zeros(FEET, dtype=bool)
        self._weights: Array | None = None
        self._creep = np.zeros((FEET, 4))
        self._imu = imu
        self._lost_since: float | None = None
        self._loaded_at = imu.stamp
        self._floor_known = False

    @property
    def memory(self) -> tuple:
        """Everything besides the state that the next step depends on; for :meth:`recall`."""
        return tuple(getattr(self, name) for name in _MEMORY)

    def recall(self, memory: tuple) -> None:
        """Go back to a moment whose :attr:`memory` was kept."""
        for name, value in zip(_MEMORY, memory, strict=True):
            setattr(self, name, value)

    def ang_vel_b(self) -> Array:
        """Angular velocity without bias [rad/s], shape (3,)."""
        return self._imu.ang_vel_b - self.state.gyro_bias

    def predict(self, imu: ImuSample) -> None:
        """Integrate the IMU from its last sample to this one."""
        dt = imu.stamp - self._imu.stamp
        if dt <= 0.0:
            self._imu = imu
            return
        state = self.state
        rate = 0.5 * (self._imu.ang_vel_b + imu.ang_vel_b) - state.gyro_bias
        force = 0.5 * (self._imu.lin_acc_b + imu.lin_acc_b) - state.acc_bias
        half = state.R_wb @ rotation(0.5 * dt * rate)
        acc = half @ force - GRAVITY * _UP
        turned = state.R_wb @ rotation(dt * rate)
        vel = state.vel_w + dt * acc
        pos = state.pos_w + dt * (state.vel_w + 0.5 * dt * acc)
        transition = error_transition(replace(state, R_wb=half, vel_w=vel, pos_w=pos), dt)
        P = transition @ state.covariance @ transition.T
        P += process_noise(self.config, transition[:, 17:23] / dt, dt)
        self.state = replace(state, R_wb=turned, vel_w=vel, pos_w=pos, covariance=0.5 * (P + P.T))
        self._imu = imu

    def correct(self, reading: FootReading, dt: float) -> None:
        """Learn from the feet.

        Args:
            reading: Of the moment of the last IMU sample.
            dt: Since the last correction [s].
        """
        geometry, standing = reading.geometry, reading.standing
        self._roll(reading)
        points = geometry.contact(reading.weights)
        jacobians = geometry.jacobian(points)
        failed = 0
        for foot in range(FEET):
            if not standing[foot]:
                self.anchored = _with(self.anchored, foot, False)
            elif not self.anchored[foot]:
                self._put_down(foot, geometry, points[foot], jacobians[foot])
            else:
                self._widen(foot, geometry, points[foot], jacobians[foot], reading.joint_vel[foot], dt)
                if not self._hold(foot, geometry, points[foot], jacobians[foot]):
                    failed += 1
                    self.slips += 1
                    self._put_down(foot, geometry, points[foot], jacobians[foot])
        self._weights = reading.weights
        self._watch_loss(failed > 0 and failed == int(np.sum(standing)))
        self._watch_air(bool(np.any(standing)), dt)

    def _roll(self, reading: FootReading) -> None:
        """Where a sole rolls, the point of contact wanders along it by what the encoders say."""
        if self._weights is None:
            return
        change = reading.weights - self._weights
        shift = np.matmul(change[:, None, :], reading.geometry.points_b)[:, 0] @ self.state.R_wb.T
        self.state = replace(self.state, feet_w=self.state.feet_w + shift)

    def _put_down(self, foot: int, geometry: FootGeometry, point_b: Array, jacobian: Array) -> None:
        """A foot begins to stand: its place follows from the robot's, and so does its error."""
        state, block, psi = self.state, FOOT[foot], PSI[foot]
        R, c = state.R_wb, self.config
        axis = R @ geometry.rotation_b[foot, :, 0]
        tilt, spin = heading_terms(axis, R @ geometry.joint_axes_b[foot].T)
        choose = np.eye(SIZE)
        choose[block] = 0.0
        choose[block, POS] = np.eye(3)
        choose[psi] = 0.0
        choose[psi, :2] = -tilt
        P = choose @ state.covariance @ choose.T
        noise = R @ jacobian
        P[block, block] += c.encoder_noise**2 * (noise @ noise.T)
        P[psi, psi] += c.encoder_noise**2 * float(spin @ spin)
        feet, heading = state.feet_w.copy(), state.heading.copy()
        feet[foot] = state.pos_w + R @ point_b
        heading[foot] = math.atan2(axis[1], axis[0])
        self.state = replace(state, feet_w=feet, heading=heading, covariance=P)
        self.anchored = _with(self.anchored, foot, True)
        self._creep = self._creep.copy()
        self._creep[foot] = 0.0
        if c.flat_floor:
            self._level(foot)

    def _level(self, foot: int) -> None:
        """The foot was put down on the floor at z = 0, unless it is plainly elsewhere (a step).

        The first foot after a start, a gap or a time in the air tells where the floor is.
        """
        if not self._floor_known:
            P = self.state.covariance.copy()
            heights = [block.start + 2 for block in (POS, *FOOT)]
            P[np.ix_(heights, heights)] += 1.0  # all of it may be a metre too high
            self.state = replace(self.state, covariance=P)
            self._floor_known = True
        x, y, z = self.state.feet_w[foot]
        H = np.zeros((1, SIZE))
        H[0, FOOT[foot].start + 2] = 1.0
        H[0, :2] = y, -x
        self.update(H, np.array([z]), np.array([[self.config.floor_std**2]]), 9.0)

    def _widen(
        self, foot: int, geometry: FootGeometry, point_b: Array, jacobian: Array, rate: Array, dt: float
    ) -> None:
        """The faster a standing foot seems to slide and to turn, the less it is believed to stand still.

        Speeds are averaged: those of the encoders are too noisy from sample to sample; the noise that is left is
        taken off their squares.

        Args:
            foot: 0 left, 1 right.
            geometry: Of the legs.
            point_b: Points of contact [m], shape (2, 3).
            jacobian: Of the foot's point, shape (3, 6).
            rate: Joint velocities of its leg [rad/s], shape (6,).
            dt: Since the last correction [s].
        """
        c, state = self.config, self.state
        spin_b = self.ang_vel_b()
        seen = np.empty(4)
        seen[:3] = state.vel_w + state.R_wb @ (cross(spin_b, point_b) + jacobian @ rate)
        seen[3] = state.R_wb[2] @ (spin_b + rate @ geometry.joint_axes_b[foot])
        share = dt / (dt + c.slip_average)
        creep = self._creep.copy()
        creep[foot] += share * (seen - creep[foot])
        self._creep = creep
        noise = c.encoder_rate_noise**2 * share / (2.0 - share)
        slide = float(creep[foot, :3] @ creep[foot, :3]) - noise * float(np.sum(jacobian**2))
        turn = float(creep[foot, 3]) ** 2 - 3.0 * noise  # three of the joints turn the foot about the vertical
        P = state.covariance.copy()
        block = np.arange(FOOT[foot].start, FOOT[foot].stop)
        P[block, block] += c.slip_time * dt * max(0.0, slide)
        P[PSI[foot], PSI[foot]] += c.slip_time * dt * max(0.0, turn)
        self.state = replace(state, covariance=P)

    def _hold(self, foot: int, geometry: FootGeometry, point_b: Array, jacobian: Array) -> bool:
        """A standing foot is where and as it was; False if that cannot be."""
        state, c = self.state, self.config
        R = state.R_wb
        axis = R @ geometry.rotation_b[foot, :, 0]
        tilt, spin = heading_terms(axis, R @ geometry.joint_axes_b[foot].T)
        H, z = foot_jacobian(foot, tilt), np.empty(4)
        z[:3] = R @ point_b + state.pos_w - state.feet_w[foot]
        z[3] = _wrapped(state.heading[foot] - math.atan2(axis[1], axis[0]))
        inputs = np.empty((4, LEG_JOINTS))
        inputs[:3] = R @ jacobian
        inputs[3] = -spin
        return self.update(H, z, c.encoder_noise**2 * (inputs @ inputs.T) + 1e-8 * np.eye(4), c.slip_gate)

    def _watch_loss(self, all_failed: bool) -> None:
        """Feet that fail together for a while mean that it is the speed that is wrong, not the feet."""
        now = self._imu.stamp
        if not all_failed:
            self._lost_since = None
        elif self._lost_since is None:
            self._lost_since = now
        elif now - self._lost_since >= self.config.lost_time:
            P = self.state.covariance.copy()
            P[VEL, VEL] += 0.3**2 * np.eye(3)
            self.state = replace(self.state, covariance=P)
            self._lost_since = None

    def _watch_air(self, loaded: bool, dt: float) -> None:
        """Nobody flies for long: a robot without load on its feet hangs in a gantry or lies, and hardly moves."""
        now, c = self._imu.stamp, self.config
        if loaded:
            self._loaded_at = now
        elif now - self._loaded_at > c.air_time and dt > 0.0:
            self._floor_known = False
            H = np.zeros((3, SIZE))
            H[:, VEL], H[:, THETA] = np.eye(3), -skew(self.state.vel_w)
            self.update(H, self.state.vel_w, c.air_speed**2 / dt * np.eye(3), math.inf)

    def update(self, H: Array, z: Array, noise: Array, gate: float) -> bool:
        """Kalman's correction by an innovation z = H xi + noise; False and nothing done if it fails the gate."""
        P = self.state.covariance
        PHt = P @ H.T
        S = H @ PHt + noise
        solved = np.linalg.solve(S, np.column_stack([z, PHt.T]))
        if not float(z @ solved[:, 0]) <= gate:
            return False
        P = P - PHt @ solved[:, 1:]
        self.state = corrected(self.state, PHt @ solved[:, 0], 0.5 * (P + P.T))
        return True


def _with(flags: NDArray[np.bool_], index: int, value: bool) -> NDArray[np.bool_]:
    out = flags.copy()
    out[index] = value
    return out


def _wrapped(angle: float) -> float:
    return math.remainder(angle, 2.0 * math.pi)
