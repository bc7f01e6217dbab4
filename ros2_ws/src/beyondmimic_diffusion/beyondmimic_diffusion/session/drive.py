"""The course of a session: wait for each part, arm, steer, stop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, Protocol

from beyondmimic_msgs.msg import ExecutorState, PlannerStatus

from .console import Console, bar
from .metrics import FALLEN_HEIGHT
from .stack import SessionError, Stack, describe
from .teleop import HELP, KeyboardDriver, actions, raw_terminal, typed_keys
from .tour import Tour

COMMAND_PERIOD = 0.05
"""Of ``cmd_vel``, on the simulated clock [s]."""
_PATIENCE = 60.0
"""How long a part of the stack may take to come up [s]; on an idle machine all take about five together."""
_ARMING_PATIENCE = 15.0
_LIVE_PERIOD = 0.2
_STALL = 5.0
"""Simulated time that stands still for this long ends the session [s]."""
_STOPPED = (ExecutorState.DAMPING, ExecutorState.E_STOP, ExecutorState.FAULT)


class Steering(Protocol):
    """Where the commands come from."""

    def command(self, t: float) -> tuple[float, float, float] | None:
        """Forward, left [m/s] and yaw rate [rad/s] at ``t`` [s] since plans are played; None: the session is over."""
        ...

    def label(self, t: float) -> str:
        """What is being done, in a few words."""
        ...

    def share(self, t: float) -> float | None:
        """How much of the session is over, None where that is not known."""
        ...


class TourSteering:
    """Follows a tour."""

    def __init__(self, tour: Tour):
        self._tour = tour

    def command(self, t: float) -> tuple[float, float, float] | None:
        """See :class:`Steering`."""
        return None if t >= self._tour.duration else self._tour.command(t)

    def label(self, t: float) -> str:
        """See :class:`Steering`."""
        leg = self._tour.leg_at(t)
        return leg.name if leg else ""

    def share(self, t: float) -> float | None:
        """See :class:`Steering`."""
        return t / self._tour.duration


class KeyboardSteering:
    """Follows the keys, until quit or until the time is up."""

    def __init__(self, driver: KeyboardDriver, keys: Callable[[], bytes], duration: float = math.inf):
        """
        Args:
            driver: Knows what keys mean.
            keys: Gives what was typed since the last call.
            duration: [s].
        """
        self._driver = driver
        self._keys = keys
        self._duration = duration

    def command(self, t: float) -> tuple[float, float, float] | None:
        """See :class:`Steering`."""
        for action in actions(self._keys()):
            self._driver.press(action)
        return None if self._driver.quit or t >= self._duration else self._driver.velocity

    def label(self, t: float) -> str:
        """See :class:`Steering`."""
        return "by hand"

    def share(self, t: float) -> float | None:
        """See :class:`Steering`."""
        return None if math.isinf(self._duration) else t / self._duration


def bring_up(stack: Stack, console: Console) -> float:
    """Wait for each node, arm, and wait until plans are played; returns the simulated time of that [s].

    Raises:
        SessionError: A part does not come up, or the executor refuses.
    """
    heard = stack.recorder.latest
    for what, topic in (("simulator", "/clock"), ("state estimator", "/robot_state"), ("guidance", "/guidance/active")):
        stack.wait_for(what, lambda topic=topic: topic in heard, _PATIENCE)
    console.say("  simulator, state estimator and guidance server are up")
    stack.wait_for("planner", lambda: _planning(stack.planner()), _PATIENCE, lambda: describe(stack.planner()))
    status = stack.planner()
    if status is not None:
        console.say(f"  planner is running: policy '{status.engine_name}' on {status.backend}")
    _arm(stack)
    console.say("  executor is armed")
    stack.wait_for(
        "executor plays plans",
        lambda: _tracking(stack.executor()),
        _PATIENCE,
        lambda: f"It says: {describe(stack.executor())}",
    )
    return stack.sim_time()


def steer(stack: Stack, steering: Steering, start: float, console: Console) -> None:
    """Publish commands until the steering is over.

    Raises:
        SessionError: The executor stopped the robot, the robot fell, or time stands still.
    """
    next_command, next_live = start, 0.0
    last_sim, moved_at = start, time.monotonic()
    while True:
        stack.step()
        now = stack.sim_time()
        if now != last_sim:
            last_sim, moved_at = now, time.monotonic()
        elif time.monotonic() - moved_at > _STALL:
            raise SessionError(f"simulated time has stood still at {now:.2f} s for {_STALL:.0f} s")
        if now >= next_command:
            next_command = max(next_command + COMMAND_PERIOD, now)
            velocity = steering.command(now - start)
            if velocity is None:
                stack.command((0.0, 0.0, 0.0))
                return
            stack.command(velocity)
        if time.monotonic() >= next_live:
            next_live = time.monotonic() + _LIVE_PERIOD
            _check(stack)
            console.live(_live_line(stack, steering, now - start))


def keyboard_session(stack: Stack, duration: float, start: float, console: Console) -> None:
    """Steer by hand.

    Raises:
        ConfigError: There is no keyboard.
    """
    with raw_terminal() as descriptor:
        console.say(HELP)
        steer(stack, KeyboardSteering(KeyboardDriver(), lambda: typed_keys(descriptor), duration), start, console)


def _arm(stack: Stack) -> None:
    until = time.monotonic() + _ARMING_PATIENCE
    while True:
        armed, reason = stack.call("executor/arm")
        if armed:
            return
        if time.monotonic() > until:
            raise SessionError(f"the executor refuses to be armed: {reason}")
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


def _live_line(stack: Stack, steering: Steering, t: float) -> str:
    truth, command = stack.recorder.newest("/ground_truth/odom"), stack.recorder.newest("/cmd_vel")
    status, factor = stack.planner(), stack.recorder.newest("/sim/real_time_factor")
    share = steering.share(t)
    parts = [f"{bar(share)} {t:5.1f} s" if share is not None else f"{t:6.1f} s", f"{steering.label(t):<10}"]
    if command is not None:
        twist = command.twist
        parts.append(f"asked {twist.linear.x:+.2f} {twist.linear.y:+.2f} {twist.angular.z:+.2f}")
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
