"""DDPM written out slowly from Ho et al. 2020, in float64 loops over single numbers. Imports nothing from core."""

from __future__ import annotations

import math

import numpy as np


def cosine_alpha_bar(num_levels: int) -> list[float]:
    """Cumulative signal power of the squared-cosine schedule (Nichol and Dhariwal 2021, eq. 17), betas capped."""

    def f(i: int) -> float:
        return math.cos((i / num_levels + 0.008) / 1.008 * math.pi / 2.0) ** 2

    result, product = [], 1.0
    for level in range(num_levels):
        beta = min(1.0 - f(level + 1) / f(level), 0.999)
        product *= 1.0 - beta
        result.append(product)
    return result


def posterior(sample: float, clean: float, level: int, alpha_bar: list[float]) -> tuple[float, float]:
    """Mean and variance of q(x_{level-1} | x_level, x_0), DDPM eq. 7; level 0 goes to x_0 itself."""
    before = alpha_bar[level - 1] if level > 0 else 1.0
    alpha = alpha_bar[level] / before
    beta = 1.0 - alpha
    mean = (
        math.sqrt(before) * beta / (1.0 - alpha_bar[level]) * clean
        + math.sqrt(alpha) * (1.0 - before) / (1.0 - alpha_bar[level]) * sample
    )
    return mean, (1.0 - before) / (1.0 - alpha_bar[level]) * beta


def posterior_by_bayes(
    sample: float, clean: float, level: int, lower: int, alpha_bar: list[float]
) -> tuple[float, float]:
    """Mean and variance of q(x_lower | x_level, x_0) for any lower < level, by multiplying two Gaussians.

    Prior q(x_lower | x_0) = N(sqrt(ab_l) x_0, 1 - ab_l); likelihood q(x_level | x_lower) = N(sqrt(r) x_lower, 1 - r)
    with r = ab_level / ab_lower.
    """
    ratio = alpha_bar[level] / alpha_bar[lower]
    prior_precision = 1.0 / (1.0 - alpha_bar[lower])
    likelihood_precision = ratio / (1.0 - ratio)
    variance = 1.0 / (prior_precision + likelihood_precision)
    mean = variance * (
        prior_precision * math.sqrt(alpha_bar[lower]) * clean + likelihood_precision * sample / math.sqrt(ratio)
    )
    return mean, variance


def ancestral_sample(start: np.ndarray, noises: np.ndarray, denoise, alpha_bar: list[float]) -> np.ndarray:
    """The whole DDPM loop, one number after the other.

    Args:
        start: Pure noise, shape (T, D).
        noises: Noise of each pass, shape (K, T, D).
        denoise: (sample (T, D), level) -> clean (T, D).
        alpha_bar: Signal power per level.
    """
    sample = start.astype(np.float64).copy()
    for number, level in enumerate(range(len(alpha_bar) - 1, -1, -1)):
        clean = denoise(sample, level)
        moved = np.empty_like(sample)
        for t in range(sample.shape[0]):
            for d in range(sample.shape[1]):
                mean, variance = posterior(sample[t, d], clean[t, d], level, alpha_bar)
                moved[t, d] = mean + math.sqrt(variance) * noises[number, t, d]
        sample = moved
    return sample
