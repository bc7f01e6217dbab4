"""How strongly guidance acts at each denoising level."""

from __future__ import annotations

from collections.abc import Callable

from ..types import Array

Schedule = Callable[[int], float]
"""Factor of the guidance scale at denoising level k."""


def skip_last(levels: int) -> Schedule:
    """Guidance at full strength, but none below level ``levels``: the last passes then only clean up."""
    return lambda k: 1.0 if k >= levels else 0.0


def by_signal(signal: Array) -> Schedule:
    """Guidance in proportion to the signal left at a level: strong where the prediction is nearly certain.

    Args:
        signal: Factor of the clean value at each level (``NoiseScheduler.signal``), shape (K,).
    """
    return lambda k: float(signal[max(k, 0)])
