r"""The executor's modes, what moves it between them, and why: one table.

::

    DISARMED -> CHECKING -> BLEND -> HOLD -> TRACKING <-> COASTING
                                                 ^          |
                                                 |          +-> RETURN_TO_STAND -> TRACKING
                                                 |          |         |
                    any armed mode ----------->  DAMPING <--+---------+   any mode -> E_STOP -> (reset) -> DISARMED
"""

from __future__ import annotations

from enum import Enum, IntEnum


class ExecutorMode(IntEnum):
    """What the executor is doing; the numbers are those of ``ExecutorState.msg``."""

    DISARMED = 0
    """Streams weak damping; plans are received and ignored."""
    CHECKING = 1
    """Looks whether it may move; lasts one call and is never reported."""
    HOLD = 2
    """Holds a pose: the stand pose before the first plan, or, briefly, the last target after an interruption."""
    BLEND = 3
    """Moves from the measured pose to the stand pose while the gains rise."""
    TRACKING = 4
    """Plays plans."""
    COASTING = 5
    """The next plan is late; plays on in the trusted part of the last one."""
    RETURN_TO_STAND = 6
    """No plan, and the robot is upright: kept on its feet (``standing.py``) until plans come again."""
    DAMPING = 7
    """Streams damping: the robot sinks down. Left by disarming."""
    E_STOP = 8
    """As DAMPING, latched: left by ``reset_e_stop`` only."""
    FAULT = 9
    """No command can be computed: streams damping; or the supervisor has the motors: silent. Left by disarming."""


class Event(Enum):
    """What may change the mode."""

    ARM = "operator asks to arm"
    CHECKS_PASSED = "arming checks passed"
    CHECKS_FAILED = "an arming check failed"
    BLEND_DONE = "stand pose reached"
    PLAN_READY = "a plan is due"
    PLAN_LATE = "the next plan is late"
    PLAN_LOST = "no plan may be played any longer"
    PLAN_LOST_UPRIGHT = "no plan may be played any longer, and the robot can be kept standing"
    HELD_TOO_LONG = "an interruption was bridged for too long"
    HELD_TOO_LONG_UPRIGHT = "the same, and the robot can be kept standing"
    STATE_STALE = "no state for too long to go on"
    STATE_LOST = "no state for too long to hold"
    FALLING = "robot is tilted too far"
    JOINT_TRIP = "joints flail or are too hot"
    CLOCK_JUMP = "the clock jumped"
    CLOCK_JUMP_UPRIGHT = "the clock jumped, and the robot can be kept standing"
    BROKEN = "the command cannot be computed"
    STAND = "operator asks to stand without plans"
    DAMP = "operator asks to damp"
    DISARM = "operator asks to disarm"
    E_STOP = "emergency stop"
    E_STOP_RESET = "operator releases the emergency stop"


_MOVING = (
    ExecutorMode.HOLD,
    ExecutorMode.BLEND,
    ExecutorMode.TRACKING,
    ExecutorMode.COASTING,
    ExecutorMode.RETURN_TO_STAND,
)
_PLAYING = (ExecutorMode.TRACKING, ExecutorMode.COASTING)


def _rows() -> dict[tuple[ExecutorMode, Event], ExecutorMode]:
    m, e = ExecutorMode, Event
    table = {
        (m.DISARMED, e.ARM): m.CHECKING,
        (m.CHECKING, e.CHECKS_PASSED): m.BLEND,
        (m.CHECKING, e.CHECKS_FAILED): m.DISARMED,
        (m.CHECKING, e.DISARM): m.DISARMED,
        (m.BLEND, e.BLEND_DONE): m.HOLD,
        (m.HOLD, e.PLAN_READY): m.TRACKING,
        (m.HOLD, e.HELD_TOO_LONG): m.DAMPING,
        (m.HOLD, e.HELD_TOO_LONG_UPRIGHT): m.RETURN_TO_STAND,
        (m.RETURN_TO_STAND, e.PLAN_READY): m.TRACKING,
        (m.TRACKING, e.PLAN_LATE): m.COASTING,
        (m.COASTING, e.PLAN_READY): m.TRACKING,
        (m.DAMPING, e.DISARM): m.DISARMED,
        (m.FAULT, e.DISARM): m.DISARMED,
        (m.E_STOP, e.E_STOP_RESET): m.DISARMED,
    }
    for mode in _PLAYING:
        table[mode, e.PLAN_LOST] = m.DAMPING
        table[mode, e.PLAN_LOST_UPRIGHT] = m.RETURN_TO_STAND
        table[mode, e.STATE_STALE] = m.HOLD
        table[mode, e.CLOCK_JUMP] = m.HOLD
        table[mode, e.CLOCK_JUMP_UPRIGHT] = m.RETURN_TO_STAND
        table[mode, e.STAND] = m.RETURN_TO_STAND
    for mode in _MOVING:
        table[mode, e.STATE_LOST] = m.DAMPING
        table[mode, e.FALLING] = m.DAMPING
        table[mode, e.JOINT_TRIP] = m.DAMPING
        table[mode, e.BROKEN] = m.FAULT
        table[mode, e.DAMP] = m.DAMPING
        table[mode, e.DISARM] = m.DISARMED
    for mode in m:
        if mode is not m.E_STOP:
            table[mode, e.E_STOP] = m.E_STOP
    return table


