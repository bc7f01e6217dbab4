"""How long each stage takes on the way from a sensor's stamp to a command, over a run of any length."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

import numpy as np

_BIN = 1e-4
"""Resolution of percentiles [s]."""
_RANGE = 1.0
"""Durations beyond this, either way, count as this in percentiles; the greatest is exact [s]."""


class Stage(Enum):
    """What is measured, in the order in which it happens; the values are for the report."""

    SENSOR = "sensor's stamp to the tick that uses it"
    PLAN = "observation's stamp to its plan at the executor"
    COMPUTE = "of that, the planner's own computation"
    SLACK = "plan's arrival to the time it takes over (negative: late)"
    TOTAL = "observation's stamp to the first command from its plan"
    LATE = "tick's due time to its beginning"
    TICK = "tick's beginning to its command handed over"


@dataclass(frozen=True)
class StageSummary:
    """Figures of one stage; NaN where nothing was measured."""

    count: int
    p01: float
    """Percentiles [s], good to 0.1 ms; likewise the next three."""
    p50: float
    p99: float
    p999: float
    max: float
    """Exact [s]."""


class DurationHistogram:
    """Counts durations in bins of 0.1 ms: constant memory, constant time."""

    def __init__(self) -> None:
        self._counts = np.zeros(2 * round(_RANGE / _BIN) + 1, dtype=np.int64)
        self.count = 0
        """Durations added."""
        self._max = -math.inf

    def add(self, duration: float) -> None:
        """Add one duration [s]; negative ones are allowed, those that are no numbers are not counted."""
        if not math.isfinite(duration):
            return
        index = round((min(max(duration, -_RANGE), _RANGE) + _RANGE) / _BIN)
        self._counts[index] += 1
        self.count += 1
        self._max = max(self._max, duration)

    def summary(self) -> StageSummary:
        """Percentiles: the smallest bin below or in which so many per cent of the durations are."""
        if self.count == 0:
            return StageSummary(0, *[math.nan] * 5)
        cumulative = np.cumsum(self._counts)
        p01, p50, p99, p999 = (
            float(np.searchsorted(cumulative, math.ceil(share * self.count))) * _BIN - _RANGE
            for share in (0.01, 0.5, 0.99, 0.999)
        )
        return StageSummary(self.count, p01, p50, p99, p999, self._max)


class StageLatencies:
    """All stages, from the first arming on; times of both clocks are handed in."""

    def __init__(self) -> None:
        self._stages = {stage: DurationHistogram() for stage in Stage}
        self.missed = 0
        """Ticks that were skipped."""

    def add(self, stage: Stage, duration: float) -> None:
        """One duration [s]."""
        self._stages[stage].add(duration)

    def summaries(self) -> Mapping[Stage, StageSummary]:
        """Figures by stage."""
        return {stage: histogram.summary() for stage, histogram in self._stages.items()}

    def as_dict(self) -> dict[str, Any]:
        """For a file: seconds; None where nothing was measured."""
        stages = {
            stage.name.lower(): {
                name: None if isinstance(value, float) and math.isnan(value) else value
                for name, value in asdict(summary).items()
            }
            for stage, summary in self.summaries().items()
        }
        return {"missed_ticks": self.missed, "stages": stages}

    def as_text(self) -> str:
        """For the log: milliseconds."""
        head = f"{'[ms]':62s}{'count':>8s}{'p01':>8s}{'p50':>8s}{'p99':>8s}{'p99.9':>8s}{'max':>8s}"
        lines = [f"latency while armed, {self.missed} ticks missed", head]
        for stage, s in self.summaries().items():
            figures = "".join(f"{1e3 * value:8.1f}" for value in (s.p01, s.p50, s.p99, s.p999, s.max))
            lines.append(f"{stage.value:62s}{s.count:8d}{figures if s.count else ''}")
        return "\n".join(lines)
