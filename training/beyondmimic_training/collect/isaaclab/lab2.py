"""Isaac Lab 2.x on Isaac Sim: what differs from 3.x (``lab3.py``). Quaternions are wxyz, data are tensors, PhysX.

It needs Isaac Sim and a GPU: type-checked against 2.3.2 and never run here.
"""

from __future__ import annotations

import torch
from isaaclab.actuators import ImplicitActuatorCfg
from isaaclab.assets import Articulation
from isaaclab.envs import ManagerBasedRLEnv
from isaaclab.sim import CollisionPropertiesCfg, SimulationCfg


def simulation_config(dt: float, render_interval: int, device: str) -> SimulationCfg:
    """PhysX as it comes."""
    return SimulationCfg(dt=dt, render_interval=render_interval, device=device)


def actuator(
    kp: dict[str, float], kd: dict[str, float], effort: dict[str, float], armature: dict[str, float]
) -> ImplicitActuatorCfg:
    """PD motors inside the solver, by joint name."""
    return ImplicitActuatorCfg(
        joint_names_expr=list(kp), stiffness=kp, damping=kd, effort_limit_sim=effort, armature=armature
    )


def collision() -> CollisionPropertiesCfg:
    """Something that can be touched."""
    return CollisionPropertiesCfg()


def set_targets(robot: Articulation, targets: torch.Tensor, joint_ids: torch.Tensor) -> None:
    """Position targets [rad], shape (B, J), of the joints ``joint_ids``."""
    robot.set_joint_position_target(targets, joint_ids=joint_ids.tolist())


class RobotAccess:
    """One articulation's state and physics; joints in the order of ``joint_names``, quaternions wxyz."""

    def __init__(self, env: ManagerBasedRLEnv, joint_names: tuple[str, ...]):
        self._env = env
        self.robot: Articulation = env.scene["robot"]
        self._joints, _ = self.robot.find_joints(list(joint_names), preserve_order=True)
        self._all = torch.arange(env.num_envs, device="cpu")
        self._masses: torch.Tensor = self.robot.root_physx_view.get_masses().clone()
        self._inertias: torch.Tensor = self.robot.root_physx_view.get_inertias().clone()

    def body_id(self, name: str) -> int:
        """Place of a body."""
        return int(self.robot.find_bodies([name])[0][0])

    def read(self) -> dict[str, torch.Tensor]:
        """Root pose (position relative to the environment's origin) and velocity of its origin, and the joints."""
        data = self.robot.data
        return {
            "root_pos_w": data.root_link_pos_w - self._env.scene.env_origins,
            "root_quat_w": data.root_link_quat_w,
            "root_lin_vel_w": data.root_link_lin_vel_w,
            "root_ang_vel_w": data.root_link_ang_vel_w,
            "joint_pos": data.joint_pos[:, self._joints],
            "joint_vel": data.joint_vel[:, self._joints],
        }

    def place(self, root_pos: torch.Tensor, root_quat: torch.Tensor, joint_pos: torch.Tensor) -> None:
        """Put all robots somewhere at rest: position relative to the origins [m] (B, 3), wxyz (B, 4), joints (B, J)."""
        pose = torch.cat([root_pos + self._env.scene.env_origins, root_quat], dim=-1)
        self.robot.write_root_link_pose_to_sim(pose)
        self.set_root_velocity(torch.zeros(len(pose), 6, device=pose.device))
        self.robot.write_joint_state_to_sim(joint_pos, torch.zeros_like(joint_pos), joint_ids=self._joints)

    def set_root_velocity(self, velocity: torch.Tensor) -> None:
        """Linear [m/s] and angular [rad/s] velocity of the root's origin, world axes, shape (B, 6)."""
        self.robot.write_root_link_velocity_to_sim(velocity)

    def set_gains(self, kp: torch.Tensor, kd: torch.Tensor, joint_damping: torch.Tensor) -> None:
        """Of the motors, and the joints' viscous friction; each (B, J).

        PhysX before Isaac Sim 5 knows no viscous friction in joints, so it is added to the motors' damping.
        """
        self.robot.write_joint_stiffness_to_sim(kp, joint_ids=self._joints)
        self.robot.write_joint_damping_to_sim(kd + joint_damping, joint_ids=self._joints)

    def set_masses(self, scale: torch.Tensor, payload_body: str, payload: torch.Tensor) -> None:
        """Masses and inertias as a multiple of the nominal ones (B,), and mass added to one body [kg] (B,)."""
        factor = scale.cpu()
        masses = self._masses * factor[:, None]
        masses[:, self.body_id(payload_body)] += payload.cpu()
        self.robot.root_physx_view.set_masses(masses, self._all)
        self.robot.root_physx_view.set_inertias(self._inertias * factor[:, None, None], self._all)

    def set_friction(self, body_names: tuple[str, ...], friction: torch.Tensor) -> None:
        """Sliding friction of some bodies' shapes, shape (B,); shapes lie body after body, in the view's order."""
        view = self.robot.root_physx_view
        counts = [self.robot._physics_sim_view.create_rigid_body_view(path).max_shapes for path in view.link_paths[0]]
        materials = view.get_material_properties()  # (B, shapes, 3): static and dynamic friction, restitution
        for name in body_names:
            body = self.body_id(name)
            first = sum(counts[:body])
            materials[:, first : first + counts[body], :2] = friction.cpu()[:, None, None]
        view.set_material_properties(materials, self._all)
