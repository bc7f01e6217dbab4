"""Forces from torques against MuJoCo's own contact forces, and the rules on them."""

from dataclasses import replace

import mujoco
import numpy as np
import pytest
from beyondmimic_diffusion.core.estimation import ContactConfig, ContactDetector, FootKinematics, vertical_forces
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.types import JointCommand
from beyondmimic_diffusion.sim.mujoco_g1 import MujocoG1

UP = np.array([0.0, 0.0, 1.0])
MOVING = np.ones(29)
"""Joint velocities of a robot that walks [rad/s]."""
CENTRE = np.full((2, 6), 1.0 / 6.0)


@pytest.fixture(scope="module")
def kinematics():
    return FootKinematics()


def standing():
    sim, zero = MujocoG1(), np.zeros(29)
    sim.step(JointCommand(0.0, g1.DEFAULT_JOINT_POS, zero, 4 * g1.KP, g1.KD, zero), 500)
    return sim


def contact_force(sim, foot):
    """What MuJoCo's contacts push up with under a foot [N]."""
    total, body = 0.0, sim.model.body(g1.FOOT_BODIES[foot]).id
    for i in range(sim.data.ncon):
        if body in sim.model.geom_bodyid[sim.data.contact.geom[i]]:
            force = np.zeros(6)
            mujoco.mj_contactForce(sim.model, sim.data, i, force)
            total += float((sim.data.contact.frame[i].reshape(3, 3).T @ force[:3])[2])
    return abs(total)


def test_the_torques_of_a_standing_robot_tell_what_the_floor_carries_but_for_the_legs_own_weight(kinematics):
    sim = standing()
    geometry, joints = kinematics.see(sim.joints().position), sim.joints()
    up_b = sim.data.xmat[1].reshape(3, 3)[2]
    legs = sum(float(m) for name, m in body_masses(sim) if any(part in name for part in ("hip", "knee", "ankle")))
    got = vertical_forces(geometry, geometry.contact(CENTRE), joints.effort, up_b)
    for foot in (0, 1):
        assert got[foot] == pytest.approx(contact_force(sim, foot), abs=0.5 * 9.81 * legs)
    assert (got > ContactConfig().load).all()


def body_masses(sim):
    return [(sim.model.body(i).name, sim.model.body_mass[i]) for i in range(sim.model.nbody)]


def see(detector, kinematics, effort, joint_pos=g1.DEFAULT_JOINT_POS, times=1, dt=0.004, joint_vel=MOVING):
    for _ in range(times):
        detector.update(kinematics.see(joint_pos), effort, joint_vel, UP, dt)
    return tuple(detector.standing)


def pressing(kinematics, newtons):
    """Torques of legs that press straight down with so much [N], shape (2,)."""
    geometry = kinematics.see(g1.DEFAULT_JOINT_POS)
    jacobian = geometry.jacobian(geometry.contact(CENTRE))
    effort = np.zeros(29)
    for foot in (0, 1):
        effort[6 * foot : 6 * foot + 6] = -jacobian[foot].T @ (newtons[foot] * UP)
    return effort


def test_a_foot_stands_from_the_load_on_after_the_delay_and_until_the_release(kinematics):
    config = ContactConfig(load=100.0, release=60.0, delay=0.02)
    detector = ContactDetector(config)
    see(detector, kinematics, pressing(kinematics, (200, 200)), times=50)  # first steps
    see(detector, kinematics, pressing(kinematics, (10, 10)), times=5)
    assert see(detector, kinematics, pressing(kinematics, (90, 90)), times=20) == (False, False)
    assert see(detector, kinematics, pressing(kinematics, (120, 90)), times=4) == (False, False)  # 16 ms
    assert see(detector, kinematics, pressing(kinematics, (120, 90))) == (True, False)
    assert see(detector, kinematics, pressing(kinematics, (70, 90)), times=5) == (True, False)
    assert see(detector, kinematics, pressing(kinematics, (50, 90))) == (False, False)


def test_until_it_moves_for_the_first_time_a_foot_stands_under_little_load(kinematics):
    detector = ContactDetector(ContactConfig(load=100.0, release=60.0, still_load=40.0, still_speed=0.3, delay=0.0))
    effort, noise = pressing(kinematics, (50, 30)), np.random.default_rng(0).normal(0.0, 0.1, 29)
    assert see(detector, kinematics, effort, joint_vel=noise, times=500) == (True, False)
    see(detector, kinematics, np.full(29, 1e-3), times=100)  # legs that move in the air are no steps
    assert see(detector, kinematics, effort, joint_vel=noise) == (True, False)
    assert see(detector, kinematics, effort, joint_vel=np.full(29, 0.35), times=30) == (False, False)
    assert see(detector, kinematics, effort, joint_vel=noise, times=500) == (False, False)
    detector.reset()
    assert see(detector, kinematics, effort, joint_vel=noise) == (True, False)


def test_a_foot_that_is_far_above_the_other_one_does_not_stand_whatever_its_torques(kinematics):
    lifted = g1.DEFAULT_JOINT_POS.copy()
    lifted[[0, 3]] += (-0.6, 0.9)  # left hip and knee
    detector = ContactDetector(ContactConfig())
    geometry = kinematics.see(lifted)
    jacobian = geometry.jacobian(geometry.contact(CENTRE))
    effort = np.zeros(29)
    for foot in (0, 1):
        effort[6 * foot : 6 * foot + 6] = -jacobian[foot].T @ (300.0 * UP)
    assert see(detector, kinematics, effort, lifted, times=10) == (False, True)


@pytest.mark.parametrize("effort", [np.zeros(29), np.full(29, np.nan)], ids=["zero", "nan"])
def test_without_torques_height_alone_decides(effort, kinematics):
    lifted = g1.DEFAULT_JOINT_POS.copy()
    lifted[[0, 3]] += (-0.6, 0.9)
    detector = ContactDetector(replace(ContactConfig(), delay=0.0))
    assert see(detector, kinematics, effort) == (True, True)
    assert see(detector, kinematics, effort, lifted) == (False, True)


def test_on_a_tilted_foot_the_point_of_contact_is_at_its_lowest_edge(kinematics):
    tilted = g1.DEFAULT_JOINT_POS.copy()
    tilted[[4, 10]] += 0.3  # ankles: toes down
    detector = ContactDetector(ContactConfig())
    geometry = kinematics.see(tilted)
    detector.update(geometry, np.zeros(29), MOVING, UP, 0.0)
    points = geometry.contact(detector.weights)
    lowest = geometry.points_b[:, :, 2].min(axis=1)
    np.testing.assert_allclose(points[:, 2], lowest, atol=5e-3)
    np.testing.assert_allclose(detector.weights.sum(axis=1), 1.0)
