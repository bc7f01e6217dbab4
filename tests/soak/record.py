"""What a long run leaves behind, and what follows from it. No ROS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

WARM_UP = 60.0
"""Memory that grows in the first minute is no leak [s]."""
LEAK = 20.0
"""Growth of a process beyond this is one, if the run is long enough to tell [MiB/h]."""
LONG_ENOUGH = 600.0
"""A shorter run tells no slope [s]."""
_BRIDGES = {("TRACKING", "COASTING"), ("TRACKING", "HOLD"), ("COASTING", "HOLD")}
_BACK = {("COASTING", "TRACKING"), ("HOLD", "TRACKING")}
"""A late plan or sample that was bridged, and its end: counted; a machine that is busy for a moment makes them."""
_MOST = 25
"""Problems shown in the page."""


@dataclass(frozen=True)
class Sample:
    """The stack at one moment."""

    t: float
    """Since the start [s]."""
    rss: dict[str, float]
    """Memory of each process [MiB]."""
    plan_p50: float
    """Computation of a plan [ms]; likewise the next."""
    plan_p99: float
    slack_p01: float
    """Left until a plan takes over [ms]; negative: late."""
    tick_p99: float
    """Lateness of the ticks [ms]."""
    factor: float
    """Real-time factor that is reached."""


@dataclass(frozen=True)
class Change:
    """The executor went from one mode to another."""

    t: float
    before: str
    after: str
    message: str


@dataclass(frozen=True)
class Span:
    """A time in which mode changes have a known cause."""

    start: float
    end: float
    cause: str


@dataclass(frozen=True)
class Injection:
    """One fault and what followed."""

    t: float
    fault: str
    seconds: float | None
    problems: tuple[str, ...]


@dataclass
class Record:
    """All of one run."""

    samples: list[Sample] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    injections: list[Injection] = field(default_factory=list)
    goals: int = 0
    """Random velocities that were asked for."""
    distance: float = 0.0
    """Walked [m]."""
    stacks: int = 1
    """How often the stack was started."""
    asked_factor: float = 1.0

    @property
    def duration(self) -> float:
        """Time between the first and the last sample [s]."""
        return self.samples[-1].t - self.samples[0].t if len(self.samples) > 1 else 0.0

    def bridged(self, mode: str) -> int:
        """Late plans (COASTING) or samples (HOLD) that were bridged outside of faults."""
        return sum(c.after == mode and (c.before, c.after) in _BRIDGES and not self._caused(c) for c in self.changes)

    def _caused(self, change: Change) -> bool:
        """Whether a fault or the operator explains it."""
        return any(span.start <= change.t <= span.end for span in self.spans)

    def unexplained(self) -> list[Change]:
        """Mode changes that neither a fault nor the operator has caused, beside moments that were bridged."""
        return [
            change
            for change in self.changes
            if (change.before, change.after) not in _BRIDGES | _BACK and not self._caused(change)
        ]

    def slopes(self) -> dict[str, float]:
        """Growth of each process after the warm-up, least squares [MiB/h]; empty if there are too few samples."""
        late = [sample for sample in self.samples if sample.t >= self.samples[0].t + WARM_UP]
        if len(late) < 3:
            return {}
        t = np.array([sample.t for sample in late])
        names = set.intersection(*(set(sample.rss) for sample in late))
        return {
            name: float(np.polyfit(t / 3600.0, [sample.rss[name] for sample in late], 1)[0]) for name in sorted(names)
        }

    def slow(self) -> float:
        """Share of the samples, faults left out, in which the simulation did not keep up with real time."""
        calm = [s.factor for s in self.samples if not any(span.start <= s.t <= span.end for span in self.spans)]
        calm = [factor for factor in calm if np.isfinite(factor)]
        return float(np.mean([factor < 0.95 * self.asked_factor for factor in calm])) if calm else float("nan")

    def problems(self) -> list[str]:
        """What was not as it must be; empty: passed."""
        found = [f"unexplained at {c.t:.0f} s: {c.before} -> {c.after} ({c.message})" for c in self.unexplained()]
        found += [f"{i.fault} at {i.t:.0f} s: {'; '.join(i.problems) or 'no reaction'}" for i in self.injections
                  if i.problems or i.seconds is None]  # fmt: skip
        if self.duration >= LONG_ENOUGH and self.stacks == 1:
            found += [f"{name} grows by {s:.0f} MiB/h" for name, s in self.slopes().items() if s > LEAK]
        if not self.slow() <= 0.05:
            found.append(f"slower than real time in {100 * self.slow():.0f} % of the calm time")
        return found

    def as_dict(self) -> dict[str, Any]:
        """For a file."""
        return {
            "duration": self.duration,
            "goals": self.goals,
            "distance": self.distance,
            "stacks": self.stacks,
            "bridged_late_plans": self.bridged("COASTING"),
            "bridged_late_samples": self.bridged("HOLD"),
            "share_slower_than_real_time": self.slow(),
            "rss_slope_mib_per_hour": self.slopes(),
            "problems": self.problems(),
            "injections": [asdict(injection) for injection in self.injections],
            "unexplained": [asdict(change) for change in self.unexplained()],
            "changes": [asdict(change) for change in self.changes],
            "samples": [asdict(sample) for sample in self.samples],
        }


def as_page(record: Record, latency: Sequence[str] = ()) -> str:
    """The report for people, Markdown.

    Args:
        record: Of the run.
        latency: The executor's own table, lines.
    """
    problems = record.problems()
    summary = (
        f"{record.goals} random velocities, {record.distance:.0f} m, {len(record.injections)} faults, "
        f"{record.bridged('COASTING')} late plans and {record.bridged('HOLD')} late samples bridged, "
        f"stack started {record.stacks} time(s)."
    )
    lines = [
        f"# {record.duration / 60:.1f} minutes: {'passed' if not problems else 'not passed'}",
        "",
        summary,
        "",
        *[f"* {problem}" for problem in problems[:_MOST]],
        *([f"* and {len(problems) - _MOST} more, see soak.json"] if len(problems) > _MOST else []),
        "",
        "| process | memory at the end [MiB] | slope [MiB/h] |",
        "| --- | --- | --- |",
    ]
    slopes = record.slopes()
    for name, rss in sorted(record.samples[-1].rss.items() if record.samples else ()):
        lines.append(
            f"| {name} | {rss:.0f} | {slopes[name]:+.1f} |" if name in slopes else f"| {name} | {rss:.0f} | - |"
        )
    lines += ["", "| fault | times | reactions as they must be | longest [ms] |", "| --- | --- | --- | --- |"]
    for fault in sorted({injection.fault for injection in record.injections}):
        own = [injection for injection in record.injections if injection.fault == fault]
        good = sum(i.seconds is not None and not i.problems for i in own)
        worst = max((i.seconds for i in own if i.seconds is not None), default=float("nan"))
        lines.append(f"| {fault} | {len(own)} | {good} | {1e3 * worst:.0f} |")
    if latency:
        lines += ["", "```", *latency, "```"]
    return "\n".join(lines) + "\n"
