"""Where a slow planner's plan begins: compared with the simulator under the same targets."""

from dataclasses import replace

import numpy as np
import pytest
from beyondmimic_diffusion.core.foresight import Foresight
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.types import JointCommand
from beyondmimic_diffusion.sim.mujoco_g1 import MujocoG1

J = g1.NUM_JOINTS
KP, KD = np.full(J, 60.0), np.full(J, 3.0)


@pytest.fixture
def falling():
    """A simulator in mid-motion, its state, and eight targets of 20 ms."""
    sim = MujocoG1(sensors=False)
    rng = np.random.default_rng(5)
    targets = np.array(g1.DEFAULT_JOINT_POS) + rng.normal(0.0, 0.1, (8, J))
    zero = np.zeros(J)
    sim.reset(root_lin_vel_w=np.array([0.4, 0.0, 0.0]), stamp=3.0)
    sim.step(JointCommand(3.0, np.array(g1.DEFAULT_JOINT_POS), zero, KP, KD, zero), 25)
    return sim, sim.state(), targets


def play(sim, targets):
    zero = np.zeros(J)
    states = []
    for target in targets:
        sim.step(JointCommand(sim.stamp, target, zero, KP, KD, zero), 10)
        states.append(sim.state())
    return states


def test_it_sees_what_the_simulator_does_under_the_same_targets(falling):
    sim, state, targets = falling
    foreseen = Foresight(KP, KD).states(state, targets, 0.02)
    for mine, theirs in zip(foreseen, play(sim, targets), strict=True):
        assert mine.stamp == pytest.approx(theirs.stamp, abs=1e-9)
        # the solver starts without the simulator's last forces (warm start), to which it converges
        np.testing.assert_allclose(mine.joint_pos, theirs.joint_pos, atol=2e-3)
        np.testing.assert_allclose(mine.root_pos_w, theirs.root_pos_w, atol=2e-3)
        np.testing.assert_allclose(mine.root_quat_w, theirs.root_quat_w, atol=2e-3)


@pytest.mark.parametrize("error", [-0.03, 0.03])
def test_a_root_that_is_estimated_too_high_or_too_low_falls_neither_into_the_floor_nor_out_of_it(falling, error):
    _, state, targets = falling
    there = Foresight(KP, KD).states(state, targets, 0.02)[-1]
    moved = replace(state, root_pos_w=state.root_pos_w + np.array([0.0, 0.0, error]))
    seen = Foresight(KP, KD).states(moved, targets, 0.02)[-1]
    assert seen.root_pos_w[2] - error == pytest.approx(there.root_pos_w[2], abs=0.01)
    np.testing.assert_allclose(seen.joint_pos, there.joint_pos, atol=0.02)


def test_it_remembers_nothing_of_what_it_saw_before(falling):
    _, state, targets = falling
    foresight = Foresight(KP, KD)
    first = foresight.states(state, targets, 0.02)[-1]
    foresight.states(state, -targets, 0.02)
    np.testing.assert_array_equal(foresight.states(state, targets, 0.02)[-1].joint_pos, first.joint_pos)
