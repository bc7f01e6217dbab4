"""Data that crosses module borders. Frozen, SI units, quaternions ``wxyz``, times in seconds of the robot's clock.

Shape letters: ``B`` batch, ``N`` history, ``H`` horizon, ``J`` joints, ``M`` key points, ``S`` state features,
``A`` action features, ``P`` joint set-points in a plan. Frame suffixes: ``_w`` world (odom), ``_b`` own body,
``_c`` character frame (pelvis's ground projection at the newest observation, yaw only).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
"""Any floating NumPy array."""


@dataclass(frozen=True)
class ImuSample:
    """One reading of the pelvis IMU."""

    stamp: float
    """When it was measured [s]."""
    quat_w: Array
    """Orientation of the IMU's body in the world, wxyz, shape (4,)."""
    ang_vel_b: Array
    """Angular velocity in the body frame [rad/s], shape (3,)."""
    lin_acc_b: Array
    """Specific force in the body frame [m/s^2], shape (3,); at rest it is +g along world z."""


@dataclass(frozen=True)
class JointSample:
    """One reading of all joints, in the robot's joint order."""

    stamp: float
    """When it was measured [s]."""
    position: Array
    """Joint positions [rad], shape (J,)."""
    velocity: Array
    """Joint velocities [rad/s], shape (J,)."""
    effort: Array
    """Joint torques [N m], shape (J,)."""
    temperature: Array | None = None
    """Of the hottest sensor of each joint's motor [degC], shape (J,); None: not measured."""


@dataclass(frozen=True)
class RobotState:
    """What the estimator believes, all of it true at ``stamp``."""

    stamp: float
    """When it was true [s]."""
    root_pos_w: Array
    """Pelvis origin [m], shape (3,)."""
    root_quat_w: Array
    """Pelvis orientation wxyz, shape (4,)."""
    root_lin_vel_w: Array
    """Velocity of the pelvis origin [m/s], shape (3,)."""
    root_ang_vel_w: Array
    """Angular velocity of the pelvis, in world axes [rad/s], shape (3,)."""
    joint_pos: Array
    """[rad], shape (J,)."""
    joint_vel: Array
    """[rad/s], shape (J,)."""
    joint_temperature: Array | None = None
    """Of the motors [degC], shape (J,); None: not measured."""


@dataclass(frozen=True)
class JointCommand:
    """What goes to the motors: torque = tau_ff + kp (position - q) + kd (velocity - dq)."""

    stamp: float
    """When it was computed [s]."""
    position: Array
    """[rad], shape (J,)."""
    velocity: Array
    """[rad/s], shape (J,)."""
    kp: Array
    """[N m/rad], shape (J,)."""
    kd: Array
    """[N m s/rad], shape (J,)."""
    tau_ff: Array
    """[N m], shape (J,)."""


class Sample(NamedTuple):
    """Normalised future tokens at some noise level, or the network's prediction of them without noise."""

    states: Array
    """s[t+1] .. s[t+H], shape (B, H, S)."""
    actions: Array
    """a[t] .. a[t+Ha-1], shape (B, Ha, A); Ha is the action horizon (8)."""


class Levels(NamedTuple):
    """Noise level of each token: 0 is a fact, K-1 is pure noise."""

    states: NDArray[np.integer]
    """Shape (B, H)."""
    actions: NDArray[np.integer]
    """Shape (B, Ha)."""


class Conditioning(NamedTuple):
    """Normalised tokens that are known: inpainted, never denoised."""

    history: Array
    """(state, action) pairs s[t-N],a[t-N] .. s[t-1],a[t-1], concatenated on the last axis, shape (B, N, S + A)."""
    current: Array
    """s[t], shape (B, S)."""


@dataclass(frozen=True)
class CostStats:
    """What one guidance cost did to one plan."""

    name: str
    value: float
    """Weighted cost of the final clean plan, in the cost's own unit."""
    gradient_norm: float
    """Norm of its weighted gradient in SI units at the last guided pass."""


@dataclass(frozen=True)
class Plan:
    """A denormalised future: what the planner wants the robot to live through.

    Set-point ``i`` of ``joint_targets`` is due at ``stamp + i * step_dt``; a token of 40 ms holds two of them.
    """

    plan_id: int
    """Increases by one per plan; restarts at 0 with a new ``session_id``."""
    session_id: int
    """Random per planner activation."""
    stamp: float
    """When set-point 0 is due [s]."""
    observation_stamp: float
    """Stamp of the newest state the plan was conditioned on [s]."""
    step_dt: float
    """Spacing of the set-points [s]."""
    joint_targets: Array
    """Absolute joint positions [rad], shape (P, J)."""
    trusted_steps: int
    """Set-points that may be executed; those after it were never trained."""
    first_step: int
    """Set-points before this one were already promised by an earlier plan."""
    valid_until: float
    """No set-point may be started after this [s]."""
    state_dt: float = 0.04
    """Spacing of the predicted states [s]; state ``i`` (from 0) is predicted for ``stamp + (i + 1) * state_dt``."""
    root_pos_w: Array = field(default_factory=lambda: np.zeros((0, 3)))
    """Predicted pelvis positions [m], shape (H, 3)."""
    root_quat_w: Array = field(default_factory=lambda: np.zeros((0, 4)))
    """Predicted pelvis orientations wxyz, shape (H, 4)."""
    compute_time: float = 0.0
    """Wall time spent [s]."""
    guidance_seq: int = 0
    """Which guidance goal it answers."""
    cost_stats: tuple[CostStats, ...] = ()
    """One entry per active cost."""
    policy_sha256: str = ""
    """Which model made it."""
    successor_due: float | None = None
    """When the next plan takes over, at the latest [s]: until then this one is not late; None: not said."""

    @property
    def finite(self) -> bool:
        """No NaN or infinity in set-points and predicted poses; any other plan must neither be sent nor continued."""
        return all(bool(np.isfinite(v).all()) for v in (self.joint_targets, self.root_pos_w, self.root_quat_w))
