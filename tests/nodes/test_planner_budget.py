"""What the planner says of backend, passes and budget; what it does when its planning thread is gone."""

import threading
from dataclasses import replace

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
bm = pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")

from beyondmimic_diffusion.core.engine import PolicyManifest, SamplingDefaults  # noqa: E402
from beyondmimic_diffusion.core.pass_budget import PlanCost  # noqa: E402
from beyondmimic_diffusion.nodes import diffusion_planner_node  # noqa: E402

from tests.nodes.test_diffusion_planner_node import Session, session  # noqa: E402, F401  (fixture)

pytestmark = pytest.mark.ros


@pytest.fixture
def adjustable(policy_folder):
    """The same policy, which may go down to two of its four passes."""
    before = PolicyManifest.load(policy_folder)
    replace(before, sampling=SamplingDefaults(passes=4, least_passes=2)).save(policy_folder)
    yield policy_folder
    before.save(policy_folder)


def cost(fixed, per_pass):
    return lambda *_: PlanCost(fixed, per_pass)


def said(planner):
    planner.ros.until(lambda: planner.statuses)
    return planner.statuses[-1]


def test_the_status_names_passes_budget_and_reason(ros, adjustable, monkeypatch):
    monkeypatch.setattr(diffusion_planner_node, "try_plans", cost(0.003, 0.0027))  # 4: 13.8 ms, 3: 11.1 ms of 12 ms
    status = said(Session(ros, adjustable))
    assert status.denoise_steps_used == 3
    assert status.budget_ms == pytest.approx(12.0)  # 0.6 of the promised 20 ms
    assert status.budget_note == ("onnx; 3 passes (2 .. 4): 11.1 ms a plan of 12.0 ms; 4 passes would take 13.8 ms")


@pytest.mark.parametrize(
    ("changes", "milliseconds"),
    [({"budget_share": 0.2}, 8.0), ({"planner.latency": 0.03}, 18.0), ({"planner.latency": 0.06}, 20.0)],
)
def test_the_budget_is_a_share_of_the_step_and_no_more_than_the_latency_allows(
    ros, adjustable, monkeypatch, changes, milliseconds
):
    monkeypatch.setattr(diffusion_planner_node, "try_plans", cost(0.0, 0.001))
    assert said(Session(ros, adjustable, **changes)).budget_ms == pytest.approx(milliseconds)


def test_passes_by_parameter_win_over_the_budget(ros, adjustable, monkeypatch):
    monkeypatch.setattr(diffusion_planner_node, "try_plans", cost(0.003, 0.1))
    status = said(Session(ros, adjustable, **{"planner.passes": 4}))
    assert (status.denoise_steps_used, status.budget_ms) == (4, 0.0)
    assert "4 passes by parameter" in status.budget_note


def test_plans_over_budget_lose_passes_while_the_robot_walks(ros, adjustable, monkeypatch):
    monkeypatch.setattr(diffusion_planner_node, "try_plans", cost(0.0, 0.0))
    planner = Session(ros, adjustable, budget_share=0.05)  # 2 ms
    worker = planner.node._worker
    spent = worker._planner.spent
    monkeypatch.setattr(worker._planner, "spent", lambda elapsed: [spent(0.01) for _ in range(25)])
    planner.feed(12)
    planner.ros.until(lambda: planner.statuses and planner.statuses[-1].denoise_steps_used == 2)
    assert "after 3: 90 % of the plans took up to 10.0 ms of 2.0 ms" in planner.statuses[-1].budget_note


def test_a_planning_thread_that_is_gone_is_a_fault_and_a_new_session_goes_on(session, monkeypatch):  # noqa: F811
    class Gone(BaseException):
        pass

    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    planner = session()
    planner.feed(6)
    planner.ros.until(lambda: planner.plans)
    first = planner.plans[-1].session_id

    def end(*_):
        raise Gone("no more memory")

    monkeypatch.setattr(planner.node._worker, "_take", end)
    planner.statuses.clear()
    planner.state()
    planner.ros.until(lambda: any(status.state == bm.PlannerStatus.FAULT for status in planner.statuses))
    fault = next(status for status in planner.statuses if status.state == bm.PlannerStatus.FAULT)
    assert fault.message == "the planning thread has ended: Gone: no more memory"
    planner.plans.clear()
    planner.feed(6)
    planner.ros.until(lambda: planner.plans)
    assert planner.plans[-1].session_id != first
