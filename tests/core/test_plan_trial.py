"""What a plan costs, by a clock that counts the network's calls."""

from dataclasses import replace

import pytest
from beyondmimic_diffusion.core.batch_planner import PlannerConfig
from beyondmimic_diffusion.core.pass_budget import PassBudget
from beyondmimic_diffusion.core.plan_trial import try_plans
from beyondmimic_diffusion.core.planner import GuidedPlanner
from beyondmimic_diffusion.core.steering import SteeringConfig

from tests.core.test_planner import FORWARD, kinematics, policy, walk  # noqa: F401  (fixtures)


class Counted:
    """A clock that goes on by 3 ms with each call of the network, and by 1 ms whenever it is read."""

    def __init__(self, policy):  # noqa: F811
        self.time, self.calls = 0.0, 0

        def denoiser(*arguments):
            self.time += 0.003
            self.calls += 1
            return policy.denoiser(*arguments)

        self.policy = replace(policy, denoiser=denoiser)

    def __call__(self):
        self.time += 0.001
        return self.time


@pytest.mark.parametrize("mode", ["scratch", "warm_start"])
@pytest.mark.parametrize("passes", [1, 4])
def test_the_time_of_a_pass_and_of_the_rest_are_told_apart(policy, mode, passes):  # noqa: F811
    clock = Counted(policy)
    cost = try_plans(clock.policy, PlannerConfig(mode=mode, passes=passes), SteeringConfig(), clock)
    assert cost.per_pass == pytest.approx(0.003)
    assert cost.fixed == pytest.approx(0.001)


def test_rolling_inference_has_its_own_number_of_passes(policy):  # noqa: F811
    clock = Counted(policy)
    cost = try_plans(clock.policy, PlannerConfig(mode="rolling"), SteeringConfig(), clock)
    assert cost.of(15) == pytest.approx(0.046)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (PlannerConfig(), [3, 3, 2, 2]),
        (PlannerConfig(mode="warm_start"), [3, 3, 2, 2]),
        (PlannerConfig(passes=5), [5, 5, 5, 5]),
        (PlannerConfig(mode="rolling"), [15, 15, 15, 15]),
    ],
    ids=["scratch", "warm start", "by parameter", "rolling"],
)
def test_the_planner_makes_the_next_plan_in_the_passes_its_budget_says(policy, kinematics, config, expected):  # noqa: F811
    counted = Counted(policy)
    planner = GuidedPlanner(counted.policy, config, kinematics=kinematics, budget=PassBudget(0.02, 3, 1))
    used = []
    for i, state in enumerate(walk()[:80:20]):
        before = counted.calls
        planner.observe(state)
        planner.plan((FORWARD,))
        used.append(counted.calls - before)
        for _ in range(25 if i == 1 else 0):
            planner.spent(0.03)
    assert used == expected
