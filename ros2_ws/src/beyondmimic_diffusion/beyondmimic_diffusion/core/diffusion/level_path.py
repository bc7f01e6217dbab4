"""Which noise level each token has at each pass of the sampler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ConfigError
from ..types import Levels
from .scheduler import CLEAN

IntArray = NDArray[np.integer]


class Facts(NamedTuple):
    """True where a token is known and must not be changed."""

    states: NDArray[np.bool_]
    """Shape (B, H)."""
    actions: NDArray[np.bool_]
    """Shape (B, Ha)."""


@dataclass(frozen=True)
class LevelPath:
    """Levels before the first pass, between passes, and after the last; one column per token.

    A token whose level falls is denoised; where two rows agree it waits. A token that starts at level 0 or CLEAN and
    never falls is a *fact*: the sampler leaves its value as it was given. Columns may differ between the plans of a
    batch, their number of passes may not.
    """

    states: IntArray
    """Shape (passes + 1, H), or (passes + 1, B, H)."""
    actions: IntArray
    """Shape (passes + 1, Ha), or (passes + 1, B, Ha)."""

    def __post_init__(self) -> None:
        rows = {self.states.shape[0], self.actions.shape[0]}
        if len(rows) != 1 or min(rows) < 2:
            raise ConfigError(
                f"level path has {self.states.shape[0]} rows for states and {self.actions.shape[0]} for actions; "
                "both need the same number, at least 2 (before and after the only pass)"
            )
        for name, levels in (("state", self.states), ("action", self.actions)):
            if np.any(np.diff(levels, axis=0) > 0) or np.any(levels < CLEAN):
                raise ConfigError(f"{name} levels must never rise from pass to pass nor be below {CLEAN}: got {levels}")

    @classmethod
    def between(cls, start: Levels, end: Levels, passes: int) -> LevelPath:
        """Spread each token's way from ``start`` to ``end`` evenly over ``passes`` (rounded to whole levels)."""
        if passes < 1:
            raise ConfigError(f"number of denoising passes is {passes}; it must be at least 1")
        return cls(
            states=_spread(start.states, end.states, passes),
            actions=_spread(start.actions, end.actions, passes),
        )

    @classmethod
    def from_scratch(cls, num_levels: int, horizon: int, action_horizon: int, passes: int) -> LevelPath:
        """All tokens from pure noise to clean: K-1, ..., CLEAN; with ``passes = K`` every level is visited."""
        if passes > num_levels:
            raise ConfigError(f"{passes} denoising passes asked for, but there are only {num_levels} noise levels")
        start = Levels(np.full(horizon, num_levels - 1), np.full(action_horizon, num_levels - 1))
        end = Levels(np.full(horizon, CLEAN), np.full(action_horizon, CLEAN))
        return cls.between(start, end, passes)

    @property
    def passes(self) -> int:
        """How often the network is asked."""
        return self.states.shape[0] - 1

    def hold(self, states: ArrayLike | None = None, actions: ArrayLike | None = None) -> LevelPath:
        """Make the tokens where the boolean masks (H,) and (Ha,) are True facts, e.g. keyframes."""
        return LevelPath(
            states=self.states if states is None else np.where(np.asarray(states), CLEAN, self.states),
            actions=self.actions if actions is None else np.where(np.asarray(actions), CLEAN, self.actions),
        )

    def row(self, number: int, batch: int) -> Levels:
        """Levels before pass ``number`` (0-based; ``passes`` = at the end), shapes (B, H) and (B, Ha)."""
        return Levels(_rows(self.states[number], batch), _rows(self.actions[number], batch))

    def facts(self, batch: int) -> Facts:
        """True where a token is a fact, shapes (B, H) and (B, Ha)."""
        first, last = self.row(0, batch), self.row(self.passes, batch)
        return Facts(
            (first.states <= 0) & (first.states == last.states),
            (first.actions <= 0) & (first.actions == last.actions),
        )


def _rows(levels: IntArray, batch: int) -> IntArray:
    """Levels (T,) or (B, T) as (B, T)."""
    if levels.ndim == 1 and batch == 1:
        return levels[None]
    return np.broadcast_to(levels, (batch, levels.shape[-1]))


def _spread(start: IntArray, end: IntArray, passes: int) -> IntArray:
    """Whole levels from ``start`` to ``end``, shape (passes + 1, ...)."""
    start, end = np.broadcast_arrays(start, end)
    fraction = (np.arange(passes + 1) / passes).reshape(-1, *([1] * start.ndim))
    return np.rint(start + (end - start) * fraction).astype(np.int64)
