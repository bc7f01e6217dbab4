"""Isaac Lab 3.x on Newton: what differs from 2.x (``lab2.py``). Quaternions are xyzw, data come as proxies.

Nothing here needs Isaac Sim or a GPU.
"""

from __future__ import annotations

from typing import Any

import torch
import warp as wp
from isaaclab.actuators import ImplicitActuatorCfg
from isaaclab.assets import Articulation
from isaaclab.envs import ManagerBasedRLEnv
from isaaclab.sim import SimulationCfg, UsdPhysicsCollisionCfg
from isaaclab_newton.physics import MJWarpSolverCfg, NewtonCfg
from newton import ModelFlags

MAX_CONTACTS = 64
"""Per robot: 14 foot capsules with two points each, twice over."""
MAX_CONSTRAINTS = 400
"""Per robot: four for each contact, the joint limits, and some room."""


def simulation_config(dt: float, render_interval: int, device: str) -> SimulationCfg:
    """Newton's MuJoCo solver with the integrator that takes stiff gains at our time step."""
    solver = MJWarpSolverCfg(
        njmax=MAX_CONSTRAINTS,
        nconmax=MAX_CONTACTS,
        integrator="implicitfast",
        cone="pyramidal",
        iterations=10,
        ls_iterations=50,
    )
    wp.config.quiet = True
    physics = NewtonCfg(solver_cfg=solver, num_substeps=1, use_cuda_graph=device.startswith("cuda"))
    return SimulationCfg(dt=dt, render_interval=render_interval, device=device, physics=physics)


def actuator(
    kp: dict[str, float], kd: dict[str, float], effort: dict[str, float], armature: dict[str, float]
) -> ImplicitActuatorCfg:
    """PD motors inside the solver, by joint name."""
    return ImplicitActuatorCfg(
        joint_names_expr=list(kp), stiffness=kp, damping=kd, joint_effort_limit=effort, armature=armature
    )


def collision() -> UsdPhysicsCollisionCfg:
    """Something that can be touched."""
    return UsdPhysicsCollisionCfg()


def set_targets(robot: Articulation, targets: torch.Tensor, joint_ids: torch.Tensor) -> None:
    """Position targets [rad], shape (B, J), of the joints ``joint_ids``."""
    robot.actuators.target_command.set_position_index(value=targets, joint_ids=joint_ids)


class RobotAccess:
    """One articulation's state and physics; joints in the order of ``joint_names``, quaternions wxyz."""

    def __init__(self, env: ManagerBasedRLEnv, joint_names: tuple[str, ...]):
        self._env = env
        self.robot: Any = env.scene["robot"]  # Newton's articulation: more than the class that Isaac Lab declares
        places = [self.robot.joint_names.index(name) for name in joint_names]
        self._joints = torch.tensor(places, dtype=torch.int32, device=env.device)
        self._masses = self._data("body_mass").clone()
        self._inertias = self._data("body_inertia").clone()

    def _data(self, name: str) -> torch.Tensor:
        return getattr(self.robot.data, name).torch

    def body_id(self, name: str) -> int:
        """Place of a body."""
        return int(self.robot.find_bodies([name])[0][0])

    def read(self) -> dict[str, torch.Tensor]:
        """Root pose (position relative to the environment's origin) and velocity of its origin, and the joints."""
        joints = self._joints.long()
        return {
            "root_pos_w": self._data("root_link_pos_w") - self._env.scene.env_origins,
            "root_quat_w": self._data("root_link_quat_w").roll(1, dims=-1),
            "root_lin_vel_w": self._data("root_link_lin_vel_w"),
            "root_ang_vel_w": self._data("root_link_ang_vel_w"),
            "joint_pos": self._data("joint_pos")[:, joints],
            "joint_vel": self._data("joint_vel")[:, joints],
        }

    def place(self, root_pos: torch.Tensor, root_quat: torch.Tensor, joint_pos: torch.Tensor) -> None:
        """Put all robots somewhere at rest: position relative to the origins [m] (B, 3), wxyz (B, 4), joints (B, J)."""
        pose = torch.cat([root_pos + self._env.scene.env_origins, root_quat.roll(-1, dims=-1)], dim=-1)
        self.robot.write_root_link_pose_to_sim_index(root_pose=pose.contiguous())
        self.set_root_velocity(torch.zeros(len(pose), 6, device=pose.device))
        self.robot.write_joint_position_to_sim_index(position=joint_pos, joint_ids=self._joints)
        self.robot.write_joint_velocity_to_sim_index(velocity=torch.zeros_like(joint_pos), joint_ids=self._joints)

    def set_root_velocity(self, velocity: torch.Tensor) -> None:
        """Linear [m/s] and angular [rad/s] velocity of the root's origin, world axes, shape (B, 6)."""
        self.robot.write_root_link_velocity_to_sim_index(root_velocity=velocity.contiguous())

    def set_gains(self, kp: torch.Tensor, kd: torch.Tensor, joint_damping: torch.Tensor) -> None:
        """Of the motors, and the joints' viscous friction; each (B, J)."""
        self.robot.write_joint_stiffness_to_sim_index(stiffness=kp, joint_ids=self._joints)
        self.robot.write_joint_damping_to_sim_index(damping=kd, joint_ids=self._joints)
        self.robot.write_joint_viscous_friction_coefficient_to_sim_index(
            joint_viscous_friction_coeff=joint_damping, joint_ids=self._joints
        )

    def set_masses(self, scale: torch.Tensor, payload_body: str, payload: torch.Tensor) -> None:
        """Masses and inertias as a multiple of the nominal ones (B,), and mass added to one body [kg] (B,)."""
        masses = self._masses * scale[:, None]
        masses[:, self.body_id(payload_body)] += payload
        self.robot.set_masses_index(masses=masses.contiguous())
        self.robot.set_inertias_index(inertias=(self._inertias * scale[:, None, None]).contiguous())

    def set_friction(self, body_names: tuple[str, ...], friction: torch.Tensor) -> None:
        """Sliding friction of some bodies' shapes, shape (B,)."""
        manager: Any = self._env.sim.physics_manager
        view = self.robot.root_view
        values = wp.to_torch(view.get_attribute("shape_material_mu", manager.get_model())[:, 0])  # (B, shapes)
        for name in body_names:
            (body,) = self.robot.map_body_ids_to_backend([self.body_id(name)])
            values[:, view.body_shapes[int(body)]] = friction[:, None]
        manager.add_model_change(ModelFlags.SHAPE_PROPERTIES)
