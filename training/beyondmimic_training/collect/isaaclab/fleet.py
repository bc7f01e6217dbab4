"""G1s in Isaac Lab, as the recorder sees them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.rotations import quat_from_yaw, quat_rotate_inverse
from beyondmimic_diffusion.core.types import Array
from beyondmimic_diffusion.sim.mujoco_g1 import MujocoG1
from numpy.typing import NDArray

from ...experts import CONTROL_DT
from ..episode import EpisodePlan
from ..randomization import CollectConfig
from .asset import g1_usd_path
from .lab import open_lab

PAYLOAD_BODY = g1.HEAD_BODY
"""The torso, as in MuJoCo."""


class IsaacLabFleet:
    """See :class:`~beyondmimic_training.collect.fleet.RobotFleet`."""

    def __init__(self, config: CollectConfig, device: str = "cpu"):
        """
        Raises:
            ConfigError: No Isaac Lab in this environment.
        """
        lab = open_lab(device)
        from isaaclab.envs import ManagerBasedRLEnv

        from .environment import environment_config

        self._physics_dt = config.physics_dt
        self._env = ManagerBasedRLEnv(
            environment_config(
                lab,
                g1_usd_path(),
                robots=config.robots,
                physics_dt=config.physics_dt,
                decimation=round(CONTROL_DT / config.physics_dt),
                max_delay=config.physics.action_delay[1],
                device=device,
            )
        )
        self._env.reset()
        self._access = lab.RobotAccess(self._env, g1.JOINT_NAMES)
        self._targets = self._env.action_manager.get_term("joint_targets")
        self._measure = MujocoG1(sensors=False)  # only to find the height at which a pose stands on the floor

    def close(self) -> None:
        """End the simulation."""
        self._env.close()

    def _tensor(self, values: Array | Sequence[Array]) -> torch.Tensor:
        return torch.tensor(np.asarray(values), dtype=torch.float32, device=self._env.device)

    def begin(self, plans: Sequence[EpisodePlan], kp: Array, kd: Array) -> None:
        """See :meth:`RobotFleet.begin`."""
        self._env.reset()
        physics = [plan.physics for plan in plans]
        self._access.set_gains(
            self._tensor([p.kp_scale * kp for p in physics]),
            self._tensor([p.kd_scale * kd for p in physics]),
            self._tensor([p.joint_damping for p in physics]),
        )
        self._access.set_masses(
            self._tensor(np.array([p.mass_scale for p in physics])),
            PAYLOAD_BODY,
            self._tensor(np.array([p.payload for p in physics])),
        )
        self._access.set_friction(g1.FOOT_BODIES, self._tensor(np.array([p.friction for p in physics])))
        self._targets.begin(
            self._tensor(g1.DEFAULT_JOINT_POS),
            torch.tensor([round(p.delay / self._physics_dt) for p in plans], device=self._env.device),
            self._tensor([p.joint_offset for p in physics]),
        )
        places = [self._standing(plan) for plan in plans]
        self._access.place(
            self._tensor([place[:3] for place in places]),
            self._tensor([place[3:] for place in places]),
            self._tensor([plan.joint_pos for plan in plans]),
        )

    def _standing(self, plan: EpisodePlan) -> Array:
        """Pelvis pose (7,) with the lower foot on the floor."""
        self._measure.reset(joint_pos=plan.joint_pos, root_quat_w=quat_from_yaw(plan.yaw))
        return self._measure.data.qpos[:7].copy()

    def push(self, delta_v: Array) -> None:
        """See :meth:`RobotFleet.push`."""
        if not np.any(delta_v):
            return
        state = self._access.read()
        velocity = torch.cat([state["root_lin_vel_w"], state["root_ang_vel_w"]], dim=-1)
        velocity[:, :2] += self._tensor(delta_v)
        self._access.set_root_velocity(velocity)

    def coordinates(self) -> tuple[Array, Array]:
        """See :meth:`RobotFleet.coordinates`."""
        state = {name: values.cpu().numpy().astype(np.float64) for name, values in self._access.read().items()}
        quat = state["root_quat_w"]
        quat = quat / np.linalg.norm(quat, axis=1, keepdims=True)
        ang_vel_b = quat_rotate_inverse(quat, state["root_ang_vel_w"])
        qpos = np.concatenate([state["root_pos_w"], quat, state["joint_pos"]], axis=1)
        qvel = np.concatenate([state["root_lin_vel_w"], ang_vel_b, state["joint_vel"]], axis=1)
        return qpos, qvel

    def advance(self, executed: Array, t: int, alive: NDArray[np.bool_]) -> None:
        """See :meth:`RobotFleet.advance`; the environment keeps the earlier decisions itself."""
        targets = np.where(alive[:, None], executed[t], g1.DEFAULT_JOINT_POS)
        self._env.step(self._tensor(targets))
