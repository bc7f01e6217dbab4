"""The simple odometry, against a robot whose foot is nailed to the floor and against MuJoCo."""

from dataclasses import replace

import mujoco
import numpy as np
import pytest
from beyondmimic_diffusion.core.estimation import (
    ComplementaryConfig,
    EstimatorConfig,
    OdometrySource,
    StateEstimator,
)
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.robot.model import load_model
from beyondmimic_diffusion.core.rotations import quat_from_matrix, quat_from_yaw, quat_multiply, quat_rotate
from beyondmimic_diffusion.core.types import ImuSample, JointCommand, JointSample
from beyondmimic_diffusion.sim.mujoco_g1 import MujocoG1


def simple_estimator(**settings):
    return StateEstimator(EstimatorConfig(method="complementary", complementary=ComplementaryConfig(**settings)))


DT = 0.002
EPS = 1e-5


class NailedRobot:
    """Squats and sways on its left foot, the right one lifted: root pose by inverting MuJoCo's foot pose.

    Velocities and accelerations are central differences of poses: no Jacobian, no formula of the estimator.
    """

    def __init__(self):
        self._model = load_model()
        self._data = mujoco.MjData(self._model)
        self._foot = self._model.body("left_ankle_roll_link").id
        self._imu_b = self._model.site(g1.IMU_SITE).pos
        self._nail_rot, self._nail_pos = np.eye(3), np.array([0.0, 0.0, 0.035])  # sole flat on the floor

    @staticmethod
    def joint_pos(t):
        q = g1.DEFAULT_JOINT_POS.copy()
        swing = 1.0 - np.cos(2.0 * t)
        q[[0, 3, 4]] += np.array([-0.2, 0.4, -0.2]) * swing + 0.05 * np.sin(3.0 * t)  # left hip pitch, knee, ankle
        q[[1, 5]] += 0.08 * np.sin(2.5 * t)
        q[2] += 0.2 * np.sin(1.5 * t)
        q[[6, 9]] += (-1.1, 1.7)  # right leg up
        q[12] += 0.3 * np.sin(t)
        return q

    def _foot_pose(self, joint_pos):
        self._data.qpos[:] = 0.0
        self._data.qpos[3] = 1.0
        self._data.qpos[7:] = joint_pos
        mujoco.mj_kinematics(self._model, self._data)
        return self._data.xmat[self._foot].reshape(3, 3).copy(), self._data.xpos[self._foot].copy()

    def root(self, t):
        """Rotation (3, 3) and position (3,) of the pelvis with the left sole on the floor."""
        rot, pos = self._foot_pose(self.joint_pos(t))
        root_rot = self._nail_rot @ rot.T
        return root_rot, self._nail_pos - root_rot @ pos

    def root_vel(self, t):
        return (self.root(t + EPS)[1] - self.root(t - EPS)[1]) / (2 * EPS)

    def _imu_pos(self, t):
        rot, pos = self.root(t)
        return pos + rot @ self._imu_b

    def samples(self, t):
        rot, _ = self.root(t)
        rot_dot = (self.root(t + EPS)[0] - self.root(t - EPS)[0]) / (2 * EPS)
        spin = rot.T @ rot_dot  # skew of the body rate
        ang_vel_b = np.array([spin[2, 1], spin[0, 2], spin[1, 0]])
        h = 1e-3
        acc = (self._imu_pos(t + h) - 2 * self._imu_pos(t) + self._imu_pos(t - h)) / h**2
        imu = ImuSample(t, quat_from_matrix(rot), ang_vel_b, rot.T @ (acc + [0, 0, 9.81]))
        q, qd = self.joint_pos(t), (self.joint_pos(t + EPS) - self.joint_pos(t - EPS)) / (2 * EPS)
        return imu, JointSample(t, q, qd, np.zeros(29))


