"""What a policy under test is told of its robot: the truth, or an estimate from simulated sensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import mujoco
import numpy as np
from beyondmimic_diffusion.core.estimation import EstimatorConfig, StateEstimator
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.robot.kinematics import to_mujoco
from beyondmimic_diffusion.core.rotations import quat_rotate_inverse
from beyondmimic_diffusion.core.types import Array, ImuSample, JointSample, RobotState
from beyondmimic_diffusion.sim.mujoco_g1 import GRAVITY, MujocoG1
from beyondmimic_diffusion.sim.noisy_sensors import NoisySensors, SensorNoise

from .fleet import CONTROL_DT, Fleet
from .suites import Start

STATES = ("truth", "estimator")
"""Values of ``--state``."""
STILL = 3.0
"""How long a robot's sensors are listened to before it moves [s]."""


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
    """One estimator per robot, told its first place and heading, and then only what noisy sensors say.

    As a real one's, it runs before the robot moves: for :data:`STILL` the robot is held on its feet in its first pose.
    """

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
        self._listening = [False] * len(specs)
        self._seen: list[JointSample | None] = [None] * len(specs)
        self._states: list[RobotState | None] = [None] * len(specs)
        for spec, estimator in zip(specs, self._estimators, strict=False):
            estimator.reset(np.array(spec.xy_w), spec.yaw)

    def sense(self, stamp: float, fleet: Fleet, rows: Sequence[int]) -> None:
        """See :class:`Observer`."""
        for row in rows:
            sim = fleet.sims[row]
            if not self._listening[row]:
                self._listening[row] = True
                imu, joints = _standing_still(sim)
                for then in stamp + np.arange(-round(STILL / CONTROL_DT), 0) * CONTROL_DT:
                    sample = self._sensors[row].spoil(replace(imu, stamp=then), replace(joints, stamp=then))
                    self._estimators[row].update(*sample)
            imu, joints = self._sensors[row].spoil(*_stamped(sim, stamp))
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


def _stamped(sim: MujocoG1, stamp: float) -> tuple[ImuSample, JointSample]:
    """A sample of each with the stamp of the evaluation's clock: the simulators' own begin at zero."""
    imu, joints = sim.imu(), sim.joints()
    return (
        ImuSample(stamp, imu.quat_w, imu.ang_vel_b, imu.lin_acc_b),
        JointSample(stamp, joints.position, joints.velocity, joints.effort),
    )


def _standing_still(sim: MujocoG1) -> tuple[ImuSample, JointSample]:
    """What perfect sensors say of a robot that is held on both feet where it is, each with half of its weight."""
    model, data, root = sim.model, sim.data, sim.state()
    press = 0.5 * GRAVITY * float(model.body_subtreemass[1]) * np.array([0.0, 0.0, 1.0])
    jacobian = np.zeros((3, model.nv))
    effort = data.qfrc_bias[6:].copy()
    for name in g1.FOOT_BODIES:
        mujoco.mj_jacBody(model, data, jacobian, None, model.body(name).id)
        effort -= press @ jacobian[:, 6:]
    against_gravity = quat_rotate_inverse(root.root_quat_w, np.array([0.0, 0.0, GRAVITY]))
    return (
        ImuSample(0.0, root.root_quat_w, np.zeros(3), against_gravity),
        JointSample(0.0, root.joint_pos, np.zeros(g1.NUM_JOINTS), effort),
    )


OBSERVERS: dict[str, Callable[[], Observer]] = {"truth": TruthObserver, "estimator": EstimatorObserver}
