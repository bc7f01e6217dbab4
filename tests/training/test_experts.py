"""The pretrained experts do in our simulator what an earlier trial of this recipe measured in another."""

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.rotations import rotate_yaw, yaw_of
from beyondmimic_diffusion.core.types import JointCommand
from beyondmimic_diffusion.sim.mujoco_g1 import MujocoG1
from beyondmimic_training.experts import Expert, RobotBatch, make_expert
from beyondmimic_training.experts.tracker import TrackerExpert

ZEROS = np.zeros(g1.NUM_JOINTS)


def observe(sims: list[MujocoG1]) -> RobotBatch:
    parts = [RobotBatch.of(sim.state()) for sim in sims]
    return RobotBatch(
        *(
            np.concatenate([getattr(p, name) for p in parts])
            for name in ("root_quat_w", "ang_vel_b", "joint_pos", "joint_vel")
        )
    )


def walk(expert: Expert, commands: np.ndarray, seconds: float) -> np.ndarray:
    """Mean velocities (vx, vy, yaw rate) of each robot after the first 2 s, shape (B, 3); falls raise."""
    sims = [MujocoG1(timestep=0.004, sensors=False) for _ in commands]
    expert.reset(observe(sims))
    start = []
    velocities = []
    for step in range(round(seconds / 0.02)):
        targets = expert.act(observe(sims), commands)
        for sim, target in zip(sims, targets, strict=True):
            sim.step(JointCommand(0.0, target, ZEROS, expert.kp, expert.kd, ZEROS), 5)
        states = [sim.state() for sim in sims]
        assert not any(sim.fallen() for sim in sims)
        if step >= 100:
            yaw = np.array([yaw_of(s.root_quat_w) for s in states])
            start = start if len(start) else yaw
            planar = rotate_yaw(np.array([s.root_lin_vel_w[:2] for s in states]), -yaw)
            turning = np.array([s.root_ang_vel_w[2] for s in states])
            velocities.append(np.column_stack([planar, turning]))
    return np.mean(velocities, axis=0)


def test_fastsac_walker_reaches_the_speeds_measured_in_another_simulator():
    commands = np.array([[0, 0, 0], [1.0, 0, 0], [-0.8, 0, 0], [0, 0.5, 0], [0, 0, 0.8]], dtype=float)
    reached = walk(make_expert("fastsac_walker"), commands, 8.0)
    measured = np.array([[0, 0, 0], [0.74, 0, 0], [-0.61, 0, 0], [0, 0.25, 0], [0, 0, 0.73]])
    np.testing.assert_allclose(reached, measured, atol=0.06)  # sway and drift across, measured to two digits along


def test_a_batch_of_robots_gets_the_same_targets_as_each_robot_alone():
    commands = np.array([[0.5, 0.0, 0.0], [0.0, 0.3, -0.5]])
    sims = [MujocoG1(sensors=False), MujocoG1(sensors=False)]
    sims[1].reset(joint_pos=g1.DEFAULT_JOINT_POS + 0.05)
    together, alone = make_expert("fastsac_walker"), make_expert("fastsac_walker")
    together.reset(observe(sims))
    batch = [together.act(observe(sims), commands) for _ in range(3)]
    for b in range(2):
        alone.reset(observe(sims[b : b + 1]))
        single = [alone.act(observe(sims[b : b + 1]), commands[b : b + 1]) for _ in range(3)]
        np.testing.assert_allclose(np.array(single)[:, 0], np.array(batch)[:, b], atol=1e-5)  # float32 network


def test_an_unknown_expert_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="fastsac_walker"):
        make_expert("moonwalker")


@pytest.mark.parametrize("name", ["fastsac_dancer", "ppo_dancer"])
def test_dancers_follow_their_motion_without_falling(name: str):
    expert = make_expert(name)
    assert isinstance(expert, TrackerExpert)
    motion = expert.motion.joint_pos
    sim = MujocoG1(timestep=0.004, sensors=False)
    sim.reset(joint_pos=motion[0])
    expert.reset(observe([sim]))
    errors = []
    for step in range(400):
        target = expert.act(observe([sim]), np.zeros((1, 3)))[0]
        sim.step(JointCommand(0.0, target, ZEROS, expert.kp, expert.kd, ZEROS), 5)
        errors.append(np.abs(sim.state().joint_pos - motion[step + 1]).mean())
        assert not sim.fallen()
    assert np.mean(errors) < 0.5 * np.abs(motion[:400] - g1.DEFAULT_JOINT_POS).mean() + 0.1
