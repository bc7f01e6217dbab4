"""Normalisation against the statistics of the data it was fitted to."""

import json

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_diffusion.core.state import Normalizer


@pytest.fixture
def values() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.gamma(2.0, size=(4000, 5)) * [1e-3, 0.1, 1.0, 30.0, 1.0] + [0.0, -5.0, 2.0, 100.0, 0.0]


def test_std_gives_features_of_zero_mean_and_unit_variance(values: np.ndarray):
    normalized = Normalizer.fit(values, "std").normalize(values)
    np.testing.assert_allclose(normalized.mean(axis=0), 0.0, atol=1e-9)
    np.testing.assert_allclose(normalized.var(axis=0), 1.0, rtol=1e-9)


def test_range_gives_features_that_reach_from_minus_one_to_one(values: np.ndarray):
    normalized = Normalizer.fit(values, "range").normalize(values)
    np.testing.assert_allclose(normalized.min(axis=0), -1.0, rtol=1e-9)
    np.testing.assert_allclose(normalized.max(axis=0), 1.0, rtol=1e-9)


@pytest.mark.parametrize("kind", ["std", "range"])
def test_a_feature_that_does_not_vary_keeps_its_unit_and_comes_back_exactly(kind: str):
    values = np.column_stack([np.full(100, 0.3), np.linspace(0.0, 5e-5, 100), np.linspace(-1.0, 1.0, 100)])
    normalizer = Normalizer.fit(values, kind)
    np.testing.assert_array_equal(normalizer.scale[:2], 1.0)
    np.testing.assert_allclose(normalizer.to_si(normalizer.normalize(values)), values, atol=1e-15)


@pytest.mark.parametrize("kind", ["std", "range"])
def test_the_clamp_lies_a_tenth_of_the_half_range_outside_the_data(kind: str, values: np.ndarray):
    normalizer = Normalizer.fit(values, kind)
    low, high = values.min(axis=0), values.max(axis=0)
    beyond = 0.1 * (high - low) / 2
    inside = normalizer.to_si(normalizer.clamp(np.stack([np.full(5, -1e9), np.full(5, 1e9)])))
    np.testing.assert_allclose(inside, [low - beyond, high + beyond], rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(normalizer.clamp(normalizer.normalize(values)), normalizer.normalize(values))


def test_normalizing_and_back_changes_nothing_but_rounding(values: np.ndarray):
    normalizer = Normalizer.fit(values, "std")
    np.testing.assert_allclose(normalizer.to_si(normalizer.normalize(values)), values, rtol=1e-14)


def test_precision_of_the_input_is_kept(values: np.ndarray):
    normalizer = Normalizer.fit(values, "std")
    single = values.astype(np.float32)
    for method in (normalizer.normalize, normalizer.to_si, normalizer.clamp):
        assert method(single).dtype == np.float32


def test_statistics_survive_json_bit_for_bit(values: np.ndarray):
    normalizer = Normalizer.fit(values, "std")
    again = Normalizer.from_dict(json.loads(json.dumps(normalizer.to_dict())))
    np.testing.assert_array_equal(again.normalize(values), normalizer.normalize(values))
    np.testing.assert_array_equal(again.low, normalizer.low)
    np.testing.assert_array_equal(again.high, normalizer.high)


def test_an_unknown_kind_is_refused_with_the_known_ones(values: np.ndarray):
    with pytest.raises(ConfigError, match="'quantile'.*std.*range"):
        Normalizer.fit(values, "quantile")
