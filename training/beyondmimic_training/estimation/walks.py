"""Walks of the expert in all directions, pushed now and then, as the sensors saw them and as they were."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.rotations import quat_from_yaw
from beyondmimic_diffusion.core.types import Array, ImuSample, JointCommand, JointSample, RobotState
from beyondmimic_diffusion.sim.mujoco_g1 import MujocoG1
from beyondmimic_diffusion.sim.noisy_sensors import NoisySensors, SensorNoise

from ..experts import CONTROL_DT, Expert, RobotBatch

SAMPLE_DT = 0.004
"""Spacing of the sensors' samples [s]."""
SEGMENT = (2.0, 5.0)
"""Length of a stretch under one command [s]."""
PUSH_PERIOD = (3.0, 6.0)
"""Time between two pushes [s]."""
PUSH_SPEED = (0.1, 0.4)
"""What a push changes the robot's velocity by, if nothing held it [m/s]."""
PUSH_DURATION = 0.1
"""A push is a force that lasts [s], so that the accelerometer feels it, as it would."""
FIRST_STAND = 1.0
"""Each walk begins by standing [s]."""
DIRECTIONS = ("forward", "back", "left", "right", "left turn", "right turn", "mixed", "stand")


@dataclass(frozen=True)
class WalkSpec:
    """One walk: what is asked for and what disturbs it, drawn from seed and number alone."""

    seed: int
    index: int
    seconds: float
    yaw: float
    """First heading [rad]."""
    commands: Array
    """Forward, left [m/s] and yaw rate [rad/s] at 50 Hz, shape (T, 3)."""
    pushes: Array
    """Force on the torso in world axes [m/s of the whole robot's velocity per s], at 50 Hz, shape (T, 2)."""


@dataclass(frozen=True)
class Moment:
    """One sample of the sensors, and the truth of that moment."""

    imu: ImuSample
    joints: JointSample
    truth: RobotState
    contacts: tuple[bool, bool]
    """Whether the left and the right foot touch the floor."""


def draw_walk(seed: int, index: int, seconds: float) -> WalkSpec:
    """Walk number ``index`` of a seed; every eight stretches go once in each of :data:`DIRECTIONS`."""
    rng = np.random.default_rng([seed, index])
    steps = round(seconds / CONTROL_DT)
    commands, pushes = np.zeros((steps, 3)), np.zeros((steps, 2))
    at, left = round(FIRST_STAND / CONTROL_DT), list[str]()
    while at < steps:
        left = left or [str(name) for name in rng.permutation(DIRECTIONS)]
        length = round(rng.uniform(*SEGMENT) / CONTROL_DT)
        commands[at : at + length] = _command(left.pop(), rng)
        at += length
    at = round((FIRST_STAND + rng.uniform(*PUSH_PERIOD)) / CONTROL_DT)
    while at < steps:
        angle, speed = rng.uniform(-np.pi, np.pi), rng.uniform(*PUSH_SPEED)
        length = round(PUSH_DURATION / CONTROL_DT)
        pushes[at : at + length] = speed / PUSH_DURATION * np.array([np.cos(angle), np.sin(angle)])
        at += round(rng.uniform(*PUSH_PERIOD) / CONTROL_DT)
    return WalkSpec(seed, index, seconds, float(rng.uniform(-np.pi, np.pi)), commands, pushes)


def _command(direction: str, rng: np.random.Generator) -> tuple[float, float, float]:
    drawn = {
        "forward": (rng.uniform(0.3, 0.9), 0.0, 0.0),
        "back": (-rng.uniform(0.2, 0.6), 0.0, 0.0),
        "left": (0.0, rng.uniform(0.2, 0.6), 0.0),
        "right": (0.0, -rng.uniform(0.2, 0.6), 0.0),
        "left turn": (0.0, 0.0, rng.uniform(0.4, 1.0)),
        "right turn": (0.0, 0.0, -rng.uniform(0.4, 1.0)),
        "mixed": (rng.uniform(-0.4, 0.8), rng.uniform(-0.4, 0.4), rng.uniform(-0.8, 0.8)),
        "stand": (0.0, 0.0, 0.0),
    }
    return drawn[direction]


def live_walk(spec: WalkSpec, expert: Expert, noise: SensorNoise) -> Iterator[Moment]:
    """Live through a walk; ends early if the robot falls.

    Args:
        spec: What to do.
        expert: Who walks; it sees the truth, for it is not what is tested.
        noise: How bad the sensors are.
    """
    sim = MujocoG1()
    sim.reset(root_quat_w=quat_from_yaw(spec.yaw))
    sensors = NoisySensors(noise, np.random.default_rng([spec.seed, spec.index, 1]))
    zeros = np.zeros(g1.NUM_JOINTS)
    torso, mass = sim.model.body(g1.HEAD_BODY).id, float(np.sum(sim.model.body_mass))
    expert.reset(RobotBatch.of(sim.state()))
    for command, push in zip(spec.commands, spec.pushes, strict=True):
        target = expert.act(RobotBatch.of(sim.state()), command[None])[0].astype(np.float64)
        sim.apply(JointCommand(sim.stamp, target, zeros, expert.kp, expert.kd, zeros))
        sim.data.xfrc_applied[torso, :2] = mass * push
        for _ in range(round(CONTROL_DT / SAMPLE_DT)):
            imu, joints = sensors.read(sim)
            yield Moment(imu, joints, sim.state(), sim.foot_contacts())
            sim.advance(round(SAMPLE_DT / sim.dt))
        if sim.fallen():
            return
