"""Whether there is a robot that can do what it is told: state, executor and planner, each of them recently heard."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from beyondmimic_msgs.msg import ExecutorState, GuidanceStats, PlannerStatus
from beyondmimic_msgs.msg import RobotState as RobotStateMsg
from rclpy.node import Node

from ..core.errors import BeyondMimicError
from ..core.parameters import param, validate
from ..core.robot import g1
from ..core.tasks import TaskCode
from ..core.types import RobotState
from . import qos
from .conversions import JointMap, robot_state_from_msg, time_from_msg

_PLAYS = (ExecutorState.BLEND, ExecutorState.TRACKING, ExecutorState.COASTING)
_WAITS = (ExecutorState.HOLD, ExecutorState.RETURN_TO_STAND)
"""An interruption, from which the executor goes on by itself as soon as plans come."""
_FELL = (ExecutorState.DAMPING, ExecutorState.E_STOP, ExecutorState.FAULT)
_PLANS = (PlannerStatus.WARMUP, PlannerStatus.RUNNING, PlannerStatus.DEGRADED)


@dataclass(frozen=True)
class ReadinessConfig:
    """How recently everything must have been heard."""

    state_timeout: float = param(
        1.0, unit="s", lo=0.05, hi=10.0, doc="Tasks end when robot_state is silent for this long."
    )
    status_timeout: float = param(
        2.0, unit="s", lo=0.2, hi=20.0, doc="Tasks end when executor or planner are silent for this long."
    )
    hold_timeout: float = param(
        1.0,
        unit="s",
        lo=0.0,
        hi=10.0,
        doc="Tasks end when the executor holds, or stands without plans, for this long.",
    )
    max_clock_difference: float = param(
        0.5, unit="s", lo=0.05, hi=10.0, doc="Greatest difference between robot_state's stamp and our clock."
    )

    def __post_init__(self) -> None:
        validate(self)


@dataclass
class _Heard:
    message: Any = None
    at: float = -math.inf

    def age(self) -> float:
        """[s] by the steady clock."""
        return time.monotonic() - self.at


class Readiness:
    """Listens. Whether the others are alive is asked of the steady clock, how long the robot waits of the robot's."""

    def __init__(self, node: Node, config: ReadinessConfig, now: Callable[[], float]):
        """
        Args:
            node: Owner of the subscriptions.
            config: Time limits.
            now: The robot's clock [s].
        """
        self._node = node
        self._now = now
        self._behind = 0.0
        self._waits_since = math.inf
        self._config = config
        self._joints = JointMap(g1.JOINT_NAMES)
        self._state, self._executor, self._planner, self._stats = _Heard(), _Heard(), _Heard(), _Heard()
        table = (
            (ExecutorState, "executor/state", self._executor, qos.LATCHED),
            (PlannerStatus, "planner/status", self._planner, qos.STREAM),
            (GuidanceStats, "guidance/stats", self._stats, qos.STREAM),
        )
        self._subscriptions = [
            node.create_subscription(kind, topic, _keeper(place), profile) for kind, topic, place, profile in table
        ]
        self._subscriptions.append(node.create_subscription(RobotStateMsg, "robot_state", self._on_state, qos.NEWEST))

    def destroy(self) -> None:
        """Stop listening."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    def _on_state(self, msg: RobotStateMsg) -> None:
        """The clocks are compared now: later, this process may just have been busy."""
        self._state.message, self._state.at = msg, time.monotonic()
        self._behind = self._now() - time_from_msg(msg.header.stamp)

    def state(self) -> RobotState | None:
        """The newest robot state; None if there is none, or it cannot be read."""
        if self._state.message is None:
            return None
        try:
            return robot_state_from_msg(self._state.message, self._joints)
        except BeyondMimicError as error:
            self._node.get_logger().warning(f"robot_state refused: {error}", throttle_duration_sec=1.0)
            return None

    @property
    def cost(self) -> float:
        """Weighted cost of the newest plan; NaN if it is not guided, or unknown."""
        if self._stats.message is None or self._stats.age() > self._config.status_timeout:
            return math.nan
        return float(sum(cost.value for cost in self._stats.message.costs))

    @property
    def planner_state(self) -> int:
        """One of ``PlannerStatus``'s states."""
        status: PlannerStatus | None = self._planner.message
        if status is None or self._planner.age() > self._config.status_timeout:
            return PlannerStatus.INACTIVE
        return int(status.state)

    def trouble(self, under_way: bool = False) -> tuple[TaskCode, str] | None:
        """What stands in the way of a task, the nearest cause first; None: nothing.

        Args:
            under_way: A task runs already: it lives through a short interruption.
        """
        return self._state_trouble() or self._executor_trouble(under_way) or self._planner_trouble()

    def _state_trouble(self) -> tuple[TaskCode, str] | None:
        if self._state.age() > self._config.state_timeout:
            return TaskCode.NOT_READY, f"no robot_state {_since(self._state)}; is the estimator running?"
        if abs(self._behind) > self._config.max_clock_difference:
            return (
                TaskCode.STALE_CLOCK,
                f"robot_state is stamped {self._behind:.2f} s before our clock; have all nodes the same use_sim_time?",
            )
        return None

    def _executor_trouble(self, under_way: bool) -> tuple[TaskCode, str] | None:
        if self._executor.age() > self._config.status_timeout:
            return TaskCode.NOT_READY, f"no executor/state {_since(self._executor)}; is the executor running?"
        mode: ExecutorState = self._executor.message
        now = self._now()
        if mode.state not in _WAITS or now < self._waits_since:  # or the clock was set back
            self._waits_since = math.inf
        if mode.state in _PLAYS:
            return None
        if mode.state in _WAITS:
            self._waits_since = min(self._waits_since, now)
            if under_way and now - self._waits_since < self._config.hold_timeout:
                return None
        return (
            TaskCode.ROBOT_FELL if mode.state in _FELL else TaskCode.NOT_READY,
            f"the executor plays no plans (state {mode.state}): {mode.message or 'not armed'}",
        )

    def _planner_trouble(self) -> tuple[TaskCode, str] | None:
        if self._planner.age() > self._config.status_timeout:
            return TaskCode.NOT_READY, f"no planner/status {_since(self._planner)}; is the planner running?"
        status: PlannerStatus = self._planner.message
        if status.state not in _PLANS:
            return TaskCode.NOT_READY, f"the planner does not plan (state {status.state}): {status.message}"
        return None


def _keeper(place: _Heard):
    def keep(message: Any) -> None:
        place.message, place.at = message, time.monotonic()

    return keep


def _since(heard: _Heard) -> str:
    return "has come" if math.isinf(heard.age()) else f"for {heard.age():.1f} s"
