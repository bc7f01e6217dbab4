"""``clip``: record a Stage 1 tracker without noise, as a motion the policy can be led into by keyframes."""

from __future__ import annotations

import argparse
import logging
import math
from pathlib import Path

import numpy as np
from beyondmimic_diffusion.core.errors import BeyondMimicError, ConfigError
from beyondmimic_diffusion.core.guidance.clip import Clip
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.robot.kinematics import Kinematics
from beyondmimic_diffusion.core.rotations import quat_rotate
from beyondmimic_diffusion.core.state import StateSequence
from beyondmimic_diffusion.core.types import JointCommand
from beyondmimic_diffusion.sim.mujoco_g1 import MujocoG1

from .experts import CONTROL_DT, RobotBatch, SwitchingExpert, make_expert

_log = logging.getLogger(__name__)
_TICKS = 5
"""Physics steps between two targets."""


class ClipError(BeyondMimicError):
    """The robot fell while its motion was recorded."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``clip``."""
    parser.add_argument("--expert", default="fastsac_dancer", help="tracker to record")
    parser.add_argument("--seconds", type=float, default=20.0, help="length, from the motion's beginning")
    parser.add_argument("--back", type=float, default=0.0, help="time after it in which a walker leads back to a stand")
    parser.add_argument("--walker", default="fastsac_walker", help="who leads back")
    parser.add_argument("--out", type=Path, required=True, help="file to write, e.g. policies/walk/clips/dance.npz")


def main(args: argparse.Namespace) -> int:
    """Run ``clip``; returns the exit status."""
    clip = record_clip(args.expert, args.seconds, args.out.stem, back=args.back, walker=args.walker)
    clip.save(args.out)
    _log.info("%.2f s of %s written to %s", clip.duration, args.expert, args.out)
    return 0


def record_clip(
    expert_name: str, seconds: float, name: str, *, back: float = 0.0, walker: str = "fastsac_walker"
) -> Clip:
    """The tracker's motion from a stand in the default pose, at 25 Hz, and the way back to a stand.

    Args:
        expert_name: The tracker.
        seconds: How much of its motion [s].
        name: Of the clip.
        back: How long the walker leads afterwards, commanded to stand [s].
        walker: Which one.

    Raises:
        ConfigError: A length of less than two states.
        ClipError: The robot fell.
    """
    count = round(seconds / CONTROL_DT)
    total = 2 * math.ceil((seconds + back) / (2 * CONTROL_DT) - 1e-9)  # every other one is kept
    if count < 2:
        raise ConfigError(f"a clip of {seconds} s is too short; give at least {2 * CONTROL_DT} s")
    expert = SwitchingExpert([make_expert(walker), make_expert(expert_name)])
    sim = MujocoG1(timestep=CONTROL_DT / _TICKS, sensors=False)
    sim.reset()
    expert.reset(RobotBatch.of(sim.state()))
    zeros, no_command = np.zeros(g1.NUM_JOINTS), np.zeros((1, 3))
    qpos, qvel = [], []
    for step in range(total + 1):
        qpos.append(sim.data.qpos.copy())
        qvel.append(sim.data.qvel.copy())
        target = expert.act(RobotBatch.of(sim.state()), no_command, np.array([int(step < count)]))[0]
        sim.step(JointCommand(0.0, target, zeros, expert.kp, expert.kd, zeros), _TICKS)
        if sim.fallen():
            raise ClipError(f"expert '{expert_name}' fell after {len(qpos) * CONTROL_DT:.2f} s; record a shorter clip")
    q, v = np.array(qpos)[::2], np.array(qvel)[::2]
    key_pos, key_vel = Kinematics().key_points_batch(q, v)
    states = StateSequence(
        q[:, :3], q[:, 3:7], v[:, :3], quat_rotate(q[:, 3:7], v[:, 3:6]), q[:, 7:], v[:, 6:], key_pos, key_vel
    )
    source = f"{seconds} s of {expert_name}, then {back} s of {walker} standing; MuJoCo, no noise"
    return Clip(name, states, 2 * CONTROL_DT, g1.JOINT_NAMES, g1.KEY_POINT_NAMES, source)
