"""A slow correction of a goal, because what robots do when asked is less than what they were asked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from ..types import Array


class GoalIntegrator:
    r"""Integrates the error between goal and measurement, one row per robot.

    .. math:: I \leftarrow \mathrm{clip}(I + k\,e\,\Delta t,\ \pm c)

    A distilled walker inherits the gain of its expert, which is below one (forward 0.74 m/s for a command of 1.0;
    sideways half). Adding :math:`I` to the goal takes the rest out (ours: slope y 0.45 -> 0.85). It is an integrator,
    so a swaying measurement needs no filter of its own; the clamp is also the anti-windup.

    A large step of the goal resets the row: what was learned at one goal is wrong at another, and a robot told to stop
    would walk on.
    """

    def __init__(
        self, size: int, gain: float = 0.8, clamp: float | Array = 0.3, reset_step: float = 0.3, rows: int = 1
    ):
        """
        Args:
            size: Components of the goal, e.g. 2 for a planar velocity.
            gain: k [1/s], 0.7 to 1 worked.
            clamp: c, in the goal's unit (0.25 to 0.5 m/s worked), scalar or (size,).
            reset_step: A goal that moves by more than this between updates starts from zero, in the goal's unit.
            rows: Number of robots B.
        """
        if gain < 0.0 or np.any(np.asarray(clamp) < 0.0) or reset_step <= 0.0:
            raise ConfigError(
                f"goal integrator: gain {gain}, clamp {clamp}, reset_step {reset_step}: none may be negative"
            )
        self.gain = gain
        self.clamp = np.broadcast_to(np.asarray(clamp, dtype=np.float64), (size,))
        self.reset_step = reset_step
        self._offset = np.zeros((rows, size))
        self._goal = np.full((rows, size), np.nan)

    def retune(self, gain: float, clamp: float | Array) -> None:
        """Another gain [1/s] and clamp from the next update on; without gain, what was learned is forgotten."""
        self.gain = gain
        self.clamp = np.broadcast_to(np.asarray(clamp, dtype=np.float64), self.clamp.shape)
        if gain == 0.0:
            self.reset()

    @property
    def offset(self) -> Array:
        """What to add to the goal, shape (B, size)."""
        return self._offset.copy()

    def reset(self, rows: NDArray[np.integer] | NDArray[np.bool_] | None = None) -> None:
        """Forget, for all robots or for those selected by index or mask."""
        index = np.arange(len(self._offset)) if rows is None else rows
        self._offset[index] = 0.0
        self._goal[index] = np.nan

    def update(self, error: Array, dt: float, goal: Array | None = None) -> Array:
        """Take one measurement in.

        Args:
            error: Goal minus measurement, shape (B, size) or (size,). A row that is not finite is left out.
            dt: Time since the last update [s].
            goal: The goal the error belongs to, shape (B, size) or (size,); given, large steps of it reset.

        Returns:
            What to add to the goal, shape (B, size).
        """
        error = np.broadcast_to(np.asarray(error, dtype=np.float64), self._offset.shape)
        fresh = np.zeros(len(self._offset), dtype=bool)
        if goal is not None:
            goal = np.broadcast_to(np.asarray(goal, dtype=np.float64), self._offset.shape)
            fresh = np.any(np.abs(goal - self._goal) > self.reset_step, axis=-1)  # False while no goal was seen (NaN)
            self._goal = np.array(goal)
        moved = np.clip(self._offset + self.gain * dt * error, -self.clamp, self.clamp)
        valid = np.all(np.isfinite(error), axis=-1, keepdims=True)
        self._offset = np.where(fresh[:, None], 0.0, np.where(valid, moved, self._offset))
        return self.offset
