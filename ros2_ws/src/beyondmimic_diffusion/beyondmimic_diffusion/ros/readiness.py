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
from rclpy.serialization import deserialize_message

from ..core.errors import BeyondMimicError
from ..core.parameters import param, validate
from ..core.robot import g1
from ..core.tasks import TaskCode
from ..core.types import RobotState
from . import qos
from .cdr import RobotStateReader, stamp_of
from .conversions import JointMap
from .polled import PolledInputs, PolledTopic, QueuedTopic

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


class _Heard:
    """The newest message of a topic, and when it was fetched; it is decoded once somebody looks at it."""

    def __init__(self, topic: PolledTopic | QueuedTopic, message_type: Any):
        self._topic, self._message_type = topic, message_type
        self._raw: bytes | None = None
        self._message: Any = None
        self.at = -math.inf
        """By the steady clock [s]."""

    def fetch(self) -> None:
        """Take what has come since the last call, if anything has."""
        raw = self._topic.newest()
        if raw is not None:
            self._raw, self.at = raw, time.monotonic()

    @property
    def message(self) -> Any:
        """None before the first."""
        if self._raw is not None:
            self._message, self._raw = deserialize_message(self._raw, self._message_type), None
        return self._message

    def age(self) -> float:
        """[s] by the steady clock."""
        return time.monotonic() - self.at


class Readiness:
    """Fetches what was said when it is asked, without a callback per message.

    Whether the others are alive is judged by the steady clock, how long the robot waits by the robot's.
    """

    def __init__(self, node: Node, inputs: PolledInputs, config: ReadinessConfig, now: Callable[[], float]):
        """
        Args:
            node: Logs.
            inputs: Owner of the subscriptions.
            config: Time limits.
            now: The robot's clock [s].
        """
        self._node = node
        self._now = now
        self._behind = 0.0
        self._waits_since = math.inf
        self._config = config
        self._executor = _Heard(inputs.subscribe(ExecutorState, "executor/state", qos.LATCHED), ExecutorState)
        self._planner = _Heard(inputs.subscribe(PlannerStatus, "planner/status", qos.NEWEST), PlannerStatus)
        self._stats = _Heard(inputs.subscribe(GuidanceStats, "guidance/stats", qos.NEWEST), GuidanceStats)
        self._states = inputs.subscribe(RobotStateMsg, "robot_state", qos.NEWEST)
        self._reader = RobotStateReader(JointMap(g1.JOINT_NAMES))
        self._state: bytes | None = None
        self._state_at = -math.inf

    def refresh(self) -> None:
        """Fetch what was said; to be called in each cycle, with the clock just brought up to date.

        The clocks are compared here, for the queue holds the newest state however long this process was busy.
        """
        self._executor.fetch()
        self._planner.fetch()
        raw = self._states.newest()
        if raw is None:
            return
        self._state, self._state_at = raw, time.monotonic()
        try:
            self._behind = self._now() - stamp_of(raw)
        except BeyondMimicError as error:
            self._refuse(error)

    def state(self) -> RobotState | None:
        """The newest robot state; None if there is none, or it cannot be read."""
        self.refresh()
        if self._state is None:
            return None
        try:
            return self._reader.read(self._state)
        except BeyondMimicError as error:
            self._refuse(error)
            return None

    def _refuse(self, error: BeyondMimicError) -> None:
        self._node.get_logger().warning(f"robot_state refused: {error}", throttle_duration_sec=1.0)

    @property
    def cost(self) -> float:
        """Weighted cost of the newest plan; NaN if it is not guided, or unknown."""
        self._stats.fetch()
        if self._stats.message is None or self._stats.age() > self._config.status_timeout:
            return math.nan
        return float(sum(cost.value for cost in self._stats.message.costs))

    @property
    def planner_state(self) -> int:
        """One of ``PlannerStatus``'s states."""
        self._planner.fetch()
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
        self.refresh()
        if time.monotonic() - self._state_at > self._config.state_timeout:
            return TaskCode.NOT_READY, f"no robot_state {_since(self._state_at)}; is the estimator running?"
        if abs(self._behind) > self._config.max_clock_difference:
            return (
                TaskCode.STALE_CLOCK,
                f"robot_state is stamped {self._behind:.2f} s before our clock; have all nodes the same use_sim_time?",
            )
        return None

    def _executor_trouble(self, under_way: bool) -> tuple[TaskCode, str] | None:
        self._executor.fetch()
        if self._executor.age() > self._config.status_timeout:
            return TaskCode.NOT_READY, f"no executor/state {_since(self._executor.at)}; is the executor running?"
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
        self._planner.fetch()
        if self._planner.age() > self._config.status_timeout:
            return TaskCode.NOT_READY, f"no planner/status {_since(self._planner.at)}; is the planner running?"
        status: PlannerStatus = self._planner.message
        if status.state not in _PLANS:
            return TaskCode.NOT_READY, f"the planner does not plan (state {status.state}): {status.message}"
        return None


def _since(at: float) -> str:
    return "has come" if math.isinf(at) else f"for {time.monotonic() - at:.1f} s"