@pytest.mark.parametrize("velocity_time", [0.0, 0.1])
def test_the_motion_over_a_nailed_foot_is_tracked(velocity_time):
    """Without the lag only finite differences are left (1e-8 / EPS); with it, the accelerometer's Euler steps."""
    robot = NailedRobot()
    estimator = simple_estimator(velocity_time=velocity_time, height_time=0.0)
    estimator.reset(robot.root(0.0)[1][:2])
    for i in range(1000):
        state = estimator.update(*robot.samples(i * DT))
        np.testing.assert_allclose(
            state.root_lin_vel_w, robot.root_vel(i * DT), atol=1e-5 if velocity_time == 0 else 5e-3
        )
        assert state.root_pos_w[2] == pytest.approx(robot.root(i * DT)[1][2], abs=1e-6)
        assert estimator.foot_contact == (True, False)
    np.testing.assert_allclose(state.root_pos_w, robot.root(i * DT)[1], atol=2e-3)  # Euler steps of 2 ms


def test_turning_the_whole_robot_turns_the_estimate_with_it():
    robot, yaw = NailedRobot(), quat_from_yaw(1.1)
    straight, turned = simple_estimator(), simple_estimator()
    for i in range(100):
        imu, joints = robot.samples(i * DT)
        a = straight.update(imu, joints)
        b = turned.update(replace(imu, quat_w=quat_multiply(yaw, imu.quat_w)), joints)
    np.testing.assert_allclose(b.root_lin_vel_w, quat_rotate(yaw, a.root_lin_vel_w), atol=1e-12)
    np.testing.assert_allclose(b.root_pos_w, quat_rotate(yaw, a.root_pos_w), atol=1e-12)


def test_after_a_gap_the_velocity_starts_anew_from_the_standing_foot_and_the_position_stays():
    robot, estimator = NailedRobot(), simple_estimator()
    for i in range(100):
        before = estimator.update(*robot.samples(i * DT))
    after = estimator.update(*robot.samples(2.0))
    np.testing.assert_allclose(after.root_lin_vel_w, robot.root_vel(2.0), atol=1e-5)
    np.testing.assert_array_equal(after.root_pos_w[:2], before.root_pos_w[:2])


def test_a_standing_robot_in_mujoco_is_seen_standing_on_both_feet_at_its_height():
    sim, estimator = MujocoG1(), simple_estimator()
    zero = np.zeros(29)
    command = JointCommand(0.0, g1.DEFAULT_JOINT_POS, zero, 4 * g1.KP, g1.KD, zero)
    for _ in range(200):
        sim.step(command)
        state = estimator.update(sim.imu(), sim.joints())
    truth = sim.state()
    assert estimator.foot_contact == (True, True)
    assert estimator.source is OdometrySource.LEG
    np.testing.assert_allclose(state.root_lin_vel_w, truth.root_lin_vel_w, atol=5e-3)
    assert state.root_pos_w[2] == pytest.approx(truth.root_pos_w[2], abs=3e-3)  # feet sink in by a millimetre


def test_position_uncertainty_grows_with_the_way_travelled_and_truth_has_none():
    robot, estimator = NailedRobot(), simple_estimator(drift=0.1)
    travelled, last = 0.0, None
    for i in range(200):
        state = estimator.update(*robot.samples(i * DT))
        travelled += 0.0 if last is None else float(np.hypot(*(state.root_pos_w - last)[:2]))
        last = state.root_pos_w
    assert estimator.position_std == pytest.approx(0.1 * travelled)
    sim = MujocoG1()
    use_truth(estimator, sim)
    assert (estimator.position_std, estimator.source) == (0.0, OdometrySource.SIM_TRUTH)


def use_truth(estimator, sim):
    truth = sim.state()
    return estimator.update_with_truth(
        sim.joints(),
        stamp=truth.stamp,
        root_pos_w=truth.root_pos_w,
        root_quat_w=truth.root_quat_w,
        root_lin_vel_w=truth.root_lin_vel_w,
        root_ang_vel_w=truth.root_ang_vel_w,
    )


def test_with_the_simulators_truth_the_root_is_the_truth_and_the_joints_are_what_the_encoders_read():
    sim, estimator = MujocoG1(), simple_estimator()
    sim.reset(root_lin_vel_w=np.array([0.1, 0.2, 0.0]), stamp=3.0)
    state = use_truth(estimator, sim)
    for name, want in vars(sim.state()).items():
        if want is not None:  # the simulator's motors have no temperature
            np.testing.assert_allclose(getattr(state, name), want, atol=1e-12)
    assert estimator.foot_contact == (True, True)
    sim.reset(root_pos_w=np.array([0.0, 0.0, 1.5]))
    use_truth(estimator, sim)
    assert estimator.foot_contact == (False, False)
