"""Percentiles of a window, against NumPy on the same numbers."""

import numpy as np
import pytest
from beyondmimic_diffusion.core.execution import LatencyWindow


def test_percentiles_are_those_of_the_newest_samples_in_any_fill_state():
    rng = np.random.default_rng(0)
    samples = rng.exponential(0.01, size=250)
    window = LatencyWindow(100)
    for count, sample in enumerate(samples, start=1):
        window.add(sample)
        newest = samples[max(0, count - 100) : count]
        summary = window.summary()
        got = (summary.p01, summary.p50, summary.p99, summary.max)
        assert got == pytest.approx([*np.percentile(newest, [1, 50, 99]), newest.max()])
    assert summary.count == 250


def test_an_empty_window_has_no_percentiles_and_a_reset_one_is_empty():
    window = LatencyWindow(4)
    window.add(1.0)
    window.reset()
    assert np.isnan(window.percentile(50))
    assert window.summary().count == 0
