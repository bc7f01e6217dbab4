"""The planner's thread with a real planner: after a bad plan comes a good one; nothing waits or grows for ever."""

import threading
import time
from collections import deque

import numpy as np
import pytest
from beyondmimic_diffusion.core import plan_worker
from beyondmimic_diffusion.core.batch_planner import PlannerConfig
from beyondmimic_diffusion.core.guidance import CustomGoal, JoystickGoal, PlanGradient, register_cost_function
from beyondmimic_diffusion.core.plan_worker import Condition, PlanWorker
from beyondmimic_diffusion.core.planner import GuidedPlanner
from beyondmimic_diffusion.core.robot import g1

from tests.core.test_planner import kinematics, policy, walk  # noqa: F401  (fixtures)

PATIENCE = 20.0
"""Bound against hanging [s]."""
BAD = {"on": False, "cost": ""}


@register_cost_function("fails_when_told", gradient="own", uses_key_points=False)
def fails_when_told(plan):
    if BAD["cost"] == "raises":
        raise ZeroDivisionError("float division by zero")
    gradient = np.full(plan.root_pos_c.shape, np.nan if BAD["cost"] == "nan" else 0.0)
    return np.zeros(plan.batch), PlanGradient(root_pos_c=gradient)


def spoil(planner):
    """Let the network give NaN while that is switched on."""
    sample = planner.batch.sampler.sample

    def spoiled(*args, **kwargs):
        result = sample(*args, **kwargs)
        if BAD["on"]:
            result.clean.states.fill(np.nan)
            result.clean.actions.fill(np.nan)
        return result

    planner.batch.sampler.sample = spoiled


class Bench:
    """A worker whose clock stands at the newest state, fed with a made-up motion."""

    def __init__(self, planner):
        self.planner, self.plans, self.time = planner, [], 0.0
        spoil(planner)
        self.worker = PlanWorker(planner, self.plans.append, lambda: self.time)
        self.worker.put_goals((JoystickGoal((0.3, 0.0)), CustomGoal("fails_when_told")), 1)
        self.states = deque(walk()[::4])  # on the policy's grid of 40 ms

    def until(self, happened):
        end = time.monotonic() + PATIENCE
        while not happened():
            assert time.monotonic() < end, "did not happen"
            time.sleep(0.001)

    def step(self):
        """One state, and what the planner makes of it."""
        state = self.states.popleft()
        self.time = state.stamp
        count = self.worker.statistics.compute.summary().count
        self.worker.put_executed(state.stamp - 0.01, g1.DEFAULT_JOINT_POS)
        self.worker.put_state(state)
        self.until(lambda: self.worker.statistics.compute.summary().count > count or not self.worker._running)


@pytest.fixture
def start(policy, kinematics, monkeypatch):  # noqa: F811
    monkeypatch.setattr(plan_worker, "_SILENCE", PATIENCE)  # this machine may be busy: silence is tested elsewhere
    benches = []

    def make(config=None, **changes):
        bench = Bench(GuidedPlanner(policy, config, kinematics=kinematics))
        benches.append(bench)
        for name, value in changes.items():
            setattr(bench.worker, name, value)
        bench.worker.start()
        return bench

    BAD.update(on=False, cost="")
    yield make
    BAD.update(on=False, cost="")
    for bench in benches:
        bench.worker.stop()


@pytest.mark.parametrize("latency", [0.02, 0.04, 0.06, 0.1])
@pytest.mark.parametrize("mode", ["scratch", "warm_start", "rolling"])
def test_after_one_plan_with_nan_the_very_next_is_good_and_continues_what_is_being_played(start, mode, latency):
    bench = start(PlannerConfig(mode=mode, latency=latency))
    for _ in range(8):
        bench.step()
    BAD["on"] = True
    bench.step()
    bench.until(lambda: bench.worker.condition is Condition.BAD_PLAN)
    assert len(bench.plans) == 8
    assert bench.worker.detail == "plan 8: the network gave NaN or infinity"
    BAD["on"] = False
    bench.step()
    bench.until(lambda: len(bench.plans) == 9)
    bench.until(lambda: bench.worker.condition is not Condition.BAD_PLAN)
    played, plan = bench.plans[7], bench.plans[8]
    assert plan.finite and np.isfinite([entry.value for entry in plan.cost_stats]).all()
    promised = plan.first_step // 2 * 2  # whole tokens of two set-points
    start_of = round((plan.stamp - played.stamp) / played.step_dt)
    assert start_of == 4  # the plan between them was never sent
    np.testing.assert_allclose(
        plan.joint_targets[:promised], played.joint_targets[start_of : start_of + promised], atol=1e-5
    )


