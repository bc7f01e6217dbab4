"""Which optimiser moves which weights, and how fast."""

from __future__ import annotations

import math

import torch
from beyondmimic_diffusion.core.errors import ConfigError
from torch import nn

from .config import TrainConfig


def make_optimizers(model: nn.Module, config: TrainConfig) -> list[torch.optim.Optimizer]:
    """AdamW with weight decay on matrices only; with ``muon`` the transformer's matrices go to Muon."""
    named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    matrices = [p for n, p in named if p.ndim == 2 and ".blocks." in f".{n}"]
    hidden = {id(p) for p in matrices} if config.optimizer == "muon" else set()
    rest = [p for _, p in named if id(p) not in hidden]
    groups = [
        {"params": [p for p in rest if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in rest if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimizers: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas)]
    if config.optimizer == "muon":
        optimizers.append(torch.optim.Muon(matrices, lr=config.muon_learning_rate, weight_decay=config.weight_decay))
    elif config.optimizer != "adamw":
        raise ConfigError(f"optimizer '{config.optimizer}' is unknown; known are adamw and muon")
    return optimizers


def progress(step: int, seconds: float, config: TrainConfig) -> float:
    """Share of the run that is over, by steps or by time, whichever is further."""
    by_time = seconds / (60.0 * config.minutes) if config.minutes > 0.0 else 0.0
    return max(step / max(1, config.steps), by_time)


def learning_rate_factor(step: int, done: float, config: TrainConfig) -> float:
    """Linear warm-up, then cosine decay to the final rate; a factor on the peak rate."""
    floor = config.final_learning_rate / config.learning_rate
    warm = min(1.0, (step + 1) / max(1, config.warmup_steps))
    done = min(1.0, done)
    return warm * (floor + (1.0 - floor) * 0.5 * (1.0 + math.cos(math.pi * done)))
