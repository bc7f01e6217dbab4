"""Another policy takes over between two plans and goes on where the one before was."""

import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from beyondmimic_diffusion.core.batch_planner import PlannerConfig
from beyondmimic_diffusion.core.engine import LoadedPolicy
from beyondmimic_diffusion.core.guidance.goals import JoystickGoal
from beyondmimic_diffusion.core.plan_worker import PlanWorker
from beyondmimic_diffusion.core.planner import GuidedPlanner
from beyondmimic_diffusion.core.robot.kinematics import Kinematics
from beyondmimic_diffusion.core.types import Plan, RobotState

from tests.core.test_planner import executed_target, make_manifest, make_network, walk


@pytest.fixture(scope="module")
def random_policy():
    """Random weights; plans depend on everything the network sees."""
    pytest.importorskip("torch")
    from beyondmimic_diffusion.core.engine.torch_backend import TorchDenoiser

    manifest = make_manifest()
    return LoadedPolicy(manifest, TorchDenoiser(make_network(manifest)), "torch", Path(), 0.0)


class Walk:
    """A planner that sees a made-up walk, and what it plans; ``exchange`` at some plan puts another in its place."""

    def __init__(self, policy, mode="scratch"):
        self.policy, self.kinematics, self.mode = policy, Kinematics(), mode
        self.planner = self.make()

    def make(self, policy=None):
        config = PlannerConfig(mode=self.mode, seed=7, latency=0.05)
        return GuidedPlanner(policy or self.policy, config, session_id=5, kinematics=self.kinematics)

    def plans(self, count, exchange_at=None, successor=None):
        made, goal = [], (JoystickGoal((0.4, 0.1), 0.2),)
        for i, state in enumerate(walk()):
            self.planner.observe(state)
            if i % 2 == 0:
                self.planner.observe_executed(state.stamp, executed_target(i // 2))
            if i >= 20 and i % 4 == 0 and len(made) < count:
                if len(made) == exchange_at:
                    following = self.make(successor)
                    following.take_over(self.planner)
                    self.planner = following
                made.append(self.planner.plan(goal))
                self.planner.arrived(0.03)
        return made


def test_a_swap_to_the_same_policy_changes_no_bit_of_any_plan(random_policy):
    """Histories, promises, plan ids, latency and the steering's integrators have all come along."""
    straight = Walk(random_policy).plans(8)
    swapped = Walk(random_policy).plans(8, exchange_at=4)
    assert [plan.plan_id for plan in swapped] == list(range(8))
    for one, other in zip(straight, swapped, strict=True):
        np.testing.assert_array_equal(one.joint_targets, other.joint_targets)
        assert (one.first_step, one.stamp, one.session_id) == (other.first_step, other.stamp, other.session_id)


@pytest.mark.parametrize("mode", ["scratch", "rolling", "warm_start"])
def test_what_was_promised_before_the_swap_is_kept_by_the_first_plan_after_it(random_policy, mode):
    def louder(sample, conditioning, levels):
        clean = random_policy.denoiser(sample, conditioning, levels)
        return type(clean)(clean.states, clean.actions * np.float32(0.5))

    other = replace(random_policy, denoiser=louder)
    plans = Walk(random_policy, mode).plans(6, exchange_at=4, successor=other)
    before, after = plans[3], plans[4]
    tokens = after.first_step // 2 * 2  # whole tokens of two set-points
    start = round((after.stamp - before.stamp) / before.step_dt)
    assert tokens >= 2
    np.testing.assert_allclose(after.joint_targets[:tokens], before.joint_targets[start : start + tokens], atol=1e-5)
    rest = before.joint_targets[start + tokens :]
    assert not np.allclose(after.joint_targets[tokens : tokens + len(rest)], rest, atol=0.01)


class Named:
    """A planner that marks its plans with its name."""

    def __init__(self, name):
        self.name, self.manifest = name, SimpleNamespace(step_dt=0.04, history_len=0)
        self.track = SimpleNamespace(newest_stamp=None)
        self.busy, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()
        self.taken_over_from = None

    def take_over(self, other):
        self.taken_over_from, self.track = other, other.track

    def observe(self, state):
        self.track.newest_stamp = state.stamp
        return True

    trouble, period, dropped = "", 0.04, {}

    def sent(self, age):
        pass

    def took(self, time):
        pass

    def spent(self, elapsed):
        pass

    def plan(self, goals, seq):
        self.busy.set()
        assert self.go_on.wait(20.0)
        stamp = self.track.newest_stamp
        return Plan(0, 0, stamp, stamp, 0.02, np.zeros((16, 1)), 16, 1, stamp + 0.3, policy_sha256=self.name)


def state_at(stamp):
    zero = np.zeros(3)
    return RobotState(stamp, zero, np.array([1.0, 0.0, 0.0, 0.0]), zero, zero, np.zeros(1), np.zeros(1))


@pytest.fixture
def bench():
    first, plans = Named("first"), []
    worker = PlanWorker(first, lambda plan: plans.append(plan.policy_sha256), lambda: 0.0)  # type: ignore[arg-type]
    worker.start()
    yield SimpleNamespace(first=first, plans=plans, worker=worker)
    first.go_on.set()
    worker.stop()


def test_a_swap_waits_for_the_plan_at_hand_and_the_next_is_the_successors(bench):
    bench.first.go_on.clear()
    bench.worker.put_state(state_at(1.0))
    assert bench.first.busy.wait(20.0)
    second, done = Named("second"), threading.Event()
    threading.Thread(target=lambda: (bench.worker.swap(second), done.set())).start()  # type: ignore[func-returns-value]
    assert not done.wait(0.05)
    bench.first.go_on.set()
    assert done.wait(20.0)
    assert bench.plans == ["first"] and second.taken_over_from is bench.first
    bench.worker.put_state(state_at(1.04))
    assert second.busy.wait(20.0)
    bench.worker.stop()
    assert bench.plans == ["first", "second"]


def test_a_swap_needs_no_state_to_arrive(bench):
    assert bench.worker.swap(Named("second"))


def test_a_worker_that_has_ended_takes_no_successor(bench):
    bench.worker.stop()
    assert not bench.worker.swap(Named("second"))
