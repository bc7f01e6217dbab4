"""What a policy under test is told of its robot: the truth, or an estimate from simulated sensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from beyondmimic_diffusion.core.estimation import EstimatorConfig, StateEstimator
from beyondmimic_diffusion.core.robot.kinematics import to_mujoco
from beyondmimic_diffusion.core.types import Array, ImuSample, JointSample, RobotState
from beyondmimic_diffusion.sim.mujoco_g1 import MujocoG1
from beyondmimic_diffusion.sim.noisy_sensors import NoisySensors, SensorNoise

from .fleet import Fleet
from .suites import Start

STATES = ("truth", "estimator")
"""Values of ``--state``."""


class Observer(Protocol):
    """Watches a fleet."""

    def begin(self, specs: Sequence[Start], fleet: Fleet) -> None:
        """Get ready for these episodes; the robots are at their first poses."""
        ...

    def sense(self, stamp: float, fleet: Fleet, rows: Sequence[int]) -> None:
        """Read the sensors of some robots; called every control step before anything is asked."""
        ...

    def state(self, row: int, stamp: float, fleet: Fleet) -> RobotState:
        """Where a robot is believed to be, and how it moves."""
        ...

    def coordinates(self, stamp: float, fleet: Fleet) -> tuple[Array, Array]:
        """All states in MuJoCo's form: positions (B, 36) and velocities (B, 35)."""
        ...

    def joints(self, row: int, fleet: Fleet) -> tuple[Array, Array]:
        """Joint angles [rad] and velocities [rad/s] as they are read, each shape (J,)."""
        ...


class TruthObserver:
    """Knows everything."""

    def begin(self, specs: Sequence[Start], fleet: Fleet) -> None:
        """See :class:`Observer`."""

    def sense(self, stamp: float, fleet: Fleet, rows: Sequence[int]) -> None:
        """See :class:`Observer`."""

    def state(self, row: int, stamp: float, fleet: Fleet) -> RobotState:
        """See :class:`Observer`."""
        return fleet.state(row, stamp)

    def coordinates(self, stamp: float, fleet: Fleet) -> tuple[Array, Array]:
        """See :class:`Observer`."""
        return fleet.coordinates()

    def joints(self, row: int, fleet: Fleet) -> tuple[Array, Array]:
        """See :class:`Observer`."""
        data = fleet.sims[row].data
        return data.qpos[7:], data.qvel[6:]


class EstimatorObserver:
    """One estimator per robot, told its first place and heading, and then only what noisy sensors say."""

    def __init__(self, noise: SensorNoise | None = None, config: EstimatorConfig | None = None):
        """
        Args:
            noise: How bad the sensors are; 2 % and biases if None.
            config: Of the estimators.
        """
        self._noise = noise or SensorNoise()
        self._config = config
        self._estimators: list[StateEstimator] = []

    def begin(self, specs: Sequence[Start], fleet: Fleet) -> None:
        """See :class:`Observer`; the noise follows from seed and number of the episode."""
        while len(self._estimators) < len(specs):
            self._estimators.append(StateEstimator(self._config))
        self._sensors = [NoisySensors(self._noise, np.random.default_rng([s.seed, s.index, 2])) for s in specs]
        self._seen: list[JointSample | None] = [None] * len(specs)
        self._states: list[RobotState | None] = [None] * len(specs)
        for spec, estimator in zip(specs, self._estimators, strict=False):
            estimator.reset(np.array(spec.xy_w), spec.yaw)

    def sense(self, stamp: float, fleet: Fleet, rows: Sequence[int]) -> None:
        """See :class:`Observer`."""
        for row in rows:
            imu, joints = _stamped(self._sensors[row], fleet.sims[row], stamp)
            state = self._estimators[row].update(imu, joints)
            if state is not None:
                self._seen[row], self._states[row] = joints, state

    def state(self, row: int, stamp: float, fleet: Fleet) -> RobotState:
        """See :class:`Observer`; before the first sample (a robot that has not been let go of) the truth."""
        state = self._states[row]
        return fleet.state(row, stamp) if state is None else state

    def coordinates(self, stamp: float, fleet: Fleet) -> tuple[Array, Array]:
        """See :class:`Observer`."""
        pairs = [to_mujoco(self.state(row, stamp, fleet)) for row in range(len(fleet.sims))]
        return np.stack([qpos for qpos, _ in pairs]), np.stack([qvel for _, qvel in pairs])

    def joints(self, row: int, fleet: Fleet) -> tuple[Array, Array]:
        """See :class:`Observer`."""
        seen = self._seen[row]
        data = fleet.sims[row].data
        return (data.qpos[7:], data.qvel[6:]) if seen is None else (seen.position, seen.velocity)


def _stamped(sensors: NoisySensors, sim: MujocoG1, stamp: float) -> tuple[ImuSample, JointSample]:
    """A sample of each with the stamp of the evaluation's clock: the simulators' own begin at zero."""
    imu, joints = sensors.read(sim)
    return (
        ImuSample(stamp, imu.quat_w, imu.ang_vel_b, imu.lin_acc_b),
        JointSample(stamp, joints.position, joints.velocity, joints.effort),
    )


OBSERVERS: dict[str, Callable[[], Observer]] = {"truth": TruthObserver, "estimator": EstimatorObserver}
