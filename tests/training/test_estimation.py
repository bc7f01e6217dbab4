"""Figures of the estimator's walks: from traces made by hand, and one short walk through the command."""

import json
import math

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.rotations import quat_rotate_inverse
from beyondmimic_diffusion.core.types import JointCommand
from beyondmimic_diffusion.sim.mujoco_g1 import MujocoG1
from beyondmimic_diffusion.sim.noisy_sensors import FullScale, NoisySensors, SensorNoise
from beyondmimic_training.cli import main
from beyondmimic_training.estimation.command import estimator_config
from beyondmimic_training.estimation.score import WalkTrace, chi_square_band, score, summarize
from beyondmimic_training.estimation.walks import DIRECTIONS, PUSH_DURATION, PUSH_SPEED, draw_walk
from beyondmimic_training.evaluate.fleet import CONTROL_DT, Fleet
from beyondmimic_training.evaluate.observer import EstimatorObserver, TruthObserver
from beyondmimic_training.evaluate.suites import suite_named

QUIET = SensorNoise(0.0, FullScale(), 0.0, 0.0, 0.0, 0.0)


def straight(speed=0.5, seconds=20.0, drift=0.02, nees=(6.0, 3.0)):
    """A walk along x whose estimate is too far by ``drift`` of the way."""
    stamp = 0.02 * np.arange(round(seconds / 0.02) + 1)
    place = np.zeros((len(stamp), 3))
    place[:, 0] = speed * stamp
    zeros = np.zeros(len(stamp))
    velocity = np.tile([0.03, 0.04, 0.0], (len(stamp), 1))
    tilt, heading = np.full(len(stamp), math.radians(1.0)), np.full(len(stamp), -math.radians(2.0))
    return WalkTrace(
        stamp, place, place * (1 + drift), velocity, tilt, heading, zeros, np.tile(nees, (len(stamp), 1)), False
    )


def test_a_walk_of_ten_metres_with_twenty_centimetres_too_many_drifts_by_two_percent():
    got = score(7, straight())
    assert (got.index, got.distance, got.end_error) == (7, pytest.approx(10.0), pytest.approx(0.2))
    assert got.drift == pytest.approx(0.02)
    assert got.velocity_rms == pytest.approx(0.05)
    assert (got.tilt_rms, got.heading_rms, got.heading_end) == pytest.approx((1.0, 2.0, -2.0))
    assert (got.pose_nees, got.velocity_nees) == pytest.approx((1.0, 1.0))


def test_swaying_on_the_spot_is_no_distance():
    trace = straight(speed=0.0, drift=0.0)
    trace.place[:, 1] = 0.05 * np.sin(2 * np.pi * trace.stamp)  # a period of one second: the stride
    assert score(0, trace).distance == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(("degrees", "low", "high"), [(60, 40.48, 83.30), (120, 91.57, 152.21), (100, 74.22, 129.56)])
def test_the_chi_square_band_is_that_of_the_tables(degrees, low, high):
    """0.025 and 0.975 points of published tables."""
    np.testing.assert_allclose(chi_square_band(degrees), (low / degrees, high / degrees), rtol=2e-3)


def test_the_summary_says_which_limit_was_exceeded():
    traces = [straight(), straight(drift=0.1, nees=(60.0, 3.0))]
    report = summarize([score(i, trace) for i, trace in enumerate(traces)], traces)
    assert report["drift"] == pytest.approx({"mean": 0.06, "median": 0.06, "worst": 0.1})
    assert report["within"] == {
        "drift": False, "velocity_rms": True, "tilt_rms": True, "nees_pose": False, "nees_velocity": True,
    }  # fmt: skip


def test_a_walk_follows_from_seed_and_number_and_goes_in_all_directions():
    one, again, other = draw_walk(5, 2, 60.0), draw_walk(5, 2, 60.0), draw_walk(5, 3, 60.0)
    np.testing.assert_array_equal(one.commands, again.commands)
    np.testing.assert_array_equal(one.pushes, again.pushes)
    assert not np.array_equal(one.commands, other.commands)
    forward, left, turn = one.commands.T
    assert min(forward.max(), left.max(), turn.max()) > 0.1 > -0.1 > max(forward.min(), left.min(), turn.min())
    assert len(DIRECTIONS) == 8
    speed = np.linalg.norm(one.pushes, axis=1).reshape(-1, 1) * PUSH_DURATION
    pushed = speed[speed > 0]
    assert PUSH_SPEED[0] <= pushed.min() <= pushed.max() <= PUSH_SPEED[1]


def test_sensors_without_noise_read_the_truth_but_the_imus_own_orientation_which_nobody_is_told():
    sim = MujocoG1()
    sim.reset(root_quat_w=np.array([0.0, 0.0, 0.0, 1.0]))
    imu, joints = NoisySensors(QUIET, np.random.default_rng(0)).read(sim)
    np.testing.assert_array_equal(imu.ang_vel_b, sim.imu().ang_vel_b)
    np.testing.assert_array_equal(imu.lin_acc_b, sim.imu().lin_acc_b)
    np.testing.assert_array_equal(joints.position, sim.joints().position)
    np.testing.assert_array_equal(imu.quat_w, [1.0, 0.0, 0.0, 0.0])


