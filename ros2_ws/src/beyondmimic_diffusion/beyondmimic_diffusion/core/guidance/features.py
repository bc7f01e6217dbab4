r"""What costs look at: the predicted states in SI units, and the way back for their gradients.

A state vector holds the key points relative to the root and rotated by each step's own yaw. Costs want them in one
frame:

.. math:: p^c_{i,m} = p^c_i + R_z(\psi_i)\, p^l_{i,m}, \qquad v^c_{i,m} = v^c_i + R_z(\psi_i)\, v^l_{i,m}

:func:`features_from` does this, and :func:`pull_back` carries a gradient with respect to the features back to the state
vector by the chain rule. The yaw :math:`\psi` is the heading of the root's x axis, and its derivative by the rotation
vector is exact, not "the z component".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from ..errors import GoalError
from ..types import Array

ROOT_PARTS = ("root_pos_c", "root_rot_c", "root_lin_vel_c", "root_ang_vel_c")
"""Names of the root's parts in a layout."""


@dataclass(frozen=True)
class PlanFeatures:
    """Predicted clean states of a batch of plans, SI, in the character frame of the newest observation."""

    times: Array
    """When each state is due, after the newest observation [s], shape (H,)."""
    root_pos_c: Array
    """Pelvis position, z absolute [m], shape (B, H, 3)."""
    root_rot_c: Array
    """Rotation vector of the pelvis [rad], shape (B, H, 3)."""
    yaw_c: Array
    """Heading of the pelvis's x axis [rad], shape (B, H)."""
    root_lin_vel_c: Array
    """Pelvis velocity [m/s], shape (B, H, 3)."""
    root_ang_vel_c: Array
    """Angular velocity [rad/s], shape (B, H, 3)."""
    key_pos_l: Array | None = None
    """Key points minus pelvis, rotated by each step's own yaw [m], shape (B, H, M, 3); None if the state has none."""
    key_pos_c: Array | None = None
    """Key points [m], shape (B, H, M, 3); None if the state has none."""
    key_vel_c: Array | None = None
    """Their velocities [m/s], shape (B, H, M, 3); None if the state has none."""
    heading: Heading | None = None
    """What ``yaw_c`` was read with, so that its slope need not start anew; None: it does."""

    @property
    def batch(self) -> int:
        """Number of plans B."""
        return self.root_pos_c.shape[0]

    def key_points(self, cost: str) -> Array:
        """``key_pos_c``, or a clear refusal.

        Raises:
            GoalError: The state has no key points.
        """
        if self.key_pos_c is None:
            raise GoalError(
                f"cost '{cost}' needs key points, but this state representation has none; "
                "use a body_pos policy, or a cost on the root"
            )
        return self.key_pos_c

    def window(self, first: int, stop: int) -> PlanFeatures:
        """Only the states ``first`` .. ``stop - 1``."""
        cut = {
            f.name: value[:, first:stop]
            for f in fields(self)
            if f.name not in ("times", "heading") and (value := getattr(self, f.name)) is not None
        }
        return PlanFeatures(times=self.times[first:stop], **cut)


@dataclass(frozen=True)
class PlanGradient:
    """Partial derivatives by each feature, the others held fixed; None means zero.

    Shapes as in :class:`PlanFeatures`.
    """

    root_pos_c: Array | None = None
    root_rot_c: Array | None = None
    yaw_c: Array | None = None
    root_lin_vel_c: Array | None = None
    root_ang_vel_c: Array | None = None
    key_pos_l: Array | None = None
    key_pos_c: Array | None = None
    key_vel_c: Array | None = None


def features_from(
    states: Array,
    layout: Mapping[str, slice],
    step_dt: float,
    with_key_points: bool = True,
    times: Array | None = None,
) -> PlanFeatures:
    """Read the features from state vectors.

    Args:
        states: SI units, shape (B, H, S).
        layout: Where each named part lies in S (``StateRepresentation.layout``).
        step_dt: Spacing of the states [s]; the first one is due ``step_dt`` after the newest observation.
        with_key_points: False leaves the key points out (cheaper when no cost looks at them).
        times: ``step_dt * (1 .. H)``, if the caller has it: costs keep what they computed for the same array.
    """
    root = {name: states[..., layout[name]] for name in ROOT_PARTS}
    heading = Heading(root["root_rot_c"])
    yaw = heading.yaw
    due: Array = step_dt * np.arange(1, states.shape[1] + 1) if times is None else times
    if not with_key_points or "key_pos_l" not in layout:
        return PlanFeatures(times=due, yaw_c=yaw, heading=heading, **root)
    shape = (*states.shape[:-1], -1, 3)
    key_pos_l = states[..., layout["key_pos_l"]].reshape(shape)  # (B, H, M, 3)
    key_vel_l = states[..., layout["key_vel_l"]].reshape(shape)
    cos, sin = heading.cos_sin()  # (B, H, 1)
    return PlanFeatures(
        times=due,
        yaw_c=yaw,
        heading=heading,
        key_pos_l=key_pos_l,
        key_pos_c=root["root_pos_c"][..., None, :] + _turn(key_pos_l, cos, sin),
        key_vel_c=root["root_lin_vel_c"][..., None, :] + _turn(key_vel_l, cos, sin),
        **root,
    )


