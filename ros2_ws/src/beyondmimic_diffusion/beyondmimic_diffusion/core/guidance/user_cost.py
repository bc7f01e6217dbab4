"""Costs that users write as one function, and the modules they put them in."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, TypeVar

import numpy as np

from ..errors import ConfigError, GoalError
from ..types import Array
from .cost import GuidanceCost, register_cost
from .features import PlanFeatures, PlanGradient

GRADIENTS = ("torch", "own")
_F = TypeVar("_F", bound=Callable[..., Any])
_WITH_CONTEXT: set[str] = set()


class FunctionCost(GuidanceCost):
    """A cost whose function returns its value and its gradient."""

    def __init__(
        self, name: str, function: Callable[[PlanFeatures], tuple[Array, PlanGradient]], uses_key_points: bool
    ):
        """
        Args:
            name: For messages.
            function: Takes the plans, returns their costs (B,) and the partial derivatives.
            uses_key_points: Whether it looks at key points.
        """
        self._name = name
        self._function = function
        self.uses_key_points = uses_key_points

    def value_and_gradient(self, plan: PlanFeatures) -> tuple[Array, PlanGradient]:
        """Cost of each plan, shape (B,), and its gradient.

        Raises:
            GoalError: The function returned something else.
        """
        if self.uses_key_points:
            plan.key_points(self._name)
        result = self._function(plan)
        if not isinstance(result, tuple) or len(result) != 2 or not isinstance(result[1], PlanGradient):
            raise GoalError(f"cost '{self._name}' returned a {type(result).__name__}; right is (value, PlanGradient)")
        value = np.asarray(result[0], dtype=np.float64)
        if value.shape != (plan.batch,):
            raise GoalError(
                f"cost '{self._name}' returned values of shape {value.shape}; right is one per plan, ({plan.batch},)"
            )
        return value, result[1]


def register_cost_function(name: str, gradient: str = "torch", uses_key_points: bool = True) -> Callable[[_F], _F]:
    """Decorator: make a function a cost, known by name.

    The first argument is the plan; the others are the cost's parameters, given by the goal. One that is named
    ``context`` gets the ``GoalContext`` of the moment (character frame, stamp), for what is fixed in the world.

    Args:
        name: What goals and parameter files call it.
        gradient: ``"torch"``: it gets tensors and returns the value of each plan, autograd does the rest (needs the
            extra ``[torch]``); ``"own"``: it gets arrays and returns value and :class:`PlanGradient`.
        uses_key_points: False if it looks at the root only.

    Raises:
        GoalError: The name is taken, or the kind of gradient unknown.
    """
    if gradient not in GRADIENTS:
        raise GoalError(f"cost '{name}': gradient '{gradient}' is unknown; allowed are {GRADIENTS}")

    def register(function: _F) -> _F:
        signature = inspect.signature(function)

        def make(**parameters: Any) -> GuidanceCost:
            signature.bind(None, **parameters)  # a TypeError here is what make_cost turns into a GoalError
            bound = partial(function, **parameters)
            if gradient == "own":
                return FunctionCost(name, bound, uses_key_points)
            from .torch_cost import TorchCost  # torch is loaded only where a cost needs it

            return TorchCost(bound, uses_key_points)

        register_cost(name)(make)
        if "context" in signature.parameters:
            _WITH_CONTEXT.add(name)
        return function

    return register


def wants_context(name: str) -> bool:
    """Whether a cost's function has an argument ``context``."""
    return name in _WITH_CONTEXT


@lru_cache(maxsize=16)
def load_cost_modules(names: str) -> tuple[str, ...]:
    """Import the modules in which users register their costs; each once.

    Args:
        names: Python modules, separated by commas.

    Raises:
        ConfigError: A module cannot be imported.
    """
    modules = tuple(name.strip() for name in names.split(",") if name.strip())
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception as error:  # whatever a user's module raises while it is imported
            raise ConfigError(f"module '{name}' with user costs cannot be imported: {error}") from error
    return modules


@lru_cache(maxsize=16)
def parse_weights(text: str) -> Mapping[str, float]:
    """Weights by cost name from ``"upright=0.5, hands_apart=2"``.

    Raises:
        ConfigError: Not of this form, or a weight below zero.
    """
    weights: dict[str, float] = {}
    for item in (part.strip() for part in text.split(",") if part.strip()):
        name, _, number = (piece.strip() for piece in item.partition("="))
        try:
            weight = float(number)
        except ValueError:
            weight = np.nan
        if not name or not np.isfinite(weight) or weight < 0.0:
            raise ConfigError(f"weight of a user cost '{item}'; right is 'name=number', the number zero or more")
        weights[name] = weight
    return weights
