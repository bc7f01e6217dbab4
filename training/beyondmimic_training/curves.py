"""TensorBoard curves, and Weights & Biases where asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from .config import TrainConfig


class Curves:
    """Where a run's figures go, step by step."""

    def __init__(self, out: Path, config: TrainConfig):
        self.writer = SummaryWriter(str(out / "tensorboard"))
        self.wandb: Any = None
        if config.wandb:
            import wandb

            self.wandb = wandb.init(project=config.wandb, config=config.to_dict(), dir=str(out))

    def add(self, step: int, losses: np.ndarray, learning_rate: float) -> None:
        """Means of total, state and action loss since the last call."""
        names = ("train/loss", "train/state", "train/action")
        self._put(step, {**dict(zip(names, map(float, losses), strict=True)), "train/learning_rate": learning_rate})

    def add_validation(self, step: int, losses: tuple[float, float]) -> None:
        """State and action loss on held-out episodes."""
        self._put(step, {"validation/state": losses[0], "validation/action": losses[1]})

    def _put(self, step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)
        if self.wandb:
            self.wandb.log(values, step=step)

    def close(self) -> None:
        """Flush and close."""
        self.writer.close()
        if self.wandb:
            self.wandb.finish()
