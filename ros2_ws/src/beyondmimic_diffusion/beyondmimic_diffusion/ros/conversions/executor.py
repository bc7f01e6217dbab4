"""What the executor reports."""

from __future__ import annotations

import math
from dataclasses import dataclass

from beyondmimic_msgs import msg as bm

from ...core.execution import ExecutorReport, Reason
from .time import set_stamp

_STATE = bm.ExecutorState
_REASONS = {
    _STATE.OPERATOR: (
        Reason.DISARMED,
        Reason.E_STOP,
        Reason.E_STOP_RESET,
        Reason.TOLD_TO_STAND,
        Reason.TOLD_TO_DAMP,
    ),
    _STATE.PLAN_STALE: (
        Reason.PLAN_LATE,
        Reason.STANDING,
        Reason.STEPPING,
        Reason.PLAN_COAST_LIMIT,
        Reason.PLAN_EXHAUSTED,
        Reason.HOLD_LIMIT,
    ),
    _STATE.STATE_STALE: (Reason.STATE_STALE, Reason.STATE_LOST),
    _STATE.BAD_STATE: (Reason.STATE_NON_FINITE,),
    _STATE.TILT: (Reason.TILTED, Reason.FALLING, Reason.STAND_FAILED),
    _STATE.OVERSPEED: (Reason.OVERSPEED, Reason.TOO_HOT),
    _STATE.TIME_JUMP: (Reason.CLOCK_JUMP,),
    _STATE.BAD_PLAN: (Reason.COMMAND_REFUSED,),
    _STATE.INTERNAL_ERROR: (Reason.SUPERSEDED, Reason.SECOND_WRITER, Reason.SECOND_PLANNER),
    _STATE.CHECK_FAILED: (
        Reason.NO_STATE,
        Reason.OLD_STATE,
        Reason.NON_FINITE_STATE,
        Reason.NOT_UPRIGHT,
        Reason.NOT_STILL,
        Reason.OUT_OF_RANGE,
        Reason.NO_PLAN_STREAM,
        Reason.CLOCK_STANDS,
        Reason.NO_REMOTE,
        Reason.REMOTE_NOT_NEUTRAL,
        Reason.E_STOP_HELD,
        Reason.NOT_PLAYING,
        Reason.CANNOT_STAND,
    ),
}
"""Our reasons are finer than the message's codes; the text of the message keeps the difference."""
_CODE_OF_REASON = {reason: code for code, reasons in _REASONS.items() for reason in reasons}


@dataclass(frozen=True)
class TickStatistics:
    """How punctual the executor is, since arming."""

    ticks: int = 0
    missed: int = 0
    late_p99: float = math.nan
    """[s]."""
    late_max: float = 0.0
    """[s]."""
    refused_plans: int = 0


def executor_state_to_msg(
    report: ExecutorReport, now: float, plan_age: float, ticks: TickStatistics
) -> bm.ExecutorState:
    """What one tick decided -> message.

    Args:
        report: Of the tick.
        now: Its time [s].
        plan_age: Time since the observation behind the playing plan [s]; NaN without a plan.
        ticks: How punctual the ticks are.
    """
    msg = bm.ExecutorState(
        state=report.mode.value,
        reason=_CODE_OF_REASON.get(report.reason, _STATE.NONE),
        message=report.message,
        blend=float(report.blend),
        plan_id=max(report.plan_id, 0),
        plan_age_ms=_milliseconds(plan_age),
        plan_stream=report.stream.code,
        plan_period_ms=_milliseconds(report.plan_period),
        plan_latency_ms=_milliseconds(report.plan_latency),
        lowstate_age_ms=_milliseconds(report.state_age),
        clamped_position=report.clamped_position,
        clamped_rate=report.clamped_rate,
        clamped_torque=report.clamped_torque,
        refused_plans=ticks.refused_plans,
        tick_late_p99_ms=1e3 * ticks.late_p99,
        tick_late_max_ms=1e3 * ticks.late_max,
        ticks=ticks.ticks,
        missed_ticks=ticks.missed,
    )
    set_stamp(msg.header, now)
    return msg


def _milliseconds(seconds: float) -> float:
    return 1e3 * seconds if math.isfinite(seconds) else math.nan
