"""What is timed is what is meant: the eager loop makes the plan that the sampler makes, and every variant is there."""

import json
from dataclasses import replace

import numpy as np
import pytest
from beyondmimic_diffusion.core.diffusion.level_path import LevelPath
from beyondmimic_diffusion.core.diffusion.sampler import CleanRange, Sampler, draw_noise
from beyondmimic_diffusion.core.diffusion.scheduler import NoiseScheduler
from beyondmimic_diffusion.core.guidance import KeyframeGoal, ObstacleScene, WaypointGoal
from beyondmimic_diffusion.core.types import Conditioning
from beyondmimic_training.bench import (
    ALL_COSTS,
    COMPOSED,
    GUIDED,
    ROLLING,
    TICK,
    TORCH,
    WARM,
    Row,
    all_goals,
    measure,
    ratios,
)
from reference.scripted_policy import scripted_policy

torch = pytest.importorskip("torch")

from beyondmimic_diffusion.core.diffusion.denoiser import StateActionDenoiser
from beyondmimic_diffusion.core.engine.torch_backend import TorchDenoiser, config_of
from beyondmimic_training.eager_plan import EagerPlan


@pytest.fixture
def manifest():
    manifest = scripted_policy(np.zeros((16, 29))).manifest
    return replace(manifest, network={**manifest.network, "width": 16, "num_layers": 2, "num_heads": 2})


@pytest.fixture
def network(manifest):
    torch.manual_seed(0)
    network = StateActionDenoiser(config_of(manifest)).eval()
    for head in (network.head_state, network.head_action):
        head.weight.data.mul_(10.0)  # so that the clamp matters too
    return network


@pytest.mark.parametrize("passes", [1, 5, 20])
def test_the_eager_loop_makes_the_samplers_plan(manifest, network, passes, rng):
    m = replace(manifest, state_normalizer=replace(manifest.state_normalizer, low=(-0.5,) * 120, high=(0.7,) * 120))
    noise = draw_noise([rng, np.random.default_rng(1)], m.horizon, m.state_dim, m.action_horizon, m.action_dim)
    history = rng.standard_normal((2, m.history_len, m.state_dim + m.action_dim)).astype(np.float32)
    conditioning = Conditioning(history, rng.standard_normal((2, m.state_dim)).astype(np.float32))
    states, actions = m.state_normalizer, m.action_normalizer
    limits = CleanRange(*(np.array(v, np.float32) for v in (states.low, states.high, actions.low, actions.high)))
    sampler = Sampler(NoiseScheduler(20, m.schedule), TorchDenoiser(network), clean_range=limits)
    path = LevelPath.from_scratch(20, m.horizon, m.action_horizon, passes)
    expected = sampler.sample(conditioning, noise, path).clean
    plan = EagerPlan(network, m, passes)(noise, conditioning)
    # float32 sums differ by about 1e-6, up to 20 passes, the first of which divide the signal by 0.04
    np.testing.assert_allclose(plan.states, expected.states, atol=2e-4)
    np.testing.assert_allclose(plan.actions, expected.actions, atol=2e-4)


def test_every_variant_is_timed_and_counts_its_network_passes(manifest):
    rows = {row.name: row for row in measure(replace(scripted_policy(np.zeros((16, 29))), manifest=manifest), 10)}
    assert {len(row.milliseconds) for row in rows.values()} == {10}
    assert min(row.milliseconds.min() for row in rows.values()) > 0.0
    assert rows[GUIDED].passes == rows[TORCH].passes == manifest.sampling.passes
    assert rows[COMPOSED].passes == manifest.sampling.passes
    assert rows[ROLLING].passes == 15
    assert rows[WARM].passes == manifest.sampling.passes
    assert rows[TICK].passes == 0
    assert json.dumps(ratios(rows, 2))


def test_ratios_are_of_medians():
    rows = {
        "guidance of one pass": Row("", np.array([1.0, 2.0, 90.0]), 0),
        "plan, from scratch": Row("", np.array([9.0, 10.0, 11.0]), 5),
        "plan, from scratch, guided": Row("", np.array([20.0, 20.0, 900.0]), 5),
        "plan, from scratch, eager torch loop": Row("", np.array([30.0, 30.0, 30.0]), 5),
        ALL_COSTS: Row("", np.array([2.0, 4.0, 5.0]), 0),
        COMPOSED: Row("", np.array([25.0, 25.0, 26.0]), 5),
    }
    assert ratios(rows, 5) == {"guidance_share": 0.5, "guidance_share_all_costs": 0.8, "torch_over_ours": 3.0}


def test_the_composed_goal_has_a_cost_of_every_kind(manifest):
    policy = replace(scripted_policy(np.zeros((16, 29))), manifest=manifest)
    kinds = {type(goal) for goal in all_goals(policy)}
    assert kinds == {WaypointGoal, ObstacleScene, KeyframeGoal}
    scene = next(goal for goal in all_goals(policy) if isinstance(goal, ObstacleScene))
    assert len(scene.sdf_w.parts) == 20
