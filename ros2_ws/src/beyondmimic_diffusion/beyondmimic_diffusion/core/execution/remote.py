"""The operator's remote as the executor sees it: alive, at rest, and its e-stop button."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..parameters import param, validate
from .modes import Reason

_REST = 0.1
"""A stick within this of its middle is at rest."""


@dataclass(frozen=True)
class RemoteConfig:
    """What the remote (topic ``joy``) is for; the defaults are an Xbox pad's."""

    e_stop_button: int = param(1, lo=-1, hi=31, doc="Button that means emergency stop (Xbox: B); -1: none.")
    sticks: tuple[int, ...] = param((0, 1, 3, 4), lo=0, hi=15, doc="Axes that must be at rest when arming.")
    required: bool = param(False, doc="Refuse to arm while no remote is heard.")
    timeout: float = param(0.5, unit="s", lo=0.05, hi=10.0, doc="Silence after which the remote counts as gone.")

    def __post_init__(self) -> None:
        validate(self)


class Remote:
    """Keeps the newest message. Times are of any clock that does not jump [s]."""

    def __init__(self, config: RemoteConfig):
        self._config = config
        self._axes: tuple[float, ...] = ()
        self._heard = -math.inf
        self.stopping = False
        """Whether the e-stop button was held in the newest message."""

    def take(self, axes: Sequence[float], buttons: Sequence[int], now: float) -> bool:
        """A message; True if it asks for an emergency stop.

        Args:
            axes: Sticks and triggers, -1 .. 1.
            buttons: 0 or 1.
            now: When it came.
        """
        button = self._config.e_stop_button
        self._axes, self._heard = tuple(axes), now
        self.stopping = 0 <= button < len(buttons) and bool(buttons[button])
        return self.stopping

    def alive(self, now: float) -> bool:
        """Whether it was heard of late."""
        return now - self._heard <= self._config.timeout

    def trouble(self, now: float) -> tuple[Reason, str]:
        """What about the remote forbids to arm, with its figures; ``Reason.OK`` if nothing does."""
        if self.stopping:
            return Reason.E_STOP_HELD, f"button {self._config.e_stop_button}"
        if not self.alive(now):
            silence = now - self._heard
            figures = "never heard" if math.isinf(silence) else f"for {silence:.1f} s"
            return (Reason.NO_REMOTE, figures) if self._config.required else (Reason.OK, "")
        for axis in self._config.sticks:
            if axis < len(self._axes) and not abs(self._axes[axis]) <= _REST:
                return Reason.REMOTE_NOT_NEUTRAL, f"axis {axis} at {self._axes[axis]:.2f}"
        return Reason.OK, ""
