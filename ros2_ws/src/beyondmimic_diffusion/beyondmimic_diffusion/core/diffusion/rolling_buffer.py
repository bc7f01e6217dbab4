r"""Rolling inference: start a plan from what is left of the previous one.

Diffuse-CLoC's scheme (``cloc``), K = 20. ``index`` counts tokens from now; a plan of 15 passes takes

* future states from level 14 to clean: all of them are *re-opened*, otherwise guidance could no longer move them;
* actions down a staircase: the first to clean, the next only as far as it has to be to be first in the next plan,
  and so on. ``action_stride`` is the height of a step, in levels::

      level at the end     -1   14   19   19   19 ...     (stride 15; with stride 2.5: -1, 2, 4, 6, 9, ...)
      level at the start   14   19   19   19   19 ...     the same, shifted by one: nothing is re-noised

* the last state and the last action, new since the shift, from pure noise.

``warm_start`` is the simpler variant: shift, re-noise the whole clean plan to one level with fresh noise, denoise in a
few passes.

A shift moves the origin of the character frame, in which the kept states are expressed. Re-expressing is an affine map
of *clean* states; applied to a half-noisy sample it would also turn and shift its noise and would no longer be a
sample of any level. So the buffer keeps the two parts of each token apart,

.. math:: x_k = \sqrt{\bar\alpha_k}\, x_0 + \sqrt{1 - \bar\alpha_k}\, \epsilon,

lets ``reframe`` act on :math:`x_0` only, and puts them together again at the opening level.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from ..types import Array, Levels, Sample
from .level_path import IntArray, LevelPath
from .sampler import SampleResult
from .scheduler import CLEAN, NoiseScheduler

Reframe = Callable[[Array], Array]
"""Normalised clean states (B, n, S) of the previous character frame, expressed in the newest; same shape."""


@dataclass(frozen=True)
class RollingConfig:
    """How far a plan is opened again, and how it is denoised."""

    state_level: int = 14
    """Level at which all kept future states re-open."""
    action_stride: float = 15.0
    """Staircase: levels between the ends of neighbouring actions. Unused if ``action_level`` is given."""
    action_level: int | None = None
    """If given, no staircase: all kept actions re-open at this level and end clean."""
    passes: int = 15
    """Network calls per plan."""
    fresh_noise: bool = False
    """Re-open with new noise instead of the noise each token was opened or left with."""

    @classmethod
    def cloc(cls, state_level: int = 14) -> RollingConfig:
        """Diffuse-CLoC: one pass per level of the states, 15 instead of 20."""
        return cls(state_level=state_level, action_stride=state_level + 1.0, passes=state_level + 1)

    @classmethod
    def warm_start(cls, level: int = 16, passes: int = 4) -> RollingConfig:
        """Shift, re-noise everything to ``level``, denoise in ``passes``."""
        return cls(state_level=level, action_level=level, passes=passes, fresh_noise=True)


class RollingBuffer:
    """The previous plans of a batch of robots, as clean part, noise part and level of each token.

    Use: ``sample, path = buffer.open(noise, ...)``, run the sampler, ``buffer.store(result)``. The first plan after a
    reset starts from pure noise everywhere, with the same number of passes.
    """

    def __init__(
        self, scheduler: NoiseScheduler, config: RollingConfig, action_scheduler: NoiseScheduler | None = None
    ):
        top = scheduler.num_levels - 1
        for name, level in (("state_level", config.state_level), ("action_level", config.action_level)):
            if level is not None and not 0 <= level <= top:
                raise ConfigError(f"{name} is {level}; it must be within 0 and {top}")
        if config.action_stride < 0.0:
            raise ConfigError(f"action_stride is {config.action_stride}; it must not be negative")
        self.config = config
        self._scheduler = scheduler
        self._action_scheduler = action_scheduler or scheduler
        self._top = top
        self.reset()

    def reset(self, rows: NDArray[np.bool_] | None = None) -> None:
        """Forget the plans of the rows (boolean mask (B,)), or of all."""
        if rows is None:
            self._clean: Sample | None = None
            self._noise: Sample | None = None
            self._opened: Sample | None = None
            self._left_at: IntArray = np.zeros((0, 0), np.int64)
            self._filled: NDArray[np.bool_] = np.zeros(0, bool)
        elif len(self._filled):
            self._filled = self._filled & ~rows

    def open(
        self, noise: Sample, *, shift: int = 1, reframe: Reframe | None = None, committed: int = 0
    ) -> tuple[Sample, LevelPath]:
        """Where the next plan starts.

        Args:
            noise: Fresh standard-normal tokens (B, H, S), (B, Ha, A), always drawn in full, so that the state of a
                generator does not depend on what is in the buffer.
            shift: Policy steps since the previous plan.
            reframe: Re-expresses kept clean states in the newest character frame; None = frame unchanged.
            committed: Leading actions that the sampler will be given as facts; the staircase starts after them.

        Returns:
            Initial tokens and the level path for the sampler.
        """
        old_clean, old_noise = self._previous(noise)
        horizon, action_horizon = noise.states.shape[1], noise.actions.shape[1]
        kept_states = self._filled[:, None] & (np.arange(horizon) < horizon - shift)
        kept_actions = self._filled[:, None] & (np.arange(action_horizon) < action_horizon - shift)
        start = Levels(
            np.where(kept_states, self.config.state_level, self._top),
            np.where(kept_actions, self._reopened_actions(shift), self._top),
        )
        clean = Sample(_shift(old_clean.states, shift), _shift(old_clean.actions, shift))
        if reframe is not None and shift < horizon:
            clean.states[:, : horizon - shift] = reframe(clean.states[:, : horizon - shift])
        reuse = not self.config.fresh_noise
        self._opened = Sample(
            np.where((kept_states & reuse)[..., None], _shift(old_noise.states, shift), noise.states),
            np.where((kept_actions & reuse)[..., None], _shift(old_noise.actions, shift), noise.actions),
        )
        sample = Sample(
            _assemble(self._scheduler, clean.states, self._opened.states, start.states, kept_states),
            _assemble(self._action_scheduler, clean.actions, self._opened.actions, start.actions, kept_actions),
        )
        return sample, LevelPath.between(start, self._end(start, committed), self.config.passes)

    def store(self, result: SampleResult) -> None:
        """Keep what the sampler ended with, taken apart into clean and noise."""
        if self._opened is None:
            raise ConfigError("store() before open(): the buffer does not know which noise this plan started with")
        noisy = result.levels.actions > CLEAN
        level = np.maximum(result.levels.actions, 0)
        left = self._action_scheduler.noise_of(result.sample.actions, result.clean.actions, level)
        self._clean = result.clean
        self._noise = Sample(self._opened.states, np.where(noisy[..., None], left, self._opened.actions))
        self._left_at = np.array(result.levels.actions)
        self._filled = np.ones(len(self._left_at), bool)

    def _previous(self, noise: Sample) -> tuple[Sample, Sample]:
        """Clean and noise part of the previous plans; placeholders where there is none yet."""
        if self._clean is None or self._noise is None or len(self._filled) != len(noise.states):
            self._clean = Sample(np.zeros_like(noise.states), np.zeros_like(noise.actions))
            self._noise = noise
            self._left_at = np.full(noise.actions.shape[:2], self._top)
            self._filled = np.zeros(len(noise.states), bool)
        return self._clean, self._noise

    def _reopened_actions(self, shift: int) -> IntArray:
        """Level at which each kept action starts, (B, Ha): where it was left, or the re-open level."""
        if self.config.action_level is not None:
            return np.full_like(self._left_at, self.config.action_level)
        return _shift(self._left_at[..., None], shift)[..., 0]

    def _end(self, start: Levels, committed: int) -> Levels:
        """Levels after the last pass: states clean, actions clean or a staircase after the committed ones."""
        states = np.full_like(start.states, CLEAN)
        if self.config.action_level is not None:
            return Levels(states, np.full_like(start.actions, CLEAN))
        steps = np.maximum(np.arange(start.actions.shape[1]) - committed, 0)
        stairs = np.floor(CLEAN + self.config.action_stride * steps).astype(np.int64)
        return Levels(states, np.minimum(np.minimum(stairs, self._top), start.actions))


def _shift(tokens: NDArray, by: int) -> NDArray:
    """Drop the first ``by`` tokens of (B, T, D) and append zeros: a new array of the same shape."""
    moved = np.zeros_like(tokens)
    kept = tokens.shape[1] - by
    if kept > 0:
        moved[:, :kept] = tokens[:, by:]
    return moved


def _assemble(scheduler: NoiseScheduler, clean: Array, noise: Array, level: IntArray, kept: NDArray[np.bool_]) -> Array:
    """Kept tokens at their level; new ones are pure noise."""
    return np.where(kept[..., None], scheduler.add_noise(clean, noise, level), noise)
