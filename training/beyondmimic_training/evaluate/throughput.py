"""A planner that needs time for each plan: how it keeps its pace and knows its latency, as on the robot."""

from __future__ import annotations

import math

import numpy as np
from beyondmimic_diffusion.core.batch_planner import PlannerConfig
from beyondmimic_diffusion.core.engine import PolicyManifest
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_diffusion.core.plan_latency import PlanLatency, PlanPace
from beyondmimic_diffusion.core.planner import longest_latency

from .fleet import CONTROL_DT

_BEFORE = 50
"""Plans made before the start: on the robot, too, a planner has planned for a while when it takes over."""


class ThroughputLimit:
    """Decides when a plan is begun and when it arrives; one for all robots of a batch, whose planners run alike."""

    def __init__(
        self,
        config: PlannerConfig,
        manifest: PolicyManifest,
        plan_time: float,
        jitter: float,
        unknown_delay: float,
        seed: int,
    ):
        """
        Args:
            config: Of the planner.
            manifest: Of the policy.
            plan_time: What a plan takes at least [s].
            jitter: Greatest random addition to it [s].
            unknown_delay: Of each plan's arrival; neither throughput nor the planner's reckoning knows of it [s].
            seed: Of the jitter: the same whatever the batch.
        """
        if plan_time < 0.0 or jitter < 0.0:
            raise ConfigError(f"a plan's time {plan_time} s and its jitter {jitter} s must not be negative")
        self._plan_time, self._jitter, self._unknown = plan_time, jitter, unknown_delay
        self._random = np.random.default_rng([seed, 1])
        self._step_ticks = round(manifest.step_dt / CONTROL_DT)
        self._pace = PlanPace(manifest.step_dt)
        self._latency = PlanLatency(config.latency, manifest.setpoint_dt, longest_latency(config, manifest))
        self._cell: int | None = None
        self._due = False
        self._free_at = 0
        for _ in range(_BEFORE):
            self._account(self._time())

    @property
    def latency(self) -> float:
        """What the planner reckons with now [s]."""
        return self._latency.latency

    def begin(self, tick: int) -> int | None:
        """Control steps until a plan that is begun now arrives; None where the planner is busy, or none is due.

        Args:
            tick: Control steps since the start; asked at each of them.
        """
        cell = tick // (self._step_ticks * self._pace.steps)
        self._due = self._due or cell != self._cell
        self._cell = cell
        if not self._due or tick < self._free_at:
            return None
        self._due = False
        time = self._time()
        self._account(time)
        self._free_at = tick + math.ceil(time / CONTROL_DT - 1e-9)
        return math.ceil((time + self._unknown) / CONTROL_DT - 1e-9)

    def _time(self) -> float:
        return self._plan_time + float(self._random.uniform(0.0, self._jitter))

    def _account(self, time: float) -> None:
        self._pace.add(time)
        self._latency.add(time)
