"""Percentiles of a run against a sorted list."""

import math

import numpy as np
import pytest
from beyondmimic_diffusion.core.execution.stage_latency import DurationHistogram, Stage, StageLatencies

BIN = 1e-4


def test_percentiles_are_those_of_the_sorted_durations_to_half_a_bin():
    rng = np.random.default_rng(4)
    durations = np.concatenate([rng.gamma(2.0, 3e-3, 5000), -rng.uniform(0.0, 0.02, 100)])
    histogram = DurationHistogram()
    for duration in durations:
        histogram.add(duration)
    ordered = np.sort(durations)
    summary = histogram.summary()
    for share, value in ((0.01, summary.p01), (0.5, summary.p50), (0.99, summary.p99), (0.999, summary.p999)):
        assert value == pytest.approx(ordered[math.ceil(share * len(ordered)) - 1], abs=0.5 * BIN + 1e-9)
    assert (summary.count, summary.max) == (5100, durations.max())


def test_a_duration_beyond_the_range_is_kept_as_the_greatest_and_no_number_is_not_counted():
    histogram = DurationHistogram()
    for duration in (0.001, 7.5, math.nan, math.inf):
        histogram.add(duration)
    summary = histogram.summary()
    assert (summary.count, summary.max) == (2, 7.5)
    assert summary.p99 == pytest.approx(1.0)


def test_without_any_duration_the_figures_are_none_in_the_file_and_absent_in_the_log():
    stages = StageLatencies()
    stages.add(Stage.TOTAL, 0.05)
    stages.missed = 3
    entry = stages.as_dict()
    assert entry["missed_ticks"] == 3
    assert entry["stages"]["slack"] == {"count": 0, **dict.fromkeys(("p01", "p50", "p99", "p999", "max"))}
    assert entry["stages"]["total"]["p50"] == pytest.approx(0.05)
    lines = stages.as_text().splitlines()
    assert "3 ticks missed" in lines[0]
    total = next(line for line in lines if line.startswith(Stage.TOTAL.value))
    assert total.split()[-6:] == ["1", *["50.0"] * 5]
    assert next(line for line in lines if line.startswith(Stage.SLACK.value)).split()[-1] == "0"
