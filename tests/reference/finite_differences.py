"""Derivatives by central differences: slow, independent of any formula. Imports nothing from core."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray


def gradient(function: Callable[[NDArray], float], at: NDArray, step: float = 1e-6) -> NDArray:
    """Derivative of a scalar function by each entry of its argument (float64).

    The error is about ``step^2`` times the third derivative plus ``1e-16 / step`` of rounding: near 1e-10 for values
    of order one.
    """
    at = np.array(at, dtype=np.float64)
    out = np.zeros_like(at)
    for index in np.ndindex(at.shape):
        kept = at[index]
        at[index] = kept + step
        above = float(function(at))
        at[index] = kept - step
        below = float(function(at))
        at[index] = kept
        out[index] = (above - below) / (2.0 * step)
    return out
