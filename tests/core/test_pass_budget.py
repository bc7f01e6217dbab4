"""Passes fall when plans take too long, and come back only where there is room; settled machines stay settled."""

import pytest
from beyondmimic_diffusion.core.pass_budget import PassBudget, PlanCost

BUDGET = 0.02


def run(budget, cost, plans):
    """Plans on a machine where each costs exactly ``cost``; returns the passes of each."""
    used = []
    for _ in range(plans):
        used.append(budget.passes)
        budget.add(cost.of(budget.passes))
    return used


def changes(used):
    return sum(a != b for a, b in zip(used[:-1], used[1:], strict=True))


@pytest.mark.parametrize(
    ("per_pass", "expected"),
    [(0.001, 4), (0.00449, 4), (0.0046, 3), (0.0061, 2), (0.05, 2)],  # 2 ms beside the passes
    ids=["fast", "just", "over with four", "over with three", "over with the least"],
)
def test_at_the_start_there_are_as_many_passes_as_fit_but_not_below_the_least(per_pass, expected):
    budget = PassBudget(BUDGET, 4, 2, PlanCost(0.002, per_pass))
    assert budget.passes == expected
    assert budget.note.startswith(f"{expected} passes (2 .. 4): ")


def test_without_room_below_the_policys_own_nothing_is_ever_changed():
    budget = PassBudget(BUDGET, 4, 4, PlanCost(0.0, 1.0))
    assert not budget.adjustable
    assert set(run(budget, PlanCost(0.0, 1.0), 1000)) == {4}


def test_a_machine_that_becomes_slow_loses_one_pass_after_the_other_within_seconds_and_says_why():
    budget = PassBudget(BUDGET, 4, 2, PlanCost(0.002, 0.002))
    assert set(run(budget, PlanCost(0.002, 0.002), 500)) == {4}
    used = run(budget, PlanCost(0.002, 0.008), 100)  # 34 ms, 26 ms, 18 ms
    assert used[-1] == 2 and used.index(2) <= 75
    assert budget.note == "2 passes (2 .. 4) after 3: 90 % of the plans took up to 26.0 ms of 20.0 ms"


def test_single_slow_plans_cost_no_pass():
    budget = PassBudget(BUDGET, 4, 2)
    for i in range(1000):
        budget.add(0.05 if i % 20 == 0 else 0.015)  # 5 % of them
    assert budget.passes == 4


def test_passes_come_back_when_the_machine_is_free_again_but_not_at_once():
    budget = PassBudget(BUDGET, 4, 2)
    run(budget, PlanCost(0.002, 0.01), 100)
    assert budget.passes == 2
    used = run(budget, PlanCost(0.002, 0.001), 250)
    assert set(used) == {2}
    used = run(budget, PlanCost(0.002, 0.001), 5000)
    assert used[-1] == 4 and changes(used) == 2


def test_a_machine_at_the_limit_settles():
    """With three passes a plan takes 11 ms, so that four seem to fit; with four it takes 21 ms."""

    class Steep:
        def of(self, passes):
            return {2: 0.007, 3: 0.011, 4: 0.021}[passes]

    used = run(PassBudget(BUDGET, 4, 2), Steep(), 40_000)  # 27 minutes
    assert 3 <= changes(used) <= 18
    assert changes(used[20_000:]) <= 6
    assert sum(passes == 4 for passes in used) < 0.02 * len(used)
