"""One robot's planner: keeps its history, knows what it has promised, and makes the next plan.

Time line of a plan made from the observation at ``t`` (set-points of 20 ms, latency 20 ms, so ``first_step`` = 1)::

    t            t+20        t+40        t+60  ...            t+320
    |  step 0    |  step 1   |  step 2   |                     | trusted end = valid_until
    |  promised  |  played from this plan until the next one takes over at (t+40) + 20
    ^ observation, header.stamp           ^ next plan's first own step

Whole action tokens that are promised enter the network as facts (level 0), so that the new plan continues what is on
its way (as real-time chunking does); a promise shorter than a token is only kept by the executor. With more than one
whole token of latency the plan starts later instead, where physics says that the robot will be (``foresight.py``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace

import numpy as np

from .batch_planner import OWN, BatchPlanner, Observation, PlannerConfig
from .engine.factory import LoadedPolicy
from .engine.manifest import PolicyManifest
from .foresight import Foresight
from .guidance.goals import Goal
from .pass_budget import PassBudget
from .plan_latency import PlanLatency, PlanPace
from .robot.kinematics import Kinematics
from .state import ActionHistory, StateHistory, StateSequence
from .steering import SteeringConfig
from .timeline import take_over
from .types import Array, Plan, RobotState

_LONGEST_PROMISE = 2.5
"""Tokens, where all of it must be committed; training commits at most two whole ones."""
_LONGEST_LATENCY = 5.0
"""Tokens, where physics tells the state at the end of the promise."""

LONGEST_UNFORESEEN = 1
"""Whole action tokens of latency up to which the promise is committed instead."""
_REMEMBERED = 8
"""Plans on their way or playing."""

__all__ = ["GuidedPlanner", "Observation", "PlannerConfig", "RobotTrack"]


def longest_latency(config: PlannerConfig, manifest: PolicyManifest) -> float:
    """The most that a planner reckons with [s]."""
    return (_LONGEST_LATENCY if config.foresight else _LONGEST_PROMISE) * manifest.step_dt


class RobotTrack:
    """What one robot has done and was promised, on the policy's time grid."""

    def __init__(self, planner: BatchPlanner, kinematics: Kinematics | None = None, foresight: Foresight | None = None):
        """
        Args:
            planner: Whose observations are made.
            kinematics: May be shared by tracks of one thread.
            foresight: The same; None: more latency is only committed.
        """
        self._planner = planner
        m = planner.manifest
        self._kinematics = kinematics or Kinematics()
        self._states = StateHistory(m.history_len, m.step_dt)
        self._executed = ActionHistory((m.history_len + 2) * m.step_dt)
        self._default = np.asarray(m.default_joint_pos)
        self._foresight = foresight
        self._newest: RobotState | None = None
        self._plans: deque[Plan] = deque(maxlen=_REMEMBERED)

    def serve(self, planner: BatchPlanner) -> None:
        """Go on with another planner, whose policy has the same grid and layout; what was seen and promised stays."""
        self._planner = planner

    def reset(self) -> None:
        """Forget everything."""
        self._states.reset()
        self._executed.reset()
        self._plans.clear()
        self._newest = None

    @property
    def newest_stamp(self) -> float | None:
        """Stamp of the newest state [s], None if there is none."""
        return self._states.newest_stamp

    def observe(self, state: RobotState, key_points: tuple[Array, Array] | None = None) -> bool:
        """Take a state in; False if it is not newer than the last.

        Args:
            state: From the estimator.
            key_points: Positions and velocities (M, 3) in world axes, if the caller has them; else from kinematics.
        """
        sequence = self._sequence(state, key_points or self._kinematics.key_points(state))
        if not self._states.push(state.stamp, sequence):
            return False
        self._newest = state
        return True

    @staticmethod
    def _sequence(state: RobotState, key_points: tuple[Array, Array]) -> StateSequence:
        return StateSequence(
            state.root_pos_w,
            state.root_quat_w,
            state.root_lin_vel_w,
            state.root_ang_vel_w,
            state.joint_pos,
            state.joint_vel,
            *key_points,
        )

    def observe_executed(self, stamp: float, joint_target: Array) -> bool:
        """Take in the target that is in force from ``stamp`` on, shape (J,); False if not newer than the last."""
        return self._executed.push(stamp, joint_target)

    def remember(self, plan: Plan) -> None:
        """Keep the newest plan: the next ones are promised what is played of it until they arrive.

        One with NaN, which is not played, is left out.
        """
        if plan.finite:
            self._plans.append(plan)

    def observation(self) -> Observation:
        """What the next plan is conditioned on.

        Raises:
            ValueError: No state has arrived yet.
        """
        stamp, m = self._states.newest_stamp, self._planner.manifest
        if stamp is None or self._newest is None:
            raise ValueError("no state yet")
        tokens = self._planner.committed_tokens
        if self._foresight is None or tokens <= LONGEST_UNFORESEEN:
            committed = self._promised(stamp, tokens * m.setpoints_per_step)
            return Observation(stamp, self._states.window(), self._executed_before(stamp), committed)
        targets = self._on_their_way(stamp, tokens * m.setpoints_per_step)
        history, executed = copy(self._states), copy(self._executed)
        for number, target in enumerate(targets):
            executed.push(stamp + (number + 0.5) * m.setpoint_dt, target)  # they are played whatever is planned now
        for state in self._foresight.states(self._newest, targets, m.setpoint_dt):
            history.push(state.stamp, self._sequence(state, self._kinematics.key_points(state)))
        then = stamp + len(targets) * m.setpoint_dt
        return Observation(then, history.window(), self._executed_before(then, executed), targets[:0], stamp)

    def _executed_before(self, stamp: float, executed: ActionHistory | None = None) -> Array:
        """Targets in force over the history that ends at ``stamp``, shape (N * setpoints_per_step, J)."""
        m = self._planner.manifest
        times = stamp + m.setpoint_dt * np.arange(-m.history_len * m.setpoints_per_step, 0)
        return (executed or self._executed).at(times, self._default)

    def _promised(self, stamp: float, count: int) -> Array:
        """The beginning of what the newest plan holds from ``stamp`` on, shape (C, J)."""
        if not self._plans or not count:
            return np.zeros((0, len(self._default)))
        plan = self._plans[-1]
        start = round((stamp - plan.stamp) / plan.step_dt)
        return plan.joint_targets[max(start, 0) : start + count]

    def _on_their_way(self, stamp: float, count: int) -> Array:
        """Targets that are played from ``stamp`` on whatever is planned now, by the plans that will play them.

        Where no plan plays, as before the first one, the target in force goes on.
        """
        dt = self._planner.manifest.setpoint_dt
        targets: list[Array] = []
        for time in stamp + dt * np.arange(count):
            plan = next((plan for plan in reversed(self._plans) if take_over(plan) <= time + 0.5 * dt), None)
            index = -1 if plan is None else round((time - plan.stamp) / plan.step_dt)
            if plan is not None and 0 <= index < plan.trusted_steps:
                targets.append(plan.joint_targets[index])
            else:
                targets.append(targets[-1] if targets else self._executed.at(np.array([stamp]), self._default)[0])
        return np.array(targets).reshape(-1, len(self._default))


