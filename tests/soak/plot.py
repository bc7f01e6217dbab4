"""Memory, latency and real-time factor over the run, faults marked."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from .record import Record


def draw(record: Record, path: Path) -> None:
    """Write the picture."""
    figure, (memory, latency, factor) = plt.subplots(3, 1, figsize=(10, 9), sharex=True)
    t = [sample.t / 60 for sample in record.samples]
    for name in sorted({name for sample in record.samples for name in sample.rss}):
        memory.plot(t, [sample.rss.get(name, float("nan")) for sample in record.samples], label=name)
    memory.set_ylabel("memory [MiB]")
    memory.legend(fontsize="small")
    for label, values in (
        ("plan, p50", [sample.plan_p50 for sample in record.samples]),
        ("plan, p99", [sample.plan_p99 for sample in record.samples]),
        ("slack of plans, p01", [sample.slack_p01 for sample in record.samples]),
        ("lateness of ticks, p99", [sample.tick_p99 for sample in record.samples]),
    ):
        latency.plot(t, values, label=label)
    latency.set_ylabel("[ms]")
    latency.legend(fontsize="small")
    factor.plot(t, [sample.factor for sample in record.samples])
    factor.set_ylabel("real-time factor")
    factor.set_xlabel("[min]")
    for axes in (memory, latency, factor):
        for injection in record.injections:
            axes.axvline(injection.t / 60, color="0.85", linewidth=0.5, zorder=0)
    figure.tight_layout()
    figure.savefig(path, dpi=100)
    plt.close(figure)
