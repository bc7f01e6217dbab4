"""Whether every number of some arrays is one that a robot can have; asked of each array in each tick."""

from __future__ import annotations

import numpy as np

from ..types import Array


def bounded(bound: float, *arrays: Array) -> bool:
    """True where each number's magnitude is below ``bound``; False for NaN and infinity.

    A sum of squares below ``bound`` squared shows it in one call per array; only where the sum is larger (or not a
    number) is each number looked at. ``bound`` squared must be exact in float64.

    Args:
        bound: Greatest magnitude, exclusive.
        arrays: Each of any shape.
    """
    square = bound * bound
    for array in arrays:  # noqa: SIM110 - a generator costs as much as the sums
        if not (np.vdot(array, array) < square or bool((np.abs(array) < bound).all())):
            return False
    return True
