"""What a fault test hears of the stack, and when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Moment:
    """When a fault was injected, on each clock."""

    steady: float
    sim: float
    wall: float
    """System clock [s], as in the nodes' logs."""


@dataclass(frozen=True)
class Frame:
    """One motor command as it arrived."""

    at: float
    """Steady clock [s]."""
    stiff: bool
    finite: bool


@dataclass(frozen=True)
class Report:
    """One ``executor/state``."""

    at: float
    """Steady clock [s]."""
    sim: float
    """Robot's clock, of the tick [s]."""
    mode: str
    message: str
    refused_plans: int
    state_age: float
    """Of the newest measurement that could be used [s]."""
    late_p99: float
    """Lateness of the newest ticks, 99th percentile [s]."""
    late_max: float
    """Greatest lateness since arming [s]."""
    ticks: int
    missed: int
    """Since arming."""


@dataclass(frozen=True)
class Pose:
    """Ground truth."""

    sim: float
    xy: np.ndarray
    height: float
