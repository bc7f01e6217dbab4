"""Terms of users' costs: their arguments travel as JSON, which is read strictly."""

from __future__ import annotations

import json
import math

from beyondmimic_msgs import msg as bm

from ...core.errors import GoalError
from ...core.guidance.goals import CustomGoal
from ...core.guidance.ranges import MAX_PARAMETERS


def custom_goal(term: bm.GuidanceTerm, expires: float, enabled: bool) -> CustomGoal:
    """A user's cost with its arguments.

    Args:
        term: Of type CUSTOM.
        expires: When it ends [s].
        enabled: Whether users' costs are served.

    Raises:
        GoalError: They are not, or the arguments are no object of finite numbers, texts and lists.
    """
    if len(term.custom_json) > MAX_PARAMETERS:
        raise GoalError(
            f"guidance term '{term.name}': custom_json has {len(term.custom_json)} characters; up to "
            f"{MAX_PARAMETERS} are served"
        )
    if not enabled:
        raise GoalError(
            f"guidance term '{term.name}' asks for the user's cost '{term.custom_plugin}'; name the module that "
            "registers it in the planner's parameter steering.goals.custom.modules and in the task server's "
            "custom_modules"
        )
    try:
        parameters = json.loads(
            term.custom_json or "{}", parse_constant=_no_number, parse_float=_number, object_pairs_hook=_once
        )
    except (ValueError, RecursionError) as error:
        raise GoalError(f"guidance term '{term.name}': custom_json is not JSON: {error}") from error
    if not isinstance(parameters, dict):
        raise GoalError(
            f"guidance term '{term.name}': custom_json is {term.custom_json:.60}; right is an object of arguments"
        )
    return CustomGoal(
        term.custom_plugin,
        parameters,
        weight=float(term.weight),
        first_step=int(term.first_step),
        last_step=int(term.last_step) or None,
        clip=float(term.scale_limit) or None,
        expires=expires,
    )


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is larger than any number of a machine")
    return value


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise ValueError(f"an argument is given twice: {', '.join(keys):.80}")
    return dict(pairs)
