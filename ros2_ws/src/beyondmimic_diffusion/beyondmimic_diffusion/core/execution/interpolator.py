"""From the plan's set-points (20 ms apart) to a joint target at any time in between."""

from __future__ import annotations

from collections.abc import Callable

from ..types import Array

Interpolation = Callable[[Array, float], Array]
"""(set-points (P, J), phase in steps since set-point 0) -> joint target (J,)."""

PHASE_TOLERANCE = 1e-4
"""Steps by which a set-point may count as due early.

A stamp near 1.7e9 s has a float64 resolution of 2.4e-7 s, which at 20 ms is 1.2e-5 steps; a difference of two such
stamps must not push a set-point that is due now into the previous index.
"""


def step_index(phase: float) -> int:
    """Index of the set-point that is due at ``phase`` (the last one whose time has come); negative before the first."""
    return int((phase + PHASE_TOLERANCE) // 1.0)


def hold(set_points: Array, phase: float) -> Array:
    """Zero-order hold: what the experts and the training data played at 50 Hz.

    Args:
        set_points: Joint targets [rad], shape (P, J).
        phase: Steps since set-point 0 was due, at least 0.

    Returns:
        Joint target [rad], shape (J,).
    """
    return set_points[min(step_index(phase), len(set_points) - 1)]


def linear(set_points: Array, phase: float) -> Array:
    """Straight line from the set-point that is due to the next one; the last one is held.

    Smoother for arms than :func:`hold`, and later by half a step on average.

    Args:
        set_points: Joint targets [rad], shape (P, J).
        phase: Steps since set-point 0 was due, at least 0.

    Returns:
        Joint target [rad], shape (J,).
    """
    index = min(step_index(phase), len(set_points) - 1)
    following = min(index + 1, len(set_points) - 1)
    fraction = min(max(phase - index, 0.0), 1.0)
    return (1.0 - fraction) * set_points[index] + fraction * set_points[following]


INTERPOLATIONS: dict[str, Interpolation] = {"hold": hold, "linear": linear}
"""Choices of the parameter ``interpolation``."""
