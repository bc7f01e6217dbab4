"""Relaxed logarithmic barrier: finite inside, always pushing out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import GoalError
from ..types import Array


@dataclass(frozen=True)
class RelaxedBarrier:
    r"""Cost of a clearance (BeyondMimic v3, eq. 10), faded out far away.

    .. math:: B(x) = \begin{cases} -\ln x & x \ge \delta \\
              -\ln\delta + \tfrac12\left[\left(\tfrac{x - 2\delta}{\delta}\right)^2 - 1\right] & x < \delta \end{cases}

    Value, slope and curvature meet at :math:`\delta`. The paper's barrier goes on for ever and is negative beyond 1 m,
    so that distant obstacles would pull. Ours is multiplied by a quintic step that falls from 1 at ``fade_start`` to 0
    at ``fade_end`` (twice differentiable): equal to eq. 10 up to ``fade_start``, never negative, never rising, and
    exactly zero in value and slope from ``fade_end`` on.
    """

    delta: float = 0.1
    """Where the logarithm gives way to the parabola [m]."""
    fade_start: float = 0.5
    """Up to here it is the paper's [m]."""
    fade_end: float = 1.0
    """From here on it is zero [m]; at most 1, beyond which the logarithm is negative."""

    def __post_init__(self) -> None:
        if not 0.0 < self.delta <= self.fade_start < self.fade_end <= 1.0:
            raise GoalError(
                f"barrier: delta {self.delta}, fade_start {self.fade_start}, fade_end {self.fade_end} [m]; "
                "right is 0 < delta <= fade_start < fade_end <= 1"
            )

    def __call__(self, clearance: Array) -> tuple[Array, Array]:
        """Value and slope [1/m] at clearances [m], negative inside the obstacle; any shape."""
        clearance = np.asarray(clearance, dtype=np.float64)
        value, slope = self._unfaded(clearance)
        s = np.clip((clearance - self.fade_start) / (self.fade_end - self.fade_start), 0.0, 1.0)
        weight = 1.0 - s**3 * (10.0 + s * (6.0 * s - 15.0))
        fall = -30.0 * s**2 * (1.0 - s) ** 2 / (self.fade_end - self.fade_start)
        return value * weight, slope * weight + value * fall

    def _unfaded(self, x: Array) -> tuple[Array, Array]:
        """Eq. 10 and its slope."""
        far = np.clip(x, self.delta, self.fade_end)  # beyond it the weight is zero
        ramp = (x - 2.0 * self.delta) / self.delta
        inside = x < self.delta
        value = np.where(inside, -np.log(self.delta) + 0.5 * (ramp**2 - 1.0), -np.log(far))
        return value, np.where(inside, ramp / self.delta, -1.0 / far)
