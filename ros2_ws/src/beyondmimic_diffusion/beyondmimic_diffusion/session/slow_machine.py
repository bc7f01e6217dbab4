"""Whether the machine, and not the policy, is behind a session's figures, and what to do about it."""

from __future__ import annotations

from typing import Any

_LATE_SHARE = 0.02
"""More late plans than this are no accident."""
_SLOWED = 0.95
"""Real-time factor below which it is worth a word."""
_REMEDY = (
    "end other programs, give it more cores, or run LOCKSTEP=1 (--lockstep), where simulated time waits for each plan"
)


def too_slow(report: dict[str, Any]) -> str:
    """That plans were late and what to do, for the operator; empty if they came in time.

    Args:
        report: With ``plans``, ``plans_late`` and ``plan_compute_ms``.
    """
    plans, late = report["plans"], report["plans_late"]
    if not plans or late <= _LATE_SHARE * plans:
        return ""
    compute = report["plan_compute_ms"]["p50"]
    each = "" if compute is None else f" (a plan takes {compute:.0f} ms of computing here)"
    return f"machine too slow: {late} of {plans} plans came late{each}; {_REMEDY}"


def slowed(report: dict[str, Any]) -> str:
    """That simulated time was slowed so that plans came in time; empty if it was not.

    Args:
        report: With ``real_time_factor`` and ``pacing``.
    """
    factor = report["real_time_factor"]
    if report["pacing"] != "auto" or factor is None or factor >= _SLOWED:
        return ""
    return (
        f"simulated time ran at {factor:.2f} of real time, as fast as this machine can with plans in time; "
        "what the robot does is the same"
    )