def pull_back(plan: PlanFeatures, gradient: PlanGradient, layout: Mapping[str, slice], dim: int) -> Array:
    """Gradient by the state vectors, from the gradient by the features.

    Args:
        plan: The features at which the gradient was taken.
        gradient: Partial derivatives.
        layout: As given to :func:`features_from`.
        dim: S.

    Returns:
        Shape (B, H, S), per SI unit of each feature.
    """
    out = np.zeros((*plan.root_pos_c.shape[:2], dim))
    yaw = gradient.yaw_c
    for name in ROOT_PARTS:
        value = getattr(gradient, name)
        if value is not None:
            out[..., layout[name]] = value
    if gradient.key_pos_l is not None:
        out[..., layout["key_pos_l"]] = _flat(gradient.key_pos_l)
    heading = plan.heading
    if gradient.key_pos_c is not None or gradient.key_vel_c is not None:
        heading = heading or Heading(plan.root_rot_c)
        cos, sin = heading.cos_sin()
        for value, points, root, local in (
            (gradient.key_pos_c, plan.key_pos_c, "root_pos_c", "key_pos_l"),
            (gradient.key_vel_c, plan.key_vel_c, "root_lin_vel_c", "key_vel_l"),
        ):
            if value is None or points is None:
                continue
            arm = points - getattr(plan, root)[..., None, :]
            out[..., layout[root]] += value.sum(axis=-2)
            out[..., layout[local]] += _flat(_turn(value, cos, -sin))  # transposed rotation
            swing = (arm[..., 0] * value[..., 1] - arm[..., 1] * value[..., 0]).sum(axis=-1)  # (z x arm) . value
            yaw = swing if yaw is None else yaw + swing
    if yaw is not None:
        heading = heading or Heading(plan.root_rot_c)
        out[..., layout["root_rot_c"]] += yaw[..., None] * heading.slope()
    return out


def integrate_positions(plan: PlanFeatures, step_dt: float) -> PlanFeatures:
    r"""The plan with its planar root positions replaced by the integral of its own root velocities.

    .. math:: p_i = \Delta t \sum_{j \le i} v_j

    A cost on the new positions then asks for velocities that really lead there. Taken on the predicted positions alone,
    waypoint and obstacle costs tear positions and velocities apart, and the plan leaves the distribution within seconds
    (in an earlier trial of this recipe all of 8 runs fell). Key points move along with the root.
    """
    root = plan.root_pos_c.copy()
    root[..., :2] = step_dt * plan.root_lin_vel_c[..., :2].cumsum(axis=1)
    moved = None if plan.key_pos_c is None else plan.key_pos_c + (root - plan.root_pos_c)[..., None, :]
    return PlanFeatures(
        plan.times,
        root,
        plan.root_rot_c,
        plan.yaw_c,
        plan.root_lin_vel_c,
        plan.root_ang_vel_c,
        plan.key_pos_l,
        moved,
        plan.key_vel_c,
        plan.heading,
    )


