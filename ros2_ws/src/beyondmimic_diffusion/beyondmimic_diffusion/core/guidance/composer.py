r"""Many costs, one correction: what the sampler is handed as its ``Guidance``.

At a denoising step the predicted clean states :math:`x` (normalised) are read in SI units,
:math:`s = \sigma x + \mu`, and each cost gives :math:`\partial G/\partial s`. What is returned is

.. math:: \Delta x = -\gamma \, \sigma^{-1} \sum_j w_j \, \frac{\partial G_j}{\partial s}

that is, a step of :math:`-\gamma\,\partial G/\partial s` in SI units. The plain gradient in normalised space would be
:math:`\sigma\,\partial G/\partial s`; ours is that gradient preconditioned by :math:`\sigma^{-2}`, so that a guidance
scale means the same for a feature that varies much and one that varies little (in an earlier trial of this recipe
lateral velocity was hardly steered without it). Forgetting the normaliser altogether is the classic error, and has its
test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from ..errors import GoalError
from ..types import Array, CostStats
from .cost import GuidanceCost
from .features import (
    ROOT_PARTS,
    PlanFeatures,
    PlanGradient,
    features_from,
    integrate_positions,
    pull_back,
    pull_back_integration,
)
from .schedule import Schedule


@dataclass(frozen=True)
class CostTerm:
    """One cost and how it takes part."""

    name: str
    """Unique among the terms; what statistics are reported under."""
    cost: GuidanceCost
    weight: float | Array = 1.0
    """Scalar, or one per plan (B,); zero switches the term off (for that plan)."""
    clip: float | None = None
    """Largest norm of the weighted gradient of one plan, over all states, in mixed SI units; None: no limit."""
    velocity_cap: float | None = None
    """Largest change of a state's planar root velocity by this term in one pass [m/s]; None: no limit."""
    first_step: int = 0
    """First predicted state the cost sees."""
    last_step: int | None = None
    """Last predicted state the cost sees; None: the last of the plan."""
    lowest_level: int = 0
    """Denoising passes whose states are below this noise level are not guided by this term."""
    highest_level: int | None = None
    """Nor are those above this one; None: no limit."""
    consistent: bool = False
    """True: the cost sees root positions integrated from the predicted velocities (``integrate_positions``)."""


