"""No input whatever makes the filter or the executor emit a number that is not finite or a command beyond its limits.

A thousand cases on each run; ``make test-nightly`` sets CASES for a hundred thousand.
"""

import itertools
import os

import numpy as np
from beyondmimic_diffusion.core.execution import (
    ActionExecutor,
    AnkleController,
    ExecutorConfig,
    ExecutorMode,
    FilterVerdict,
    JointLimits,
    SafetyConfig,
    SafetyFilter,
    StandingConfig,
    SteppingController,
)
from beyondmimic_diffusion.core.types import JointCommand, Plan, RobotState
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

CASES = int(os.environ.get("CASES", "1000"))
MANY = settings(
    max_examples=CASES, deadline=None, derandomize="CASES" not in os.environ, suppress_health_check=list(HealthCheck)
)
FEWER = settings(MANY, max_examples=max(1000, CASES // 10))
"""For a test that takes many ticks a case."""
J = 4
LIMITS = JointLimits(
    position_low=np.array([-1.0, -2.0, -0.5, -1.5]),
    position_high=np.array([1.5, 0.5, 0.5, 1.5]),
    velocity=np.array([20.0, 30.0, 20.0, 37.0]),
    effort=np.array([139.0, 88.0, 50.0, 5.0]),
    is_leg=np.array([True, True, False, False]),
)
SAFETY = SafetyConfig(position_margin=0.05, upper_body_rate=8.0, leg_rate_scale=1.0)
LOW, HIGH = LIMITS.position_low + 0.05, LIMITS.position_high - 0.05
RATE = np.array([20.0, 30.0, 8.0, 8.0])
KP, KD = np.array([40.0, 90.0, 20.0, 5.0]), np.array([2.0, 5.0, 1.0, 0.5])
STAND = np.array([0.1, -0.3, 0.0, 0.2])
CONFIG = ExecutorConfig(limits=SAFETY, blend_time=0.02, standing=StandingConfig(min_load=0.0))
STIFFEST = CONFIG.standing.kp_scale
MOST_DAMPING = max(CONFIG.standing.kd_scale * KD.max(), CONFIG.damping_kd)
LONGEST_STEP = 0.1
FLOAT32 = float(np.finfo(np.float32).max)

wild = st.floats(allow_nan=True, allow_infinity=True)
tame = st.floats(-3.0, 3.0)
numbers = st.one_of(tame, tame, tame, wild, st.sampled_from([0.0, -0.0, 1e-320, 1e6, -1e9, 1e38, 1e39, 1e300]))
stamps = st.one_of(st.floats(-0.5, 0.5), st.floats(-0.05, 0.05), wild)
"""Relative to now [s]."""


def arrays(shape, elements=numbers):
    return hnp.arrays(np.float64, shape, elements=elements)


upright = st.builds(lambda a, b: np.array([1.0, a, b, 0.0]) / np.linalg.norm([1.0, a, b]), tame, tame)
quats = st.one_of(st.just(np.array([1.0, 0.0, 0.0, 0.0])), upright, arrays(4))


plausible = (arrays(J, tame), arrays(J, tame), arrays(J, st.floats(0.0, 500.0)), arrays(J, st.floats(0.0, 50.0)))
asked_of_filter = st.one_of(
    st.tuples(*plausible, *[arrays(J, tame)] * 3, st.floats(0.0, 0.1)), st.tuples(*[arrays(J)] * 7, numbers)
)


class Inputs:
    """What may happen at one tick."""

    state = st.one_of(
        st.none(),
        st.tuples(stamps, quats, arrays(3), arrays(J), arrays(J)),
        st.tuples(
            st.just(0.0), st.just(np.array([1.0, 0, 0, 0])), st.just(np.zeros(3)), arrays(J, tame), arrays(J, tame)
        ),
    )
    plan = st.one_of(
        st.none(),
        st.tuples(stamps, stamps, stamps, wild, arrays((5, J)), st.integers(-3, 9), st.integers(-3, 9)),
        st.tuples(
            st.floats(-0.05, 0.05), st.just(0.0), st.just(0.3), st.just(0.02), arrays((5, J)), st.just(5), st.just(0)
        ),
    )
    clock = st.one_of(st.just(0.005), st.just(0.005), st.floats(-2.0, 2.0))
    steady = st.one_of(st.just(0.005), st.floats(0.0, 2.0))
    request = st.sampled_from(
        ["", "", "", "arm", "arm", "disarm", "e_stop", "reset", "superseded", "stand", "track", "damp"]
    )
    tick = st.tuples(clock, steady, state, plan, request)


def make_state(now, parts):
    stamp, quat, ang_vel, pos, vel = parts
    return RobotState(now + stamp, np.zeros(3), quat, np.zeros(3), ang_vel, pos, vel)


def make_plan(now, number, parts):
    stamp, seen, until, step_dt, targets, trusted, first = parts
    return Plan(number, 1, now + stamp, now + seen, step_dt, targets, trusted, first, now + until)


def ask(executor, request, now, state):
    if request == "arm":
        executor.arm(now, state)
    elif request == "disarm":
        executor.disarm()
    elif request == "e_stop":
        executor.e_stop()
    elif request == "reset":
        executor.reset_e_stop(now, state)
    elif request == "superseded":
        executor.superseded()
    elif request in ("stand", "track", "damp"):
        executor.ask_for({"stand": 6, "track": 4, "damp": 7}[request])


def check(command: JointCommand):
    """Finite, also as the float32 of the message; gains in their range; driven joints inside their limits."""
    for name in ("position", "velocity", "kp", "kd", "tau_ff"):
        values = getattr(command, name)
        assert np.shape(values) == (J,), name
        assert (np.abs(values) < FLOAT32).all(), name
    assert (command.kp >= 0.0).all() and (command.kp <= STIFFEST * KP + 1e-9).all()
    assert (command.kd >= 0.0).all() and (command.kd <= MOST_DAMPING + 1e-9).all()
    assert not command.tau_ff.any() and not command.velocity.any()


def inside(command, *starts):
    """Driven joints (J,); their targets are in range, or no further out than where the way back to it may begin.

    That is the measured position at the first command after arming, and the command before afterwards.
    """
    driven = command.kp > 1e-6
    outside = driven & ((command.position < LOW - 1e-9) | (command.position > HIGH + 1e-9))
    beyond = np.maximum(LOW - command.position, command.position - HIGH)
    was_beyond = np.max([np.maximum(LOW - start, start - HIGH) for start in starts], axis=0)
    assert (beyond[outside] <= was_beyond[outside] + 1e-9).all()
    return driven


def stepping(actions):
    """A walker whose network puts out whatever comes next."""
    outputs = itertools.cycle(actions)
    return SteppingController(CONFIG.standing, lambda observation: next(outputs), STAND, ())


@MANY
@given(st.lists(Inputs.tick, min_size=1, max_size=12))
def test_whatever_sensors_planner_clocks_and_operator_do_each_command_of_the_executor_can_be_sent(ticks):
    play(ticks, AnkleController(CONFIG.standing, STAND, [2], [3]))


@MANY
@given(st.lists(Inputs.tick, min_size=1, max_size=12), st.lists(arrays(J), min_size=1, max_size=4))
def test_whatever_a_network_that_steps_puts_out_beside_that_each_command_can_be_sent(ticks, actions):
    play(ticks, stepping(actions))


@FEWER
@given(st.lists(arrays(J), min_size=1, max_size=20))
def test_whatever_the_network_puts_out_once_plans_are_lost_each_command_can_be_sent(actions):
    still = (0.0, np.array([1.0, 0, 0, 0]), np.zeros(3), STAND, np.zeros(J))
    quiet, armed = (0.005, 0.005, still, None, ""), (0.005, 0.005, still, None, "arm")
    plan = (0.0, 0.0, 0.3, 0.02, np.tile(STAND, (5, 1)), 5, 0)
    playing = (0.005, 0.005, still, plan, "")
    modes = play([quiet, armed, *[quiet] * 6, playing, *[quiet] * (60 + 4 * len(actions))], stepping(actions))
    assert ExecutorMode.RETURN_TO_STAND in modes


def play(ticks, standing):
    """Tick by tick, each command checked; returns the modes."""
    executor = ActionExecutor(CONFIG, LIMITS, KP, KD, STAND, standing)
    now, steady, state, before = 1000.0, 50.0, None, None
    modes = []
    for number, (clock, pause, measured, plan, request) in enumerate(ticks):
        now, steady = now + clock, steady + pause
        if measured is not None:
            state = make_state(now, measured)
        if plan is not None:
            executor.accept(make_plan(now, number, plan), now)
        ask(executor, request, now, state)
        command, report = executor.tick(now, steady, state)
        check(command)
        used = executor._watchdog.state
        if command.kp.any():
            driven = inside(command, used.joint_pos, used.joint_pos if before is None else before.position)
            if before is not None and before.kp.any() and report.filter_verdict is not FilterVerdict.REFUSED_COMMAND:
                moved = np.abs(command.position - before.position)[driven & (before.kp > 1e-6)]
                assert (moved <= (RATE * LONGEST_STEP + 1e-9)[driven & (before.kp > 1e-6)]).all()
            if report.mode is not ExecutorMode.DISARMED and command is not before:
                torque = command.kp * (command.position - used.joint_pos) - command.kd * used.joint_vel
                assert (np.abs(torque) <= LIMITS.effort * (1.0 + 1e-6)).all()
        before = command
        modes.append(report.mode)
    return modes


@MANY
@given(st.lists(asked_of_filter, min_size=1, max_size=3))
def test_whatever_is_asked_of_the_filter_and_in_whatever_order_what_it_lets_pass_can_be_sent(asked):
    safety = SafetyFilter(LIMITS, SAFETY)
    for position, velocity, kp, kd, tau, pos, vel, dt in asked:
        safe, report = safety.filter(JointCommand(1.0, position, velocity, kp, kd, tau), pos, vel, dt)
        for values in (safe.position, safe.velocity, safe.kp, safe.kd, safe.tau_ff):
            assert (np.abs(values) < FLOAT32).all()
        assert (safe.kp >= 0.0).all() and (safe.kd >= 0.0).all()
        if not report.refused:
            torque = safe.tau_ff + safe.kp * (safe.position - pos) + safe.kd * (safe.velocity - vel)
            assert (np.abs(torque) <= LIMITS.effort * (1.0 + 1e-6)).all()
