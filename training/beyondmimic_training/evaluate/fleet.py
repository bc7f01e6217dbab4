"""B simulated robots in lockstep. One that falls is put back on its feet, never stepped again, and counts as fallen."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import mujoco
import numpy as np
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_diffusion.core.guidance.sdf import SignedDistance
from beyondmimic_diffusion.core.robot.kinematics import from_mujoco
from beyondmimic_diffusion.core.robot.model import load_model
from beyondmimic_diffusion.core.rotations import quat_from_yaw
from beyondmimic_diffusion.core.types import Array, JointCommand, RobotState
from beyondmimic_diffusion.sim.mujoco_g1 import MujocoG1

from .conditions import Conditions, DelayedMotors
from .suites import Start

CONTROL_DT = 0.004
"""Spacing of motor commands [s]: near the executor's 200 Hz, and a whole share of 20 ms."""
FALL_HEAD_HEIGHT = 0.2
"""Head height that counts as a fall [m] (BeyondMimic v3)."""


class Fleet:
    """The robots, who is still on its feet, and their states as arrays."""

    def __init__(
        self,
        rows: int,
        physics_dt: float,
        obstacles: Sequence[SignedDistance] = (),
        *,
        sensors: bool = False,
        conditions: Conditions | None = None,
    ):
        """
        Args:
            rows: Most robots at a time.
            physics_dt: Time step of the physics [s].
            obstacles: What stands around each of them.
            sensors: They have IMUs; it takes time.
            conditions: How robots and floor differ from the nominal ones.

        Raises:
            ConfigError: The time step does not divide :data:`CONTROL_DT`.
        """
        self.substeps = round(CONTROL_DT / physics_dt)
        if self.substeps < 1 or abs(self.substeps * physics_dt - CONTROL_DT) > 1e-9:
            raise ConfigError(f"physics time step {physics_dt} s must divide {CONTROL_DT} s: 0.001, 0.002 or 0.004")
        if obstacles:
            self._all = [MujocoG1(timestep=physics_dt, sensors=sensors, obstacles=obstacles) for _ in range(rows)]
        else:
            model = load_model(timestep=physics_dt)
            self._all = [MujocoG1(copy.copy(model), sensors=sensors) for _ in range(rows)]
        self._conditions = conditions or Conditions()
        delay = round(self._conditions.actuator_delay / CONTROL_DT)
        if abs(delay * CONTROL_DT - self._conditions.actuator_delay) > 1e-9:
            raise ConfigError(
                f"actuator_delay is {self._conditions.actuator_delay} s; it must be a multiple of {CONTROL_DT} s"
            )
        self._motors = [DelayedMotors(delay) for _ in range(rows)]
        self.capacity = rows
        self.sims = self._all
        self.alive = np.ones(rows, dtype=bool)

    def place(self, specs: Sequence[Start]) -> None:
        """Put one robot per episode down in its first pose, at rest."""
        self.sims = self._all[: len(specs)]
        self.alive = np.ones(len(specs), dtype=bool)
        for row, spec in enumerate(specs):
            self._put_down(row, spec)

    @property
    def standing(self) -> list[int]:
        """Rows that have not fallen."""
        return np.flatnonzero(self.alive).tolist()

    def command(self, row: int, command: JointCommand) -> None:
        """Command the motors of one robot."""
        self._motors[row].give(self.sims[row], command)

    def advance(self, rows: Sequence[int]) -> None:
        """Let one control step pass for these robots."""
        for row in rows:
            self._motors[row].step(self.sims[row])
            self.sims[row].advance(self.substeps)

    def coordinates(self) -> tuple[Array, Array]:
        """MuJoCo's positions (B, 36) and velocities (B, 35), copied."""
        return np.stack([s.data.qpos for s in self.sims]), np.stack([s.data.qvel for s in self.sims])

    def state(self, row: int, stamp: float) -> RobotState:
        """True state of one robot."""
        data = self.sims[row].data
        return from_mujoco(data.qpos, data.qvel, stamp)

    def take_out_the_fallen(self, specs: Sequence[Start]) -> list[int]:
        """Rows that have fallen since the last call; from now on they rest in their first pose."""
        fallen = [row for row in self.standing if self.is_down(row)]
        for row in fallen:
            self.alive[row] = False
            self._put_down(row, specs[row])
        return fallen

    def is_down(self, row: int) -> bool:
        """Whether a robot has fallen, or its physics broke."""
        sim = self.sims[row]
        broken = sim.data.warning[mujoco.mjtWarning.mjWARN_BADQACC].number > 0
        return bool(broken) or sim.fallen(FALL_HEAD_HEIGHT)

    def _put_down(self, row: int, spec: Start) -> None:
        self._motors[row].reset()
        if self._conditions != Conditions():
            self.sims[row].set_physics(self._conditions.physics(spec.seed, spec.index))
        self.sims[row].reset(joint_pos=spec.joint_pos, root_quat_w=quat_from_yaw(spec.yaw), root_xy_w=spec.xy_w)
