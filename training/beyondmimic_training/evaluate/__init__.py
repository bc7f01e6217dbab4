"""Closed-loop suites in MuJoCo: the policy planned and executed as on the robot, with the expert beside it."""

from .judge import EpisodeResult, Trace, judge, summarize, wilson
from .suites import SUITES, EpisodeSpec, Kick, Leg, Suite, suite_named

__all__ = [
    "SUITES",
    "EpisodeResult",
    "EpisodeSpec",
    "Kick",
    "Leg",
    "Suite",
    "Trace",
    "judge",
    "suite_named",
    "summarize",
    "wilson",
]
