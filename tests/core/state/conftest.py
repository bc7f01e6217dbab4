"""A short MuJoCo rollout that is neither symmetric nor steady."""

import numpy as np
import pytest
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.robot.kinematics import Kinematics, from_mujoco
from beyondmimic_diffusion.core.state import (
    BodyPosRepresentation,
    JointRotRepresentation,
    Mirror,
    StateSequence,
)
from beyondmimic_diffusion.core.types import JointCommand
from beyondmimic_diffusion.sim.mujoco_g1 import MujocoG1

ROLLOUT_DT = 5e-4
"""[s]; small, since velocities are compared with differences of positions."""


@pytest.fixture(scope="session")
def kinematics() -> Kinematics:
    return Kinematics()


@pytest.fixture(scope="session")
def rollout_dt() -> float:
    return ROLLOUT_DT


@pytest.fixture(scope="session")
def rollout(kinematics: Kinematics) -> StateSequence:
    """A thrown robot that moves all its joints, leading shape (120,); it turns past the seam of the heading at pi."""
    rng = np.random.default_rng(3)
    sim = MujocoG1(timestep=ROLLOUT_DT)
    yaw = 3.1
    quat = np.array([np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)])
    sim.reset(root_pos_w=np.array([2.0, -1.0, 1.1]), root_quat_w=quat, root_lin_vel_w=np.array([0.5, -0.8, 0.4]))
    sim.data.qvel[3:6] = (0.6, -0.5, 2.0)
    zeros = np.zeros(g1.NUM_JOINTS)
    target = g1.DEFAULT_JOINT_POS + rng.normal(0.0, 0.2, g1.NUM_JOINTS)
    command = JointCommand(0.0, target, zeros, g1.KP, g1.KD, zeros)
    qpos, qvel = [], []
    for _ in range(120):
        sim.step(command)
        qpos.append(sim.data.qpos.copy())
        qvel.append(sim.data.qvel.copy())
    key_pos, key_vel = kinematics.key_points_batch(np.array(qpos), np.array(qvel))
    states = [from_mujoco(q, v, 0.0) for q, v in zip(qpos, qvel, strict=True)]
    names = ("root_pos_w", "root_quat_w", "root_lin_vel_w", "root_ang_vel_w", "joint_pos", "joint_vel")
    return StateSequence(
        **{name: np.stack([getattr(s, name) for s in states]) for name in names}, key_pos_w=key_pos, key_vel_w=key_vel
    )


@pytest.fixture(params=["body_pos", "joint_rot"])
def representation(request: pytest.FixtureRequest) -> BodyPosRepresentation | JointRotRepresentation:
    if request.param == "body_pos":
        return BodyPosRepresentation(g1.KEY_POINT_NAMES)
    return JointRotRepresentation(g1.JOINT_NAMES)


@pytest.fixture
def mirror(representation: BodyPosRepresentation | JointRotRepresentation) -> Mirror:
    return Mirror(representation, g1.MIRROR_KEY_POINT_INDEX, g1.MIRROR_JOINT_INDEX, g1.MIRROR_JOINT_SIGN)
