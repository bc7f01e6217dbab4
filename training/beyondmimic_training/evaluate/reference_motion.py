"""What the expert did once, cut into keyframes: states that the policy shall pass through."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.robot.kinematics import Kinematics
from beyondmimic_diffusion.core.state import StateSequence
from beyondmimic_diffusion.core.types import Array

from ..experts import make_expert
from .controllers import TICKS_PER_SETPOINT, ExpertDriver
from .fleet import Fleet
from .suites import JOINT_NOISE, Command, Start

EXPERT = "fastsac_walker"
SPACING = 0.6
"""Time between keyframes [s]: within the policy's horizon of 0.64 s, so that one is always in sight."""
COUNT = 8
_PHYSICS_DT = 0.002


@dataclass(frozen=True, eq=False)
class Keyframe:
    """A state to pass through."""

    time: float
    """Since the start [s]."""
    state: StateSequence
    """In the world, one state."""


@lru_cache(maxsize=256)
def reference_keyframes(own: int, command: Command) -> tuple[Keyframe, ...]:
    """States of an expert that starts from standing at the origin, facing +x, and follows one command.

    Args:
        own: Number of the episode, for the first pose.
        command: Forward, left [m/s], yaw rate [rad/s].
    """
    noise = np.random.default_rng([own, 7]).normal(0.0, JOINT_NOISE, g1.NUM_JOINTS)
    fleet = Fleet(1, _PHYSICS_DT)
    fleet.place([Start(own, 0, 0.0, g1.DEFAULT_JOINT_POS + noise, None)])
    driver = _driver()
    driver.reset(fleet)
    frames = []
    for step in range(round(COUNT * SPACING / 0.02)):
        driver.drive(0.0, fleet, [0], np.array([command]))
        for _ in range(TICKS_PER_SETPOINT):
            fleet.advance([0])
        if (step + 1) % round(SPACING / 0.02) == 0:
            frames.append(Keyframe(round((step + 1) * 0.02, 6), _state(fleet)))
    return tuple(frames)


def keyframe_errors(keyframes: tuple[Keyframe, ...], qpos: Array, kinematics: Kinematics, frame_dt: float) -> Array:
    """Mean distance of the key points from their places in each keyframe whose time was lived to see [m].

    Args:
        keyframes: What was asked for.
        qpos: What was done, frames from the start, shape (T, 36).
        kinematics: Of the key points.
        frame_dt: Spacing of the frames [s].
    """
    errors = []
    for keyframe in keyframes:
        frame = round(keyframe.time / frame_dt)
        if frame < len(qpos):
            pose = qpos[frame : frame + 1].astype(np.float64)
            points, _ = kinematics.key_points_batch(pose, np.zeros((1, 35)))
            errors.append(float(np.mean(np.linalg.norm(points[0] - keyframe.state.key_pos_w, axis=-1))))
    return np.array(errors)


@lru_cache(maxsize=1)
def _driver() -> ExpertDriver:
    return ExpertDriver(make_expert(EXPERT))


@lru_cache(maxsize=1)
def _kinematics() -> Kinematics:
    return Kinematics()


def _state(fleet: Fleet) -> StateSequence:
    state = fleet.state(0, 0.0)
    pos, vel = _kinematics().key_points_batch(*fleet.coordinates())
    return StateSequence(
        state.root_pos_w,
        state.root_quat_w,
        state.root_lin_vel_w,
        state.root_ang_vel_w,
        state.joint_pos,
        state.joint_vel,
        pos[0],
        vel[0],
    )
