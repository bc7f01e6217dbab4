"""The planner's own thread: newest states in, plans out, while older plans are being played. No ROS in here."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from .estimation.grid import StampGrid
from .execution.latency import LatencyWindow
from .execution.watchdog import finite_state
from .guidance.goals import Goal, JoystickGoal
from .pass_budget import PassBudget
from .planner import GuidedPlanner, PlannerConfig
from .steering import SteeringConfig
from .types import Array, Plan, RobotState

_LEAP = 0.5
"""A gap between two states beyond this starts a new history [s]."""
_ROUNDING = 1e-6
"""Stamps are good to this [s]."""
_WINDOW = 250
"""Plans behind the percentiles: 10 s at 25 Hz."""
_LATE_PERCENT = 5.0
"""More late plans than this are not an accident."""
_INBOX = 256
"""States and applied targets that wait for the thread; of more, the oldest are dropped: 0.6 s at 200 Hz of both."""
_SWAP_PATIENCE = 2.0
"""How long a successor waits for the plan at hand [s, steady]; a plan takes milliseconds."""
_SILENCE = 0.5
"""Without a state for this long (steady clock) the planner is degraded [s]."""


class Condition(Enum):
    """How the planner is: (state, code) in ``PlannerStatus.msg``'s names, and the sentence for the operator."""

    RUNNING = ("RUNNING", "OK", "plans arrive in time")
    WARMUP = ("WARMUP", "HISTORY_SHORT", "the history does not yet span the policy's past steps")
    NO_STATE = ("DEGRADED", "NO_STATE", "no robot state arrives")
    LATE = ("DEGRADED", "LATE", "plans arrive after they are due")
    BAD_STATE = ("DEGRADED", "BAD_STATE", "robot states were dropped: NaN, or time stood still")
    GOAL_EXPIRED = ("RUNNING", "GOAL_EXPIRED", "the last goal has expired; standing")
    BAD_GOAL = ("DEGRADED", "BAD_GOAL", "a goal was refused; serving the one before")
    COST_DROPPED = ("DEGRADED", "BAD_GOAL", "a cost failed and is left out; the rest of the goal is served")
    BAD_PLAN = ("FAULT", "BAD_PLAN", "a plan held NaN; it was not published")
    BACKEND_ERROR = ("FAULT", "BACKEND_ERROR", "planning failed")
    ENDED = ("FAULT", "BACKEND_ERROR", "the planning thread has ended")


@dataclass
class WorkerStatistics:
    """Counts since activation, and the windows behind the percentiles."""

    plans: int = 0
    late_plans: int = 0
    dropped_states: int = 0

    def __post_init__(self) -> None:
        self.state_age = LatencyWindow(_WINDOW)
        self.compute = LatencyWindow(_WINDOW)
        self.slack = LatencyWindow(_WINDOW)
        self._sent: deque[float] = deque(maxlen=100)

    def sent(self) -> None:
        """Count a plan that went out now."""
        self.plans += 1
        self._sent.append(time.monotonic())

    def rate(self) -> float:
        """Plans per second over the newest hundred [Hz]; 0 before two were sent."""
        sent = tuple(self._sent)
        return (len(sent) - 1) / (sent[-1] - sent[0]) if len(sent) > 1 else 0.0


