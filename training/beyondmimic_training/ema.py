"""Exponential moving average of a network's weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Ema:
    """Average with a decay that grows as ``1 - (1 + step)^-power``, up to ``maximum``."""

    def __init__(self, model: nn.Module, power: float, maximum: float):
        self.power = power
        self.maximum = maximum
        self.step = 0
        self.weights = {name: p.detach().clone() for name, p in model.state_dict().items()}

    @property
    def decay(self) -> float:
        """Decay of the next update."""
        return min(self.maximum, 1.0 - (1.0 + self.step) ** -self.power)

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move the average towards the model's weights."""
        decay = self.decay
        self.step += 1
        now = model.state_dict()
        moving = [name for name, value in now.items() if value.dtype.is_floating_point]
        torch._foreach_lerp_([self.weights[name] for name in moving], [now[name] for name in moving], 1.0 - decay)
        for name in now.keys() - set(moving):
            self.weights[name].copy_(now[name])

    def state_dict(self) -> dict[str, Tensor | int]:
        """Weights and step count, to resume from."""
        return {"step": self.step, **{f"weights.{k}": v for k, v in self.weights.items()}}

    def load_state_dict(self, state: dict[str, Tensor | int]) -> None:
        """Continue a saved average."""
        self.step = int(state["step"])
        for name in self.weights:
            value = state[f"weights.{name}"]
            assert isinstance(value, Tensor)
            self.weights[name].copy_(value)
