"""The planner's thread, with a planner that only writes down what it was asked.

What a planner remembers from plan to plan is tested with the real one in ``test_plan_recovery.py``.
"""

import time
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import ArtifactError
from beyondmimic_diffusion.core.guidance.goals import JoystickGoal
from beyondmimic_diffusion.core.plan_worker import Condition, PlanWorker
from beyondmimic_diffusion.core.types import Plan, RobotState

PATIENCE = 20.0
"""Bound against hanging [s]."""
J = 3


@dataclass
class FakePlanner:
    """Remembers calls in order; plans hold the stamp of the newest state."""

    manifest: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(step_dt=0.04, history_len=4))
    calls: list = field(default_factory=list)
    target: float = 0.0
    failure: Exception | None = None
    ages: list = field(default_factory=list)
    trouble: str = "the network gave NaN or infinity"
    dropped: dict = field(default_factory=dict)

    def spent(self, elapsed):
        pass

    times: list = field(default_factory=list)
    period: float = 0.04

    def sent(self, age):
        self.ages.append(age)

    def took(self, time):
        self.times.append(time)

    def __post_init__(self):
        self.track = SimpleNamespace(newest_stamp=None)

    def reset(self):
        self.calls.append("reset")
        self.track.newest_stamp = None

    def observe(self, state):
        newest = self.track.newest_stamp
        if newest is not None and state.stamp <= newest:
            return False
        self.track.newest_stamp = state.stamp
        return True

    def observe_executed(self, stamp, joint_target):
        self.calls.append(("executed", stamp))

    def plan(self, goals, seq):
        if self.failure is not None:
            raise self.failure
        stamp = self.track.newest_stamp
        self.calls.append(("plan", stamp, goals, seq))
        targets = np.full((16, J), self.target)
        return Plan(len(self.calls), 1, stamp, stamp, 0.02, targets, 16, 1, stamp + 0.32)


class Bench:
    def __init__(self, **arguments):
        self.planner = FakePlanner()
        self.plans = []
        self.time = 0.0
        self.worker = PlanWorker(self.planner, self.plans.append, lambda: self.time, **arguments)
        self.worker.start()

    def state(self, stamp, value=0.0):
        zero = np.zeros(3)
        self.time = stamp
        pose = np.full(J, value)
        self.worker.put_state(RobotState(stamp, zero, np.array([1.0, 0.0, 0.0, 0.0]), zero, zero, pose, np.zeros(J)))

    def until(self, happened):
        end = time.monotonic() + PATIENCE
        while not happened():
            assert time.monotonic() < end, "did not happen"
            time.sleep(0.001)

    def feed(self, *stamps):
        """States one after the other, each waited for."""
        for stamp in stamps:
            self.state(stamp)
            self.until(lambda stamp=stamp: self.planner.track.newest_stamp == stamp)

    def planned(self):
        return [call[1] for call in self.planner.calls if call[0] == "plan"]


@pytest.fixture
def make():
    benches = []

    def make_bench(**arguments):
        benches.append(Bench(**arguments))
        return benches[-1]

    yield make_bench
    for bench in benches:
        bench.worker.stop()


def grid(count, dt=0.02, start=1.0):
    return [round(start + dt * i, 9) for i in range(count)]


def test_one_plan_is_made_per_step_of_the_policy_from_the_state_on_its_grid(make):
    bench = make()
    bench.feed(*grid(9))
    bench.until(lambda: len(bench.plans) == 5)
    assert bench.planned() == [1.0, 1.04, 1.08, 1.12, 1.16]


def test_what_was_executed_reaches_the_planner_before_the_plan_that_needs_it(make):
    bench = make()
    bench.feed(1.0)
    bench.worker.put_executed(1.02, np.zeros(J))
    bench.feed(1.04)
    bench.until(lambda: len(bench.plans) == 2)
    kinds = [call[0] for call in bench.planner.calls]
    assert kinds == ["plan", "executed", "plan"]


