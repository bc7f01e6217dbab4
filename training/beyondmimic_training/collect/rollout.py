"""Roll an expert out on several robots at once and record what each lived through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.robot.kinematics import Kinematics
from beyondmimic_diffusion.core.rotations import quat_from_yaw, quat_rotate
from beyondmimic_diffusion.core.types import Array, JointCommand
from beyondmimic_diffusion.sim.mujoco_g1 import MujocoG1

from ..experts import CONTROL_DT, RobotBatch, SwitchingExpert, make_expert
from .episode import EpisodePlan
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
    """B robots and one expert. Robots that fall are left lying and cost nothing."""

    def __init__(self, config: CollectConfig):
        self.config = config
        names = [name for name in (config.expert, config.skill.expert) if name]
        self._expert = SwitchingExpert([make_expert(name) for name in names])
        self._sims = [MujocoG1(timestep=config.physics_dt, sensors=False) for _ in range(config.robots)]
        self._ticks = round(CONTROL_DT / config.physics_dt)
        self._kinematics = Kinematics()

    def run(self, plans: Sequence[EpisodePlan]) -> list[Episode]:
        """Live through one episode per robot; ``plans`` has one entry per robot."""
        sims = self._sims
        for sim, plan in zip(sims, plans, strict=True):
            self._start(sim, plan)
        steps, batch = len(plans[0].commands), len(sims)
        qpos, qvel = np.zeros((steps, batch, 36)), np.zeros((steps, batch, 35))
        clean, executed = np.zeros((steps, batch, g1.NUM_JOINTS)), np.zeros((steps, batch, g1.NUM_JOINTS))
        commands = np.stack([p.commands for p in plans], axis=1)  # (T, B, 3)
        noise = np.stack([p.action_noise for p in plans], axis=1) * self._expert.noise_scale
        driver = np.stack([p.driver for p in plans], axis=1)  # (T, B)
        offsets = np.stack([p.physics.joint_offset for p in plans])
        delays = [round(p.delay / self.config.physics_dt) for p in plans]
        rngs = [np.random.default_rng((*p.seed, 1)) for p in plans]
        lived = [steps] * batch
        self._expert.reset(self._observe(qpos[0], qvel[0], offsets))
        for t in range(steps):
            for b, (sim, plan) in enumerate(zip(sims, plans, strict=True)):
                if lived[b] == steps:
                    sim.push(plan.pushes[t])
                    qpos[t, b], qvel[t, b] = sim.data.qpos, sim.data.qvel
                    lived[b] = t if _is_falling(qpos[t, b]) else steps
            if max(lived) < steps:
                break
            robot = _with_noise(self._observe(qpos[t], qvel[t], offsets), plans, rngs)
            clean[t] = self._expert.act(robot, commands[t], driver[t])
            executed[t] = clean[t] + noise[t]
            if self.config.expert_sees_executed:
                self._expert.observe_executed(executed[t])
            for b, sim in enumerate(sims):
                if lived[b] == steps:
                    self._advance(sim, executed[:, b], t, delays[b])
        return [
            self._episode(plans[b], lived[b], qpos[:, b], qvel[:, b], clean[:, b], executed[:, b]) for b in range(batch)
        ]

    def _observe(self, qpos: Array, qvel: Array, offsets: Array) -> RobotBatch:
        # A fallen robot's row is zero: a valid quaternion keeps the arithmetic clean, nobody reads the result.
        quat = np.where(np.any(qpos[:, 3:7], axis=1, keepdims=True), qpos[:, 3:7], (1.0, 0.0, 0.0, 0.0))
        return RobotBatch.of_coordinates(np.concatenate([qpos[:, :3], quat, qpos[:, 7:]], axis=1), qvel, offsets)

    def _advance(self, sim: MujocoG1, targets: Array, t: int, delay_ticks: int) -> None:
        """One control step under the targets that have reached the motors, ``delay_ticks`` after they were decided."""
        whole, rest = divmod(delay_ticks, self._ticks)
        for step, ticks in ((t - whole - 1, rest), (t - whole, self._ticks - rest)):
            if ticks:
                sim.retarget(targets[step] if step >= 0 else g1.DEFAULT_JOINT_POS)
                sim.advance(ticks)

    def _start(self, sim: MujocoG1, plan: EpisodePlan) -> None:
        sim.set_physics(plan.physics)
        sim.reset(joint_pos=plan.joint_pos, root_quat_w=quat_from_yaw(plan.yaw))
        zeros = np.zeros(g1.NUM_JOINTS)
        sim.apply(JointCommand(0.0, g1.DEFAULT_JOINT_POS, zeros, self._expert.kp, self._expert.kd, zeros))

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


def _is_falling(qpos: Array) -> bool:
    x, y = qpos[4], qpos[5]
    return bool(qpos[2] < FALLEN_PELVIS_HEIGHT or 1.0 - 2.0 * (x * x + y * y) < FALLEN_TILT_COSINE)


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
