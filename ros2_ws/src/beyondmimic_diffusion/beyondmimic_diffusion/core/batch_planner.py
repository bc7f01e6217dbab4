"""Plans for several robots at once: observations and goals in, plans out. Evaluation runs fifty rows, a robot one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .diffusion.level_path import LevelPath
from .diffusion.rolling_buffer import RollingBuffer, RollingConfig
from .diffusion.sampler import CleanRange, Sampler, draw_noise
from .diffusion.scheduler import NoiseScheduler
from .engine.factory import LoadedPolicy
from .errors import ArtifactMismatchError
from .guidance.clip import split_keyframes
from .guidance.composer import GuidanceComposer
from .guidance.goal_terms import GoalContext
from .guidance.goals import Goal
from .guidance.schedule import by_signal, skip_last
from .guidance.state_keyframe import StateKeyframeGoal, due_steps
from .planner_config import MODES, OWN, PlannerConfig
from .state import (
    CharacterFrame,
    StateSequence,
    character_frame,
    make_representation,
    relative_frame,
)
from .steering import Steering, SteeringConfig
from .types import Array, Conditioning, Plan, Sample

__all__ = ["MODES", "OWN", "BatchPlanner", "Observation", "PlannerConfig"]


@dataclass(frozen=True)
class Observation:
    """What a plan is conditioned on, for one robot."""

    stamp: float
    """Of the newest of ``states`` [s]: set-point 0 is due then."""
    states: StateSequence
    """History and current state on the policy's grid, leading shape (N + 1,)."""
    executed: Array
    """Joint targets in force over the history, shape (N * setpoints_per_step, J)."""
    promised: Array
    """Targets of the previous plan from ``stamp`` on that will be played before this plan arrives, shape (C, J)."""
    observed: float | None = None
    """Stamp of the newest state that was measured [s]; None: ``stamp``, that is, nothing was foreseen."""


