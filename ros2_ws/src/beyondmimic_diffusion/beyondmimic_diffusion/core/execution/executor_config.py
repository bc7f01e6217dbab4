"""What an operator may tune about the executor: one table, the groups of its parts included."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ..parameters import param, validate
from .plan_buffer import PlanBufferConfig
from .safety_filter import SafetyConfig
from .standing import StandingConfig
from .watchdog import WatchdogConfig


@dataclass(frozen=True)
class ArmingConfig:
    """What must be true before the robot may move."""

    max_state_age: float = param(0.1, unit="s", lo=0.001, hi=1.0, doc="Greatest age of the robot state when arming.")
    max_tilt: float = param(math.radians(25.0), unit="rad", lo=0.05, hi=1.5, doc="Greatest tilt when arming.")
    max_joint_speed: float = param(3.0, unit="rad/s", lo=0.1, hi=50.0, doc="Greatest joint speed when arming.")
    range_slack: float = param(
        0.1, unit="rad", lo=0.0, hi=1.0, doc="How far outside its limits a joint may read when arming."
    )
    plan_stream_time: float = param(
        0.0, unit="s", lo=0.0, hi=10.0, doc="How long plans must have arrived steadily when arming; 0: not required."
    )

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class ExecutorConfig:
    """Times and gains of the mode machine, and the groups of its parts."""

    control_rate_hz: float = param(200.0, unit="Hz", lo=50.0, hi=1000.0, doc="Rate of motor commands.")
    blend_time: float = param(2.0, unit="s", lo=0.02, hi=20.0, doc="Time to reach the stand pose after arming.")
    plan_blend: float = param(
        0.1, unit="s", lo=0.0, hi=2.0, doc="Time over which the first plan replaces the held pose; 0: at once."
    )
    plan_period: float = param(
        0.04,
        unit="s",
        lo=0.005,
        hi=1.0,
        doc="Time between two plans of a planner that keeps up; a slower one is measured, or says so.",
    )
    plan_grace: float = param(
        0.01,
        unit="s",
        lo=0.0,
        hi=0.5,
        doc="How long a due plan may be missing before it is late; at least a quarter of the measured period.",
    )
    coast_limit: float = param(
        0.1, unit="s", lo=0.0, hi=1.0, doc="Time past due for which the last plan may be played on."
    )
    hold_limit: float = param(
        0.5, unit="s", lo=0.0, hi=5.0, doc="How long an interrupted walk may hold its last target before it damps."
    )
    damping_kd: float = param(
        5.0,
        unit="N m s/rad",
        lo=0.1,
        hi=20.0,
        doc="Joint damping in DAMPING, E_STOP, FAULT; at most twice the policy's.",
    )
    disarmed_kd: float = param(
        1.0, unit="N m s/rad", lo=0.0, hi=20.0, doc="Joint damping while disarmed; twice the policy's at most."
    )
    max_refusals: int = param(3, lo=1, hi=100, doc="Commands refused in a row by the safety filter that mean FAULT.")
    arming: ArmingConfig = field(default_factory=ArmingConfig)
    plan: PlanBufferConfig = field(default_factory=PlanBufferConfig)
    limits: SafetyConfig = field(default_factory=SafetyConfig)
    standing: StandingConfig = field(default_factory=StandingConfig)
    watchdog: WatchdogConfig = field(default_factory=WatchdogConfig)

    def __post_init__(self) -> None:
        validate(self)
