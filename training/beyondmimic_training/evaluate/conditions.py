"""How the simulated robot and its floor differ from the nominal ones in an evaluation."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from beyondmimic_diffusion.core.parameters import param, validate
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.types import JointCommand
from beyondmimic_diffusion.sim.mujoco_g1 import FLOOR_FRICTION, MujocoG1, Physics


@dataclass(frozen=True)
class Conditions:
    """Stress that neither planner nor expert is told of. The defaults are the nominal robot."""

    friction: float = param(FLOOR_FRICTION, lo=0.05, hi=3.0, doc="Sliding friction between feet and floor.")
    mass_scale: float = param(1.0, lo=0.5, hi=2.0, doc="Factor on all masses and inertias.")
    payload: float = param(0.0, unit="kg", lo=-5.0, hi=20.0, doc="Mass added to the torso.")
    gain_scale: float = param(1.0, lo=0.2, hi=3.0, doc="True over commanded stiffness and damping of all joints.")
    joint_offset: float = param(
        0.0,
        unit="rad",
        lo=0.0,
        hi=0.3,
        doc="Largest encoder offset; each joint draws its own.",
    )
    actuator_delay: float = param(
        0.0, unit="s", lo=0.0, hi=0.2, doc="Time from a motor command to its effect, a multiple of 4 ms."
    )

    def __post_init__(self) -> None:
        validate(self)

    def physics(self, seed: int, index: int) -> Physics:
        """What the simulator is told for one episode."""
        gains = np.full(g1.NUM_JOINTS, self.gain_scale)
        rng = np.random.default_rng([seed, index, 77])
        offset = rng.uniform(-self.joint_offset, self.joint_offset, g1.NUM_JOINTS)
        return Physics(
            friction=self.friction,
            mass_scale=self.mass_scale,
            payload=self.payload,
            kp_scale=gains,
            kd_scale=gains,
            joint_offset=offset,
        )


class DelayedMotors:
    """One robot's motors, which obey each command a fixed number of control steps after it was given."""

    def __init__(self, steps: int):
        """
        Args:
            steps: Delay, in control steps.
        """
        self._steps = steps
        self._waiting: deque[tuple[int, JointCommand]] = deque()
        self._now = 0

    def reset(self) -> None:
        """Forget commands that have not taken effect."""
        self._waiting.clear()

    def give(self, sim: MujocoG1, command: JointCommand) -> None:
        """Hand over a command that takes effect after the delay."""
        if self._steps:
            self._waiting.append((self._now + self._steps, command))
        else:
            sim.apply(command)

    def step(self, sim: MujocoG1) -> None:
        """Let what is due take effect; called before each control step."""
        while self._waiting and self._waiting[0][0] <= self._now:
            sim.apply(self._waiting.popleft()[1])
        self._now += 1
