"""What a guidance cost is, and the register in which users put theirs."""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

from ..errors import GoalError
from ..types import Array
from .features import PlanFeatures, PlanGradient


class GuidanceCost(ABC):
    """A differentiable function of a plan; lower is better.

    Goals inside a cost may hold one value for all plans of the batch or one per plan (leading dimension B).
    """

    uses_key_points: bool = False
    """True if the cost looks at key points; such a cost refuses states without them."""

    @abstractmethod
    def value_and_gradient(self, plan: PlanFeatures) -> tuple[Array, PlanGradient]:
        """Cost of each plan, shape (B,), and its partial derivatives by the features."""


CostFactory = Callable[..., GuidanceCost]
_F = TypeVar("_F", bound=CostFactory)
_FACTORIES: dict[str, CostFactory] = {}


def register_cost(name: str) -> Callable[[_F], _F]:
    """Decorator: make a cost class, or a function that returns a cost, known by name.

    Raises:
        GoalError: The name belongs to another cost already.
    """

    def register(factory: _F) -> _F:
        known = _FACTORIES.get(name)
        if known is not None and known is not factory:
            raise GoalError(f"cost name '{name}' is taken by {known!r}; choose another name")
        _FACTORIES[name] = factory
        return factory

    return register


def registered_costs() -> tuple[str, ...]:
    """Names of all known costs, sorted."""
    return tuple(sorted(_FACTORIES))


def make_cost(name: str, /, **parameters: Any) -> GuidanceCost:
    """Make a registered cost.

    Args:
        name: As given to :func:`register_cost`.
        parameters: Arguments of its constructor.

    Raises:
        GoalError: No such cost, or it does not take these parameters.
    """
    factory = _FACTORIES.get(name)
    if factory is None:
        near = difflib.get_close_matches(name, _FACTORIES, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(registered_costs())}"
        raise GoalError(f"there is no cost '{name}'; {hint}")
    try:
        return factory(**parameters)
    except GoalError:
        raise
    except Exception as error:  # whatever a user's constructor raises
        kind = "" if isinstance(error, TypeError) else f"{type(error).__name__}: "
        raise GoalError(f"cost '{name}' cannot be made from {sorted(parameters)}: {kind}{error}") from error