TRANSITIONS: dict[tuple[ExecutorMode, Event], ExecutorMode] = _rows()
"""(mode, event) -> next mode. A pair that is not listed leaves the mode as it is."""


def next_mode(mode: ExecutorMode, event: Event) -> ExecutorMode:
    """The mode after an event."""
    return TRANSITIONS.get((mode, event), mode)


class Reason(Enum):
    """Why the executor is in its mode: (code in ``ExecutorState.msg``, sentence for the operator)."""

    STARTED = (0, "not armed yet")
    DISARMED = (1, "disarmed by the operator")
    BLENDING = (2, "moving to the stand pose")
    WAITING_FOR_PLAN = (3, "at the stand pose; waiting for a plan")
    PLAYING = (4, "playing plans")
    PLAN_LATE = (5, "the next plan is late; playing on in the last one")
    SIM_PAUSED = (6, "the clock stands still: simulation paused; holding the last command")
    STANDING = (7, "plans are lost; standing on the ankles until they come again")
    STEPPING = (8, "plans are lost; stepping to a stand, and standing until they come again")
    TOLD_TO_STAND = (9, "told to stand; TRACKING, when asked for, lets plans take over again")
    PLAN_COAST_LIMIT = (10, "no new plan within the coasting limit")
    PLAN_EXHAUSTED = (11, "the plan has run out: trusted set-points or valid_until have passed")
    STATE_STALE = (12, "robot state is too old to go on; holding the last target")
    STATE_LOST = (13, "robot state is lost")
    STATE_NON_FINITE = (14, "robot state holds NaN or infinity; holding the last target")
    TILTED = (15, "robot is tilted beyond the limit")
    FALLING = (16, "robot is falling: tilted and tilting on")
    CLOCK_JUMP = (17, "the clock jumped; plans dropped, waiting for new ones")
    COMMAND_REFUSED = (18, "the safety filter refused the command too often")
    HOLD_LIMIT = (19, "no plan to go on with within the holding limit: a held pose does not balance")
    E_STOP = (20, "emergency stop")
    E_STOP_RESET = (21, "emergency stop released; arm to go on")
    SUPERSEDED = (22, "the ticks stood still and the supervisor took the motors; disarm, then arm to go on")
    STAND_FAILED = (23, "tilted too far to stand without plans, or lifted off the floor")
    SECOND_WRITER = (24, "another node commands the motors")
    SECOND_PLANNER = (28, "another node sends plans in the session of the planner that is playing")
    OVERSPEED = (25, "joints flail: several are faster than the trip speed")
    TOO_HOT = (26, "a motor is too hot")
    TOLD_TO_DAMP = (27, "told to damp")
    OK = (30, "allowed")
    NOT_DISARMED = (31, "only a disarmed executor can be armed")
    NO_STATE = (32, "no robot state received")
    OLD_STATE = (33, "robot state is too old")
    NON_FINITE_STATE = (34, "robot state holds NaN or infinity")
    NOT_UPRIGHT = (35, "robot is not upright")
    NOT_STILL = (36, "robot moves too fast")
    OUT_OF_RANGE = (37, "a joint reads a position outside its limits")
    NO_PLAN_STREAM = (38, "plans do not arrive steadily")
    NOT_STOPPED = (39, "there is no emergency stop to release")
    CLOCK_STANDS = (40, "the clock stands still")
    NO_REMOTE = (41, "the remote is silent")
    REMOTE_NOT_NEUTRAL = (42, "the remote is not at rest")
    E_STOP_HELD = (43, "the e-stop button is held down")
    NOT_PLAYING = (44, "only a robot that plays plans or stands without them can be asked for another mode")
    CANNOT_STAND = (45, "the robot cannot be kept standing now")

    @property
    def code(self) -> int:
        """Number in ``ExecutorState.reason``."""
        return self.value[0]

    @property
    def sentence(self) -> str:
        """Text in ``ExecutorState.message``."""
        return self.value[1]
