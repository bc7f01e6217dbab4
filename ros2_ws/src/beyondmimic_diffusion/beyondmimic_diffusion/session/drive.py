"""The course of a session: wait for each part, arm, do one thing after the other, stop."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from typing import Any

from beyondmimic_msgs.action import ReachWaypoint
from beyondmimic_msgs.msg import ExecutorState, PlannerStatus

from .activity import Activity, Driving, Reaching
from .console import Console, bar
from .metrics import FALLEN_HEIGHT
from .programme import Programme, Reach
from .stack import SessionError, Stack, describe
from .steering import KeyboardSteering, TourSteering
from .teleop import HELP, KeyboardDriver, raw_terminal, typed_keys
from .tour import Tour

_PATIENCE = 60.0
"""How long a part of the stack may take to come up [s]; on an idle machine all take about five together."""
_ARMING_PATIENCE = 15.0
_ASKED_AT_MOST = 4
"""How often a place is asked for while the stack says that it is not ready."""
_LIVE_PERIOD = 0.2
_STALL = 5.0
"""Simulated time that stands still for this long ends the session [s]."""
_STOPPED = (ExecutorState.DAMPING, ExecutorState.E_STOP, ExecutorState.FAULT)


def bring_up(stack: Stack, console: Console, own_controller: bool = False) -> float:
    """Wait for each node, arm, and wait until plans are played; returns the simulated time of that [s].

    Args:
        stack: Started.
        console: Shows how it goes.
        own_controller: Whether the robot has a controller of its own that must let go of the motors first.

    Raises:
        SessionError: A part does not come up, or the executor refuses.
    """
    heard = stack.recorder.latest
    for what, topic in (
        ("simulator", "/ground_truth/odom"),
        ("state estimator", "/robot_state"),
        ("guidance", "/guidance/active"),
    ):
        stack.wait_for(what, lambda topic=topic: topic in heard, _PATIENCE)
    console.say("  simulator, state estimator and guidance server are up")
    stack.wait_for("planner", lambda: _planning(stack.planner()), _PATIENCE, lambda: describe(stack.planner()))
    status = stack.planner()
    if status is not None:
        console.say(f"  planner is running: policy '{status.engine_name}' on {status.backend}")
    if own_controller:
        _insist(stack, "executor/take_motors", "the robot's own controller keeps the motors")
        console.say("  the robot's own controller has let go of the motors; it hangs in the gantry")
    _insist(stack, "executor/arm", "the executor refuses to be armed")
    console.say("  executor is armed")
    stack.wait_for(
        "executor plays plans",
        lambda: _tracking(stack.executor()),
        _PATIENCE,
        lambda: f"It says: {describe(stack.executor())}",
    )
    return stack.sim_time()


def carry_out(stack: Stack, activity: Activity, console: Console) -> None:
    """Keep an activity going until it is over.

    Raises:
        SessionError: The executor stopped the robot, the robot fell, or time stands still.
    """
    next_live = 0.0
    start = last_sim = stack.sim_time()
    moved_at = time.monotonic()
    while True:
        stack.step()
        now = stack.sim_time()
        if now != last_sim:
            last_sim, moved_at = now, time.monotonic()
        elif time.monotonic() - moved_at > _STALL:
            raise SessionError(f"simulated time has stood still at {now:.2f} s for {_STALL:.0f} s")
        if not activity.update(now):
            return
        if time.monotonic() >= next_live:
            next_live = time.monotonic() + _LIVE_PERIOD
            _check(stack)
            console.live(_live_line(stack, activity, now, start))


def run_programme(stack: Stack, programme: Programme, notes: dict[str, Any], console: Console) -> None:
    """All stages of a tour, one after the other; what they did is noted as they do it.

    Args:
        stack: Up and playing plans.
        programme: What is asked of the robot.
        notes: Gets ``legs``, a timetable, and ``goals``, one entry per place.
        console: Shows how it goes.

    Raises:
        SessionError: As :func:`carry_out`.
    """
    notes["legs"], notes["goals"] = [], []
    for stage in programme.stages:
        start = stack.sim_time()
        if isinstance(stage, Tour):
            notes["legs"] += stage.timetable(start)
            carry_out(stack, Driving(stack, TourSteering(stage), start), console)
        else:
            _reach(stack, stage, start, notes["goals"], console)


def keyboard_session(stack: Stack, duration: float, console: Console) -> None:
    """Steer by hand.

    Raises:
        ConfigError: There is no keyboard.
    """
    with raw_terminal() as descriptor:
        console.say(HELP)
        steering = KeyboardSteering(KeyboardDriver(), lambda: typed_keys(descriptor), duration, stack.e_stop)
        carry_out(stack, Driving(stack, steering, stack.sim_time()), console)


def _reach(stack: Stack, reach: Reach, start: float, goals: list[dict[str, Any]], console: Console) -> None:
    """One place; its entry stands in the list from the beginning, so that a fall on the way leaves it there.

    A machine that stalls for a moment makes the executor hold and the action give up: then it is asked again.
    """
    goal = asdict(reach) | {"start": start, "end": start, "asked": 0, "error_code": None, "message": "not ended"}
    goals.append(goal)
    for _ in range(_ASKED_AT_MOST):
        now = stack.sim_time()
        goal["asked"] += 1
        reaching = Reaching(stack, replace(reach, timeout=reach.timeout - (now - start)), now)
        try:
            carry_out(stack, reaching, console)
        finally:
            goal["end"] = stack.sim_time()
            reaching.close()
        goal |= reaching.outcome or {}
        if goal["error_code"] != ReachWaypoint.Result.NOT_READY or goal["end"] - start >= reach.timeout - 1.0:
            break
        console.say(f"  {reach.name}: {goal['message']}; it is asked again")
        stack.wait_for("executor plays plans again", lambda: _tracking(stack.executor()), _ARMING_PATIENCE)
    verdict = f"code {goal['error_code']}: {goal['message']}" if goal["error_code"] else "reached"
    x, y = reach.target
    console.say(f"  {reach.name} ({x:+.2f}, {y:+.2f}): {verdict}, {goal['end'] - start:.1f} s")


def _insist(stack: Stack, service: str, complaint: str) -> None:
    """Ask until it is granted.

    Raises:
        SessionError: It is not.
    """
    until = time.monotonic() + _ARMING_PATIENCE
    while True:
        granted, reason = stack.call(service, _ARMING_PATIENCE)
        if granted:
            return
        if time.monotonic() > until:
            raise SessionError(f"{complaint}: {reason}")
        for _ in range(10):
            stack.step()


def _planning(status: PlannerStatus | None) -> bool:
    return status is not None and status.state in (PlannerStatus.RUNNING, PlannerStatus.DEGRADED)


def _tracking(state: ExecutorState | None) -> bool:
    if state is not None and state.state in _STOPPED:
        raise SessionError(f"the executor stopped before it played a plan: {state.message}")
    return state is not None and state.state == ExecutorState.TRACKING


def _check(stack: Stack) -> None:
    state = stack.executor()
    if state is not None and state.state in _STOPPED:
        raise SessionError(f"the executor stopped the robot: {state.message}")
    truth = stack.recorder.newest("/ground_truth/odom")
    if truth is not None and truth.pose.pose.position.z < FALLEN_HEIGHT:
        raise SessionError(f"the robot lies on the floor (pelvis at {truth.pose.pose.position.z:.2f} m)")


def _live_line(stack: Stack, activity: Activity, now: float, start: float) -> str:
    truth, status = stack.recorder.newest("/ground_truth/odom"), stack.planner()
    factor = stack.recorder.newest("/sim/real_time_factor")
    share, elapsed = activity.share(now), now - start
    parts = [f"{bar(share)} {elapsed:5.1f} s" if share is not None else f"{elapsed:6.1f} s", *activity.live(now)]
    if truth is not None:
        parts.append("got {:+.2f} {:+.2f} {:+.2f}".format(*_velocity(truth)))
    if status is not None:
        parts.append(f"plan {status.compute_p50_ms:.0f}/{status.compute_p99_ms:.0f} ms")
        parts.append(f"slack {status.publish_to_due_p01_ms:.0f} ms")
    if factor is not None:
        parts.append(f"x{factor.data:.2f}")
    return " | ".join(parts)


def _velocity(odometry: Any) -> tuple[float, float, float]:
    """Along the pelvis's axes [m/s], and yaw rate [rad/s], now."""
    twist = odometry.twist.twist
    return twist.linear.x, twist.linear.y, twist.angular.z
