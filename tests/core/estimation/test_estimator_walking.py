"""The estimate while a pretrained walker walks in MuJoCo (its policy comes with a pip package; skipped without it)."""

import numpy as np
import pytest
from beyondmimic_diffusion.core.estimation import EstimatorConfig, StateEstimator
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
