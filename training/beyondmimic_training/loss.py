"""Noise levels of a training batch, and the masked loss on the clean trajectory."""

from __future__ import annotations

import torch
from torch import Tensor

from .config import LevelConfig


def draw_levels(
    batch: int,
    length: int,
    num_levels: int,
    config: LevelConfig,
    generator: torch.Generator | None = None,
    device: torch.device | None = None,
) -> Tensor:
    """Noise levels of one modality, in three joint distributions; over all tokens each of 0 .. K-1 is equally frequent.

    A window's tokens share one level, or follow a ramp that never falls along the horizon (as rolling inference needs),
    or are independent (Diffuse-CLoC section 4.2).

    Returns:
        Integers, shape (batch, length).
    """
    independent = torch.randint(num_levels, (batch, length), generator=generator, device=device)
    shared = independent[:, :1].expand(-1, length)
    ramp = independent.sort(dim=1).values
    kind = torch.rand(batch, 1, generator=generator, device=device)
    return torch.where(kind < config.shared, shared, torch.where(kind < config.shared + config.ramp, ramp, independent))


def commit_prefix(action_levels: Tensor, config: LevelConfig, generator: torch.Generator | None = None) -> Tensor:
    """Set the first actions of some windows to level 0: actions that are already on their way to the motors."""
    batch, length = action_levels.shape
    device = action_levels.device
    count = torch.randint(1, config.max_committed + 1, (batch, 1), generator=generator, device=device)
    chosen = torch.rand(batch, 1, generator=generator, device=device) < config.committed
    return torch.where(chosen & (torch.arange(length, device=device) < count), 0, action_levels)


def hold_keyframes(
    state_levels: Tensor, entering: Tensor, config: LevelConfig, generator: torch.Generator | None = None
) -> Tensor:
    """Set one to three future states of some windows to level 0: keyframes, which are facts (Diffuse-CLoC eq. 6).

    Args:
        state_levels: Shape (B, H).
        entering: Windows that must hold a keyframe, at the last state at least, shape (B,).
        config: Share of the others that hold some.
        generator: Of random numbers.
    """
    batch, length = state_levels.shape
    device = state_levels.device
    count = torch.randint(1, 4, (batch, 1), generator=generator, device=device)
    order = torch.rand(batch, length, generator=generator, device=device).argsort(dim=1).argsort(dim=1)  # permutations
    chosen = (torch.rand(batch, 1, generator=generator, device=device) < config.keyframes) | entering[:, None]
    held = chosen & (order < count)
    held[:, -1] |= entering
    return torch.where(held, 0, state_levels)


def co_diffusion_loss(
    clean_states: Tensor, clean_actions: Tensor, states: Tensor, actions: Tensor, action_weight: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Mean squared error on the predicted clean trajectory (BeyondMimic v3 eq. 6).

    The network has action tokens only for the steps whose actions carry a loss, so no mask is left to apply here.

    Args:
        clean_states: Prediction, shape (B, H, S).
        clean_actions: Prediction, shape (B, Ha, A).
        states: Truth, shape (B, H, S).
        actions: Truth, shape (B, Ha, A).
        action_weight: Weight of the actions' mean against the states' mean.

    Returns:
        Total, state part, action part.
    """
    state_loss = torch.mean((clean_states - states) ** 2)
    action_loss = torch.mean((clean_actions - actions) ** 2)
    return state_loss + action_weight * action_loss, state_loss, action_loss