def test_noise_and_biases_are_as_large_as_they_say():
    """Means and deviations of 2000 samples of a robot held still; tolerances of four standard errors."""
    sim, noise = MujocoG1(), SensorNoise()
    sensors = NoisySensors(noise, np.random.default_rng(4))
    bias = sensors.gyro_bias.copy()
    draws = [sensors.read(sim) for _ in range(2000)]
    gyro, angles = np.array([i.ang_vel_b for i, _ in draws]), np.array([j.position for _, j in draws])
    std = 0.02 * noise.full_scale.gyro
    np.testing.assert_allclose(gyro.mean(axis=0), bias, atol=4 * std / math.sqrt(2000))
    np.testing.assert_allclose(gyro.std(axis=0), std, rtol=4 / math.sqrt(4000))
    assert angles.std(axis=0).mean() == pytest.approx(0.02 * noise.full_scale.joint_pos, rel=0.02)
    drawn = [NoisySensors(noise, np.random.default_rng(seed)).gyro_bias for seed in range(300)]
    assert np.std(drawn) == pytest.approx(noise.gyro_bias, rel=4 / math.sqrt(1800))


def test_the_policys_observer_sees_a_standing_robot_where_it_is_by_quiet_sensors_and_reads_the_encoders():
    spec = suite_named("stand").episode(1, 0)
    fleet = Fleet(1, 0.002, sensors=True)
    fleet.place([spec])
    observer, truth = EstimatorObserver(QUIET), TruthObserver()
    observer.begin([spec], fleet)
    zeros = np.zeros(29)
    for tick in range(250):
        observer.sense(10.0 + tick * CONTROL_DT, fleet, [0])
        fleet.sims[0].apply(JointCommand(0.0, g1.DEFAULT_JOINT_POS, zeros, 4 * g1.KP, g1.KD, zeros))
        stamp = 10.0 + tick * CONTROL_DT
        got, want = observer.state(0, stamp, fleet), truth.state(0, stamp, fleet)
        assert got.stamp == stamp
        np.testing.assert_array_equal(observer.joints(0, fleet)[0], fleet.sims[0].data.qpos[7:])
        fleet.advance([0])
    np.testing.assert_allclose(got.root_pos_w, want.root_pos_w, atol=0.02)
    np.testing.assert_allclose(np.abs(got.root_quat_w @ want.root_quat_w), 1.0, atol=2e-4)  # within 2 degrees


def test_before_it_moves_a_robot_has_told_where_down_is_and_that_it_stands_still():
    """A single sample of the accelerometer, with 0.5 m/s^2 of noise, would leave 0.05 rad per axis."""
    fleet, tilts = Fleet(1, 0.002, sensors=True), []
    observer = EstimatorObserver(SensorNoise())
    for index in range(8):
        spec = suite_named("joystick").episode(1, index)
        fleet.place([spec])
        observer.begin([spec], fleet)
        observer.sense(10.0, fleet, [0])
        got, want = observer.state(0, 10.0, fleet), fleet.state(0, 10.0)
        tilts.append(quat_rotate_inverse(got.root_quat_w, np.array([0.0, 0.0, 1.0]))[:2])
        np.testing.assert_allclose(got.root_pos_w[:2], want.root_pos_w[:2], atol=0.05)
        np.testing.assert_allclose(got.root_lin_vel_w, 0.0, atol=0.06)
        np.testing.assert_allclose(got.root_ang_vel_w, 0.0, atol=4 * 0.03)  # the newest sample, less what was learnt
    assert np.sqrt(np.mean(np.square(tilts))) < 0.025


def test_parameters_of_the_estimator_are_set_by_name_and_unknown_ones_refused():
    assert estimator_config(["kalman.foot_drift=0.02"]).kalman.foot_drift == 0.02
    with pytest.raises(ConfigError, match=r"kalman\.foot_drift"):
        estimator_config(["kalman.foot_drfit=0.02"])


@pytest.mark.sim
def test_the_command_writes_report_table_and_picture_of_a_short_walk(tmp_path):
    pytest.importorskip("onnxruntime", reason="the walker is an ONNX policy")
    status = main(["estimator", "--walks", "1", "--seconds", "5", "--seed", "2", "--out", str(tmp_path)])
    report = json.loads((tmp_path / "report.json").read_text())
    assert status == int(not all(report["within"].values()))
    assert report["n"] == 1
    assert report["walks"][0]["seconds"] == pytest.approx(4.98)
    assert report["walks"][0]["tilt_rms"] < 4.0
    assert report["walks"][0]["velocity_rms"] < 0.2
    text = (tmp_path / "report.md").read_text()
    assert "NEES of the pose" in text
    assert "seed 2" in text
    assert (tmp_path / "estimate.png").stat().st_size > 10_000