@pytest.mark.parametrize(
    ("how", "said"),
    [("nan", "gave a gradient with NaN or infinity"), ("raises", "raised ZeroDivisionError: float division by zero")],
)
def test_a_cost_that_fails_on_the_way_is_left_out_and_named_and_the_others_steer_on(start, how, said):
    bench = start()
    for _ in range(6):
        bench.step()
    BAD["cost"] = how
    bench.step()
    bench.until(lambda: len(bench.plans) == 7)
    assert bench.worker.dropped == f"cost 'fails_when_told' {said}"
    assert bench.worker.condition in (Condition.COST_DROPPED, Condition.LATE)  # this machine may be busy
    plan = bench.plans[-1]
    assert plan.finite
    assert {entry.name for entry in plan.cost_stats} == {"velocity", "turning"}
    assert np.isfinite([entry.value for entry in plan.cost_stats]).all()
    BAD["cost"] = ""
    bench.step()
    bench.until(lambda: len(bench.plans) == 8)
    assert bench.worker.dropped == ""
    assert "fails_when_told" in {entry.name for entry in bench.plans[-1].cost_stats}


def test_what_steers_after_a_plan_with_nan_is_what_steers_without_one(start):
    """The integrators behind velocity goals have seen the same states."""
    offsets = []
    for bad_at in (None, 8):
        bench = start()
        for i in range(12):
            BAD["on"] = i == bad_at
            bench.step()
        bench.until(lambda bench=bench, bad_at=bad_at: len(bench.plans) == (12 if bad_at is None else 11))
        offsets.append(bench.planner.batch.steering._integrator.offset)
    np.testing.assert_array_equal(offsets[0], offsets[1])
    assert np.all(np.isfinite(offsets[0])) and np.any(offsets[0] != 0.0)


def test_applied_targets_without_states_pile_up_to_a_bound_and_the_newest_are_kept(start):
    bench = start()
    for i in range(5000):
        bench.worker.put_executed(10.0 + 0.005 * i, g1.DEFAULT_JOINT_POS)
    assert len(bench.worker._inbox) <= 256
    assert bench.worker._inbox[-1][0] == 10.0 + 0.005 * 4999


def test_a_thread_that_ends_by_itself_is_a_fault_and_a_swap_does_not_wait_for_it(start, policy, kinematics):  # noqa: F811
    class Gone(BaseException):
        pass

    def end():
        raise Gone("no more memory")

    threading.excepthook, hook = (lambda _: None), threading.excepthook
    try:
        bench = start(_prepare=end)
        bench.until(lambda: bench.worker.ended)
    finally:
        threading.excepthook = hook
    assert bench.worker.condition is Condition.ENDED
    assert bench.worker.condition.value[0] == "FAULT"
    assert bench.worker.detail == "Gone: no more memory"
    assert not bench.worker.swap(GuidedPlanner(policy, kinematics=kinematics), patience=0.01)


def test_a_successor_that_is_not_taken_in_time_is_not_taken_later(start, policy, kinematics):  # noqa: F811
    bench = start()
    entered, leave = threading.Event(), threading.Event()
    plan = bench.planner.plan

    def slow(goals, seq):
        entered.set()
        assert leave.wait(PATIENCE)
        return plan(goals, seq)

    bench.planner.plan = slow
    state = bench.states.popleft()
    bench.worker.put_state(state)
    assert entered.wait(PATIENCE)
    successor = GuidedPlanner(policy, kinematics=kinematics)
    assert not bench.worker.swap(successor, patience=0.05)
    leave.set()
    for _ in range(3):
        bench.step()
    assert bench.worker._planner is bench.planner
    assert bench.worker.swap(successor)
    assert bench.worker._planner is successor


def test_a_successor_that_cannot_take_over_leaves_the_planner_before_at_work(start, policy, kinematics):  # noqa: F811
    bench = start()
    bench.step()
    successor = GuidedPlanner(policy, kinematics=kinematics)

    def refuse(other):
        raise ValueError("another layout")

    successor.take_over = refuse
    assert not bench.worker.swap(successor)
    assert "another layout" in bench.worker.detail
    bench.step()
    bench.until(lambda: len(bench.plans) == 2)
