"""Having a place reached, against an action server that does as it is told."""

import math
import os
import threading
import time

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="places are reached over ROS 2")
pytest.importorskip("beyondmimic_msgs", reason="our messages are not built")

import rclpy
from beyondmimic_diffusion.core.rotations import yaw_of
from beyondmimic_diffusion.ros.conversions import duration_from_msg, duration_to_msg, quat_from_msg, time_from_msg
from beyondmimic_diffusion.session.activity import COMMAND_PERIOD, Driving, Reaching, reach_goal
from beyondmimic_diffusion.session.programme import Reach
from beyondmimic_diffusion.session.stack import SessionError
from beyondmimic_diffusion.session.steering import TourSteering
from beyondmimic_diffusion.session.tour import Leg, Tour
from beyondmimic_msgs.action import ReachWaypoint
from rclpy.action import ActionClient, ActionServer, GoalResponse
from rclpy.executors import SingleThreadedExecutor

pytestmark = pytest.mark.ros
THERE = Reach("there", (1.5, -2.0), timeout=20.0)


class SmallStack:
    """As much of a stack as an activity sees."""

    def __init__(self):
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=int(os.environ["ROS_DOMAIN_ID"]))
        self.nodes = [rclpy.create_node(name, context=self.context) for name in ("session", "server")]
        self._executors = [SingleThreadedExecutor(context=self.context) for _ in self.nodes]
        for executor, node in zip(self._executors, self.nodes, strict=True):
            executor.add_node(node)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        self.commands: list[tuple[float, float, float]] = []
        self.planning: list[bool] = []
        self.received: list[ReachWaypoint.Goal] = []

    def _serve(self) -> None:
        while not self._ending.is_set():
            self._executors[1].spin_once(timeout_sec=0.02)

    def serve(self, execute, accept: bool = True) -> None:
        """Start the action's server."""

        def take(goal):
            self.received.append(goal)
            return GoalResponse.ACCEPT if accept else GoalResponse.REJECT

        self.server = ActionServer(self.nodes[1], ReachWaypoint, "reach_waypoint", execute, goal_callback=take)

    def action_client(self, kind, name):
        return ActionClient(self.nodes[0], kind, name)

    results = 0

    def wait_for_future(self, future) -> None:
        """Time runs on, as it does without lockstep."""

    def has_result(self, result, before) -> bool:
        return result.done()

    def idle(self) -> None:
        self.spin()

    def wait_for(self, what, ready, patience, wait=None) -> None:
        until = time.monotonic() + patience
        while not ready():
            if time.monotonic() > until:
                raise SessionError(f"{what}: not after {patience:.0f} s")
            self.spin()

    def spin(self) -> None:
        self._executors[0].spin_once(timeout_sec=0.01)

    def command(self, velocity) -> None:
        self.commands.append(velocity)

    def let_plan(self, wanted) -> None:
        self.planning.append(wanted)

    def close(self) -> None:
        self._ending.set()
        self._thread.join()
        if hasattr(self, "server"):
            self.server.destroy()
        for executor, node in zip(self._executors, self.nodes, strict=True):
            executor.shutdown()
            node.destroy_node()
        rclpy.shutdown(context=self.context)


@pytest.fixture
def stack():
    small = SmallStack()
    yield small
    small.close()


def answer(code: int, message: str = ""):
    """An execution that tells how far it is, and then ends with this result."""

    def execute(handle):
        feedback = ReachWaypoint.Feedback(distance=1.25, estimated_time=duration_to_msg(4.0))
        handle.publish_feedback(feedback)
        (handle.abort if code else handle.succeed)()
        return ReachWaypoint.Result(error_code=code, error_msg=message)

    return execute


def carried_out(stack: SmallStack, now: float = 100.0) -> Reaching:
    reaching = Reaching(stack, THERE, 100.0)
    until = time.monotonic() + 20.0
    while reaching.update(now):
        assert time.monotonic() < until
    for _ in range(10):  # what else has come: feedback may be taken after the result
        stack.spin()
    reaching.close()
    return reaching


def test_the_request_says_where_when_and_how_long():
    goal = reach_goal(Reach("x", (1.5, -2.0), heading=4.0, timeout=33.0), 12.5)
    assert (goal.pose.pose.position.x, goal.pose.pose.position.y) == (1.5, -2.0)
    assert goal.pose.header.frame_id == "odom"
    assert time_from_msg(goal.pose.header.stamp) == 12.5
    assert goal.use_heading
    assert float(yaw_of(quat_from_msg(goal.pose.pose.orientation))) == pytest.approx(4.0 - 2.0 * math.pi)
    assert duration_from_msg(goal.timeout) == 33.0
    assert not reach_goal(THERE, 0.0).use_heading


@pytest.mark.parametrize(("code", "message"), [(0, ""), (ReachWaypoint.Result.STUCK, "no progress for 8 s")])
def test_it_ends_with_the_result_of_the_action_and_has_shown_what_was_left(stack, code, message):
    stack.serve(answer(code, message))
    reaching = carried_out(stack)
    assert reaching.outcome == {"error_code": code, "message": message}
    assert stack.received[0].pose.pose.position.x == 1.5
    assert reaching.live(100.0) == ["there", "left 1.25 m", "about 4 s"]


def test_a_goal_that_is_rejected_is_an_outcome_too(stack):
    stack.serve(answer(0), accept=False)
    assert carried_out(stack).outcome == {
        "error_code": ReachWaypoint.Result.UNKNOWN,
        "message": "the goal was rejected",
    }


def test_a_server_that_never_answers_ends_the_session_after_the_goals_own_time(stack):
    silent = threading.Event()
    stack.serve(lambda handle: (silent.wait(), handle.abort(), ReachWaypoint.Result())[2])
    reaching = Reaching(stack, THERE, 100.0)
    assert reaching.share(110.0) == pytest.approx(0.5)
    assert reaching.update(129.9)
    with pytest.raises(SessionError, match=r"has said nothing of 'there' for 30 s; its timeout is 20 s"):
        reaching.update(130.1)
    silent.set()
    reaching.close()


def test_driving_sends_each_command_once_a_period_and_rest_at_the_end(stack):
    driving = Driving(stack, TourSteering(Tour((Leg("on", 1.0, vx=0.4),))), 50.0)
    times = [50.0 + 0.01 * i for i in range(200)]
    ended = next(t for t in times if not driving.update(t))
    assert ended == pytest.approx(51.0, abs=COMMAND_PERIOD + 1e-9)
    assert len(stack.commands) == pytest.approx(1.0 / COMMAND_PERIOD + 1, abs=1)
    assert stack.commands[-2] == (0.4, 0.0, 0.0)
    assert stack.commands[-1] == (0.0, 0.0, 0.0)


def test_driving_freezes_the_planner_in_the_legs_that_say_so_and_never_leaves_it_frozen(stack):
    legs = (Leg("with", 1.0, vx=0.4), Leg("without", 1.0, vx=0.4, planner=False))
    driving = Driving(stack, TourSteering(Tour(legs)), 50.0)
    planning = {}
    for t in np.arange(50.0, 52.2, 0.01):
        if not driving.update(t):
            break
        planning[t] = stack.planning[-1]
    assert all(wanted == (t < 51.0 - 1e-9) for t, wanted in planning.items() if abs(t - 51.0) > COMMAND_PERIOD)
    assert stack.planning[-1] is True
