"""What the executor says about one tick."""

from __future__ import annotations

from dataclasses import dataclass

from ..timeline import StreamVerdict
from ..types import Array
from .modes import ExecutorMode, Reason
from .plan_buffer import SampleStatus
from .safety_filter import FilterVerdict
from .watchdog import StateHealth


@dataclass(frozen=True)
class ExecutorReport:
    """Everything the executor decided in one tick."""

    mode: ExecutorMode
    reason: Reason
    health: StateHealth
    state_age: float
    """[s]; infinity before the first state."""
    sample_status: SampleStatus
    plan_id: int
    """Plan that is playing or would play; -1 without one."""
    plan_index: int
    """Set-point of it that is due; -1 without one."""
    plan_age: float
    """Time since it took over [s]; infinity without one."""
    stream: StreamVerdict
    """How plans come."""
    plan_period: float
    """From plan to plan, median [s]; NaN before the second one."""
    plan_latency: float
    """From a plan's observation to its arrival, 90th percentile [s]; NaN before the first one."""
    blend: float
    """Progress 0..1 of the blend to the stand pose, or of the first plan into the held pose."""
    filter_verdict: FilterVerdict
    clamped_position: int
    """Joint clamps since arming; likewise the next two."""
    clamped_rate: int
    clamped_torque: int
    joint_target: Array
    """What was commanded [rad], shape (J,)."""

    @property
    def message(self) -> str:
        """The reason in words."""
        return self.reason.sentence
