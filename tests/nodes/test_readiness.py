"""What stands in the way of a task, by what was heard last: on messages made by hand, without a middleware."""

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
bm = pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")

from beyondmimic_diffusion.core.tasks import TaskCode  # noqa: E402
from beyondmimic_diffusion.ros import readiness  # noqa: E402
from beyondmimic_diffusion.ros.conversions import time_to_msg  # noqa: E402
from beyondmimic_diffusion.ros.readiness import Readiness, ReadinessConfig  # noqa: E402
from rclpy.serialization import serialize_message  # noqa: E402

STATE = bm.ExecutorState
TIMEOUT = 1.0


class Queue:
    """A topic whose messages come from the test; the newest is kept, as the middleware keeps it."""

    def __init__(self):
        self.waiting = None

    def newest(self):
        raw, self.waiting = self.waiting, None
        return raw


class Inputs(dict):
    """As much of a node's polled inputs as is needed; queues by topic."""

    def subscribe(self, kind, topic, profile):
        return self.setdefault(topic, Queue())


@pytest.fixture
def heard(monkeypatch):
    """A robot at rest with a planner that plans; ``say`` the executor's mode, and let robot time pass with ``clock``.

    The simulation runs at ten times real time, so that both clocks are told apart.
    """
    inputs, clock = Inputs(), [5.0]
    monkeypatch.setattr(readiness.time, "monotonic", lambda: 100.0 + 0.1 * clock[0])
    listener = Readiness(None, inputs, ReadinessConfig(hold_timeout=TIMEOUT), lambda: clock[0])

    def say(mode):
        state = bm.RobotState()
        state.header.stamp = time_to_msg(clock[0])
        inputs["robot_state"].waiting = serialize_message(state)
        inputs["planner/status"].waiting = serialize_message(bm.PlannerStatus(state=bm.PlannerStatus.RUNNING))
        inputs["executor/state"].waiting = serialize_message(STATE(state=mode, message="so it is"))
        return listener

    return say, clock


@pytest.mark.parametrize("mode", [STATE.HOLD, STATE.RETURN_TO_STAND])
def test_an_executor_that_is_first_heard_while_it_waits_for_plans_is_no_reason_to_break(heard, mode):
    say, _ = heard
    assert say(mode).trouble(under_way=True) is None
    assert say(mode).trouble() == (TaskCode.NOT_READY, f"the executor plays no plans (state {mode}): so it is")


@pytest.mark.parametrize("mode", [STATE.HOLD, STATE.RETURN_TO_STAND])
def test_a_task_lives_through_an_interruption_that_is_shorter_than_the_timeout_each_time_anew(heard, mode):
    say, clock = heard
    for _ in range(3):
        assert say(STATE.TRACKING).trouble(under_way=True) is None
        for _ in range(9):
            assert say(mode).trouble(under_way=True) is None
            clock[0] += 0.1 * TIMEOUT
    say(mode).trouble(under_way=True)
    clock[0] += 1.01 * TIMEOUT
    assert say(mode).trouble(under_way=True)[0] is TaskCode.NOT_READY


@pytest.mark.parametrize("mode", [STATE.DAMPING, STATE.E_STOP, STATE.FAULT])
def test_a_task_ends_at_once_when_the_robot_is_stopped(heard, mode):
    say, _ = heard
    assert say(mode).trouble(under_way=True)[0] is TaskCode.ROBOT_FELL
