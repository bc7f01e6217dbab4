"""Walk round obstacles: a barrier on the clearance of the body's nearest part."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import GoalError
from ..types import Array
from .barrier import RelaxedBarrier
from .cost import GuidanceCost, register_cost
from .features import PlanFeatures, PlanGradient
from .sdf import SignedDistance

_MARGIN = 0.5
"""Shapes are looked for so much further than needed: until the root's way has moved by that, none is missing [m]."""
_SLACK = 0.1
"""Likewise for the size of the body, which changes with its pose [m]."""


_FEW = 4
"""For up to so many plans the distances of all parts are looked at before their gradients."""


@register_cost("clearance")
class ClearanceCost(GuidanceCost):
    r"""A barrier on the clearance of the nearest part of the body; only the root is moved by it (ours).

    .. math:: G = \sum_i B(c_i), \quad c_i = -\tau \ln \sum_b e^{-(\mathrm{SDF}(p_{b,i}) - r_b)/\tau}

    What differs from eq. 9 (:class:`~.obstacle.ObstacleCost`), and why:

    * the nearest part counts, by a soft minimum, instead of the sum over all: its size does not depend on how many key
      points there are, and a robot beside a pillar is not pushed by 18 times what a hand near it is pushed by;
    * the limbs' places relative to the root are held fixed by the gradient, as d is in eq. 8: the robot is to walk
      somewhere else. Bending the limbs of a predicted gait out of the way makes a fall of it;
    * parts without key points of their own are looked at, too (``extensions``): a G1's hands reach 0.19 m beyond its
      wrists, and were what touched pillars.

    With ``extrapolation`` the last predicted state goes on at its planar root velocity for that time. Use it on
    consistent positions (``CostTerm.consistent``), else it changes nothing that leads anywhere.
    """

    uses_key_points = True

    def __init__(
        self,
        sdf_c: SignedDistance,
        radii: ArrayLike,
        barrier: RelaxedBarrier | None = None,
        time_offset: float = 0.0,
        extrapolation: float = 0.0,
        step_dt: float = 0.04,
        extensions: Array | None = None,
        extension_radii: ArrayLike = 0.0,
        softness: float = 0.02,
    ):
        """
        Args:
            sdf_c: Distance to the obstacles, in the character frame.
            radii: Sphere radius of each key point [m], scalar or (M,).
            barrier: B; None: its defaults.
            time_offset: Stamp of the newest observation minus that of the scene [s]; matters for moving obstacles.
            extrapolation: Time beyond the last predicted state that is looked at [s].
            step_dt: Spacing of the states looked at there [s].
            extensions: Further points as weighted sums of the key points, weights (X, M); None: none.
            extension_radii: Sphere radius of each of them [m], scalar or (X,).
            softness: tau [m]; the soft minimum lies below the true one by at most tau ln(M + X).
        """
        self.sdf_c = sdf_c
        self.radii = np.asarray(radii, dtype=np.float64)
        self.extensions = None if extensions is None else np.asarray(extensions, dtype=np.float64)
        self.extension_radii = np.asarray(extension_radii, dtype=np.float64)
        for name, values in (("radii", self.radii), ("extension_radii", self.extension_radii)):
            if not np.all(np.isfinite(values)) or np.any(values < 0.0):
                raise GoalError(f"clearance cost: {name} {values.tolist()} must be metres, zero or more")
        if not extrapolation >= 0.0 or not step_dt > 0.0 or not softness > 0.0:
            raise GoalError(
                f"clearance cost: extrapolation {extrapolation} s in steps of {step_dt} s, softness {softness} m; "
                "right is an extrapolation of zero or more, steps and softness above zero"
            )
        self.barrier = barrier or RelaxedBarrier()
        self.time_offset = float(time_offset)
        self.softness = float(softness)
        self._beyond = step_dt * np.arange(1, round(extrapolation / step_dt) + 1)  # (E,), after the last state [s]
        self._all_radii: Array | None = None
        """Of all spheres (P,), once the number of key points is known."""
        self._seen: tuple[Array, float, SignedDistance | None] | None = None
        """Way of the root and reach for which shapes were looked for last, and those found."""

    def value_and_gradient(self, plan: PlanFeatures) -> tuple[Array, PlanGradient]:
        """Cost (a pure number), shape (B,), and its gradient by the root's planar position and velocity."""
        points, radii = self._spheres(plan.key_points("clearance"))  # (B, H, P, 3), (P,)
        root, horizon = plan.root_pos_c[:, :, None], len(plan.times)
        body = float(np.max(_length(points - root) + radii))  # [m]
        times, drift = plan.times, np.zeros((plan.batch, len(self._beyond), 1, 3))
        if len(self._beyond):
            drift[:, :, 0, :2] = self._beyond[:, None] * plan.root_lin_vel_c[:, -1:, :2]
            root = np.concatenate([root, root[:, -1:] + drift], axis=1)  # (B, H + E, 1, 3)
            times = np.concatenate([times, times[-1] + self._beyond])
        when = (times + self.time_offset)[:, None]
        # A distance changes by no more than the way moved: what stays this far from the root is not felt by any part,
        # and what it adds to the soft minimum is below e^-20. So neither such shapes nor such states are looked at.
        reach = body + self.barrier.fade_end + 20.0 * self.softness
        felt = self._candidates(root, when, reach)
        if felt is None:
            return np.zeros(plan.batch), PlanGradient()
        near = np.flatnonzero((felt.distance_at(root, when) <= reach).any(axis=(0, 2)))
        points = _at(points, drift, near)
        if plan.batch <= _FEW and len(near):
            clearance = (felt.distance_at(points, when[near]) - radii).min(axis=(0, 2))  # (I,)
            kept = clearance < self.barrier.fade_end + self.softness * np.log(len(radii))
            near, points = near[kept], points[:, kept]
        if not len(near):
            return np.zeros(plan.batch), PlanGradient()
        now, later = near[near < horizon], near[near >= horizon] - horizon
        value, push = self._felt(felt, points, radii, when[near])
        position, velocity = np.zeros(plan.root_pos_c.shape), None
        position[:, now, :2] = push[:, : len(now)]
        if len(later):
            pushed = push[:, len(now) :]
            position[:, -1, :2] += pushed.sum(axis=1)
            velocity = np.zeros(plan.root_lin_vel_c.shape)
            velocity[:, -1, :2] = np.einsum("e,bek->bk", self._beyond[later], pushed)
        return value.sum(axis=1), PlanGradient(root_pos_c=position, root_lin_vel_c=velocity)

    def _candidates(self, root: Array, when: Array, reach: float) -> SignedDistance | None:
        """Shapes that may come within ``reach`` [m] of the root's way (B, I, 1, 3); None: no shape does.

        They are looked for once, with a margin, and again only where the ways of later passes leave it.
        """
        seen = self._seen
        if seen is not None and seen[0].shape == root.shape and reach <= seen[1]:
            moved = root - seen[0]
            if float(np.einsum("bisk,bisk->bis", moved, moved).max()) <= _MARGIN**2:
                return seen[2]
        reach += _SLACK
        found = self.sdf_c.near(root, when, reach + _MARGIN)
        self._seen = root, reach, found
        return found

    def _felt(self, sdf: SignedDistance, points: Array, radii: Array, when: Array) -> tuple[Array, Array]:
        """Value (B, I) and planar gradient [1/m] (B, I, 2) at I states: their spheres (B, I, P, 3), times (I, 1)."""
        distance, normal = sdf.query(points, when)
        clearance = distance - radii  # (B, I, P)
        nearest = clearance.min(axis=-1, keepdims=True)
        share = np.exp((nearest - clearance) / self.softness)
        total = share.sum(axis=-1)
        value, slope = self.barrier(nearest[..., 0] - self.softness * np.log(total))
        return value, (slope / total)[..., None] * np.einsum("bip,bipk->bik", share, normal[..., :2])

    def _spheres(self, points: Array) -> tuple[Array, Array]:
        """All points (B, H, P, 3) and their radii (P,): key points, then extensions."""
        if self._all_radii is None:
            count = 0 if self.extensions is None else len(self.extensions)
            own, more = np.broadcast_to(self.radii, points.shape[2:3]), np.broadcast_to(self.extension_radii, (count,))
            self._all_radii = np.concatenate([own, more]) if count else np.array(own)
        if self.extensions is None:
            return points, self._all_radii
        further = self.extensions @ points  # (B, H, X, 3)
        return np.concatenate([points, further], axis=2), self._all_radii


def _at(points: Array, drift: Array, states: NDArray[np.intp]) -> Array:
    """The spheres (B, H, P, 3) at chosen states; those after the last of H are it, moved by a drift (B, E, 1, 3)."""
    horizon = points.shape[1]
    now, later = states[states < horizon], states[states >= horizon] - horizon
    if not len(later):
        return points[:, now]
    return np.concatenate([points[:, now], points[:, -1:] + drift[:, later]], axis=1)


def _length(vectors: Array) -> Array:
    x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    return np.sqrt(x * x + y * y + z * z)
