"""Walk round obstacles: a barrier on the clearance of the body's nearest part."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..errors import GoalError
from ..types import Array
from .barrier import RelaxedBarrier
from .cost import GuidanceCost, register_cost
from .features import PlanFeatures, PlanGradient
from .sdf import SignedDistance


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

    def value_and_gradient(self, plan: PlanFeatures) -> tuple[Array, PlanGradient]:
        """Cost (a pure number), shape (B,), and its gradient by the root's planar position and velocity."""
        points, radii = self._spheres(plan.key_points("clearance"))  # (B, H, P, 3), (P,)
        root = plan.root_pos_c[:, :, None]
        times, ahead = plan.times, len(self._beyond)
        body = float(np.max(np.linalg.norm(points - root, axis=-1) + radii))  # [m]
        if ahead:
            drift = np.zeros((plan.batch, ahead, 1, 3))
            drift[:, :, 0, :2] = self._beyond[:, None] * plan.root_lin_vel_c[:, -1:, :2]
            points = np.concatenate([points, points[:, -1:] + drift], axis=1)  # (B, H + E, P, 3)
            root = np.concatenate([root, root[:, -1:] + drift], axis=1)
            times = np.concatenate([times, times[-1] + self._beyond])
        when = (times + self.time_offset)[:, None]
        # A distance changes by no more than the way moved: what stays this far from the root is not felt by any part,
        # and what it adds to the soft minimum is below e^-20.
        felt = self.sdf_c.near(root, when, body + self.barrier.fade_end + 20.0 * self.softness)
        if felt is None:
            return np.zeros(plan.batch), PlanGradient()
        distance, normal = felt.query(points, when)
        clearance = distance - radii  # (B, H + E, P)
        nearest = clearance.min(axis=-1, keepdims=True)
        share = np.exp((nearest - clearance) / self.softness)
        total = share.sum(axis=-1)
        value, slope = self.barrier(nearest[..., 0] - self.softness * np.log(total))  # (B, H + E)
        push = (slope / total)[..., None] * np.einsum("bip,bipk->bik", share, normal[..., :2])
        position, velocity = np.zeros(plan.root_pos_c.shape), None
        position[..., :2] = push[:, : len(plan.times)]
        if ahead:
            later = push[:, -ahead:]
            position[:, -1, :2] += later.sum(axis=1)
            velocity = np.zeros(plan.root_lin_vel_c.shape)
            velocity[:, -1, :2] = np.einsum("e,bek->bk", self._beyond, later)
        return value.sum(axis=1), PlanGradient(root_pos_c=position, root_lin_vel_c=velocity)

    def _spheres(self, points: Array) -> tuple[Array, Array]:
        """All points (B, H, P, 3) and their radii (P,): key points, then extensions."""
        radii = np.broadcast_to(self.radii, points.shape[2:3])
        if self.extensions is None:
            return points, radii
        further = np.einsum("xm,bhmk->bhxk", self.extensions, points)
        more = np.broadcast_to(self.extension_radii, (len(self.extensions),))
        return np.concatenate([points, further], axis=2), np.concatenate([radii, more])
