"""Affine normalisation of features; its statistics travel with the policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError
from ..types import Array

_CONSTANT = 1e-4
"""A feature that varies by less than this (in its SI unit) is treated as constant: scale 1, nothing to learn."""


@dataclass(frozen=True)
class Normalizer:
    """``normalize(v) = (v - offset) / scale``, with the range the data had.

    ``fit(..., "range")`` maps [min, max] to [-1, 1] (the papers'); ``"std"`` maps to zero mean and unit variance, so
    that the features match the unit noise of the diffusion and few denoising passes suffice. Both clamp to the data's
    range.
    """

    scale: Array
    """Shape (D,)."""
    offset: Array
    """Shape (D,)."""
    low: Array
    """Smallest normalised value the network may predict, shape (D,)."""
    high: Array
    """Largest one, shape (D,)."""

    @classmethod
    def fit(cls, values: Array, kind: str = "std", margin: float = 0.1) -> Normalizer:
        """Statistics of a data set.

        Args:
            values: Shape (n, D).
            kind: ``"std"`` or ``"range"``.
            margin: How far the clamp lies outside the data, as a share of the half range.

        Raises:
            ConfigError: ``kind`` is unknown.
        """
        values = np.asarray(values, dtype=np.float64)
        low, high = values.min(axis=0), values.max(axis=0)
        centre, half = (high + low) / 2, (high - low) / 2
        if kind == "range":
            offset, scale = centre, half
        elif kind == "std":
            offset, scale = values.mean(axis=0), values.std(axis=0)
        else:
            raise ConfigError(f"normaliser kind '{kind}' is unknown; known are 'std' and 'range'")
        scale = np.where(half < _CONSTANT, 1.0, scale)
        reach = half * (1.0 + margin)
        return cls(scale, offset, (centre - reach - offset) / scale, (centre + reach - offset) / scale)

    @property
    def dim(self) -> int:
        """Number of features D."""
        return len(self.scale)

    def normalize(self, values: Array) -> Array:
        """SI to normalised, shape (..., D)."""
        return ((values - self.offset) / self.scale).astype(values.dtype, copy=False)

    def to_si(self, normalized: Array) -> Array:
        """Normalised to SI, shape (..., D)."""
        return (normalized * self.scale + self.offset).astype(normalized.dtype, copy=False)

    def clamp(self, normalized: Array) -> Array:
        """Normalised values limited to the data's range."""
        return np.clip(normalized, self.low, self.high).astype(normalized.dtype, copy=False)

    def to_dict(self) -> dict[str, list[float]]:
        """As plain lists, for the manifest."""
        return {name: np.asarray(getattr(self, name)).tolist() for name in ("scale", "offset", "low", "high")}

    @classmethod
    def from_dict(cls, data: Mapping[str, Sequence[float]]) -> Normalizer:
        """From plain lists."""
        return cls(*(np.asarray(data[name], dtype=np.float64) for name in ("scale", "offset", "low", "high")))
