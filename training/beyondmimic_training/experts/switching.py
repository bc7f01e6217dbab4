"""Two skills in one recording: a walker that now and then gives way to a tracker, and takes over again."""

from __future__ import annotations

import numpy as np
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_diffusion.core.types import Array
from numpy.typing import NDArray

from .interface import Expert, RobotBatch


class SwitchingExpert:
    """Runs several experts side by side; each robot follows the one that its schedule names."""

    def __init__(self, experts: list[Expert]):
        """
        Args:
            experts: The first one drives where nothing else is asked for. All must share gains and default pose:
                otherwise one joint target would mean different torques (method, section 5).

        Raises:
            ConfigError: Gains or default poses differ.
        """
        first = experts[0]
        for other in experts[1:]:
            for name in ("kp", "kd", "default_joint_pos"):
                if not np.allclose(getattr(first, name), getattr(other, name), rtol=1e-3):
                    raise ConfigError(
                        f"experts '{first.name}' and '{other.name}' differ in {name}; experts mixed in one data set "
                        "must share it"
                    )
        self.experts = experts
        self.kp, self.kd = first.kp, first.kd
        self.noise_scale = first.action_scale
        """Radians per unit of action noise: that of the first expert, whichever drives."""
        self.name = "+".join(expert.name for expert in experts)
        self.skill_ids = np.array([expert.skill_id for expert in experts], dtype=np.int8)
        """Skill written into the data set, by the expert's place in the list."""

    def reset(self, robot: RobotBatch) -> None:
        """All robots start anew with the first expert."""
        for expert in self.experts:
            expert.reset(robot)
        self._driver = np.zeros(len(robot.joint_pos), dtype=np.int64)

    def act(self, robot: RobotBatch, command: Array, driver: NDArray[np.integer]) -> Array:
        """Joint targets [rad] for the next 20 ms, shape (B, J).

        Args:
            robot: What is seen now.
            command: As for :meth:`Expert.act`, shape (B, 3).
            driver: Which expert drives each robot (place in the list), shape (B,).
        """
        for place, expert in enumerate(self.experts):
            fresh = (driver == place) & (self._driver != place)
            if fresh.any():
                expert.restart(robot, fresh)
        self._driver = np.array(driver)
        targets = [expert.act(robot, command) for expert in self.experts]
        return np.stack(targets)[driver, np.arange(len(driver))]

    def observe_executed(self, target: Array) -> None:
        """See :meth:`Expert.observe_executed`."""
        for expert in self.experts:
            expert.observe_executed(target)
