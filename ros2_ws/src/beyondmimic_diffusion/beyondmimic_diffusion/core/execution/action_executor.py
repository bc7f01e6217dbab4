"""Plays plans on the motors, by time, and reacts when something is wrong. The only thing that commands joints.

Order within a tick: ages, clock and falls (watchdog) -> mode -> joint target (plan, held pose or blend) -> safety
filter. Nothing raises inside a tick; every decision is in the :class:`ExecutorReport`.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ..errors import ConfigError
from ..timeline import PlanStream, StreamLimits, StreamVerdict
from ..types import Array, JointCommand, Plan, RobotState
from .arming import check_robot, refusal
from .executor_config import ExecutorConfig
from .executor_report import ExecutorReport
from .joint_trips import JointTrip
from .modes import Event, ExecutorMode, Reason, next_mode
from .plan_buffer import PlanBuffer, PlanSample, PlanVerdict, SampleStatus
from .safety_filter import FilterReport, FilterVerdict, JointLimits, SafetyConfig, SafetyFilter
from .standing import StandingController
from .watchdog import Fall, StateHealth, Watchdog, WatchdogReport

_MOVING = frozenset(
    {ExecutorMode.HOLD, ExecutorMode.BLEND, ExecutorMode.TRACKING, ExecutorMode.COASTING, ExecutorMode.RETURN_TO_STAND}
)
_PLAYING = frozenset({ExecutorMode.TRACKING, ExecutorMode.COASTING})
_LIVE_LIMITS = ("effort_scale", "upper_body_rate")
"""Limits of the filter that may be changed while the node runs."""
_TRUSTED = frozenset({StreamVerdict.TIMELY, StreamVerdict.SLOW})
_LONGEST_STEP = 0.1
"""A tick that comes later than this moves blends and rate limits only this far [s]."""
MOST_DAMPING = 2.0
"""A joint is damped with at most so many times the policy's damping: light joints (the G1's wrists) chatter at more, at
the rate at which a simulator, or a motor behind a slow bus, applies it."""
_TIME_TOLERANCE = 1e-6
"""Differences of stamps near 1.7e9 s are good to 2.4e-7 s in float64; a limit is passed only beyond this [s]."""


class ActionExecutor:
    """The mode machine and its parts; one tick gives one command."""

    def __init__(
        self,
        config: ExecutorConfig,
        limits: JointLimits,
        kp: Array,
        kd: Array,
        default_pose: Array,
        standing: StandingController | None = None,
    ) -> None:
        """
        Args:
            config: What the operator tunes.
            limits: Of the robot's joints.
            kp: Stiffness of the policy [N m/rad], shape (J,).
            kd: Damping of the policy [N m s/rad], shape (J,).
            default_pose: Stand pose to blend to [rad], shape (J,).
            standing: Takes over when plans are lost; None: the robot is damped then.
        """
        self._config, self._limits = config, limits
        self._num_joints = len(limits.effort)
        for name, array in (("kp", kp), ("kd", kd), ("default_pose", default_pose)):
            if np.shape(array) != (self._num_joints,) or not np.isfinite(array).all():
                raise ConfigError(f"{name} must be {self._num_joints} finite numbers, got {np.asarray(array)}")
        self._kp, self._kd, self._stand = (_constant(array) for array in (kp, kd, default_pose))
        self._zero = _constant(np.zeros(self._num_joints))
        self._most_damping = _constant(MOST_DAMPING * self._kd)
        limits_of_stream = StreamLimits(
            config.plan_period, config.plan_grace, config.coast_limit, config.standing.resume_time
        )
        self.plans = PlanBuffer(self._num_joints, config.plan, PlanStream(limits_of_stream))
        """Plans and the counts of their verdicts."""
        self._filter = SafetyFilter(limits, config.limits)
        self._standing = standing
        self._watchdog = Watchdog(config.watchdog)
        self._mode, self._reason = ExecutorMode.DISARMED, Reason.STARTED
        self._hold_target = self._stand
        self._blend_from = self._stand
        self._hold_gains = (1.0, 1.0)
        self._blend = self._plan_blend = 0.0
        self._running, self._hold_until = 0.0, math.inf  # robot time without pauses [s]
        self._clamps = (0, 0, 0)  # position, rate, torque
        self._refusals = 0
        self._paused = self._told_to_stand = False
        self._last_now: float | None = None
        self._last_command: JointCommand | None = None

    @property
    def mode(self) -> ExecutorMode:
        """Current mode."""
        return self._mode

    @property
    def reason(self) -> Reason:
        """Why it is the current one."""
        return self._reason

    def accept(self, plan: Plan, now: float) -> PlanVerdict:
        """Offer a plan; plans are taken in every mode, and played in TRACKING only."""
        return self.plans.accept(plan, now)

    def arm(self, now: float, state: RobotState | None) -> tuple[bool, str]:
        """Check the robot and, if all is well, start to blend to the stand pose.

        Returns:
            Whether it is armed, and a sentence with the figures that decided.
        """
        if self._mode is not ExecutorMode.DISARMED:
            return False, refusal(Reason.NOT_DISARMED, f"it is in {self._mode.name} ({self._reason.sentence})")
        self._mode = next_mode(self._mode, Event.ARM)
        reason, figures = self._check(now, state)
        steady = self.plans.stream.steady_for(now)
        if reason is Reason.OK and steady < self._config.arming.plan_stream_time:
            reason = Reason.NO_PLAN_STREAM
            figures = f"{steady:.2f} s so far, {self._config.arming.plan_stream_time} s needed"
        if reason is not Reason.OK or state is None:
            self._enter(Event.CHECKS_FAILED, reason)
            return False, refusal(reason, figures)
        self._blend_from = np.array(state.joint_pos, dtype=np.float64)
        self._blend, self._refusals = 0.0, 0
        self._clamps = (0, 0, 0)
        self._filter.reset()
        self._enter(Event.CHECKS_PASSED, Reason.BLENDING)
        return True, Reason.BLENDING.sentence

    def disarm(self) -> tuple[bool, str]:
        """Stop moving and go to weak damping; an emergency stop stays."""
        self._enter(Event.DISARM, Reason.DISARMED)
        return self._mode is ExecutorMode.DISARMED, self._reason.sentence

    def e_stop(self, reason: Reason = Reason.E_STOP) -> None:
        """Damp at once, until released."""
        self._enter(Event.E_STOP, reason)

    def ask_for(self, mode: int) -> tuple[bool, str]:
        """An operator's wish for a robot that moves.

        Args:
            mode: RETURN_TO_STAND: no plan is played until TRACKING is asked for; TRACKING: plans take over as soon as
                they have come steadily; DAMPING.

        Returns:
            Whether it is in that mode or on its way to it, and a sentence.
        """
        wishes = (ExecutorMode.RETURN_TO_STAND, ExecutorMode.TRACKING, ExecutorMode.DAMPING)
        if mode not in wishes:
            return False, f"mode {mode} cannot be asked for; {', '.join(f'{m.name} ({m.value})' for m in wishes)} can"
        if self._mode not in _PLAYING and self._mode is not ExecutorMode.RETURN_TO_STAND:
            return False, refusal(Reason.NOT_PLAYING, f"it is in {self._mode.name} ({self._reason.sentence})")
        if mode == ExecutorMode.DAMPING:
            self._enter(Event.DAMP, Reason.TOLD_TO_DAMP)
        elif mode == ExecutorMode.TRACKING:
            if self._told_to_stand and self._standing is not None:
                self._told_to_stand, self._reason = False, self._standing.reason
        elif self._standing is None or not self._standing.possible(self._watchdog.state):
            return False, refusal(Reason.CANNOT_STAND)
        else:
            self._enter(Event.STAND, Reason.TOLD_TO_STAND)
            self._reason, self._told_to_stand = Reason.TOLD_TO_STAND, True
        return True, self._reason.sentence

    def set_limits(self, limits: SafetyConfig) -> tuple[bool, str]:
        """Other settings of the filter from the next tick on; none may be raised while the robot is armed.

        Returns:
            Whether they are in force, and a sentence that says why not.
        """
        before = self._config.limits
        raised = [name for name in _LIVE_LIMITS if getattr(limits, name) > getattr(before, name)]
        if raised and self._mode is not ExecutorMode.DISARMED:
            return False, f"limits.{raised[0]} can only be lowered while the robot is armed; disarm it to raise it"
        self._config = replace(self._config, limits=limits)
        self._filter.configure(limits)
        return True, ""

    def superseded(self) -> None:
        """Somebody else commands the motors: whatever moved is over, until disarmed and armed again."""
        self._enter(Event.BROKEN, Reason.SUPERSEDED)

    def reset_e_stop(self, now: float, state: RobotState | None) -> tuple[bool, str]:
        """Release the emergency stop if the robot is upright, still and measured; ends DISARMED."""
        if self._mode is not ExecutorMode.E_STOP:
            return False, refusal(Reason.NOT_STOPPED)
        reason, figures = self._check(now, state)
        if reason is not Reason.OK:
            return False, refusal(reason, figures)
        self._enter(Event.E_STOP_RESET, Reason.E_STOP_RESET)
        return True, self._reason.sentence

    def tick(self, now: float, steady_now: float, state: RobotState | None) -> tuple[JointCommand, ExecutorReport]:
        """Decide the command for this moment.

        Args:
            now: Robot's clock [s]; plans are sampled at it.
            steady_now: Monotonic clock [s]; tells whether the robot's clock stands still.
            state: Newest state received (the same object again if nothing new came), None before the first.
        """
        dt = 0.0 if self._last_now is None else min(max(now - self._last_now, 0.0), _LONGEST_STEP)
        self._last_now = now
        watch = self._watchdog.check(now, steady_now, state)
        self._running, self._paused = watch.running, watch.paused
        if watch.jumped:
            self.plans.reset()
        sample = self.plans.sample(now)
        if watch.paused and self._mode in _MOVING and self._last_command is not None:
            verdict = FilterVerdict.PASSED
            return self._last_command, self._report(now, watch, sample, self._last_command, verdict, Reason.SIM_PAUSED)
        if self._standing is not None and self._watchdog.state is not None:
            self._standing.observe(self._watchdog.state, self._last_command, dt)
        self._decide(now, watch, sample, dt)
        command, verdict = self._command(now, dt, watch, sample)
        self._last_command = command
        return command, self._report(now, watch, sample, command, verdict, self._reason)

    def _check(self, now: float, state: RobotState | None) -> tuple[Reason, str]:
        """The first thing that forbids to move, and its figures."""
        if self._paused:
            return Reason.CLOCK_STANDS, ""
        if self._watchdog.joints.hot:
            limit = self._config.watchdog.joints.cool
            return Reason.TOO_HOT, f"{self._watchdog.joints.hottest:.0f} degC, below {limit:.0f} needed"
        return check_robot(self._config.arming, self._limits, now, state)

    def _decide(self, now: float, watch: WatchdogReport, sample: PlanSample, dt: float) -> None:
        """All that may change the mode, worst first."""
        if self._mode not in _MOVING:
            return
        if watch.health is StateHealth.LOST:
            self._enter(Event.STATE_LOST, Reason.STATE_LOST)
        elif watch.fall is not Fall.NONE:
            self._enter(Event.FALLING, Reason.TILTED if watch.fall is Fall.TILTED else Reason.FALLING)
        elif watch.trip is not JointTrip.NONE:
            self._enter(Event.JOINT_TRIP, Reason.OVERSPEED if watch.trip is JointTrip.FLAIL else Reason.TOO_HOT)
        elif self._mode is ExecutorMode.RETURN_TO_STAND and not self._upright():
            self._enter(Event.FALLING, Reason.STAND_FAILED)
        elif self._mode is ExecutorMode.HOLD and self._running > self._hold_until + _TIME_TOLERANCE:
            self._enter_upright(Event.HELD_TOO_LONG_UPRIGHT, Event.HELD_TOO_LONG, Reason.HOLD_LIMIT)
        elif watch.jumped:
            self._enter_upright(Event.CLOCK_JUMP_UPRIGHT, Event.CLOCK_JUMP, Reason.CLOCK_JUMP)
        elif watch.health is StateHealth.STALE:
            self._enter(Event.STATE_STALE, Reason.STATE_NON_FINITE if watch.non_finite else Reason.STATE_STALE)
        elif self._mode is ExecutorMode.BLEND:
            self._blend = min(1.0, self._blend + dt / self._config.blend_time)
            if self._blend >= 1.0:
                self._enter(Event.BLEND_DONE, Reason.WAITING_FOR_PLAN)
        else:
            self._follow_plan(now, sample)

    def _follow_plan(self, now: float, sample: PlanSample) -> None:
        """Play, coast or give up. A held robot starts to play even a late plan, for holding is worse than coasting.

        One that is kept on its feet can wait: a planner that has just begun knows no past.
        """
        verdict = self.plans.stream.verdict(now)
        if sample.status is not SampleStatus.OK:
            self._lose_plan(Reason.PLAN_EXHAUSTED)
        elif verdict is StreamVerdict.LOST:
            self._lose_plan(Reason.PLAN_COAST_LIMIT)
        elif verdict is StreamVerdict.LATE and self._mode in _PLAYING:
            self._enter(Event.PLAN_LATE, Reason.PLAN_LATE)
        elif self._mode is not ExecutorMode.RETURN_TO_STAND or self._may_resume(verdict):
            self._enter(Event.PLAN_READY, Reason.PLAYING)

    def _may_resume(self, verdict: StreamVerdict) -> bool:
        """Only a stream that has been without a gap for ``resume_time`` may take a standing robot along."""
        return not self._told_to_stand and verdict in _TRUSTED

    def _lose_plan(self, reason: Reason) -> None:
        self._enter_upright(Event.PLAN_LOST_UPRIGHT, Event.PLAN_LOST, reason)

    def _enter_upright(self, upright: Event, otherwise: Event, reason: Reason) -> None:
        """Keep the robot standing where that may be tried."""
        if self._standing is None or not self._standing.possible(self._watchdog.state):
            self._enter(otherwise, reason)
        else:
            self._enter(upright, reason if reason is Reason.CLOCK_JUMP else self._standing.reason)

    def _upright(self) -> bool:
        return self._standing is not None and self._standing.upright(self._watchdog.state)

    def _enter(self, event: Event, reason: Reason) -> None:
        """Take one transition of the table; an event that the mode does not heed changes nothing."""
        before, after = self._mode, next_mode(self._mode, event)
        if after is before:
            return
        self._mode, self._reason, self._told_to_stand = after, reason, False
        if after is ExecutorMode.HOLD:
            standing = before is ExecutorMode.BLEND or self._last_command is None
            self._hold_target = self._stand if standing or self._last_command is None else self._last_command.position
            self._hold_gains = (1.0, 1.0)
            self._plan_blend = 0.0 if standing else 1.0  # an interrupted walk goes on without a blend
            # A robot at the stand pose may wait in its gantry; one that was walking does not balance while it holds.
            self._hold_until = math.inf if standing else self._running + self._config.hold_limit
        elif after is ExecutorMode.RETURN_TO_STAND and self._standing is not None:
            self._standing.start(self._stand if self._last_command is None else self._last_command.position)
        elif before is ExecutorMode.RETURN_TO_STAND and self._last_command is not None:
            self._hold_target, self._plan_blend = self._last_command.position, 0.0
            self._hold_gains = (1.0, 1.0) if self._standing is None else self._standing.gains

    def _command(
        self, now: float, dt: float, watch: WatchdogReport, sample: PlanSample
    ) -> tuple[JointCommand, FilterVerdict]:
        state = self._watchdog.state
        wanted = None if state is None else self._wanted(now, dt, sample, state)
        if wanted is None or state is None:
            return self._damping(now, state), FilterVerdict.PASSED
        command, report = self._filter.filter(wanted, state.joint_pos, state.joint_vel, dt)
        self._count(report)
        if self._mode is ExecutorMode.FAULT:
            return self._damping(now, state), report.verdict
        return command, report.verdict

    def _wanted(self, now: float, dt: float, sample: PlanSample, state: RobotState) -> JointCommand | None:
        """Command of the current mode before the filter; None where the mode only damps."""
        stiffness = damping = 1.0  # factors of the policy's gains
        if self._mode in _PLAYING and sample.joint_target is not None:
            step = dt / self._config.plan_blend if self._config.plan_blend > 0.0 else 1.0
            self._plan_blend = share = min(1.0, self._plan_blend + step)
            target = sample.joint_target
            if share < 1.0:
                target = (1.0 - share) * self._hold_target + share * target
                stiffness, damping = (share + (1.0 - share) * gain for gain in self._hold_gains)
        elif self._mode is ExecutorMode.BLEND:
            share = self._blend * self._blend * (3.0 - 2.0 * self._blend)  # smooth at both ends
            target = (1.0 - share) * self._blend_from + share * self._stand
            stiffness = self._blend
        elif self._mode is ExecutorMode.HOLD:
            target = self._hold_target
        elif self._mode is ExecutorMode.RETURN_TO_STAND and self._standing is not None:
            target = self._standing.target(state, dt)
            stiffness, damping = self._standing.gains
        else:
            return None
        kp, kd = self._kp, self._kd
        if stiffness != 1.0 or damping != 1.0:
            rest = max(0.0, 1.0 - stiffness) * self._config.disarmed_kd  # between disarmed and the policy's gains
            kp, kd = stiffness * kp, rest + min(stiffness, 1.0) * damping * kd
        return JointCommand(now, target, self._zero, kp, kd, self._zero)

    def _damping(self, now: float, state: RobotState | None) -> JointCommand:
        """No stiffness, target where the joint is; safe in any state, so it passes no filter."""
        zero, kd = self._zero, self._config.damping_kd
        if self._mode is ExecutorMode.DISARMED:
            kd = self._config.disarmed_kd
        position = self._stand if state is None else np.array(state.joint_pos, dtype=np.float64)
        return JointCommand(now, position, zero, zero, np.minimum(kd, self._most_damping), zero)

    def _count(self, report: FilterReport) -> None:
        if report.verdict is FilterVerdict.CLAMPED:
            position, rate, torque = self._clamps
            self._clamps = (
                position + report.clamped_position,
                rate + report.clamped_rate,
                torque + report.clamped_torque,
            )
        self._refusals = self._refusals + 1 if report.refused else 0
        if self._refusals >= self._config.max_refusals:
            self._enter(Event.BROKEN, Reason.COMMAND_REFUSED)

    def _report(
        self,
        now: float,
        watch: WatchdogReport,
        sample: PlanSample,
        command: JointCommand,
        verdict: FilterVerdict,
        reason: Reason,
    ) -> ExecutorReport:
        position, rate, torque = self._clamps
        return ExecutorReport(
            mode=self._mode,
            reason=reason,
            health=watch.health,
            state_age=watch.state_age,
            sample_status=sample.status,
            plan_id=sample.plan_id,
            plan_index=sample.index,
            plan_age=sample.age,
            stream=self.plans.stream.verdict(now),
            plan_period=self.plans.stream.period,
            plan_latency=self.plans.stream.latency,
            blend=self._plan_blend if self._mode in _PLAYING else self._blend,
            filter_verdict=verdict,
            clamped_position=position,
            clamped_rate=rate,
            clamped_torque=torque,
            joint_target=command.position,
        )


def _constant(array: Array) -> Array:
    """A copy that nobody can change: commands share it."""
    copy = np.array(array, dtype=np.float64)
    copy.flags.writeable = False
    return copy