class GuidanceComposer:
    """Weighted sum of costs as a ``Guidance`` (``core.protocols``)."""

    def __init__(
        self,
        layout: Mapping[str, slice],
        normalizer_scale: Array,
        normalizer_offset: Array,
        step_dt: float,
        terms: Sequence[CostTerm] = (),
        scale: float = 1.0,
        schedule: Schedule | None = None,
        clip: float | None = None,
    ):
        """
        Args:
            layout: Where each named part lies in the state vector (``StateRepresentation.layout``).
            normalizer_scale: SI units per normalised unit, shape (S,).
            normalizer_offset: SI value of the normalised zero, shape (S,).
            step_dt: Spacing of the states [s].
            terms: Active costs.
            scale: Global guidance scale.
            schedule: Factor of ``scale`` by denoising level; None: 1 at each level.
            clip: Largest norm of the summed gradient of one plan, in mixed SI units; None: no limit.

        Raises:
            GoalError: Two terms share a name, or a cost needs key points that the state does not have.
        """
        self._layout = dict(layout)
        self._scale_si = np.asarray(normalizer_scale, dtype=np.float64)
        self._offset_si = np.asarray(normalizer_offset, dtype=np.float64)
        self._step_dt = step_dt
        self._scale = float(scale)
        self._schedule = schedule
        self._clip = clip
        self.terms = tuple(terms)
        self._norms: dict[str, Array] = {}
        self.dropped: dict[str, str] = {}
        """Terms that failed, and what they did: the others steer without them."""
        self._with_key_points = any(term.cost.uses_key_points for term in self.terms)
        self._check()
        parts = self._layout if self._with_key_points else {name: self._layout[name] for name in ROOT_PARTS}
        self._width = max(part.stop for part in parts.values())  # features after it are not looked at
        self._consistent = any(term.consistent for term in self.terms)
        self._times = np.zeros(0)

    def _check(self) -> None:
        names = [term.name for term in self.terms]
        if len(set(names)) != len(names):
            raise GoalError(f"guidance terms {names}: each name may occur once")
        for term in self.terms:
            if term.cost.uses_key_points and "key_pos_l" not in self._layout:
                raise GoalError(
                    f"guidance term '{term.name}' needs key points, but the state has only {sorted(self._layout)}; "
                    "use a body_pos policy, or a cost on the root"
                )

    def with_terms(self, terms: Sequence[CostTerm]) -> GuidanceComposer:
        """The same settings with other costs (a new goal)."""
        return GuidanceComposer(
            self._layout,
            self._scale_si,
            self._offset_si,
            self._step_dt,
            terms,
            self._scale,
            self._schedule,
            self._clip,
        )

    def set_scale(self, scale: float) -> None:
        """Another global guidance scale, for what :meth:`with_terms` gives from now on, too."""
        self._scale = float(scale)

    def correction(self, clean_states: Array, k: int) -> Array:
        """Change to add to the predicted clean states, normalised, shape (B, H, S); see the module's text."""
        strength = self._scale * (1.0 if self._schedule is None else float(self._schedule(k)))
        if strength == 0.0 or not self.terms:
            return np.zeros_like(clean_states)
        acting = [
            term
            for term in self.terms
            if k >= term.lowest_level and (term.highest_level is None or k <= term.highest_level)
        ]
        if not acting:
            return np.zeros_like(clean_states)
        total = np.zeros((*clean_states.shape[:-1], self._width))
        norms: dict[str, Array] = {}
        plan, integrated = self._seen(clean_states)
        for term in acting:
            gradient = self._pull(term, integrated if term.consistent else plan, clean_states)
            if gradient is None:
                continue
            norms[term.name] = _norm(gradient)
            gradient *= strength
            total -= self._capped(gradient, term)
        if self._clip is not None:
            total = _limited(total, strength * self._clip)
        self._norms = norms
        out = np.zeros_like(clean_states)
        out[..., : self._width] = total / self._scale_si[: self._width]
        return out

    def _pull(self, term: CostTerm, seen: PlanFeatures, clean_states: Array) -> Array | None:
        """The term's weighted gradient (B, H, width); None, and a note in :attr:`dropped`, if it has none to offer."""
        if term.name in self.dropped:
            return None
        try:
            _, gradient = self._evaluate(term, seen)
            if np.isfinite(gradient).all() or not np.isfinite(clean_states).all():  # the network's NaN is not its fault
                return gradient
            self.dropped[term.name] = "gave a gradient with NaN or infinity"
        except Exception as error:  # whatever a user's cost raises: a robot must not fall for it
            self.dropped[term.name] = _raised(error)
        return None

    def failures(self, clean_states: Array) -> dict[str, str]:
        """What each term does wrong at normalised states (B, H, S), by name; empty: all are well."""
        trial = self.with_terms(self.terms)
        trial.stats(clean_states)
        return trial.dropped

    def value(self, clean_states: Array) -> Array:
        """Weighted sum of all costs, shape (B,), at normalised states (B, H, S)."""
        total = np.zeros(len(clean_states))
        for _, value in self._values(clean_states):
            total += value
        return total

    def gradient_si(self, clean_states: Array) -> Array:
        """Gradient of the weighted, clipped sum by the states in SI units, shape (B, H, S)."""
        out = np.zeros(clean_states.shape)
        plan, integrated = self._seen(clean_states)
        for term in self.terms:
            out[..., : self._width] += self._evaluate(term, integrated if term.consistent else plan)[1]
        return out

    def stats(self, clean_states: Array) -> tuple[tuple[CostStats, ...], ...]:
        """Per plan, each cost's weighted value at these states, and its gradient's norm at the last guided pass.

        Without those in :attr:`dropped`.
        """
        batch = len(clean_states)
        rows = []
        for term, value in self._values(clean_states):
            norm = self._norms.get(term.name)
            if norm is None or len(norm) != batch:  # no pass was guided by it
                plan, integrated = self._seen(clean_states)
                gradient = self._pull(term, integrated if term.consistent else plan, clean_states)
                if gradient is None:
                    continue
                norm = _norm(gradient)
            rows.append((term.name, value.tolist(), norm.tolist()))
        return tuple(tuple(CostStats(name, value[i], norm[i]) for name, value, norm in rows) for i in range(batch))

    def _values(self, clean_states: Array) -> list[tuple[CostTerm, Array]]:
        """Weighted value (B,) of each term that has not been dropped."""
        plan, integrated = self._seen(clean_states)
        sound = np.isfinite(clean_states).all()
        out = []
        for term in self.terms:
            if term.name in self.dropped:
                continue
            try:
                value = np.multiply(term.weight, self._windowed(term, integrated if term.consistent else plan)[0])
                if value.shape == (plan.batch,) and (not sound or np.isfinite(value).all()):
                    out.append((term, value))
                else:
                    self.dropped[term.name] = f"gave the value {value.tolist()}"
            except Exception as error:  # as in _pull
                self.dropped[term.name] = _raised(error)
        return out

    def _seen(self, clean_states: Array) -> tuple[PlanFeatures, PlanFeatures]:
        """The features of normalised states, as predicted and with integrated positions (if a term wants them)."""
        states = clean_states[..., : self._width] * self._scale_si[: self._width] + self._offset_si[: self._width]
        if len(self._times) != states.shape[1]:
            self._times = self._step_dt * np.arange(1, states.shape[1] + 1)
        plan = features_from(states, self._layout, self._step_dt, self._with_key_points, self._times)
        return plan, integrate_positions(plan, self._step_dt) if self._consistent else plan

    def _evaluate(self, term: CostTerm, seen: PlanFeatures) -> tuple[Array, Array]:
        """Value (B,) without weight; weighted, clipped gradient by the first SI features (B, H, width)."""
        value, partial = self._windowed(term, seen)
        if term.consistent:
            partial = pull_back_integration(partial, self._step_dt)
        gradient = pull_back(seen, partial, self._layout, self._width)
        weight = np.asarray(term.weight, dtype=np.float64)
        gradient *= weight[:, None, None] if weight.ndim else weight
        if term.clip is not None:
            gradient = _limited(gradient, term.clip)
        return value, gradient

    @staticmethod
    def _windowed(term: CostTerm, plan: PlanFeatures) -> tuple[Array, PlanGradient]:
        """Evaluate a cost on its part of the horizon; its gradient is zero elsewhere."""
        horizon = len(plan.times)
        stop = horizon if term.last_step is None else min(horizon, term.last_step + 1)
        if term.first_step <= 0 and stop == horizon:
            return term.cost.value_and_gradient(plan)
        if term.first_step >= stop:
            return np.zeros(plan.batch), PlanGradient()
        value, partial = term.cost.value_and_gradient(plan.window(term.first_step, stop))
        padded = {}
        for item in fields(partial):
            inner = getattr(partial, item.name)
            if inner is not None:
                padded[item.name] = np.zeros((inner.shape[0], horizon, *inner.shape[2:]))
                padded[item.name][:, term.first_step : stop] = inner
        return value, PlanGradient(**padded)

    def _capped(self, step: Array, term: CostTerm) -> Array:
        """Limit the planar velocity part of a step, state by state and in place."""
        if term.velocity_cap is None:
            return step
        start = self._layout["root_lin_vel_c"].start
        planar = step[..., start : start + 2]
        length = np.sqrt(planar[..., 0] ** 2 + planar[..., 1] ** 2)
        planar *= np.minimum(1.0, term.velocity_cap / np.maximum(length, 1e-12))[..., None]
        return step


def _raised(error: Exception) -> str:
    return f"raised {type(error).__name__}: {error}"


def _norm(gradient: Array) -> Array:
    return np.sqrt(np.einsum("bhs,bhs->b", gradient, gradient))


def _limited(gradient: Array, limit: float) -> Array:
    """Scaled down where the norm of a plan exceeds the limit."""
    factor = np.minimum(1.0, limit / np.maximum(_norm(gradient), 1e-12))
    return gradient * factor[:, None, None]
