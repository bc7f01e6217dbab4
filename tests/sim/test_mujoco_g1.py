"""The simulator against a PD loop written out by hand, and against mechanics."""

import mujoco
import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import RobotModelError
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.rotations import quat_rotate
from beyondmimic_diffusion.core.types import JointCommand
from beyondmimic_diffusion.sim.mujoco_g1 import GRAVITY, MujocoG1, Physics

ZEROS = np.zeros(g1.NUM_JOINTS)


def stand(kp_scale: float = 1.0) -> JointCommand:
    return JointCommand(0.0, g1.DEFAULT_JOINT_POS, ZEROS, kp_scale * g1.KP, kp_scale * g1.KD, ZEROS)


def test_motors_follow_the_pd_law_clipped_at_their_limits():
    rng = np.random.default_rng(0)
    sim, by_hand = MujocoG1(), MujocoG1()
    command = JointCommand(
        0.0, g1.DEFAULT_JOINT_POS + rng.normal(0.0, 0.8, 29), rng.normal(size=29), g1.KP, g1.KD, rng.normal(size=29)
    )
    by_hand.model.actuator_gainprm[:, 0] = 0.0  # its motors are dead; torques are applied from outside
    data = by_hand.data
    clipped = 0
    for _ in range(50):
        torque = (
            command.tau_ff + g1.KP * (command.position - data.qpos[7:]) + g1.KD * (command.velocity - data.qvel[6:])
        )
        clipped += int(np.any(np.abs(torque) > g1.EFFORT_LIMITS))
        data.qfrc_applied[6:] = np.clip(torque, -g1.EFFORT_LIMITS, g1.EFFORT_LIMITS)
        mujoco.mj_step(by_hand.model, data)
        sim.step(command)
    assert clipped > 0
    np.testing.assert_allclose(sim.data.qpos, data.qpos, atol=1e-9)  # the same arithmetic in another order


def test_holding_a_command_for_n_steps_is_n_single_steps():
    one, many = MujocoG1(), MujocoG1()
    many.step(stand(), 20)
    for _ in range(20):
        one.step(stand())
    np.testing.assert_array_equal(one.data.qpos, many.data.qpos)


def test_zero_gains_leave_the_motors_limp():
    sim = MujocoG1()
    sim.step(stand(kp_scale=0.0), 10)
    np.testing.assert_array_equal(sim.joints().effort, ZEROS)


def test_a_robot_put_down_touches_the_floor_with_its_lower_foot():
    sim = MujocoG1()
    assert sim.sole_height() == pytest.approx(0.0, abs=1e-9)
    assert not sim.fallen()
    assert sim.head_height() == pytest.approx(1.2, abs=0.1)


def test_push_changes_the_velocity_of_every_mass_alike():
    sim = MujocoG1()
    before = sim.data.subtree_linvel[0].copy()
    sim.push(np.array([0.3, -0.2]))
    mujoco.mj_subtreeVel(sim.model, sim.data)
    mujoco.mj_comVel(sim.model, sim.data)
    mujoco.mj_subtreeVel(sim.model, sim.data)
    np.testing.assert_allclose(sim.data.subtree_linvel[0] - before, [0.3, -0.2, 0.0], atol=1e-9)


@pytest.mark.parametrize("steps", [1, 4])
def test_the_accelerometer_feels_a_push_once_and_all_of_it(steps):
    air = {"root_pos_w": np.array([0.0, 0.0, 5.0]), "root_quat_w": np.array([0.8, 0.0, 0.0, 0.6])}
    sim, left_alone, pushes = MujocoG1(), MujocoG1(), ([0.3, -0.2], [0.1, 0.1])
    for each in (sim, left_alone):
        each.reset(**air)
    for delta in pushes:
        sim.push(np.array(delta))
    for each in (sim, left_alone):
        each.step(stand(kp_scale=0.0), steps)
    felt_b = sim.imu().lin_acc_b - left_alone.imu().lin_acc_b
    delta_v_w = quat_rotate(sim.imu().quat_w, felt_b) * steps * sim.dt
    np.testing.assert_allclose(delta_v_w, [0.4, -0.1, 0.0], atol=1e-9)
    for each in (sim, left_alone):
        each.advance(steps)
    np.testing.assert_allclose(sim.imu().lin_acc_b, left_alone.imu().lin_acc_b, atol=1e-6)
    sim.push(np.array([0.3, 0.0]))
    for each in (sim, left_alone):
        each.reset(**air)
        each.advance(steps)
    np.testing.assert_array_equal(sim.imu().lin_acc_b, left_alone.imu().lin_acc_b)


def test_imu_feels_gravity_at_rest_and_nothing_in_free_fall():
    sim = MujocoG1()
    sim.reset(root_pos_w=np.array([0.0, 0.0, 5.0]))
    sim.step(stand(kp_scale=0.0), 1)
    assert np.linalg.norm(sim.imu().lin_acc_b) < 0.1
    lying = MujocoG1(timestep=0.004)
    lying.step(stand(), 2000)  # without a controller it sinks to the floor and comes to rest there
    imu = lying.imu()
    force_w = quat_rotate(imu.quat_w, imu.lin_acc_b)
    np.testing.assert_allclose(force_w, [0.0, 0.0, GRAVITY], atol=0.1)  # contacts still creep a little


def test_encoder_offsets_shift_readings_and_targets_but_not_the_truth():
    offset = np.full(g1.NUM_JOINTS, 0.05)
    shifted, plain = MujocoG1(), MujocoG1()
    shifted.set_physics(Physics(joint_offset=offset))
    shifted.reset()
    np.testing.assert_allclose(shifted.joints().position - shifted.state().joint_pos, offset)
    moved = JointCommand(0.0, g1.DEFAULT_JOINT_POS + offset, ZEROS, g1.KP, g1.KD, ZEROS)
    shifted.step(moved, 50)  # asks, in shifted coordinates, for what the plain robot is asked for
    plain.step(stand(), 50)
    np.testing.assert_allclose(shifted.data.qpos, plain.data.qpos, atol=1e-9)


def test_heavier_robot_weighs_what_it_should():
    sim = MujocoG1()
    nominal = sim.model.body_mass.sum()
    sim.set_physics(Physics(mass_scale=1.05, payload=2.0))
    assert sim.model.body_mass.sum() == pytest.approx(1.05 * nominal + 2.0)
    sim.set_physics(Physics())
    assert sim.model.body_mass.sum() == pytest.approx(nominal)


def test_a_simulator_without_sensors_refuses_to_invent_an_imu():
    with pytest.raises(RobotModelError, match="sensors=True"):
        MujocoG1(sensors=False).imu()
