"""Same seed, same plan, to the bit: in another session of the network, and in any company."""

from dataclasses import replace

import numpy as np
import pytest
from beyondmimic_diffusion.core.engine import load_policy
from beyondmimic_diffusion.core.guidance import JoystickGoal
from beyondmimic_diffusion.core.planner import GuidedPlanner, PlannerConfig
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.sim.mujoco_g1 import MujocoG1

pytestmark = pytest.mark.sim
MODES = ("scratch", "rolling", "warm_start")


def plans_of(policy, mode, seed, count=4):
    planner = GuidedPlanner(policy, PlannerConfig(mode=mode, seed=seed))
    sim, plans = MujocoG1(sensors=False), []
    for number in range(count):
        stamp = 10.0 + 0.04 * number
        planner.observe(replace(sim.state(), stamp=stamp))
        planner.observe_executed(stamp, g1.DEFAULT_JOINT_POS)
        plans.append(planner.plan([JoystickGoal((0.4, 0.1), 0.2)]))
        sim.push(np.array([0.1, 0.0]))
        sim.advance(20)
    return plans


@pytest.mark.parametrize("mode", MODES)
def test_the_same_seed_gives_the_same_plans_to_the_bit_and_another_seed_gives_others(policy, mode):
    first = plans_of(policy, mode, seed=3)
    again = plans_of(load_policy(policy.folder, "onnx"), mode, seed=3)
    other = plans_of(policy, mode, seed=4)
    for a, b, c in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(a.joint_targets, b.joint_targets)
        np.testing.assert_array_equal(a.root_pos_w, b.root_pos_w)
        assert np.abs(a.joint_targets - c.joint_targets).max() > 0.0


@pytest.mark.parametrize("mode", MODES)
def test_three_robots_together_walk_as_each_walks_alone(policy, mode):
    pytest.importorskip("beyondmimic_training")
    from beyondmimic_training.evaluate import suite_named
    from beyondmimic_training.evaluate.controllers import PolicyController, PolicySettings
    from beyondmimic_training.evaluate.fleet import Fleet
    from beyondmimic_training.evaluate.rollout import run_episodes

    specs = [suite_named("walk-perturb").episode(1, i).cut(0.6) for i in range(3)]
    fleet = Fleet(3, 0.004)
    controller = PolicyController(policy, PolicySettings(planner=PlannerConfig(mode=mode)))
    together = run_episodes(specs, fleet, controller, None)
    for spec, trace in zip(specs, together, strict=True):
        (alone,) = run_episodes([spec], fleet, controller, None)
        np.testing.assert_array_equal(trace.qpos, alone.qpos)