def test_goals_and_their_number_reach_the_next_plan_and_an_expired_one_becomes_standing(make):
    bench = make()
    goal = JoystickGoal((0.4, 0.0), expires=1.05)
    bench.worker.put_goals((goal,), 7)
    bench.feed(1.0, 1.04, 1.08)
    bench.until(lambda: len(bench.plans) == 3)
    goals = [call[2] for call in bench.planner.calls]
    assert goals[:2] == [(goal,), (goal,)]
    assert [tuple(g.vel_xy_c) for g in goals[2]] == [(0.0, 0.0)]
    assert [call[3] for call in bench.planner.calls] == [7, 7, 7]


def test_an_expired_goal_leaves_the_plan_unguided_where_that_was_chosen(make):
    bench = make(stand_when_expired=False)
    bench.worker.put_goals((JoystickGoal((0.4, 0.0), expires=0.5),), 1)
    bench.feed(1.0)
    bench.until(lambda: bench.plans)
    assert bench.planner.calls[-1][2] == ()


@pytest.mark.parametrize("stamp", [0.2, 5.0])
def test_a_jump_of_time_starts_a_new_history(make, stamp):
    bench = make()
    bench.feed(1.0, 1.02)
    bench.feed(stamp)
    bench.until(lambda: len(bench.plans) == 2)
    assert bench.planner.calls[1] == "reset"
    assert bench.planned() == [1.0, stamp]


def test_a_reset_that_was_asked_for_happens_before_the_next_state(make):
    bench = make()
    bench.feed(1.0)
    bench.until(lambda: bench.plans)
    bench.worker.reset()
    bench.feed(1.02)
    bench.until(lambda: len(bench.plans) == 2)
    assert [call if call == "reset" else call[0] for call in bench.planner.calls] == ["plan", "reset", "plan"]


def test_states_that_are_not_finite_are_dropped_and_counted_until_a_plan_shows_that_all_is_well(make):
    bench = make()
    bench.feed(*grid(12))
    bench.state(1.24, value=np.nan)
    assert bench.worker.statistics.dropped_states == 1
    assert bench.worker.condition is Condition.BAD_STATE
    bench.feed(1.24)
    bench.until(lambda: bench.worker.condition is Condition.RUNNING)


def test_a_plan_with_nan_is_not_published_and_is_a_fault_until_a_good_one_comes(make):
    bench = make()
    bench.feed(*grid(12))
    bench.until(lambda: len(bench.plans) == 6)
    bench.planner.target = np.nan
    bench.feed(1.24)
    bench.until(lambda: bench.worker.condition is Condition.BAD_PLAN)
    assert len(bench.plans) == 6
    bench.planner.target = 0.0
    bench.feed(1.28)
    bench.until(lambda: bench.worker.condition is Condition.RUNNING)


def test_an_error_of_the_backend_is_a_fault_with_its_text_and_the_thread_lives_on(make):
    bench = make()
    bench.planner.failure = ArtifactError("the engine is gone")
    bench.feed(1.0)
    bench.until(lambda: bench.worker.condition is Condition.BACKEND_ERROR)
    assert "the engine is gone" in bench.worker.detail
    bench.planner.failure = None
    bench.feed(1.04)
    bench.until(lambda: len(bench.plans) == 1)


def test_it_warms_up_until_the_history_is_as_long_as_the_policys(make):
    bench = make()
    bench.feed(*grid(8))  # 0.14 s of the 0.16 s
    assert bench.worker.condition is Condition.WARMUP
    bench.feed(1.16)
    bench.until(lambda: bench.worker.condition is Condition.RUNNING)


def test_slack_is_the_time_until_the_first_own_set_point_is_due_and_late_plans_are_counted(make):
    bench = make()
    bench.worker._now = lambda: bench.time + 0.005  # the plan takes 5 ms; it is due 20 ms after the observation
    bench.feed(*grid(12))
    bench.until(lambda: bench.worker.statistics.slack.summary().count == 2)  # 1.16 and 1.2: warm
    assert bench.worker.statistics.slack.summary().p50 == pytest.approx(0.015)
    assert bench.worker.statistics.late_plans == 0
    bench.worker._now = lambda: bench.time + 0.03
    bench.feed(1.24)
    bench.until(lambda: bench.worker.statistics.late_plans == 1)
    assert bench.worker.condition is Condition.LATE


def test_a_plan_that_is_held_back_for_a_test_still_comes(make):
    bench = make(injected_delay=0.01)
    bench.feed(1.0)
    bench.until(lambda: len(bench.plans) == 1)
