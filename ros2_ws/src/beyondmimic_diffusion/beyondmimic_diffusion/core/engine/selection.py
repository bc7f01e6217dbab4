"""Which backend runs a policy on this machine: the fastest of those whose golden vectors hold.

``load_policy`` with 'auto' takes the first of a fixed order, which is the same everywhere; this one times them. The
timing itself is the caller's.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ..pass_budget import PlanCost
from .factory import LoadedPolicy, load_candidates, load_policy

_CLEARLY = 0.9
"""A later candidate must take less than this share of the time of an earlier one: timings scatter."""
_CORES_FOR_TWO = 4
"""With fewer, the second thread would take its time from the executor and the simulator."""


class Choice(NamedTuple):
    """A backend and why."""

    policy: LoadedPolicy
    cost: PlanCost
    reason: str
    """For the log, one line."""


def choose_backend(
    folder: str | Path,
    backend: str,
    cost_of: Callable[[LoadedPolicy], PlanCost],
    budget: float,
    cores: int,
) -> Choice:
    """Load a policy with the backend named, or with the fastest.

    Args:
        folder: Policy folder.
        backend: One of ``BACKENDS``; 'auto': the fastest.
        cost_of: Times plans of a loaded policy.
        budget: Time that a plan may take [s]; two threads are tried only where one does not keep it.
        cores: Processors that this process may use.

    Raises:
        ArtifactError: Something in the folder is missing, damaged or gives other results.
        ConfigError: The backend is unknown or not available.
    """
    if backend != "auto":
        policy = load_policy(folder, backend)
        return Choice(policy, cost_of(policy), f"{backend} by parameter")
    candidates, passed_over = load_candidates(folder)
    timed = [(policy, cost_of(policy)) for policy in candidates]
    best = _fastest(timed)
    policy, cost = best
    passes = policy.manifest.sampling.passes
    if cost.of(passes) > budget and cores >= _CORES_FOR_TWO and policy.backend_name.startswith("onnx"):
        double = load_policy(folder, policy.backend_name, threads=2)
        timed.append((double, cost_of(double)))
        best = _fastest([best, timed[-1]])
    reasons = [f"{_name(*best)} a pass", *(f"not {_name(*one)}" for one in timed if one is not best), *passed_over]
    return Choice(*best, "; ".join(reasons))


def _fastest(timed: list[tuple[LoadedPolicy, PlanCost]]) -> tuple[LoadedPolicy, PlanCost]:
    best = timed[0]
    for one in timed[1:]:
        passes = one[0].manifest.sampling.passes
        if one[1].of(passes) < _CLEARLY * best[1].of(passes):
            best = one
    return best


def _name(policy: LoadedPolicy, cost: PlanCost) -> str:
    threads = "" if policy.threads == 1 else f" on {policy.threads} threads"
    return f"{policy.backend_name}{threads}: {1e3 * cost.per_pass:.1f} ms"
