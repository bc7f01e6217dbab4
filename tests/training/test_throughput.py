"""A planner with a limit on throughput: when plans are begun, when they arrive, and what it learns of that."""

from pathlib import Path

import pytest
from beyondmimic_diffusion.core.batch_planner import PlannerConfig
from beyondmimic_diffusion.core.engine import PolicyManifest
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_training.evaluate.fleet import CONTROL_DT
from beyondmimic_training.evaluate.throughput import ThroughputLimit

POLICY = Path(__file__).parents[2] / "policies" / "walk"


def limit(plan_time, jitter=0.0, unknown=0.0, seed=1):
    manifest = PolicyManifest.load(POLICY)
    return ThroughputLimit(PlannerConfig(), manifest, plan_time, jitter, unknown, seed)


def plans(throttle, seconds):
    """(begun, arrives) of each plan [s]."""
    begun = ((tick, throttle.begin(tick)) for tick in range(round(seconds / CONTROL_DT)))
    return [(tick * CONTROL_DT, (tick + delay) * CONTROL_DT) for tick, delay in begun if delay is not None]


@pytest.mark.parametrize(("plan_time", "steps"), [(0.02, 1), (0.04, 1), (0.06, 2), (0.12, 3), (0.16, 4)])
def test_a_steady_planner_plans_on_each_step_on_which_it_is_ready_and_knows_its_latency(plan_time, steps):
    throttle = limit(plan_time)
    made = plans(throttle, 2.0)
    assert [begun for begun, _ in made] == pytest.approx([0.04 * steps * i for i in range(len(made))])
    assert all(arrives - begun == pytest.approx(plan_time) for begun, arrives in made)
    assert throttle.latency == pytest.approx(plan_time)


def test_no_plan_is_begun_before_the_one_before_it_is_done_however_irregular_they_are():
    made = plans(limit(0.06, jitter=0.06), 10.0)
    took = [arrives - begun for begun, arrives in made]
    assert all(later[0] >= before[1] - 1e-9 for before, later in zip(made, made[1:], strict=False))
    assert 0.06 <= min(took) < 0.07 and 0.11 < max(took) <= 0.12 + CONTROL_DT


def test_a_seed_gives_the_same_times_and_another_one_others():
    first, again, other = (plans(limit(0.06, 0.06, seed=seed), 3.0) for seed in (1, 1, 2))
    assert first == again != other


def test_an_unknown_delay_costs_no_throughput_and_is_not_reckoned_with():
    throttle = limit(0.08, unknown=0.04)
    made = plans(throttle, 1.0)
    assert made[0] == pytest.approx((0.0, 0.12)) and made[1] == pytest.approx((0.08, 0.2))
    assert throttle.latency == pytest.approx(0.08)


def test_negative_times_are_refused():
    with pytest.raises(ConfigError, match="negative"):
        limit(-0.01)
