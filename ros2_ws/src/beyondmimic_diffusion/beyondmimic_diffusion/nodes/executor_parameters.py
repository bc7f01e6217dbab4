"""What an operator may choose about the executor and its node."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..core.execution import ExecutorConfig
from ..core.execution.remote import RemoteConfig
from ..core.parameters import param
from ..robot_io import UnitreeLimits
from .robot_parameters import MotorParameters


@dataclass(frozen=True)
class ActionExecutorParameters(MotorParameters, ExecutorConfig):
    """The executor's table, and what only the node needs."""

    policy: str = param("", doc="Folder of the policy; gains and stand pose are read from its manifest.")
    robot_checks: UnitreeLimits = field(default_factory=UnitreeLimits)
    realtime_priority: int = param(20, lo=0, hi=90, doc="SCHED_FIFO priority of the tick where permitted; 0: none.")
    cpu_core: int = param(-1, lo=-1, hi=1023, doc="Core that the tick is pinned to where permitted; -1: any.")
    supervised: bool = param(False, doc="Refuse to arm while no supervisor watches.")
    latency_report: str = param(
        "", doc="JSON file for the latency of each stage, written at the end; empty: the log only."
    )
    remote: RemoteConfig = field(default_factory=RemoteConfig)
