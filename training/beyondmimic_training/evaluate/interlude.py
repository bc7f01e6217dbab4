"""Walking that is broken off by a motion of the policy, and taken up again after it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from beyondmimic_diffusion.core.rotations import rotate_yaw

from .finish import Finish, Track
from .judge import TRACE_DT
from .suites import Command


@dataclass(frozen=True)
class Interlude:
    """What is played, and when."""

    clip: str
    """Its name in the policy's folder ``clips``."""
    begin: float
    """Walking is broken off at this time [s]."""


class WalkOn(Finish):
    """Walk at a command for a while after the clip: over the last part of that time, at a share of its speed.

    When the clip is over is told from outside; whether the robot walks then is seen from where it has been.
    """

    TIME = 3.0
    """How long the command is held [s]."""
    WINDOW = 2.0
    """The last part of it, which counts [s]."""
    SHARE = 0.5
    """Of the commanded speed, along the commanded direction, that must be exceeded."""

    def __init__(self, command: Command):
        """
        Args:
            command: Velocity command; must ask for some planar speed.
        """
        self._velocity = np.array(command[:2])
        self._since: float | None = None
        self.met = False
        """Whether it has come true."""

    def begin(self, time: float) -> None:
        """The clip is over at this time of the episode [s]."""
        self._since = time

    @property
    def due(self) -> float | None:
        """When it is decided [s]; None: the clip is not over."""
        return None if self._since is None else self._since + self.TIME

    def done(self, track: Track) -> bool:
        """See :class:`Finish`."""
        if self.due is not None and track.time >= self.due - 1e-9 and self.left(track) <= 0.0:
            self.met = True
        return self.met

    def left(self, track: Track) -> float:
        """What is missing of the way that must be made within the last window [m]."""
        speed = float(np.linalg.norm(self._velocity))
        frames = round(self.WINDOW / TRACE_DT)
        yaw = track.yaw[-frames - 1 : -1]
        steps = np.diff(track.xy_w[-frames - 1 :], axis=0)
        moves = rotate_yaw(np.column_stack([steps, np.zeros(len(steps))]), -yaw)[:, :2]
        made = float(np.sum(moves @ (self._velocity / speed)))
        return max(0.0, self.SHARE * speed * self.WINDOW - made)
