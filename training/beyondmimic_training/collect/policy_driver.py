"""A diffusion policy that drives robots for short stretches while experts label what it visits (DAgger, Ross 2011)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from beyondmimic_diffusion.core.batch_planner import BatchPlanner, PlannerConfig
from beyondmimic_diffusion.core.engine import load_policy
from beyondmimic_diffusion.core.guidance import JoystickGoal
from beyondmimic_diffusion.core.planner import RobotTrack
from beyondmimic_diffusion.core.robot.kinematics import Kinematics, from_mujoco
from beyondmimic_diffusion.core.steering import SteeringConfig
from beyondmimic_diffusion.core.types import Array
from numpy.typing import NDArray

from ..experts import CONTROL_DT

_START = 10.0
"""Stamp of the first frame [s]."""


class PolicyDriver:
    """Plans for B robots each 40 ms, guided by the commands that the expert follows; latency of one set-point."""

    def __init__(self, policy: Path, rows: int):
        """
        Args:
            policy: Policy folder.
            rows: Robots B.
        """
        self._policy = load_policy(policy, "onnx")
        self._rows = rows
        self._kinematics = Kinematics()
        self._every = self._policy.manifest.setpoints_per_step

    def begin(self, seeds: Sequence[tuple[int, ...]]) -> None:
        """Forget everything; ``seeds`` has one entry per robot."""
        config = PlannerConfig(latency=CONTROL_DT, seed=abs(hash(seeds[0])) % 2**31)
        # The expert follows the command itself: so must the policy, without making good what either is slow by.
        self._planner = BatchPlanner(self._policy, config, self._rows, SteeringConfig(integrator_gain=0.0))
        self._tracks = [RobotTrack(self._planner, self._kinematics) for _ in range(self._rows)]
        self._plans: Array | None = None
        self._number = 0

    def act(self, t: int, qpos: Array, qvel: Array, command: Array) -> Array | None:
        """Joint targets [rad] for frame ``t``, shape (B, J); None before the first plan is due.

        Args:
            t: Frame of 20 ms, counted from 0 without gaps.
            qpos: True coordinates (B, 36).
            qvel: True velocities (B, 35).
            command: Velocities asked for, shape (B, 3).
        """
        phase = t % self._every
        before = self._plans
        if phase == 0:
            self._plan(_START + t * CONTROL_DT, qpos, qvel, command)
            return None if before is None else before[:, self._every]
        assert self._plans is not None
        return self._plans[:, phase]

    def executed(self, t: int, targets: Array) -> None:
        """Tell what was sent to the motors for frame ``t``, shape (B, J)."""
        for track, target in zip(self._tracks, targets, strict=True):
            track.observe_executed(_START + t * CONTROL_DT, target)

    def _plan(self, stamp: float, qpos: Array, qvel: Array, command: Array) -> None:
        positions, velocities = self._kinematics.key_points_batch(qpos, qvel)
        for row, track in enumerate(self._tracks):
            track.observe(from_mujoco(qpos[row], qvel[row], stamp), (positions[row], velocities[row]))
        goal = JoystickGoal(vel_xy_c=command[:, :2], yaw_rate=command[:, 2])
        observations = [track.observation() for track in self._tracks]
        plans = self._planner.plan(observations, [goal], [self._number] * self._rows)
        self._number += 1
        for track, plan in zip(self._tracks, plans, strict=True):
            track.remember(plan)
        self._plans = np.stack([plan.joint_targets for plan in plans])


def draw_bursts(steps: int, burst: tuple[float, float], pause: tuple[float, float], seed: tuple[int, ...]) -> NDArray:
    """When the policy drives, shape (T,), boolean.

    Args:
        steps: Frames T.
        burst: Shortest and longest stretch [s]. An expert with a gait clock of its own stays in step for about one.
        pause: Shortest and longest time between two [s].
        seed: Same seed, same stretches.
    """
    rng = np.random.default_rng((*seed, 4))
    out = np.zeros(steps, dtype=bool)
    at = round(rng.uniform(*pause) / CONTROL_DT) + 8  # the history must have filled
    while at < steps:
        until = at + round(rng.uniform(*burst) / CONTROL_DT)
        out[at:until] = True
        at = until + round(rng.uniform(*pause) / CONTROL_DT)
    return out
