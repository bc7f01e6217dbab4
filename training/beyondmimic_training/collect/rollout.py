"""Roll an expert out on several robots at once and record what each lived through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.robot.kinematics import Kinematics
from beyondmimic_diffusion.core.rotations import quat_rotate
from beyondmimic_diffusion.core.types import Array
from numpy.typing import NDArray

from ..experts import CONTROL_DT, RobotBatch, SwitchingExpert, make_expert
from .episode import EpisodePlan
from .fleet import MujocoFleet, RobotFleet
from .policy_driver import PolicyDriver, draw_bursts
from .randomization import CollectConfig

FALLEN_PELVIS_HEIGHT = 0.45
"""A pelvis below this has begun to fall for good [m]; standing is 0.76, the lowest gait 0.65."""
FALLEN_TILT_COSINE = 0.5
"""So has one that leans by more than 60 degrees."""


@dataclass(frozen=True)
class Episode:
    """One recorded episode: arrays of T frames (see ``store.FIELDS``) and a table row."""

    frames: dict[str, Array]
    info: dict[str, Any]


class Rollout:
    """Some robots and one expert, in whichever simulator. Of a robot that falls nothing more is recorded."""

    def __init__(self, config: CollectConfig, fleet: RobotFleet | None = None):
        """
        Args:
            fleet: ``config.robots`` robots; MuJoCo's by default.
        """
        self.config = config
        names = [name for name in (config.expert, config.skill.expert) if name]
        self._expert = SwitchingExpert([make_expert(name) for name in names])
        self._fleet: RobotFleet = MujocoFleet(config) if fleet is None else fleet
        self._kinematics = Kinematics()
        self._policy = PolicyDriver(Path(config.dagger.policy), config.robots) if config.dagger.policy else None

    def run(self, plans: Sequence[EpisodePlan]) -> list[Episode]:
        """Live through one episode per robot; ``plans`` has one entry per robot."""
        fleet = self._fleet
        fleet.begin(plans, self._expert.kp, self._expert.kd)
        steps, batch = len(plans[0].commands), len(plans)
        qpos, qvel = np.zeros((steps, batch, 36)), np.zeros((steps, batch, 35))
        clean, executed = np.zeros((steps, batch, g1.NUM_JOINTS)), np.zeros((steps, batch, g1.NUM_JOINTS))
        commands = np.stack([p.commands for p in plans], axis=1)  # (T, B, 3)
        pushes = np.stack([p.pushes for p in plans], axis=1)  # (T, B, 2)
        noise = np.stack([p.action_noise for p in plans], axis=1) * self._expert.noise_scale
        driver = np.stack([p.driver for p in plans], axis=1)  # (T, B)
        offsets = np.stack([p.physics.joint_offset for p in plans])
        rngs = [np.random.default_rng((*p.seed, 1)) for p in plans]
        lived = np.full(batch, steps)
        bursts = self._bursts(plans, steps)
        self._expert.reset(self._observe(*fleet.coordinates(), offsets))
        for t in range(steps):
            fleet.push(pushes[t])
            alive = lived == steps
            now_pos, now_vel = fleet.coordinates()
            qpos[t, alive], qvel[t, alive] = now_pos[alive], now_vel[alive]
            lived[alive & is_falling(qpos[t])] = t
            alive = lived == steps
            if not alive.any():
                break
            qpos[t, ~alive], qvel[t, ~alive] = 0.0, 0.0
            robot = _with_noise(self._observe(qpos[t], qvel[t], offsets), plans, rngs)
            clean[t] = self._expert.act(robot, commands[t], driver[t])
            executed[t] = self._driven(t, clean[t], qpos[t], qvel[t], commands[t], bursts) + noise[t]
            if self._policy is not None:
                self._policy.executed(t, executed[t])
            if self.config.expert_sees_executed:
                self._expert.observe_executed(executed[t])
            fleet.advance(executed, t, alive)
        return [
            self._episode(plans[b], int(lived[b]), qpos[:, b], qvel[:, b], clean[:, b], executed[:, b])
            for b in range(batch)
        ]

    def _bursts(self, plans: Sequence[EpisodePlan], steps: int) -> NDArray[np.bool_]:
        """When the policy drives, shape (T, B)."""
        if self._policy is None:
            return np.zeros((steps, len(plans)), dtype=bool)
        dagger = self.config.dagger
        self._policy.begin([plan.seed for plan in plans])
        return np.stack([draw_bursts(steps, dagger.burst, dagger.pause, plan.seed) for plan in plans], axis=1)

    def _driven(
        self, t: int, clean: Array, qpos: Array, qvel: Array, commands: Array, bursts: NDArray[np.bool_]
    ) -> Array:
        """The targets that are sent, without noise (B, J): the expert's, or in its stretches the policy's."""
        if self._policy is None:
            return clean
        targets = self._policy.act(t, _valid(qpos), qvel, commands)
        return clean if targets is None else np.where(bursts[t][:, None], targets, clean)

    def _observe(self, qpos: Array, qvel: Array, offsets: Array) -> RobotBatch:
        return RobotBatch.of_coordinates(_valid(qpos), qvel, offsets)

    def _episode(
        self, plan: EpisodePlan, lived: int, qpos: Array, qvel: Array, clean: Array, executed: Array
    ) -> Episode:
        fell = lived < len(qpos)
        length = max(0, lived - round(self.config.drop_before_fall / CONTROL_DT)) if fell else lived
        qpos, qvel = qpos[:length], qvel[:length]
        key_pos, key_vel = self._kinematics.key_points_batch(qpos, qvel)
        ends = np.zeros((length, 1), dtype=np.int8)
        ends[-1:] = 1
        frames = {
            "root_pos_w": qpos[:, :3],
            "root_quat_w": qpos[:, 3:7],
            "root_lin_vel_w": qvel[:, :3],
            "root_ang_vel_w": quat_rotate(qpos[:, 3:7], qvel[:, 3:6]),
            "joint_pos": qpos[:, 7:],
            "joint_vel": qvel[:, 6:],
            "key_pos_w": key_pos.reshape(length, 3 * key_pos.shape[1]),
            "key_vel_w": key_vel.reshape(length, 3 * key_vel.shape[1]),
            "target_clean": clean[:length],
            "target_executed": executed[:length],
            "command": plan.commands[:length],
            "skill": self._expert.skill_ids[plan.driver[:length], None],
            "episode_end": ends,
        }
        return Episode(frames, _info(plan, self._expert.name, fell, lived))


def _valid(qpos: Array) -> Array:
    """Coordinates (B, 36) with an identity quaternion for robots that have fallen, whose rows are zero."""
    quat = np.where(np.any(qpos[:, 3:7], axis=1, keepdims=True), qpos[:, 3:7], (1.0, 0.0, 0.0, 0.0))
    return np.concatenate([qpos[:, :3], quat, qpos[:, 7:]], axis=1)


def is_falling(qpos: Array) -> NDArray[np.bool_]:
    """Which of the robots with coordinates (B, 36) have begun to fall for good, or are no longer finite; shape (B,)."""
    tilt_cosine = 1.0 - 2.0 * (qpos[:, 4] ** 2 + qpos[:, 5] ** 2)
    standing = (qpos[:, 2] >= FALLEN_PELVIS_HEIGHT) & (tilt_cosine >= FALLEN_TILT_COSINE)
    return ~(standing & np.all(np.isfinite(qpos), axis=1))


def _with_noise(robot: RobotBatch, plans: Sequence[EpisodePlan], rngs: list[np.random.Generator]) -> RobotBatch:
    """What the expert sees: gyro, tilt, joint angles and velocities each with the episode's noise."""
    draws = np.stack([rng.standard_normal(6 + 2 * g1.NUM_JOINTS) for rng in rngs])
    stds = np.array(
        [
            (
                p.observation_noise.gyro,
                p.observation_noise.gravity,
                p.observation_noise.joint_pos,
                p.observation_noise.joint_vel,
            )
            for p in plans
        ]
    )
    tilt = 0.5 * stds[:, 1:2] * draws[:, 3:6]  # a small rotation vector shifts the quaternion by half of itself
    joints = draws[:, 6:].reshape(len(plans), 2, g1.NUM_JOINTS)
    return RobotBatch(
        _tilted(robot.root_quat_w, tilt),
        robot.ang_vel_b + stds[:, :1] * draws[:, :3],
        robot.joint_pos + stds[:, 2:3] * joints[:, 0],
        robot.joint_vel + stds[:, 3:4] * joints[:, 1],
        robot.root_pos_w,
        robot.root_lin_vel_b,
    )


def _tilted(quat: Array, half: Array) -> Array:
    w, v = quat[:, :1], quat[:, 1:]
    turned = np.concatenate([w - np.sum(v * half, axis=1, keepdims=True), v + w * half + np.cross(v, half)], axis=1)
    return turned / np.linalg.norm(turned, axis=1, keepdims=True)


def _info(plan: EpisodePlan, expert: str, fell: bool, lived: int) -> dict[str, Any]:
    """The episode's row in the table; start and length are added by the writer."""
    return {
        "expert": expert,
        "seed": list(plan.seed),
        "fell": fell,
        "lived": lived * CONTROL_DT,
        "delay": plan.delay,
        "friction": plan.physics.friction,
        "mass_scale": plan.physics.mass_scale,
        "payload": plan.physics.payload,
        "joint_damping": float(plan.physics.joint_damping[0]),
        "action_noise": plan.action_noise_kind,
        "action_noise_std": plan.action_noise_std,
        "push": plan.push_kind,
        "yaw": plan.yaw,
    }
