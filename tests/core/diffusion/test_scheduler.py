"""Noise scheduler against closed forms and a slow DDPM."""

import numpy as np
import pytest
from beyondmimic_diffusion.core.diffusion.scheduler import CLEAN, NoiseScheduler
from beyondmimic_diffusion.core.errors import ConfigError
from reference import ddpm

K = 20


@pytest.fixture
def scheduler():
    return NoiseScheduler(K)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_cosine_coefficients_equal_the_published_formula(scheduler):
    np.testing.assert_allclose(scheduler.alpha_bar, ddpm.cosine_alpha_bar(K), rtol=1e-12)


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
@pytest.mark.parametrize("num_levels", [10, 20, 50])
def test_noise_grows_with_the_level_from_almost_none_to_almost_only_noise(schedule, num_levels):
    alpha_bar = NoiseScheduler(num_levels, schedule).alpha_bar
    assert np.all(np.diff(np.concatenate([[1.0], alpha_bar])) < 0)
    assert alpha_bar[0] > 0.95
    assert alpha_bar[-1] < 1e-3


def test_linear_schedule_of_1000_levels_is_that_of_ddpm():
    assert NoiseScheduler(1000, "linear").betas[[0, -1]] == pytest.approx([1e-4, 0.02])


@pytest.mark.parametrize("level", [0, 7, K - 1])
def test_noised_samples_have_the_closed_form_mean_and_variance(scheduler, rng, level):
    count, clean = 40000, 0.7
    drawn = scheduler.add_noise(np.full((count, 1), clean), rng.standard_normal((count, 1)), np.full(count, level))
    mean, variance = np.sqrt(scheduler.alpha_bar[level]) * clean, 1.0 - scheduler.alpha_bar[level]
    assert drawn.mean() == pytest.approx(mean, abs=4 * np.sqrt(variance / count))  # 4 standard errors
    assert drawn.var() == pytest.approx(variance, rel=4 * np.sqrt(2 / count))


def test_clean_level_adds_no_noise_and_levels_are_per_token(scheduler, rng):
    clean, noise = rng.standard_normal((2, 3, 5, 4))
    level = np.array([CLEAN, 0, 3, 10, K - 1])
    noisy = scheduler.add_noise(clean, noise, level)
    np.testing.assert_array_equal(noisy[:, 0], clean[:, 0])
    for token in range(1, 5):
        power = ddpm.cosine_alpha_bar(K)[level[token]]
        expected = np.sqrt(power) * clean[:, token] + np.sqrt(1 - power) * noise[:, token]
        np.testing.assert_allclose(noisy[:, token], expected, rtol=1e-12)


def test_noise_of_a_noised_sample_is_the_noise(scheduler, rng):
    clean, noise = rng.standard_normal((2, 3, K, 4))
    level = np.arange(K)
    np.testing.assert_allclose(
        scheduler.noise_of(scheduler.add_noise(clean, noise, level), clean, level), noise, atol=1e-12
    )


def test_one_level_of_ancestral_step_is_the_ddpm_posterior(scheduler, rng):
    sample, clean, noise = rng.standard_normal((3, K, 1))
    level = np.arange(K)
    got = scheduler.step(sample, clean, level, level - 1, noise, eta=1.0)
    for k in level:
        mean, variance = ddpm.posterior(sample[k, 0], clean[k, 0], k, ddpm.cosine_alpha_bar(K))
        assert got[k, 0] == pytest.approx(mean + np.sqrt(variance) * noise[k, 0], rel=1e-9)


def test_a_jump_over_several_levels_is_the_posterior_by_bayes_rule(scheduler, rng):
    sample, clean, noise = rng.standard_normal((3, 1, 1))
    for level, lower in [(19, 12), (14, 3), (7, 0), (2, 1)]:
        got = scheduler.step(sample, clean, [level], [lower], noise, eta=1.0).item()
        mean, variance = ddpm.posterior_by_bayes(sample.item(), clean.item(), level, lower, ddpm.cosine_alpha_bar(K))
        assert got == pytest.approx(mean + np.sqrt(variance) * noise.item(), rel=1e-9)


def test_deterministic_step_with_the_true_clean_value_keeps_the_noise_it_was_made_with(scheduler, rng):
    clean, noise = rng.standard_normal((2, K, 3))
    level = np.arange(K)
    lower = level // 2 - 1
    got = scheduler.step(scheduler.add_noise(clean, noise, level), clean, level, lower, eta=0.0)
    np.testing.assert_allclose(got, scheduler.add_noise(clean, noise, lower), atol=1e-9)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_steps_with_the_true_clean_value_keep_the_variance_of_the_forward_process(scheduler, rng, eta):
    count = 40000
    clean = np.full((count, 1), -0.3)
    sample = scheduler.add_noise(clean, rng.standard_normal((count, 1)), np.full(count, 14))
    moved = scheduler.step(sample, clean, np.full(count, 14), np.full(count, 6), rng.standard_normal((count, 1)), eta)
    assert moved.mean() == pytest.approx(np.sqrt(scheduler.alpha_bar[6]) * -0.3, abs=4 / np.sqrt(count))
    assert moved.var() == pytest.approx(1 - scheduler.alpha_bar[6], rel=4 * np.sqrt(2 / count))


@pytest.mark.parametrize("eta", [0.0, 1.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_last_step_returns_the_clean_prediction_to_the_bit(scheduler, rng, eta, dtype):
    sample, clean, noise = rng.standard_normal((3, 2, K, 4)).astype(dtype)
    got = scheduler.step(sample, clean, np.arange(K), CLEAN, noise, eta)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, clean)


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_tokens_whose_level_does_not_fall_are_unchanged_to_the_bit(scheduler, rng, eta):
    sample, clean, noise = rng.standard_normal((3, 2, 4, 3)).astype(np.float32)
    got = scheduler.step(sample, clean, [CLEAN, 0, 19, 5], [CLEAN, 0, 19, 4], noise, eta)
    np.testing.assert_array_equal(got[:, :3], sample[:, :3])
    assert np.all(got[:, 3] != sample[:, 3])


def test_whole_ancestral_loop_equals_slow_ddpm(scheduler, rng):
    start, noises = rng.standard_normal((3, 2)), rng.standard_normal((K, 3, 2))

    def denoise(sample, level):
        return np.tanh(0.5 * sample + 0.01 * level)

    sample = start.copy()
    for number, level in enumerate(range(K - 1, -1, -1)):
        sample = scheduler.step(sample, denoise(sample, level), level, level - 1, noises[number], eta=1.0)
    np.testing.assert_allclose(
        sample, ddpm.ancestral_sample(start, noises, denoise, ddpm.cosine_alpha_bar(K)), rtol=1e-9
    )


def test_errors_name_the_value_and_what_would_be_right(scheduler):
    with pytest.raises(ConfigError, match="'quadratic'; known are cosine, linear"):
        NoiseScheduler(K, "quadratic")
    with pytest.raises(ConfigError, match="num_levels is 1;"):
        NoiseScheduler(1)
    with pytest.raises(ConfigError, match=r"eta is 1\.5"):
        scheduler.step(np.zeros((1, 1)), np.zeros((1, 1)), [3], [2], None, eta=1.5)
    with pytest.raises(ConfigError, match="needs noise"):
        scheduler.step(np.zeros((1, 1)), np.zeros((1, 1)), [3], [2], None, eta=1.0)