class GuidedPlanner:
    """Histories and goals in, plans out, for one robot (the facade the node uses)."""

    def __init__(
        self,
        policy: LoadedPolicy,
        config: PlannerConfig | None = None,
        steering: SteeringConfig | None = None,
        session_id: int = 0,
        kinematics: Kinematics | None = None,
        budget: PassBudget | None = None,
    ):
        """
        Args:
            policy: A loaded artifact.
            config: How to plan.
            steering: How goals become costs.
            session_id: Mixed into the noise, and part of each plan.
            kinematics: Of the robot; None: its own.
            budget: Chooses the passes from the times that :meth:`spent` is told; None, or a number of passes in
                ``config``: they stay.
        """
        self.batch = BatchPlanner(policy, config, 1, steering, [session_id])
        m = self.batch.manifest
        config = self.batch.config
        self._latency = PlanLatency(config.latency, m.setpoint_dt, longest_latency(config, m))
        self._pace = PlanPace(m.step_dt)
        kinematics = kinematics or Kinematics()
        foresight = Foresight(m.kp, m.kd, kinematics.model) if config.foresight else None
        self.track = RobotTrack(self.batch, kinematics, foresight)
        self._next_id = 0
        own = self.batch.config.passes == OWN and self.batch.mode != "rolling"
        self.budget = budget if own else None
        if self.budget is not None:
            self.batch.set_passes(self.budget.passes)

    @property
    def manifest(self):
        """Facts of the policy."""
        return self.batch.manifest

    def take_over(self, other: GuidedPlanner) -> None:
        """Go on where another planner is: history, promises, plan ids, latency, pace and the steering's integrators.

        Both policies must have the same grid and layout (:func:`~.engine.exchange.check_exchangeable`).
        """
        self.track, self._next_id = other.track, other._next_id
        self._latency, self._pace = other._latency, other._pace
        self.track.serve(self.batch)
        self.batch.take_over(other.batch)

    def retune(self, config: PlannerConfig, steering: SteeringConfig) -> None:
        """Plan with the live parameters of these from now on; no others are looked at."""
        self.batch.retune(config, steering)

    def reset(self) -> None:
        """Forget history and plans (after a time jump); plan ids go on."""
        self.batch.reset()
        self.track.reset()

    def observe(self, state: RobotState) -> bool:
        """Take a state in; False if it is not newer than the last."""
        return self.track.observe(state)

    def observe_executed(self, stamp: float, joint_target: Array) -> bool:
        """Take in what was commanded from ``stamp`` on, shape (J,)."""
        return self.track.observe_executed(stamp, joint_target)

    def arrived(self, age: float) -> None:
        """Say how old a plan was when it reached the executor [s]; the next ones reckon with what is typical."""
        self.batch.set_latency(self._latency.add(age))

    def sent(self, age: float) -> None:
        """Say how old a plan was when it was sent [s]; what the executor told about its way there is added."""
        self.batch.set_latency(self._latency.send(age))

    def executor_told(self, latency: float) -> None:
        """What the executor measures, from observation to arrival: 90th percentile [s]; any thread may call this."""
        self._latency.tell(latency)

    def took(self, time: float) -> None:
        """Say after what time the planner was free again [s]: it decides on which steps plans are made."""
        self._pace.add(time)

    @property
    def latency(self) -> float:
        """What plans reckon with now [s]."""
        return self._latency.latency

    def spent(self, elapsed: float) -> None:
        """Say how long the newest plan took [s]; the next one may take fewer or more passes."""
        if self.budget is not None:
            self.batch.set_passes(self.budget.add(elapsed))

    @property
    def trouble(self) -> str:
        """Where NaN in the newest plan came from, for the operator; empty if there is none."""
        return self.batch.trouble

    @property
    def dropped(self) -> Mapping[str, str]:
        """Costs that the newest plan had to do without, and what they did wrong."""
        return self.batch.dropped

    @property
    def period(self) -> float:
        """From plan to plan [s]: whole steps of the policy."""
        return self._pace.steps * self.manifest.step_dt

    def plan(self, goals: Sequence[Goal], seq: int = 0) -> Plan:
        """The next plan, conditioned on the newest state. If it is not ``finite``, the next one will not continue it.

        Args:
            goals: What to do; expired ones must be gone. Empty: unguided.
            seq: ``guidance_seq`` of the goals.

        Raises:
            ValueError: No state has arrived yet.
        """
        plan = self.batch.plan([self.track.observation()], goals, [self._next_id], seq)[0]
        self._next_id += 1
        plan = replace(plan, successor_due=take_over(plan) + self.period)
        self.track.remember(plan)
        return plan
