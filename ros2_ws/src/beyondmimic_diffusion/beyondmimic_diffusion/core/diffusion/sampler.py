r"""The guided denoising loop.

At each pass: the network predicts the clean plan, which is clamped to the range of the data; guidance adds its
correction to the predicted clean states; the scheduler moves every token to its next level (method: Diffuse-CLoC and
BeyondMimic section IV, with the gradient taken at the predicted clean plan and not through the network).

Same initial noise, same conditioning, same goal: same plan. The loop draws random numbers only for ``method='ddpm'``,
and then from one generator per plan, so that a batch of robots gets the plans each robot would get alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from ..protocols import Denoiser, Guidance
from ..types import Array, Conditioning, Levels, Sample
from .level_path import Facts, LevelPath
from .scheduler import NoiseScheduler

ETA = {"ddim": 0.0, "ddpm": 1.0}
"""Share of fresh noise in a step, by method."""


class CleanRange(NamedTuple):
    """Where clean values can be, normalised; each broadcastable to (S,) or (A,)."""

    state_low: Array
    state_high: Array
    action_low: Array
    action_high: Array


@dataclass(frozen=True)
class _Facts:
    """Masks of the facts with an axis for features; None where a stream has none (the usual case costs nothing)."""

    states: NDArray[np.bool_] | None
    """Shape (B, H, 1)."""
    actions: NDArray[np.bool_] | None
    """Shape (B, Ha, 1)."""

    @classmethod
    def of(cls, facts: Facts) -> _Facts:
        """From masks (B, H) and (B, Ha)."""
        states, actions = (mask[..., None] if mask.any() else None for mask in facts)
        return cls(states, actions)


@dataclass(frozen=True)
class SampleResult:
    """What the loop ends with."""

    clean: Sample
    """The plan: last clean prediction with its correction; facts as they were given."""
    sample: Sample
    """Tokens at ``levels``; equals ``clean`` where the level is CLEAN."""
    levels: Levels
    """Final levels, (B, H) and (B, Ha); above CLEAN only in rolling inference."""


def draw_noise(
    generators: Sequence[np.random.Generator], horizon: int, state_dim: int, action_horizon: int, action_dim: int
) -> Sample:
    """Standard-normal float32 tokens, one plan per generator; states are drawn before actions."""
    states = np.empty((len(generators), horizon, state_dim), np.float32)
    actions = np.empty((len(generators), action_horizon, action_dim), np.float32)
    for i, generator in enumerate(generators):
        states[i] = generator.standard_normal(states.shape[1:], np.float32)
        actions[i] = generator.standard_normal(actions.shape[1:], np.float32)
    return Sample(states, actions)


class Sampler:
    """Runs scheduler, denoiser and guidance; knows none of them from inside."""

    def __init__(
        self,
        scheduler: NoiseScheduler,
        denoiser: Denoiser,
        *,
        clean_range: CleanRange | None = None,
        action_scheduler: NoiseScheduler | None = None,
    ):
        """
        Args:
            scheduler: Of the states, and of the actions too unless ``action_scheduler`` is given.
            denoiser: The network.
            clean_range: Clamp of each clean prediction; None = no clamp.
            action_scheduler: Another noise schedule for the actions, with the same number of levels.
        """
        self.scheduler = scheduler
        self.action_scheduler = action_scheduler or scheduler
        if self.action_scheduler.num_levels != scheduler.num_levels:
            raise ConfigError(
                f"state schedule has {scheduler.num_levels} levels, action schedule "
                f"{self.action_scheduler.num_levels}; both must have the same number"
            )
        self.denoiser = denoiser
        self.clean_range = clean_range

    def sample(
        self,
        conditioning: Conditioning,
        initial: Sample,
        path: LevelPath,
        *,
        guidance: Guidance | None = None,
        committed: Array | None = None,
        method: str = "ddim",
        generators: Sequence[np.random.Generator] | None = None,
    ) -> SampleResult:
        """Denoise ``initial`` along ``path``.

        Args:
            conditioning: What is known: history (B, N, S+A) and current state (B, S).
            initial: Tokens at the path's first levels (:func:`draw_noise`, or what a rolling buffer opens); tokens
                that are facts hold their value.
            path: Level of each token at each pass.
            guidance: What steers; None = unguided.
            committed: Actions already on their way, normalised, shape (B, C, A): the first C action tokens become
                facts with these values.
            method: 'ddim' (no new noise) or 'ddpm' (ancestral).
            generators: One per plan; needed by 'ddpm'.
        """
        self._check(path, method, generators)
        if committed is not None and committed.shape[1]:
            initial, path = _commit(initial, path, committed)
        batch = initial.states.shape[0]
        facts = _Facts.of(path.facts(batch))
        rows = [path.row(number, batch) for number in range(path.passes + 1)]
        sample = clean = initial
        for now, then in pairwise(rows):
            clean = self._predict(sample, conditioning, now, facts)
            if guidance is not None:
                clean = _correct(clean, guidance, now, facts)
            noise = draw_noise(generators, *_sizes(sample)) if method == "ddpm" and generators is not None else None
            sample = self._step(sample, clean, now, then, noise, ETA[method])
        return SampleResult(clean, sample, rows[-1])

    def _predict(self, sample: Sample, conditioning: Conditioning, now: Levels, facts: _Facts) -> Sample:
        """Clean prediction, clamped; facts are what they are."""
        shown = Levels(np.maximum(now.states, 0), np.maximum(now.actions, 0))  # the network has no level below 0
        states, actions = self.denoiser(sample, conditioning, shown)
        if self.clean_range is not None:
            limits = self.clean_range
            states = np.minimum(np.maximum(states, limits.state_low), limits.state_high)
            actions = np.minimum(np.maximum(actions, limits.action_low), limits.action_high)
        return Sample(_kept(facts.states, sample.states, states), _kept(facts.actions, sample.actions, actions))

    def _step(
        self, sample: Sample, clean: Sample, now: Levels, then: Levels, noise: Sample | None, eta: float
    ) -> Sample:
        """Move each token to its next level."""
        state_noise, action_noise = (None, None) if noise is None else noise
        return Sample(
            self.scheduler.step(sample.states, clean.states, now.states, then.states, state_noise, eta),
            self.action_scheduler.step(sample.actions, clean.actions, now.actions, then.actions, action_noise, eta),
        )

    def _check(self, path: LevelPath, method: str, generators: Sequence[np.random.Generator] | None) -> None:
        """Refuse what cannot be sampled."""
        if method not in ETA:
            raise ConfigError(f"unknown sampling method '{method}'; known are {', '.join(ETA)}")
        if method == "ddpm" and generators is None:
            raise ConfigError("method 'ddpm' draws noise at each pass: pass one generator per plan")
        highest = max(path.states.max(), path.actions.max())
        if highest >= self.scheduler.num_levels:
            raise ConfigError(f"level path has level {highest}; the highest is {self.scheduler.num_levels - 1}")


def _commit(initial: Sample, path: LevelPath, committed: Array) -> tuple[Sample, LevelPath]:
    """Put committed actions in as facts."""
    count = committed.shape[1]
    actions = initial.actions.copy()
    actions[:, :count] = committed
    return Sample(initial.states, actions), path.hold(actions=np.arange(actions.shape[1]) < count)


def _correct(clean: Sample, guidance: Guidance, now: Levels, facts: _Facts) -> Sample:
    """Add the guidance's correction to the states that are not facts."""
    if facts.states is None:
        level = int(now.states.max(initial=0))
        return Sample(_single(clean.states + guidance.correction(clean.states, level)), clean.actions)
    level = int(np.max(now.states, where=~facts.states[..., 0], initial=0))
    correction = np.where(facts.states, 0.0, guidance.correction(clean.states, level))
    return Sample(_single(clean.states + correction), clean.actions)


def _kept(facts: NDArray[np.bool_] | None, given: Array, predicted: Array) -> Array:
    """The prediction, but what was given where that is a fact."""
    return _single(predicted if facts is None else np.where(facts, given, predicted))


def _single(values: Array) -> Array:
    return values.astype(np.float32, copy=False)


def _sizes(sample: Sample) -> tuple[int, int, int, int]:
    """(H, S, Ha, A)."""
    return (*sample.states.shape[1:], *sample.actions.shape[1:])
