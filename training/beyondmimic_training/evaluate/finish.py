"""When an episode with a task is done: judged from where the robot has been, by nobody's own claim."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from beyondmimic_diffusion.core.rotations import wrap_angle
from beyondmimic_diffusion.core.types import Array

from .judge import TRACE_DT, WINDOW

_FRAMES = round(WINDOW / TRACE_DT)


@dataclass(frozen=True)
class Track:
    """Where the robot has been so far, frames of 20 ms."""

    xy_w: Array
    """Pelvis [m], shape (T, 2)."""
    yaw: Array
    """Heading [rad], shape (T,), without jumps."""

    @property
    def time(self) -> float:
        """Of the last frame, since the start [s]."""
        return TRACE_DT * (len(self.xy_w) - 1)

    @property
    def speed(self) -> float:
        """Planar speed averaged over the last second [m/s]: a walking G1 sways. Infinite before there is a second."""
        if len(self.xy_w) <= _FRAMES:
            return math.inf
        return float(np.linalg.norm(self.xy_w[-1] - self.xy_w[-1 - _FRAMES])) / WINDOW


class Finish(ABC):
    """What must come true."""

    @abstractmethod
    def done(self, track: Track) -> bool:
        """Whether it is true in the last frame."""

    @abstractmethod
    def left(self, track: Track) -> float:
        """What is left to do, zero or more [m]."""


@dataclass(frozen=True)
class Arrive(Finish):
    """Stand at a place: within ``radius`` of it, slower than ``speed`` over a second, and facing the heading."""

    xy_w: tuple[float, float]
    radius: float = 0.3
    """[m]."""
    speed: float = 0.15
    """[m/s]."""
    heading_w: float | None = None
    """[rad]; None: any."""
    heading_tolerance: float = 0.35
    """[rad]; 20 degrees."""

    def done(self, track: Track) -> bool:
        """See :class:`Finish`; the heading is averaged over the last second, too."""
        if self.left(track) > self.radius or track.speed >= self.speed:
            return False
        if self.heading_w is None:
            return True
        error = wrap_angle(float(np.mean(track.yaw[-_FRAMES:])) - self.heading_w)
        return abs(float(error)) <= self.heading_tolerance

    def left(self, track: Track) -> float:
        """Distance to the place [m]."""
        return float(np.linalg.norm(track.xy_w[-1] - np.asarray(self.xy_w)))


@dataclass(frozen=True)
class Cross(Finish):
    """Have the pelvis beyond a line of constant x."""

    x_w: float
    """[m]."""

    def done(self, track: Track) -> bool:
        """See :class:`Finish`."""
        return bool(track.xy_w[-1, 0] >= self.x_w)

    def left(self, track: Track) -> float:
        """Distance to the line [m]."""
        return max(0.0, self.x_w - float(track.xy_w[-1, 0]))


@dataclass(frozen=True)
class LastUntil(Finish):
    """Have come to a time, whatever was done."""

    time: float
    """Since the start [s]."""

    def done(self, track: Track) -> bool:
        """See :class:`Finish`."""
        return track.time >= self.time - 1e-9

    def left(self, track: Track) -> float:
        """Nothing: there is no way to go [m]."""
        return 0.0
