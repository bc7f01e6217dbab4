"""One robot's planner: keeps its history, knows what it has promised, and makes the next plan.

Time line of a plan made from the observation at ``t`` (set-points of 20 ms, latency 20 ms, so ``first_step`` = 1)::

    t            t+20        t+40        t+60  ...            t+320
    |  step 0    |  step 1   |  step 2   |                     | trusted end = valid_until
    |  promised  |  played from this plan until the next one takes over at (t+40) + 20
    ^ observation, header.stamp           ^ next plan's first own step

Whole action tokens that are promised enter the network as facts (level 0), so that the new plan continues what is on
its way (as real-time chunking does); a promise shorter than a token is only kept by the executor.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .batch_planner import OWN, BatchPlanner, Observation, PlannerConfig
from .engine.factory import LoadedPolicy
from .guidance.goals import Goal
from .pass_budget import PassBudget
from .plan_latency import PlanLatency
from .robot.kinematics import Kinematics
from .state import ActionHistory, StateHistory, StateSequence
from .steering import SteeringConfig
from .types import Array, Plan, RobotState

_LONGEST_PROMISE = 2.5
"""Tokens; training commits at most two whole ones."""

__all__ = ["GuidedPlanner", "Observation", "PlannerConfig", "RobotTrack"]


class RobotTrack:
    """What one robot has done and was promised, on the policy's time grid."""

    def __init__(self, planner: BatchPlanner, kinematics: Kinematics | None = None):
        self._planner = planner
        m = planner.manifest
        self._kinematics = kinematics or Kinematics()
        self._states = StateHistory(m.history_len, m.step_dt)
        self._executed = ActionHistory((m.history_len + 2) * m.step_dt)
        self._default = np.asarray(m.default_joint_pos)
        self._last_plan: Plan | None = None

    def serve(self, planner: BatchPlanner) -> None:
        """Go on with another planner, whose policy has the same grid and layout; what was seen and promised stays."""
        self._planner = planner

    def reset(self) -> None:
        """Forget everything."""
        self._states.reset()
        self._executed.reset()
        self._last_plan = None

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
        pos, vel = key_points if key_points is not None else self._kinematics.key_points(state)
        sequence = StateSequence(
            state.root_pos_w,
            state.root_quat_w,
            state.root_lin_vel_w,
            state.root_ang_vel_w,
            state.joint_pos,
            state.joint_vel,
            pos,
            vel,
        )
        return self._states.push(state.stamp, sequence)

    def observe_executed(self, stamp: float, joint_target: Array) -> bool:
        """Take in the target that is in force from ``stamp`` on, shape (J,); False if not newer than the last."""
        return self._executed.push(stamp, joint_target)

    def remember(self, plan: Plan) -> None:
        """Keep the newest plan: the next one is promised its beginning. One with NaN, which nobody plays, is not."""
        if plan.finite:
            self._last_plan = plan

    def observation(self) -> Observation:
        """What the next plan is conditioned on.

        Raises:
            ValueError: No state has arrived yet.
        """
        states = self._states.window()
        stamp = self._states.newest_stamp
        assert stamp is not None
        m = self._planner.manifest
        dt = m.setpoint_dt
        times = stamp + dt * np.arange(-m.history_len * m.setpoints_per_step, 0)
        return Observation(stamp, states, self._executed.at(times, self._default), self._promised(stamp))

    def _promised(self, stamp: float) -> Array:
        count = self._planner.committed_tokens * self._planner.manifest.setpoints_per_step
        plan = self._last_plan
        if plan is None or not count:
            return np.zeros((0, len(self._default)))
        start = round((stamp - plan.stamp) / plan.step_dt)
        return plan.joint_targets[max(start, 0) : start + count]


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
        self._latency = PlanLatency(self.batch.config.latency, m.setpoint_dt, _LONGEST_PROMISE * m.step_dt)
        self.track = RobotTrack(self.batch, kinematics)
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
        """Go on where another planner is: its history, promises, plan ids, latency and the steering's integrators.

        Both policies must have the same grid and layout (:func:`~.engine.exchange.check_exchangeable`).
        """
        self.track, self._next_id, self._latency = other.track, other._next_id, other._latency
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
        self.track.remember(plan)
        return plan
