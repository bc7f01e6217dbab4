"""Key points against a chain of rotations read from the XML, and against finite differences."""

import sys
from pathlib import Path

import numpy as np
import pytest
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.robot.kinematics import Kinematics, from_mujoco, to_mujoco
from beyondmimic_diffusion.core.robot.model import g1_mjcf_path
from beyondmimic_diffusion.core.types import RobotState
from scipy.spatial.transform import Rotation

sys.path.insert(0, str(Path(__file__).parents[2] / "reference"))
from g1_chain import point_positions  # noqa: E402  # pyright: ignore[reportMissingImports]


@pytest.fixture(scope="module")
def kinematics() -> Kinematics:
    return Kinematics()


def random_state(seed: int) -> RobotState:
    rng = np.random.default_rng(seed)
    low, high = g1.JOINT_POS_LIMITS.T
    return RobotState(
        stamp=0.0,
        root_pos_w=rng.normal(size=3),
        root_quat_w=Rotation.random(rng=rng).as_quat(scalar_first=True),
        root_lin_vel_w=rng.normal(size=3),
        root_ang_vel_w=rng.normal(size=3),
        joint_pos=rng.uniform(low, high),
        joint_vel=rng.normal(size=g1.NUM_JOINTS),
    )


@pytest.mark.parametrize("seed", range(5))
def test_key_points_are_where_a_chain_of_rotations_from_the_xml_puts_them(kinematics: Kinematics, seed: int):
    state = random_state(seed)
    expected = point_positions(
        g1_mjcf_path(),
        state.root_pos_w,
        state.root_quat_w,
        dict(zip(g1.JOINT_NAMES, state.joint_pos, strict=True)),
        [(p.body, p.offset_b) for p in g1.KEY_POINTS],
    )
    np.testing.assert_allclose(kinematics.key_points(state)[0], expected, atol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_key_point_velocities_are_differences_of_positions(kinematics: Kinematics, seed: int):
    state, h = random_state(seed), 1e-5

    def moved(dt: float) -> np.ndarray:
        turn = Rotation.from_rotvec(state.root_ang_vel_w * dt)  # world axes: on the left
        quat = turn * Rotation.from_quat(state.root_quat_w, scalar_first=True)
        there = RobotState(
            dt,
            state.root_pos_w + dt * state.root_lin_vel_w,
            quat.as_quat(scalar_first=True),
            state.root_lin_vel_w,
            state.root_ang_vel_w,
            state.joint_pos + dt * state.joint_vel,
            state.joint_vel,
        )
        return kinematics.key_points(there)[0]

    slope = (moved(h) - moved(-h)) / (2.0 * h)
    np.testing.assert_allclose(
        kinematics.key_points(state)[1], slope, atol=1e-6
    )  # third derivative x h^2, rounding / h


def test_a_state_survives_the_way_to_mujoco_and_back():
    state = random_state(3)
    back = from_mujoco(*to_mujoco(state), stamp=0.0)
    for name in ("root_pos_w", "root_quat_w", "root_lin_vel_w", "root_ang_vel_w", "joint_pos", "joint_vel"):
        np.testing.assert_allclose(getattr(back, name), getattr(state, name), atol=1e-12)


def test_mirrored_pose_has_mirrored_key_points(kinematics: Kinematics):
    q = np.random.default_rng(1).uniform(*g1.JOINT_POS_LIMITS.T)
    zeros, upright = np.zeros(35), np.array([0.0, 0.0, 0.8, 1.0, 0.0, 0.0, 0.0])
    mirrored_q = g1.MIRROR_JOINT_SIGN * q[list(g1.MIRROR_JOINT_INDEX)]
    poses = np.array([np.concatenate([upright, q]), np.concatenate([upright, mirrored_q])])
    pos, mirrored_pos = kinematics.key_points_batch(poses, np.stack([zeros, zeros]))[0]
    expected = pos[list(g1.MIRROR_KEY_POINT_INDEX)] * (1.0, -1.0, 1.0)
    np.testing.assert_allclose(mirrored_pos, expected, atol=2e-4)  # the MJCF's two shoulders differ by 0.01 mm
