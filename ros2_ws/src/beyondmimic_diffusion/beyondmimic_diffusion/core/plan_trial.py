"""Plans that are thrown away: they warm everything up before the first that counts, and say what a plan costs here."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .batch_planner import PlannerConfig
from .engine.factory import LoadedPolicy
from .guidance.goals import JoystickGoal
from .pass_budget import PlanCost
from .planner import GuidedPlanner
from .steering import SteeringConfig
from .types import RobotState

_STANDING_HEIGHT = 0.76
"""Pelvis height of the state that is planned from [m]; any plausible one will do."""
_REPEATS = 12
"""Plans that are timed for each number of passes; the quickest counts, since others at work only ever add time."""


def try_plans(
    policy: LoadedPolicy, config: PlannerConfig, steering: SteeringConfig, clock: Callable[[], float]
) -> PlanCost:
    """Plan a few times with one pass and with the policy's own number, and compare.

    Args:
        policy: A loaded artifact.
        config: How to plan.
        steering: How goals become costs.
        clock: Steady time [s].

    Raises:
        Exception: Whatever the network's runtime raises.
    """
    planner = GuidedPlanner(policy, config, steering)
    own = planner.batch.passes
    steps = _Steps(planner, clock)
    steps.best(1)  # the first call of everything is slow
    if planner.batch.mode == "rolling":
        return PlanCost(0.0, steps.best(_REPEATS) / own)
    few, many = (1, own) if own > 1 else (1, 2)
    times = []
    for passes in (few, many):
        planner.batch.set_passes(passes)
        times.append(steps.best(_REPEATS))
    per_pass = max(times[1] - times[0], 0.0) / (many - few)
    return PlanCost(max(times[0] - few * per_pass, 0.0), per_pass)


class _Steps:
    """A robot that stands still while its time goes on."""

    def __init__(self, planner: GuidedPlanner, clock: Callable[[], float]):
        self._planner, self._clock, self._stamp = planner, clock, 0.0

    def best(self, count: int) -> float:
        """Time of the quickest of ``count`` plans [s]."""
        times = []
        for _ in range(count):
            self._observe()
            began = self._clock()
            self._planner.plan((JoystickGoal((0.2, 0.0)),))
            times.append(self._clock() - began)
        return min(times)

    def _observe(self) -> None:
        manifest = self._planner.manifest
        self._stamp += manifest.step_dt
        zero3, pose = np.zeros(3), np.array(manifest.default_joint_pos)
        upright, height = np.array([1.0, 0.0, 0.0, 0.0]), np.array([0.0, 0.0, _STANDING_HEIGHT])
        self._planner.observe(RobotState(self._stamp, height, upright, zero3, zero3, pose, np.zeros_like(pose)))
        self._planner.observe_executed(self._stamp, pose)