class PlanWorker:
    """Owns a :class:`GuidedPlanner`; nothing else touches it while the thread runs."""

    def __init__(
        self,
        planner: GuidedPlanner,
        publish: Callable[[Plan], None],
        now: Callable[[], float],
        stand_when_expired: bool = True,
        injected_delay: float = 0.0,
        prepare: Callable[[], None] = lambda: None,
    ):
        """
        Args:
            planner: Freshly made.
            publish: Called in the worker's thread with each plan.
            now: The robot's clock [s].
            stand_when_expired: Goals that have expired become the wish to stand; False: unguided.
            injected_delay: Publish so much later than possible [s]; for tests of late planners.
            prepare: Called once in the worker's thread before it plans, e.g. to ask for a priority.
        """
        self._planner = planner
        self._publish = publish
        self._now = now
        self._stand_when_expired = stand_when_expired
        self._delay = injected_delay
        self._prepare = prepare
        self._period = planner.manifest.step_dt
        self._grid = StampGrid(self._period)
        self._goals: tuple[tuple[Goal, ...], int] = ((), 0)
        self._inbox: deque[RobotState | tuple[float, Array]] = deque(maxlen=_INBOX)
        self._wake = threading.Condition()
        self._running = False
        self._started = False
        self._reset_wanted = False
        self._successor: GuidedPlanner | None = None
        self._tuning: tuple[PlannerConfig, SteeringConfig] | None = None
        self._first_stamp: float | None = None
        self._heard = time.monotonic()
        self._trouble: Condition | None = None
        self.dropped = ""
        """Costs that the newest plan had to do without, and why; empty: none."""
        self.detail = ""
        """What went wrong, in words."""
        self.statistics = WorkerStatistics()
        self._thread = threading.Thread(target=self._run, name="planner", daemon=True)

    def start(self) -> None:
        """Begin to plan."""
        self._running = self._started = True
        self._thread.start()

    def turn(self) -> None:
        """Do in the caller's thread what is to be done now, instead of :meth:`start`: in lockstep."""
        with self._wake:
            self._running = True  # else swap() would give up
            inbox = self._empty_inbox()
        self._work(inbox)

    def stop(self) -> None:
        """End the thread after the plan it is at."""
        with self._wake:
            self._running = False
            self._wake.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def passes(self) -> int:
        """Network calls per plan now."""
        return self._planner.batch.passes

    @property
    def budget(self) -> PassBudget | None:
        """What chooses them; None: they are fixed."""
        return self._planner.budget

    def reset(self) -> None:
        """Forget history and plans before the next state."""
        self._reset_wanted = True

    @property
    def ended(self) -> bool:
        """True if the thread is gone although nobody stopped it."""
        return self._started and self._running and not self._thread.is_alive()

    def swap(self, planner: GuidedPlanner, patience: float = _SWAP_PATIENCE) -> bool:
        """Let another planner go on after the plan at hand; returns when it has.

        Args:
            planner: The successor.
            patience: How long to wait [s, steady].

        Returns:
            False if the thread has ended or did not get to it in time; the successor is then not used later either.
        """
        with self._wake:
            self._successor = planner
            self._wake.notify_all()
            self._wake.wait_for(lambda: self._successor is not planner or not self._running, patience)
            waiting, self._successor = self._successor is planner, None
            return not waiting and self._planner is planner

    def retune(self, config: PlannerConfig, steering: SteeringConfig) -> None:
        """Plan with the live parameters of these from the next plan on."""
        with self._wake:
            self._tuning = (config, steering)

    def put_state(self, state: RobotState) -> None:
        """A new state; wakes the thread."""
        self._heard = time.monotonic()
        if not finite_state(state):
            self.statistics.dropped_states += 1
            self._trouble = Condition.BAD_STATE
            return
        with self._wake:
            self._inbox.append(state)
            self._wake.notify()

    def put_executed(self, stamp: float, joint_target: Array) -> None:
        """A target that is in force from ``stamp`` on, shape (J,)."""
        with self._wake:
            self._inbox.append((stamp, joint_target))

    def put_goals(self, goals: tuple[Goal, ...], seq: int) -> None:
        """What to do from the next plan on."""
        self._goals = (goals, seq)
        if self._trouble is Condition.BAD_GOAL:
            self._trouble = None

    def refuse_goal(self, text: str) -> None:
        """A goal came that cannot be served; the one before stays."""
        self._trouble, self.detail = Condition.BAD_GOAL, text

    def executor_told(self, latency: float) -> None:
        """From a plan's observation to its arrival, as the executor measures it: 90th percentile [s]."""
        self._planner.executor_told(latency)

    @property
    def period(self) -> float:
        """From plan to plan [s]: more than the policy's step where a plan takes longer."""
        return self._planner.period

    @property
    def latency(self) -> float:
        """Age that plans are expected to have on arrival at the executor [s]."""
        return self._planner.latency

    @property
    def condition(self) -> Condition:
        """How the planner is now, the worst first."""
        if self.ended:
            return Condition.ENDED
        if self._trouble in (Condition.BACKEND_ERROR, Condition.BAD_PLAN):
            return self._trouble
        if time.monotonic() - self._heard > _SILENCE:
            return Condition.NO_STATE
        newest = self._planner.track.newest_stamp
        if newest is None or self._warming_up(newest):
            return Condition.WARMUP
        if self.statistics.slack.percentile(_LATE_PERCENT) < 0.0:
            return Condition.LATE
        if self._trouble is not None:
            return self._trouble
        if self.dropped:
            return Condition.COST_DROPPED
        goals, _ = self._goals
        expired = any(goal.expired(newest) for goal in goals)
        return Condition.GOAL_EXPIRED if expired else Condition.RUNNING

    def _warming_up(self, stamp: float) -> bool:
        """Whether the history is still too short at a time [s]."""
        m = self._planner.manifest
        return self._first_stamp is None or stamp - self._first_stamp < m.history_len * m.step_dt - _ROUNDING

    # ------------------------------------------------------------ worker thread

    def _run(self) -> None:
        try:
            self._prepare()
            while self._turn():
                pass
        except BaseException as error:  # the end of this thread: `condition` says so from now on
            self.detail = f"{type(error).__name__}: {error}"
            raise

    def _turn(self) -> bool:
        """Wait for states, and plan if one is due; False at the end."""
        with self._wake:
            self._wake.wait_for(lambda: bool(self._inbox) or self._successor is not None or not self._running)
            if not self._running:
                return False
            inbox = self._empty_inbox()
        self._work(inbox)
        return True

    def _empty_inbox(self) -> list[RobotState | tuple[float, Array]]:
        """What came since the last plan; a planner that waits to take over does so. With the lock held."""
        inbox = list(self._inbox)
        self._inbox.clear()
        try:
            self._exchange()
        except Exception as error:  # the planner before goes on; the caller of swap() is told
            self.detail = f"{type(error).__name__}: {error}"
        return inbox

    def _work(self, inbox: Sequence[RobotState | tuple[float, Array]]) -> None:
        try:
            if self._take(inbox):
                self._plan()
        except Exception as error:  # ONNX Runtime has its own types; a silent end of this thread would be worse
            self._trouble, self.detail = Condition.BACKEND_ERROR, f"{type(error).__name__}: {error}"

    def _exchange(self) -> None:
        """Between two plans; both planners are ours alone now."""
        successor, self._successor = self._successor, None
        if successor is not None:
            try:
                successor.take_over(self._planner)
                self._planner = successor
            finally:
                self._wake.notify_all()
        tuning, self._tuning = self._tuning, None
        if tuning is not None:
            self._planner.retune(*tuning)

    def _take(self, inbox: Sequence[RobotState | tuple[float, Array]]) -> bool:
        """Bring the histories up to date; True if a plan is due."""
        due = False
        for item in inbox:
            if isinstance(item, tuple):
                self._planner.observe_executed(*item)
                continue
            newest = self._planner.track.newest_stamp
            if self._reset_wanted or (newest is not None and not 0.0 <= item.stamp - newest <= _LEAP):
                self._reset_wanted = False
                self._planner.reset()
                self._grid.reset()
                self._first_stamp = None
            if not self._planner.observe(item):
                self.statistics.dropped_states += 1
                continue
            if self._first_stamp is None:
                self._first_stamp = item.stamp
            due = self._grid.take(item.stamp) or due
        return due

    def _plan(self) -> None:
        stamp = self._planner.track.newest_stamp
        assert stamp is not None
        began = self._now()
        self.statistics.state_age.add(began - stamp)
        goals, seq = self._goals
        alive = tuple(goal for goal in goals if not goal.expired(stamp))
        if len(alive) < len(goals) and not alive and self._stand_when_expired:
            alive = (JoystickGoal(),)
        start = time.perf_counter()
        plan = self._planner.plan(alive, seq)
        elapsed = time.perf_counter() - start
        self.statistics.compute.add(elapsed)
        self._planner.spent(elapsed)
        self._note_dropped()
        if not plan.finite:
            self._trouble, self.detail = Condition.BAD_PLAN, f"plan {plan.plan_id}: {self._planner.trouble}"
            return
        if self._trouble in (Condition.BACKEND_ERROR, Condition.BAD_PLAN, Condition.BAD_STATE):
            self._trouble = None
        if self._delay > 0.0:
            timer = threading.Timer(self._delay, self._send, (plan,))
            timer.daemon = True
            timer.start()
        else:
            self._send(plan)
        self._keep_pace(self._now() - began)

    def _note_dropped(self) -> None:
        """Costs that failed are named as long as plans are made without them."""
        dropped = "; ".join(f"cost '{name}' {what}" for name, what in self._planner.dropped.items())
        if dropped and self._trouble is None:
            self.detail = dropped
        self.dropped = dropped

    def _keep_pace(self, time: float) -> None:
        """After a plan that took so long on the robot's clock [s]: plan on each step, or on every second, third ..."""
        self._planner.took(time)
        if self._planner.period != self._period:
            self._period = self._planner.period
            self._grid = StampGrid(self._period)

    def _send(self, plan: Plan) -> None:
        self._publish(plan)
        self._planner.sent(self._now() - plan.observation_stamp)
        self.statistics.sent()
        if not self._warming_up(plan.observation_stamp):
            slack = plan.stamp + plan.first_step * plan.step_dt - self._now()
            self.statistics.slack.add(slack)
            self.statistics.late_plans += slack < 0.0