def pull_back_integration(gradient: PlanGradient, step_dt: float) -> PlanGradient:
    """Gradient by the features before :func:`integrate_positions`, from the gradient by those after it."""
    if gradient.root_pos_c is None and gradient.key_pos_c is None:
        return gradient
    direct, key = gradient.root_pos_c, gradient.key_pos_c
    carried = None if key is None else key.sum(axis=-2)[..., :2]  # (B, H, 2)
    planar = carried if direct is None else direct[..., :2] if carried is None else direct[..., :2] + carried
    assert planar is not None
    velocity = np.zeros((*planar.shape[:2], 3))
    velocity[..., :2] = step_dt * planar[:, ::-1].cumsum(axis=1)[:, ::-1]  # v_j reaches every i >= j
    if gradient.root_lin_vel_c is not None:
        velocity += gradient.root_lin_vel_c
    position = np.zeros(velocity.shape) if direct is None else direct.copy()
    position[..., :2] = 0.0 if carried is None else -carried  # the arm stays as it was
    return PlanGradient(
        position,
        gradient.root_rot_c,
        gradient.yaw_c,
        velocity,
        gradient.root_ang_vel_c,
        gradient.key_pos_l,
        gradient.key_pos_c,
        gradient.key_vel_c,
    )


class Heading:
    """Heading of the x axis after a rotation, and its slope, from rotation vectors (..., 3); each is computed once."""

    def __init__(self, rotvec: Array):
        x, y, z = rotvec[..., 0], rotvec[..., 1], rotvec[..., 2]
        self._rotvec = x, y, z
        a, b, self._c = _rodrigues(x * x + y * y + z * z)
        self._b = b
        self._axis = 1.0 - b * (y * y + z * z), a * z + b * x * y, b * x * z - a * y  # the rotated x axis
        self.yaw: Array = np.arctan2(self._axis[1], self._axis[0])
        """[rad], shape (...)."""
        self._cos_sin: tuple[Array, Array] | None = None
        self._slope: Array | None = None

    def cos_sin(self) -> tuple[Array, Array]:
        """Cosine and sine of the heading, each of shape (..., 1)."""
        if self._cos_sin is None:
            self._cos_sin = np.cos(self.yaw)[..., None], np.sin(self.yaw)[..., None]
        return self._cos_sin

    def slope(self) -> Array:
        r"""Derivative of the heading by the rotation vector, shape (..., 3).

        A small rotation :math:`\phi` in fixed axes turns the heading by :math:`g \cdot \phi` with
        :math:`g = (-e_x l, -e_y l, 1),\; l = e_z / (e_x^2 + e_y^2)` and :math:`e` the rotated x axis; and
        :math:`\phi = J_l(r)\,dr` with the left Jacobian of SO(3), so that the derivative is
        :math:`J_l^T g = g - b\, r \times g + c\, r \times (r \times g)`.
        """
        if self._slope is None:
            self._slope = self._make_slope()
        return self._slope

    def _make_slope(self) -> Array:
        ex, ey, ez = self._axis
        lever = ez / np.maximum(ex * ex + ey * ey, 1e-12)
        gx, gy = -lever * ex, -lever * ey
        (x, y, z), b, c = self._rotvec, self._b, self._c
        ox, oy, oz = y - z * gy, z * gx - x, x * gy - y * gx  # r x g
        out = np.empty((*ex.shape, 3))
        out[..., 0] = gx - b * ox + c * (y * oz - z * oy)
        out[..., 1] = gy - b * oy + c * (z * ox - x * oz)
        out[..., 2] = 1.0 - b * oz + c * (x * oy - y * ox)
        return out


def _rodrigues(square: Array) -> tuple[Array, Array, Array]:
    """sin(t)/t, (1 - cos t)/t^2, (t - sin t)/t^3 from squared angles t^2, each (...); by series below 0.01 rad."""
    small = square < 1e-4
    some = bool(small.any())
    safe = np.where(small, 1.0, square) if some else square
    angle = np.sqrt(safe)
    sine = np.sin(angle) / angle
    values = (sine, (1.0 - np.cos(angle)) / safe, (1.0 - sine) / safe)
    if not some:
        return values
    series = (
        1.0 - square * (1.0 / 6.0 - square / 120.0),
        0.5 - square * (1.0 / 24.0 - square / 720.0),
        1.0 / 6.0 - square * (1.0 / 120.0 - square / 5040.0),
    )
    return tuple(np.where(small, near, far) for near, far in zip(series, values, strict=True))  # type: ignore[return-value]


def _turn(vectors: Array, cos: Array, sin: Array) -> Array:
    """Rotate (..., M, 3) about z; ``cos`` and ``sin`` (..., 1)."""
    out = np.empty(vectors.shape)
    x, y = vectors[..., 0], vectors[..., 1]
    out[..., 0] = cos * x - sin * y
    out[..., 1] = sin * x + cos * y
    out[..., 2] = vectors[..., 2]
    return out


def _flat(points: Array) -> Array:
    return points.reshape(*points.shape[:-2], -1)
