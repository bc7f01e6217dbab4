"""One episode's lot: everything random about it, drawn before it starts from its own seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.types import Array
from beyondmimic_diffusion.sim.mujoco_g1 import Physics
from numpy.typing import NDArray

from ..experts import CONTROL_DT
from .randomization import CollectConfig, CommandConfig, NoiseConfig, PushConfig, Range, SkillConfig


@dataclass(frozen=True)
class ObservationNoise:
    """Standard deviations of what the expert sees wrongly."""

    gyro: float
    gravity: float
    joint_pos: float
    joint_vel: float


@dataclass(frozen=True)
class EpisodePlan:
    """All that is drawn for one episode of T control steps."""

    seed: tuple[int, ...]
    commands: Array
    """(vx, vy, yaw rate) per control step, shape (T, 3)."""
    driver: NDArray[np.int64]
    """Which expert drives, per control step: 0 the first one, 1 the second; shape (T,)."""
    action_noise: Array
    """In action units, shape (T, J)."""
    action_noise_std: float
    action_noise_kind: str
    """``none``, ``white`` or ``ou``."""
    pushes: Array
    """Velocity change before each control step [m/s], shape (T, 2); mostly zero."""
    push_kind: str
    """``none``, ``frequent`` or ``strong``."""
    delay: float
    """[s]."""
    observation_noise: ObservationNoise
    physics: Physics
    yaw: float
    """First heading [rad]."""
    joint_pos: Array
    """First pose [rad], shape (J,)."""


def draw_episode(config: CollectConfig, seed: tuple[int, ...]) -> EpisodePlan:
    """The same seed gives the same episode."""
    rng = np.random.default_rng(seed)
    steps = round(config.episode / CONTROL_DT)
    noise, std, noise_kind = _draw_action_noise(config.noise, steps, rng)
    pushes, push_kind = _draw_pushes(config.push, steps, rng)
    commands = draw_commands(config.command, steps, rng)
    driver = draw_driver(config.skill, commands, np.random.default_rng((*seed, 2)))
    return EpisodePlan(
        seed=seed,
        commands=commands,
        driver=driver,
        action_noise=noise,
        action_noise_std=std,
        action_noise_kind=noise_kind,
        pushes=pushes,
        push_kind=push_kind,
        delay=_uniform(rng, config.physics.action_delay),
        observation_noise=_draw_observation_noise(config.noise, rng),
        physics=_draw_physics(config, rng, np.random.default_rng((*seed, 3))),
        yaw=rng.uniform(-np.pi, np.pi),
        joint_pos=np.clip(g1.DEFAULT_JOINT_POS + rng.normal(0.0, 0.03, g1.NUM_JOINTS), *g1.JOINT_POS_LIMITS.T),
    )


def _uniform(rng: np.random.Generator, bounds: Range) -> float:
    return float(rng.uniform(*bounds))


def draw_commands(config: CommandConfig, steps: int, rng: np.random.Generator) -> Array:
    """Piecewise constant commands, shape (steps, 3)."""
    commands = np.zeros((steps, 3))
    at = 0
    if rng.random() < config.long_stand_first:
        at = round(rng.uniform(2.0, 5.0) / CONTROL_DT)
    while at < steps:
        until = at + round(_uniform(rng, config.segment) / CONTROL_DT)
        commands[at:until] = _draw_command(config, rng)
        at = until
    return commands


def draw_driver(config: SkillConfig, commands: Array, rng: np.random.Generator) -> NDArray[np.int64]:
    """Which expert drives when, shape (T,); while the second one does, and shortly before, ``commands`` become zero.

    Its segments begin where a segment of commands does, so that walking of all kinds comes before.
    """
    driver = np.zeros(len(commands), dtype=np.int64)
    if not config.expert:
        return driver
    at = 0
    changes = np.flatnonzero(np.any(np.diff(commands, axis=0) != 0.0, axis=1)) + 1
    for change in (0, *changes.tolist()):
        if change < at or rng.random() >= config.share:
            continue
        begin = change + round(_uniform(rng, config.stand_before) / CONTROL_DT)
        end = begin + round(_uniform(rng, config.duration) / CONTROL_DT)
        if end > len(commands):
            continue
        commands[change:end] = 0.0
        driver[begin:end] = 1
        at = end + round(1.0 / CONTROL_DT)
    return driver


def _draw_command(config: CommandConfig, rng: np.random.Generator) -> Array:
    if rng.random() < config.standing:
        return np.zeros(3)
    kind = rng.random()
    side = rng.choice((-1.0, 1.0))
    if kind < config.lateral:
        return np.array([rng.uniform(-0.15, 0.15), side * rng.uniform(0.15, config.vy_lateral), rng.uniform(-0.2, 0.2)])
    if kind < config.lateral + config.turning:
        return np.array([rng.uniform(-0.1, 0.1), rng.uniform(-0.1, 0.1), side * rng.uniform(0.2, config.yaw_rate)])
    if kind < config.lateral + config.turning + config.straight:
        return np.array([_uniform(rng, config.vx), 0.0, 0.0])
    vy = rng.uniform(-config.vy_mixed, config.vy_mixed)
    return np.array([_uniform(rng, config.vx), vy, rng.uniform(-config.yaw_rate, config.yaw_rate)])


def _draw_action_noise(config: NoiseConfig, steps: int, rng: np.random.Generator) -> tuple[Array, float, str]:
    if rng.random() < config.action_none:
        return np.zeros((steps, g1.NUM_JOINTS)), 0.0, "none"
    std = rng.uniform(0.0, config.action_std)
    white = rng.normal(size=(steps, g1.NUM_JOINTS))
    if rng.random() >= config.ornstein_uhlenbeck:
        return std * white, std, "white"
    std *= config.ou_scale
    keep = np.exp(-CONTROL_DT / _uniform(rng, config.ou_time))
    noise = np.empty_like(white)
    noise[0] = white[0]
    for t in range(1, steps):
        noise[t] = keep * noise[t - 1] + np.sqrt(1.0 - keep**2) * white[t]  # stationary, unit variance
    return std * noise, std, "ou"


def _draw_pushes(config: PushConfig, steps: int, rng: np.random.Generator) -> tuple[Array, str]:
    pushes = np.zeros((steps, 2))
    kind = rng.random()
    if kind < config.frequent:
        name, speed, period = "frequent", config.frequent_speed, config.frequent_period
    elif kind < config.frequent + config.strong:
        name, speed, period = "strong", config.strong_speed, config.strong_period
    else:
        return pushes, "none"
    at = round(_uniform(rng, period) / CONTROL_DT)
    while at < steps:
        angle = rng.uniform(-np.pi, np.pi)
        pushes[at] = _uniform(rng, speed) * np.array([np.cos(angle), np.sin(angle)])
        at += round(_uniform(rng, period) / CONTROL_DT)
    return pushes, name


def _draw_observation_noise(config: NoiseConfig, rng: np.random.Generator) -> ObservationNoise:
    share = rng.random()
    return ObservationNoise(
        share * config.gyro, share * config.gravity, share * config.joint_pos, share * config.joint_vel
    )


def _draw_physics(config: CollectConfig, rng: np.random.Generator, common: np.random.Generator) -> Physics:
    """``common`` draws what came later, so that older settings give the episodes that they always gave."""
    ranges = config.physics
    stiffness, damping = common.uniform(*ranges.gain_scale_all, 2)
    return Physics(
        friction=_uniform(rng, ranges.friction),
        mass_scale=_uniform(rng, ranges.mass_scale),
        payload=_uniform(rng, ranges.payload),
        kp_scale=stiffness * rng.uniform(*ranges.gain_scale, g1.NUM_JOINTS),
        kd_scale=damping * rng.uniform(*ranges.gain_scale, g1.NUM_JOINTS),
        joint_damping=np.full(g1.NUM_JOINTS, _uniform(rng, ranges.joint_damping)),
        joint_offset=rng.uniform(-ranges.joint_offset, ranges.joint_offset, g1.NUM_JOINTS),
    )
