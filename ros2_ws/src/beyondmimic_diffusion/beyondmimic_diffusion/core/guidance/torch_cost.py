"""A user's cost written in torch, differentiated by autograd. Needs the extra ``[torch]``; nothing else here does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from ..errors import GoalError
from ..types import Array
from .cost import GuidanceCost
from .features import PlanFeatures, PlanGradient

TorchFunction = Callable[[Any], torch.Tensor]
"""Takes an object with the fields of :class:`PlanFeatures` as float64 tensors, returns the cost of each plan, (B,)."""


class TorchCost(GuidanceCost):
    """Makes a cost of a torch function; slower than a hand-written one (about three times), and no gradient to derive.

    .. code-block:: python

        @register_cost("upright")
        def upright() -> GuidanceCost:
            return TorchCost(lambda plan: (plan.root_rot_c[..., :2] ** 2).sum(dim=(1, 2)), uses_key_points=False)
    """

    def __init__(self, function: TorchFunction, uses_key_points: bool = True):
        """
        Args:
            function: The cost; anything autograd can differentiate.
            uses_key_points: False if it looks at the root only (cheaper, and works with joint-angle states).
        """
        self._function = function
        self.uses_key_points = uses_key_points

    def value_and_gradient(self, plan: PlanFeatures) -> tuple[Array, PlanGradient]:
        """Cost of each plan, shape (B,), and its gradient."""
        if self.uses_key_points:
            plan.key_points("torch")
        tensors = {
            f.name: torch.tensor(getattr(plan, f.name), dtype=torch.float64, requires_grad=True)
            for f in fields(PlanGradient)
            if getattr(plan, f.name) is not None
        }
        absent = {f.name: None for f in fields(PlanGradient) if f.name not in tensors}
        times = torch.as_tensor(np.asarray(plan.times), dtype=torch.float64)
        value = self._function(SimpleNamespace(times=times, **tensors, **absent))
        if not isinstance(value, torch.Tensor) or value.shape != (plan.batch,):
            got = tuple(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__
            raise GoalError(f"a torch cost returned {got}; right is one number per plan, shape ({plan.batch},)")
        slopes = (
            torch.autograd.grad(value.sum(), list(tensors.values()), allow_unused=True)
            if value.requires_grad
            else [None] * len(tensors)
        )
        found = {name: slope.numpy() for name, slope in zip(tensors, slopes, strict=True) if slope is not None}
        return value.detach().numpy(), PlanGradient(**found)
