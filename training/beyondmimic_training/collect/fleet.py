"""Several robots in one simulator, as the recorder sees them; and MuJoCo's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.rotations import quat_from_yaw
from beyondmimic_diffusion.core.types import Array, JointCommand
from beyondmimic_diffusion.sim.mujoco_g1 import MujocoG1
from numpy.typing import NDArray

from ..experts import CONTROL_DT
from .episode import EpisodePlan
from .randomization import CollectConfig


class RobotFleet(Protocol):
    """B robots that live through one episode each. All the recorder knows of a simulator."""

    def begin(self, plans: Sequence[EpisodePlan], kp: Array, kd: Array) -> None:
        """Put each robot into its plan's first pose, with its plan's physics.

        Args:
            plans: One per robot.
            kp: Gains of the expert [N m/rad], shape (J,); each robot's own scale comes on top.
            kd: [N m s/rad], shape (J,).
        """
        ...

    def push(self, delta_v: Array) -> None:
        """Change the horizontal velocity of each whole robot at once [m/s], shape (B, 2)."""
        ...

    def coordinates(self) -> tuple[Array, Array]:
        """The truth in MuJoCo's coordinates: qpos (B, 36) and qvel (B, 35), joints in our order, copied."""
        ...

    def advance(self, executed: Array, t: int, alive: NDArray[np.bool_]) -> None:
        """One control step under the targets that have reached the motors, each robot's delay after they were decided.

        Args:
            executed: Targets decided so far [rad], shape (T, B, J), known up to and including ``t``.
            t: This control step.
            alive: Whose motion still matters, shape (B,).
        """
        ...


class MujocoFleet:
    """The robots in MuJoCo, one after the other. Those that have fallen are left lying and cost nothing."""

    def __init__(self, config: CollectConfig):
        self._sims = [MujocoG1(timestep=config.physics_dt, sensors=False) for _ in range(config.robots)]
        self._physics_dt = config.physics_dt
        self._ticks = round(CONTROL_DT / config.physics_dt)

    def begin(self, plans: Sequence[EpisodePlan], kp: Array, kd: Array) -> None:
        """See :meth:`RobotFleet.begin`."""
        zeros = np.zeros(g1.NUM_JOINTS)
        for sim, plan in zip(self._sims, plans, strict=True):
            sim.set_physics(plan.physics)
            sim.reset(joint_pos=plan.joint_pos, root_quat_w=quat_from_yaw(plan.yaw))
            sim.apply(JointCommand(0.0, g1.DEFAULT_JOINT_POS, zeros, kp, kd, zeros))
        self._delays = [round(p.delay / self._physics_dt) for p in plans]

    def push(self, delta_v: Array) -> None:
        """See :meth:`RobotFleet.push`."""
        for sim, kick in zip(self._sims, delta_v, strict=True):
            sim.push(kick)

    def coordinates(self) -> tuple[Array, Array]:
        """See :meth:`RobotFleet.coordinates`."""
        return np.stack([s.data.qpos for s in self._sims]), np.stack([s.data.qvel for s in self._sims])

    def advance(self, executed: Array, t: int, alive: NDArray[np.bool_]) -> None:
        """See :meth:`RobotFleet.advance`."""
        for b in np.flatnonzero(alive):
            whole, rest = divmod(self._delays[b], self._ticks)
            for step, ticks in ((t - whole - 1, rest), (t - whole, self._ticks - rest)):
                if ticks:
                    self._sims[b].retarget(executed[step, b] if step >= 0 else g1.DEFAULT_JOINT_POS)
                    self._sims[b].advance(ticks)
