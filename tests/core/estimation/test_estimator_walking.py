"""The estimate while a pretrained walker walks in MuJoCo (its policy comes with a pip package; skipped without it)."""

import numpy as np
import pytest
from beyondmimic_diffusion.core.estimation import EstimatorConfig, StateEstimator
from beyondmimic_diffusion.core.rotations import quat_rotate_inverse, yaw_of
from beyondmimic_diffusion.core.types import JointCommand
from beyondmimic_diffusion.sim.mujoco_g1 import MujocoG1

pytest.importorskip("onnxruntime", reason="the walker is an ONNX policy")
experts = pytest.importorskip("beyondmimic_training.experts", reason="the walker comes with the training package")


@pytest.fixture(scope="module", params=[(0.6, 0.0, 0.0), (0.0, 0.4, 0.0), (0.3, 0.0, 0.8)], ids=str)
def walk(request):
    """(imu, joints, true state, true contacts) at 250 Hz for 5 s; the walker starts after 1 s."""
    walker, sim = experts.make_expert("fastsac_walker"), MujocoG1()
    walker.reset(experts.RobotBatch.of(sim.state()))
    zero, log = np.zeros(29), []
    for step in range(250):
        command = np.array([request.param if step >= 50 else (0.0, 0.0, 0.0)])
        target = walker.act(experts.RobotBatch.of(sim.state()), command)[0].astype(float)
        for _ in range(5):
            log.append((sim.imu(), sim.joints(), sim.state(), sim.foot_contacts()))
            sim.step(JointCommand(sim.stamp, target, zero, walker.kp, walker.kd, zero), 2)
    return log


def test_velocity_position_and_contact_agree_with_mujoco(walk):
    estimator = StateEstimator(EstimatorConfig(method="complementary"))
    errors, agree = [], []
    for imu, joints, truth, contacts in walk:
        state = estimator.update(imu, joints)
        errors.append(state.root_lin_vel_w - truth.root_lin_vel_w)
        agree.append(np.equal(estimator.foot_contact, contacts))
    rms = np.sqrt(np.mean(np.square(errors[250:]), axis=0))
    assert (rms < [0.02, 0.02, 0.04]).all()  # measured 0.01, 0.01, 0.02: soles roll and give way at touch-down
    assert np.linalg.norm(state.root_pos_w - truth.root_pos_w) < 0.05
    assert np.mean(agree) > 0.85


def test_the_filter_follows_a_pushed_walk_through_noise_and_biases_and_its_doubts_grow():
    """6 s in all directions. Limits are twice to three times what 60 s walks show (docs/estimation.md)."""
    walks = pytest.importorskip("beyondmimic_training.estimation.walks")
    noise = pytest.importorskip("beyondmimic_diffusion.sim.noisy_sensors").SensorNoise()
    moments = list(walks.live_walk(walks.draw_walk(4, 1, 6.0), experts.make_expert("fastsac_walker"), noise))
    estimator, speed, tilt, doubts = StateEstimator(), [], [], []
    estimator.reset(moments[0].truth.root_pos_w[:2], float(yaw_of(moments[0].truth.root_quat_w)))
    for moment in moments:
        state, truth = estimator.update(moment.imu, moment.joints), moment.truth
        ups = [quat_rotate_inverse(s.root_quat_w, np.array([0.0, 0.0, 1.0])) for s in (state, truth)]
        tilt.append(np.degrees(np.linalg.norm(np.cross(*ups))))
        speed.append(np.linalg.norm(state.root_lin_vel_w - truth.root_lin_vel_w))
        doubts.append(estimator.position_std)
    late = len(moments) // 3
    assert np.sqrt(np.mean(np.square(speed[late:]))) < 0.15
    assert np.sqrt(np.mean(np.square(tilt[late:]))) < 4.0  # biases are still being found
    assert np.linalg.norm((state.root_pos_w - truth.root_pos_w)[:2]) < 5 * doubts[-1]
    assert abs(state.root_pos_w[2] - truth.root_pos_w[2]) < 0.05
    assert doubts[-1] > doubts[late] > 0.0
