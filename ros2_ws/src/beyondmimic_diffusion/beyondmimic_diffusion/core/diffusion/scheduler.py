r"""The noise scheduler: coefficients, ``add_noise``, ``step``. It knows nothing of the network.

Levels are integers, one per token. Level ``k`` in ``0 .. K-1`` means

.. math:: x_k = \sqrt{\bar\alpha_k}\, x_0 + \sqrt{1-\bar\alpha_k}\, \epsilon, \qquad \epsilon \sim N(0, I)

(Ho et al. 2020, "DDPM", eq. 4), with ``K-1`` (almost) pure noise, and :data:`CLEAN` (-1) means :math:`x_0` itself,
:math:`\bar\alpha_{-1} = 1`. Level 0 still carries a little noise (std 0.09 for the cosine schedule with K = 20); the
network has no level below 0, so a token that is a fact is shown to it as level 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ConfigError
from ..types import Array

CLEAN = -1
"""The level of a token without any noise."""

SCHEDULES = ("cosine", "linear")
"""Names of the noise schedules."""


def _betas(schedule: str, num_levels: int) -> NDArray[np.float64]:
    """Variance added at each level, shape (K,)."""
    if schedule == "cosine":  # Nichol and Dhariwal 2021, eq. 17, s = 0.008, clipped at 0.999
        time = np.arange(num_levels + 1) / num_levels
        alpha_bar = np.cos((time + 0.008) / 1.008 * np.pi / 2.0) ** 2
        return np.minimum(1.0 - alpha_bar[1:] / alpha_bar[:-1], 0.999)
    if schedule == "linear":  # DDPM section 4 (1e-4 .. 0.02 over 1000 levels), with the same total for any K
        factor = 1000.0 / num_levels
        return np.minimum(np.linspace(1e-4 * factor, 0.02 * factor, num_levels), 0.999)
    raise ConfigError(f"unknown noise schedule '{schedule}'; known are {', '.join(SCHEDULES)}")


class NoiseScheduler:
    """Noise schedule of one stream of tokens, with steps between any two levels, chosen per token.

    States and actions may each have their own scheduler; both have the same number of levels.
    """

    def __init__(self, num_levels: int = 20, schedule: str = "cosine"):
        """
        Args:
            num_levels: K, in training and in sampling.
            schedule: One of :data:`SCHEDULES`.
        """
        if num_levels < 2:
            raise ConfigError(f"num_levels is {num_levels}; a noise schedule needs at least 2 levels")
        self.num_levels = num_levels
        self.schedule = schedule
        self.betas: NDArray[np.float64] = _betas(schedule, num_levels)
        """Variance added at each level, shape (K,)."""
        self.alpha_bar: Array = np.cumprod(1.0 - self.betas)
        """Signal power left at each level, shape (K,)."""
        self.signal: Array = np.sqrt(self.alpha_bar)
        """Factor of the clean value at each level, shape (K,)."""
        self.sigma: Array = np.sqrt(1.0 - self.alpha_bar)
        """Factor of the noise at each level, shape (K,)."""
        self._tables: dict[tuple[float, str], tuple[Array, Array, Array]] = {}

    def add_noise(self, clean: Array, noise: Array, level: ArrayLike) -> Array:
        """Draw from q(x_level | clean), DDPM eq. 4, with given standard-normal ``noise``.

        Args:
            clean: Shape (..., T, D).
            noise: Standard normal, shape (..., T, D).
            level: Level of each token, CLEAN .. K-1, broadcastable to (..., T).

        Returns:
            The noisy sample, shape (..., T, D), in the dtype of ``clean``.
        """
        index = np.asarray(level) + 1  # so that CLEAN is entry 0
        signal = np.concatenate([[1.0], self.signal])[index][..., None]
        sigma = np.concatenate([[0.0], self.sigma])[index][..., None]
        return signal.astype(clean.dtype) * clean + sigma.astype(clean.dtype) * noise

    def noise_of(self, sample: Array, clean: Array, level: ArrayLike) -> Array:
        """The noise that ``sample`` consists of if ``clean`` is its clean part; the inverse of :meth:`add_noise`.

        Shapes as there; ``level`` must be 0 .. K-1.
        """
        signal = self.signal[np.asarray(level)][..., None].astype(sample.dtype)
        sigma = self.sigma[np.asarray(level)][..., None].astype(sample.dtype)
        return (sample - signal * clean) / sigma

    def step(
        self,
        sample: Array,
        clean: Array,
        level: ArrayLike,
        next_level: ArrayLike,
        noise: Array | None = None,
        eta: float = 0.0,
    ) -> Array:
        r"""Go from ``level`` to ``next_level``, token by token (Song et al. 2021, "DDIM", eq. 12 and 16).

        .. math::
            x' = \sqrt{\bar\alpha'}\,\hat x_0 + \sqrt{1-\bar\alpha'-\sigma^2}\,\hat\epsilon + \sigma z, \quad
            \sigma = \eta \sqrt{\tfrac{1-\bar\alpha'}{1-\bar\alpha}} \sqrt{1-\tfrac{\bar\alpha}{\bar\alpha'}}

        ``eta = 0`` is DDIM (no new noise). ``eta = 1`` is ancestral sampling; for ``next_level = level - 1`` it is
        exactly the DDPM posterior (DDPM eq. 6 and 7). A step to CLEAN returns ``clean`` exactly. A token whose
        ``next_level`` is not below its ``level`` is left as it is: facts, and tokens that wait.

        Args:
            sample: Noisy tokens, shape (..., T, D).
            clean: Predicted clean tokens, shape (..., T, D).
            level: Present level of each token, CLEAN .. K-1, broadcastable to (..., T).
            next_level: Level to go to, CLEAN .. K-1, broadcastable to (..., T).
            noise: Standard normal, shape (..., T, D); needed if ``eta > 0``.
            eta: 0 (DDIM) .. 1 (DDPM).

        Returns:
            The sample at ``next_level``, shape (..., T, D).
        """
        of_clean, of_sample, of_noise = self._table(eta, sample.dtype)
        index = (np.asarray(level) + 1) * (self.num_levels + 1) + np.asarray(next_level) + 1
        stepped = of_clean.take(index)[..., None] * clean + of_sample.take(index)[..., None] * sample
        if eta > 0.0:
            if noise is None:
                raise ConfigError(f"step with eta = {eta} needs noise; pass it, or use eta = 0 (DDIM)")
            stepped = stepped + of_noise.take(index)[..., None] * noise
        return stepped

    def _table(self, eta: float, dtype: np.dtype) -> tuple[Array, Array, Array]:
        """Factors of clean, sample and noise for every (level + 1, next level + 1), each flat, shape ((K+1)^2,)."""
        key = (eta, dtype.char)
        if key not in self._tables:
            if not 0.0 <= eta <= 1.0:
                raise ConfigError(f"eta is {eta}; it must be within 0 (DDIM) and 1 (DDPM)")
            levels = np.arange(self.num_levels + 1)
            lower = levels[None, :] < levels[:, None]
            alpha_bar = np.concatenate([[1.0], self.alpha_bar])
            now = np.where(lower, alpha_bar[:, None], 0.5)  # 0.5: any value that divides safely where unused
            then = np.where(lower, alpha_bar[None, :], 0.5)
            variance = eta**2 * (1.0 - then) / (1.0 - now) * (1.0 - now / then)
            of_sample = np.sqrt(np.maximum(1.0 - then - variance, 0.0) / (1.0 - now))
            of_clean = np.sqrt(then) - of_sample * np.sqrt(now)
            self._tables[key] = (
                np.where(lower, of_clean, 0.0).astype(dtype).ravel(),
                np.where(lower, of_sample, 1.0).astype(dtype).ravel(),
                np.where(lower, np.sqrt(variance), 0.0).astype(dtype).ravel(),
            )
        return self._tables[key]
