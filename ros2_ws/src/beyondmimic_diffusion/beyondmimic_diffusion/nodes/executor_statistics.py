"""What the executor's node measures while it works, and says about it once a second and at its end."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..core.execution import ExecutorMode, ExecutorReport
from ..core.execution.stage_latency import Stage, StageLatencies
from ..core.types import Plan, RobotState

_KEPT = 8
"""Plans whose observation is remembered."""


class ExecutorStatistics:
    """Used by the tick's thread; read by others."""

    def __init__(self) -> None:
        self.stages = StageLatencies()
        self._observed: dict[int, float] = {}  # plan id -> observation stamp, of the newest plans
        self._playing = -1
        self._sampled: float | None = None
        self._armed = False
        self._missed = 0
        self.report: ExecutorReport | None = None
        """Of the newest tick."""
        self.temperature = math.nan
        """Of the hottest motor [degC]."""

    def plan_came(self, plan: Plan, now: float) -> None:
        """An accepted plan; ``now`` is the robot's clock [s]."""
        self._observed = {**dict(list(self._observed.items())[-_KEPT:]), plan.plan_id: plan.observation_stamp}
        if self._armed:
            self.stages.add(Stage.PLAN, now - plan.observation_stamp)
            self.stages.add(Stage.COMPUTE, plan.compute_time)
            self.stages.add(Stage.SLACK, plan.stamp + plan.first_step * plan.step_dt - now)

    def plan_age(self, plan_id: int, now: float) -> float:
        """Time since the observation behind a plan [s]; NaN if it is not known."""
        return now - self._observed.get(plan_id, math.nan)

    def ticked(
        self, now: float, state: RobotState | None, report: ExecutorReport, late: float, took: float, missed: int
    ) -> None:
        """One tick is over.

        Args:
            now: Robot's clock at its beginning [s].
            state: Used in it.
            report: What it decided.
            late: It began so much after it was due [s].
            took: From its beginning until the command was handed over [s].
            missed: Ticks skipped since arming.
        """
        self._armed = report.mode is not ExecutorMode.DISARMED
        self.report = report
        if state is not None and state.joint_temperature is not None:
            self.temperature = float(state.joint_temperature.max())
        if not self._armed:
            self._missed = missed
            return
        self.stages.missed += max(0, missed - self._missed)
        self._missed = missed
        self.stages.add(Stage.LATE, late)
        self.stages.add(Stage.TICK, took)
        if state is not None and state.stamp != self._sampled:
            self._sampled = state.stamp
            self.stages.add(Stage.SENSOR, now - state.stamp)
        if report.mode is ExecutorMode.TRACKING and report.plan_id != self._playing:
            self._playing = report.plan_id
            self.stages.add(Stage.TOTAL, self.plan_age(report.plan_id, now) + took)

    def values(self) -> Mapping[str, Any]:
        """For diagnostics."""
        stages, report = self.stages.summaries(), self.report
        values: dict[str, Any] = {
            "observation_to_command_p50_ms": 1e3 * stages[Stage.TOTAL].p50,
            "observation_to_command_p99_ms": 1e3 * stages[Stage.TOTAL].p99,
            "sensor_to_tick_p99_ms": 1e3 * stages[Stage.SENSOR].p99,
            "plan_slack_p01_ms": 1e3 * stages[Stage.SLACK].p01,
            "winding_temperature_C": self.temperature,
        }
        if report is not None:
            values |= {
                "clamped_position": report.clamped_position,
                "clamped_rate": report.clamped_rate,
                "clamped_torque": report.clamped_torque,
                "state_age_ms": 1e3 * report.state_age,
                "state": report.health.value,
            }
        return values

    def conclude(self, path: str, say: Callable[[str], object]) -> None:
        """The report at the end: a table for the log and, if ``path`` is not empty, a JSON file."""
        if not self.stages.summaries()[Stage.TICK].count:
            return
        say(self.stages.as_text())
        if path:
            try:
                Path(path).write_text(json.dumps(self.stages.as_dict(), indent=1) + "\n", encoding="utf-8")
            except OSError as error:
                say(f"latency_report: '{path}' cannot be written: {error.strerror}")
