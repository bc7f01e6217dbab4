"""A plan as a research script makes it: the denoising loop in eager torch, float32. What ``bench`` compares with."""

from __future__ import annotations

import torch
from beyondmimic_diffusion.core.diffusion.denoiser import StateActionDenoiser
from beyondmimic_diffusion.core.diffusion.level_path import LevelPath
from beyondmimic_diffusion.core.diffusion.scheduler import CLEAN, NoiseScheduler
from beyondmimic_diffusion.core.engine import PolicyManifest
from beyondmimic_diffusion.core.types import Array, Conditioning, Sample
from torch import Tensor


class EagerPlan:
    """Denoises from scratch with DDIM steps, unguided."""

    def __init__(self, network: StateActionDenoiser, manifest: PolicyManifest, passes: int):
        """
        Args:
            network: With any weights: they do not change the time it takes.
            manifest: Sizes, schedule and clamp ranges.
            passes: Network calls.
        """
        m = manifest
        self._network = network.eval()
        path = LevelPath.from_scratch(m.num_denoising_steps, m.horizon, m.action_horizon, passes)
        self._levels = [int(row[0]) for row in path.states]  # states and actions fall together
        bars = NoiseScheduler(m.num_denoising_steps, m.schedule).alpha_bar
        self._alpha_bar = {CLEAN: 1.0, **{k: float(bar) for k, bar in enumerate(bars)}}
        self._state_range = _range(m.state_normalizer.low, m.state_normalizer.high)
        self._action_range = _range(m.action_normalizer.low, m.action_normalizer.high)

    @torch.inference_mode()
    def __call__(self, noise: Sample, conditioning: Conditioning) -> Sample:
        """The clean plan (B, H, S), (B, Ha, A) that ``noise`` becomes; all arrays normalised."""
        states, actions = torch.from_numpy(noise.states), torch.from_numpy(noise.actions)
        history, current = torch.from_numpy(conditioning.history), torch.from_numpy(conditioning.current)
        for now, then in zip(self._levels[:-1], self._levels[1:], strict=True):
            clean_states, clean_actions = self._network(
                states,
                actions,
                history,
                current,
                torch.full(states.shape[:2], now),
                torch.full(actions.shape[:2], now),
            )
            states = self._step(states, clean_states.clamp(*self._state_range), now, then)
            actions = self._step(actions, clean_actions.clamp(*self._action_range), now, then)
        return Sample(states.numpy(), actions.numpy())

    def _step(self, sample: Tensor, clean: Tensor, now: int, then: int) -> Tensor:
        """DDIM without fresh noise (Song et al. 2021, eq. 12)."""
        bar, next_bar = self._alpha_bar[now], self._alpha_bar[then]
        noise = (sample - bar**0.5 * clean) / (1.0 - bar) ** 0.5
        return next_bar**0.5 * clean + (1.0 - next_bar) ** 0.5 * noise


def _range(low: Array | tuple[float, ...], high: Array | tuple[float, ...]) -> tuple[Tensor, Tensor]:
    return torch.tensor(low, dtype=torch.float32), torch.tensor(high, dtype=torch.float32)
