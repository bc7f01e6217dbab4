"""The filter must not make a balancing policy fall (the walker comes with a pip package; skipped without it)."""

import numpy as np
import pytest
from beyondmimic_diffusion.core.execution import JointLimits, SafetyConfig, SafetyFilter
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.types import JointCommand
from beyondmimic_diffusion.sim.mujoco_g1 import MujocoG1

pytest.importorskip("onnxruntime", reason="the walker is an ONNX policy")
experts = pytest.importorskip("beyondmimic_training.experts", reason="the walker comes with the training package")

LIMITS = JointLimits(
    g1.JOINT_POS_LIMITS[:, 0], g1.JOINT_POS_LIMITS[:, 1], g1.VELOCITY_LIMITS, g1.EFFORT_LIMITS, np.arange(29) < 12
)


def walk(config, seconds=6.0, noise=0.0, push=0.0):
    """Walk with a 200 Hz filter at 0.6 m/s; returns whether it fell, joint clamps per tick and distance walked."""
    rng, walker, sim = np.random.default_rng(0), experts.make_expert("fastsac_walker"), MujocoG1(sensors=False)
    walker.reset(experts.RobotBatch.of(sim.state()))
    safety, clamps, zero = SafetyFilter(LIMITS, config), 0, np.zeros(29)
    steps = round(seconds / 0.02)
    for step in range(steps):
        if step % 100 == 99:
            sim.push(push * rng.standard_normal(2))
        target = walker.act(experts.RobotBatch.of(sim.state()), np.array([[0.6, 0.0, 0.0]]))[0].astype(float)
        target += noise * walker.action_scale * rng.standard_normal(29)
        for ticks in (2, 3, 2, 3):
            state = sim.state()
            command = JointCommand(state.stamp, target, zero, walker.kp, walker.kd, zero)
            command, report = safety.filter(command, state.joint_pos, state.joint_vel, 0.005)
            clamps += report.clamped_position + report.clamped_rate + report.clamped_torque
            sim.step(command, ticks)
        if sim.fallen(head_height=0.8):
            return True, clamps / (4 * step + 4), 0.0
    return False, clamps / (4 * steps), float(np.linalg.norm(sim.state().root_pos_w[:2]))


def test_a_clean_walk_passes_the_default_limits_almost_untouched():
    fell, clamps, distance = walk(SafetyConfig())
    assert not fell
    assert clamps < 0.01  # joints per tick of 29
    assert distance > 1.5  # the walker follows 0.6 m/s with about 0.43


def test_a_noisy_walk_with_pushes_survives_the_default_limits_though_they_are_at_work():
    fell, clamps, _ = walk(SafetyConfig(), noise=0.3, push=0.4)
    assert not fell
    assert clamps > 0.5