class BatchPlanner:
    """The policy, the sampler and the steering of B robots; holds what rolls on from plan to plan."""

    def __init__(
        self,
        policy: LoadedPolicy,
        config: PlannerConfig | None = None,
        rows: int = 1,
        steering: SteeringConfig | None = None,
        sessions: Sequence[int] | None = None,
    ):
        """
        Args:
            policy: A loaded artifact.
            config: How to plan.
            rows: Robots B.
            steering: How goals become costs.
            sessions: Session id per robot, mixed into its noise; 0 .. B-1 by default.
        """
        self.config = config or PlannerConfig()
        self.manifest = m = policy.manifest
        self.rows = rows
        self.sessions = list(sessions) if sessions is not None else list(range(rows))
        self.representation = make_representation(m.state_kind, [p.name for p in m.key_points], m.joint_names)
        self.state_norm = m.state_normalizer.normalizer()
        self.action_norm = m.action_normalizer.normalizer()
        if self.representation.dim != self.state_norm.dim:
            raise ArtifactMismatchError(
                f"policy '{m.name}' has {self.state_norm.dim} state features, its key points and joints make "
                f"{self.representation.dim}"
            )
        self.scheduler = NoiseScheduler(m.num_denoising_steps, m.schedule)
        limits = CleanRange(self.state_norm.low, self.state_norm.high, self.action_norm.low, self.action_norm.high)
        limits = CleanRange(*(np.asarray(v, dtype=np.float32) for v in limits))
        self.sampler = Sampler(self.scheduler, policy.denoiser, clean_range=limits)
        self.mode = m.sampling.mode if self.config.mode == "policy" else self.config.mode
        self.passes = m.sampling.passes if self.config.passes == OWN else self.config.passes
        """Network calls per plan."""
        self.method = m.sampling.method if self.config.method == "policy" else self.config.method
        self.set_latency(self.config.latency)
        self.steering = Steering(steering or SteeringConfig(), rows)
        self._buffer = self._make_buffer()
        self._composer = GuidanceComposer(
            self.representation.layout,
            self.state_norm.scale,
            self.state_norm.offset,
            m.step_dt,
            scale=self._guidance_scale(self.config),
            schedule=self._schedule,
        )
        self.trouble = ""
        """Where NaN in the newest plans came from; empty if there is none."""
        self.dropped: dict[str, str] = {}
        """Costs that the newest plans had to do without, and what they did wrong."""
        self._pose_dim = max(self.representation.layout[name].stop for name in ("root_pos_c", "root_rot_c"))
        self._from_scratch: LevelPath | None = None
        self._frame: CharacterFrame | None = None
        self._stamp: Array = np.full(rows, np.nan)

    @property
    def committed_tokens(self) -> int:
        """Whole action tokens that are promised when a plan is asked for."""
        return min(self.first_step // self.manifest.setpoints_per_step, self.manifest.action_horizon - 1)

    @property
    def _last_played_token(self) -> int:
        """Last action token of which a set-point is played before the next plan takes over: it must end clean."""
        per_step = self.manifest.setpoints_per_step
        return min((self.first_step + per_step - 1) // per_step, self.manifest.action_horizon - 1)

    def set_latency(self, latency: float) -> None:
        """Reckon with another age of the plans at their arrival [s]."""
        self.first_step = int(np.ceil(latency / self.manifest.setpoint_dt - 1e-9))

    def set_passes(self, passes: int) -> None:
        """Make the next plans in another number of passes; not in mode 'rolling', whose staircase has its own."""
        if self.mode == "rolling":
            return
        self.passes = passes
        if self._buffer is not None:
            self._buffer.config = replace(self._buffer.config, passes=passes)

    def _guidance_scale(self, config: PlannerConfig) -> float:
        return self.manifest.sampling.guidance_scale if config.guidance_scale == OWN else config.guidance_scale

    def retune(self, config: PlannerConfig, steering: SteeringConfig) -> None:
        """Plan with the live parameters of these from now on; no others are looked at."""
        self._composer.set_scale(self._guidance_scale(config))
        self.steering.retune(steering)

    def reset(self) -> None:
        """Forget the previous plans (time jump, new activation)."""
        if self._buffer is not None:
            self._buffer.reset()
        self.steering.reset()
        self._frame, self._stamp = None, np.full(self.rows, np.nan)

    def take_over(self, other: BatchPlanner) -> None:
        """Go on where another policy's planner is. Its half-denoised tokens stay behind: they are in its own units."""
        self.steering, self._frame, self._stamp = other.steering, other._frame, other._stamp
        self.first_step = other.first_step

    def plan(
        self, observations: Sequence[Observation], goals: Sequence[Goal], numbers: Sequence[int], seq: int = 0
    ) -> list[Plan]:
        """One plan per robot.

        Args:
            observations: One per robot, all as many promised set-points.
            goals: What the robots shall do; each goal holds one value, or one per robot. Empty: unguided.
            numbers: ``plan_id`` of each plan; with seed and session it decides the noise.
            seq: ``guidance_seq`` of the goals.
        """
        started = time.perf_counter()
        m = self.manifest
        states = _stack(observations)
        frame = character_frame(states[:, -1])
        features = self.representation.encode(states, CharacterFrame(frame.xy[:, None], frame.yaw[:, None]))
        conditioning = self._conditioning(features, np.stack([o.executed for o in observations]))
        keyframes, costs = split_keyframes(goals, float(observations[0].stamp), m.horizon * m.step_dt)
        guidance = self._guidance(features[:, -1], costs, frame, observations)
        generators = [
            np.random.default_rng([self.config.seed, session, number])
            for session, number in zip(self.sessions, numbers, strict=True)
        ]
        noise = draw_noise(generators, m.horizon, m.state_dim, m.action_horizon, m.action_dim)
        committed = self._committed(observations)
        count = 0 if committed is None else committed.shape[1]
        if self._buffer is None:
            initial, path = noise, self._scratch_path()
        else:
            initial, path = self._buffer.open(
                noise,
                shift=self._shift(observations),
                reframe=self._reframe(frame),
                committed=max(count, self._last_played_token),
            )
        initial, path = self._hold(keyframes, initial, path, frame, float(observations[0].stamp))
        result = self.sampler.sample(
            conditioning,
            initial,
            path,
            guidance=guidance,
            committed=committed,
            method=self.method,
            generators=generators,
        )
        bad = np.array(
            [not (np.isfinite(s).all() and np.isfinite(a).all()) for s, a in zip(*result.clean, strict=True)]
        )
        self.trouble = "the network gave NaN or infinity" if bad.any() else ""
        if self._buffer is not None:
            self._buffer.store(result)
            if bad.any():
                self._buffer.reset(bad)
        self._frame, self._stamp = frame, np.array([o.stamp for o in observations])
        stats = guidance.stats(result.clean.states) if guidance is not None else ((),) * self.rows
        self.dropped = dict(guidance.dropped) if guidance is not None else {}
        roots = self.representation.decode_pose(
            result.clean.states[..., : self._pose_dim] * self.state_norm.scale[: self._pose_dim]
            + self.state_norm.offset[: self._pose_dim],
            CharacterFrame(frame.xy[:, None], frame.yaw[:, None]),
        )
        targets = self.action_norm.to_si(result.clean.actions).reshape(self.rows, -1, len(m.joint_names))
        elapsed = time.perf_counter() - started
        return [
            Plan(
                plan_id=numbers[i],
                session_id=self.sessions[i],
                stamp=o.stamp,
                observation_stamp=o.stamp if o.observed is None else o.observed,
                step_dt=m.setpoint_dt,
                joint_targets=targets[i].astype(np.float64),
                trusted_steps=targets.shape[1],
                first_step=self._first_step_of(o),
                valid_until=o.stamp + targets.shape[1] * m.setpoint_dt,
                state_dt=m.step_dt,
                root_pos_w=roots[0][i],
                root_quat_w=roots[1][i],
                compute_time=elapsed,
                guidance_seq=seq,
                cost_stats=stats[i],
                policy_sha256=m.onnx_sha256,
            )
            for i, o in enumerate(observations)
        ]

    def _first_step_of(self, observation: Observation) -> int:
        """What of the latency is left at the moment that is planned for, in set-points."""
        foreseen = 0.0 if observation.observed is None else observation.stamp - observation.observed
        return max(self.first_step - round(foreseen / self.manifest.setpoint_dt), 0)

    def _conditioning(self, features: Array, executed: Array) -> Conditioning:
        m = self.manifest
        states = self.state_norm.clamp(self.state_norm.normalize(features)).astype(np.float32)
        actions = self.action_norm.normalize(executed.reshape(self.rows, m.history_len, m.action_dim))
        history = np.concatenate([states[:, :-1], actions.astype(np.float32)], axis=-1)
        return Conditioning(history, states[:, -1])

    def _guidance(
        self, current: Array, goals: Sequence[Goal], frame: CharacterFrame, observations: Sequence[Observation]
    ) -> GuidanceComposer | None:
        velocity = current[:, self.representation.layout["root_lin_vel_c"]][:, :2]
        m = self.manifest
        context = GoalContext(
            frame,
            float(observations[0].stamp),
            m.step_dt,
            m.horizon,
            key_point_names=tuple(p.name for p in m.key_points) if m.state_kind == "body_pos" else (),
            key_point_radii=np.array([p.radius for p in m.key_points]),
        )
        since = np.array([o.stamp for o in observations]) - self._stamp
        terms = self.steering.terms(goals, context, velocity, float(np.nan_to_num(since, nan=0.0).max()))
        return self._composer.with_terms(terms) if terms else None

    def _hold(
        self,
        keyframes: Sequence[StateKeyframeGoal],
        initial: Sample,
        path: LevelPath,
        frame: CharacterFrame,
        now: float,
    ) -> tuple[Sample, LevelPath]:
        """Make the states that keyframes stand for facts."""
        m = self.manifest
        due = due_steps(keyframes, now, m.step_dt, m.horizon)
        if not due:
            return initial, path
        states = initial.states.copy()
        for step, goal in due.items():
            features = self.representation.encode(goal.state, frame)  # (B, S): one keyframe seen from each robot
            states[:, step] = self.state_norm.clamp(self.state_norm.normalize(features))
        return Sample(states, initial.actions), path.hold(states=np.isin(np.arange(m.horizon), list(due)))

    def _committed(self, observations: Sequence[Observation]) -> Array | None:
        m = self.manifest
        tokens = min(len(o.promised) for o in observations) // m.setpoints_per_step
        if not tokens:
            return None
        targets = np.stack([o.promised[: tokens * m.setpoints_per_step] for o in observations])
        return self.action_norm.normalize(targets.reshape(self.rows, tokens, m.action_dim)).astype(np.float32)

    def _scratch_path(self) -> LevelPath:
        """From pure noise to clean in the present number of passes."""
        if self._from_scratch is None or self._from_scratch.passes != self.passes:
            m = self.manifest
            self._from_scratch = LevelPath.from_scratch(m.num_denoising_steps, m.horizon, m.action_horizon, self.passes)
        return self._from_scratch

    def _schedule(self, k: int) -> float:
        """Factor of the guidance at level ``k``."""
        factor = skip_last(self.config.guidance_lowest_level)(k)
        return factor * by_signal(self.scheduler.signal)(k) if self.config.guidance_schedule == "signal" else factor

    def _make_buffer(self) -> RollingBuffer | None:
        level = self.config.reopen_level
        level = self.manifest.sampling.reopen_level if level == OWN else level
        if self.mode == "rolling":
            cloc = RollingConfig.cloc(level)
            if self.config.passes == OWN:
                self.passes = cloc.passes
            return RollingBuffer(
                self.scheduler, RollingConfig(cloc.state_level, cloc.action_stride, None, self.passes, cloc.fresh_noise)
            )
        if self.mode == "warm_start":
            return RollingBuffer(self.scheduler, RollingConfig.warm_start(level, self.passes))
        return None

    def _shift(self, observations: Sequence[Observation]) -> int:
        dt = np.array([o.stamp for o in observations]) - self._stamp
        if not np.all(np.isfinite(dt)):
            return self.manifest.horizon
        return int(np.clip(np.rint(dt.max() / self.manifest.step_dt), 0, self.manifest.horizon))

    def _reframe(self, frame: CharacterFrame):
        if self._frame is None:
            return None
        pose = relative_frame(self._frame, frame)

        def reframe(states: Array) -> Array:
            moved = self.representation.transform(
                self.state_norm.to_si(states), CharacterFrame(pose.xy[:, None], pose.yaw[:, None])
            )
            return self.state_norm.normalize(moved).astype(np.float32)

        return reframe


def _stack(observations: Sequence[Observation]) -> StateSequence:
    first = observations[0].states
    if len(observations) == 1:
        return StateSequence(**{name: value[None] for name, value in vars(first).items()})
    return StateSequence(**{name: np.stack([getattr(o.states, name) for o in observations]) for name in vars(first)})
