"""The whole executor on a virtual clock: each fault, its reaction and its deadline."""

import math
from dataclasses import replace

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_diffusion.core.execution import (
    ActionExecutor,
    ExecutorConfig,
    ExecutorMode,
    FilterVerdict,
    Reason,
    SampleStatus,
)
from beyondmimic_diffusion.core.parameters import from_mapping
from beyondmimic_diffusion.core.types import RobotState

from tests.core.execution.bench import KD, KP, LIMITS, MEASURED, STAND, STEP, TICK, Bench, J, is_damping


def test_disarmed_it_streams_weak_damping_with_or_without_a_state_and_ignores_plans():
    bench = Bench()
    bench.sensors = False
    command, report = bench.tick()
    assert is_damping(command)
    assert report.mode is ExecutorMode.DISARMED
    bench.sensors = bench.planner = True
    assert all(is_damping(command) and report.mode is ExecutorMode.DISARMED for command, report in bench.run(0.2))


def test_arming_blends_from_the_measured_pose_to_the_stand_pose_while_the_gains_rise():
    bench = Bench()
    bench.tick()
    assert bench.executor.arm(bench.now, bench.state)[0]
    trace = bench.run(0.1)
    for number, (command, _) in enumerate(trace[:-1], start=1):
        share = number * TICK / 0.1
        smooth = 3 * share**2 - 2 * share**3
        np.testing.assert_allclose(command.position, (1 - smooth) * MEASURED + smooth * STAND, atol=1e-9)
        np.testing.assert_allclose(command.kp, share * KP, atol=1e-9)
    command, report = bench.tick()
    assert (report.mode, report.reason) == (ExecutorMode.HOLD, Reason.WAITING_FOR_PLAN)
    np.testing.assert_allclose(command.position, STAND)
    np.testing.assert_allclose(command.kp, KP)


def test_the_blend_starts_where_the_robot_is_now_and_not_at_the_last_command():
    bench = Bench().track()
    bench.executor.disarm()
    bench.planner = False
    bench.pose = np.array([0.5, 0.5, 0.5])
    bench.run(0.5)
    bench.executor.arm(bench.now, bench.state)
    command, _ = bench.tick()
    np.testing.assert_allclose(command.position, bench.pose, atol=0.01)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda state: None, Reason.NO_STATE),
        (lambda state: replace(state, joint_pos=np.array([0.0, np.nan, 0.0])), Reason.NON_FINITE_STATE),
        (lambda state: replace(state, stamp=state.stamp - 0.2), Reason.OLD_STATE),
        (lambda state: replace(state, root_quat_w=np.array([0.9, 0.43, 0.0, 0.0])), Reason.NOT_UPRIGHT),
        (lambda state: replace(state, joint_vel=np.array([0.0, 0.0, -4.0])), Reason.NOT_STILL),
        (lambda state: replace(state, joint_pos=np.array([0.0, 101.0, 0.0])), Reason.OUT_OF_RANGE),
    ],
)
def test_each_arming_check_refuses_with_its_own_sentence_and_leaves_the_executor_disarmed(change, reason):
    bench = Bench()
    bench.tick()
    ok, text = bench.executor.arm(bench.now, change(bench.state))
    assert not ok
    assert text.startswith(reason.sentence)
    assert bench.executor.mode is ExecutorMode.DISARMED


def test_where_a_plan_stream_is_required_arming_waits_until_it_has_been_steady_long_enough():
    bench = Bench(**{"arming.plan_stream_time": 0.3})
    bench.run(0.1)
    assert bench.executor.arm(bench.now, bench.state)[1].startswith(Reason.NO_PLAN_STREAM.sentence)
    bench.planner = True
    bench.run(0.2)
    assert not bench.executor.arm(bench.now, bench.state)[0]
    bench.run(0.2)
    assert bench.executor.arm(bench.now, bench.state)[0]


def test_only_a_disarmed_executor_can_be_armed():
    bench = Bench().hold()
    ok, text = bench.executor.arm(bench.now, bench.state)
    assert not ok
    assert "HOLD" in text


@pytest.mark.parametrize("delay_ms", [0, 5, 10, 15, 20, 25, 40, 45, 60, 80, 95, 100])
def test_a_planner_delayed_by_0_to_100_ms_still_plays_the_set_point_that_is_due(delay_ms):
    """On a planner that is always right, delay changes nothing but the index: floor((now - stamp) / 20 ms)."""
    bench = Bench(plan_delay=delay_ms / 1000).track()
    for _ in range(100):
        command, report = bench.tick()
        behind = bench.count - delay_ms // 5  # what had been planned when the plan that plays now was sent
        stamp_count = behind - behind % 8
        index = (bench.count - stamp_count) // 4
        assert report.sample_status is SampleStatus.OK
        assert report.plan_index == index
        np.testing.assert_allclose(command.position, bench.start + stamp_count * TICK + index * STEP, atol=1e-9)


def test_the_first_plan_is_blended_into_the_held_pose():
    bench = Bench(plan_blend=0.1).hold()
    bench.planner = True
    trace = [(command, report) for command, report in bench.run(0.3) if report.mode is ExecutorMode.TRACKING]
    for number, (command, report) in enumerate(trace[:20], start=1):
        share = number * TICK / 0.1
        assert report.blend == pytest.approx(share)
        due = command.position[0] - (1 - share) * STAND[0]
        assert due / share == pytest.approx(bench.start + report_due(bench, report), abs=1e-6)


def report_due(bench, report):
    """Due time of the set-point a report names, after the start [s]: plan 0 is stamped at the first count % 8 == 0."""
    first = 32  # tick() once, 30 ticks to HOLD, then the first multiple of 8
    return (first + 8 * report.plan_id) * TICK + report.plan_index * STEP


def test_a_dead_planner_leads_to_coasting_within_20_ms_of_due_and_to_damping_within_120():
    bench = Bench().track()
    bench.planner = False
    newest = bench.start + (bench.count - bench.count % 8) * TICK
    modes = {}
    for _ in range(60):
        _, report = bench.tick()
        modes.setdefault(report.mode, bench.now - (newest + 0.04))  # the successor was due 40 ms after the take-over
    assert 0.0 <= modes[ExecutorMode.COASTING] <= 0.02
    assert modes[ExecutorMode.DAMPING] == pytest.approx(0.105)  # the first tick past 100 ms
    assert bench.executor.reason is Reason.PLAN_COAST_LIMIT


def test_coasting_plays_on_in_the_same_plan_and_a_new_plan_ends_it():
    bench = Bench().track()
    bench.planner = False
    trace = bench.run(0.08)
    command, report = trace[-1]
    assert report.mode is ExecutorMode.COASTING
    assert abs(command.position[0] - bench.now) <= STEP
    bench.planner = True
    bench.run(0.04)
    assert bench.executor.mode is ExecutorMode.TRACKING


@pytest.mark.parametrize("changes", [{"trusted_steps": 4}, {"valid_until": "soon"}])
def test_a_plan_is_never_played_past_its_trusted_steps_or_valid_until_even_when_coasting_would_allow_it(changes):
    bench = Bench().hold()
    stamp = bench.now + TICK
    if "valid_until" in changes:
        changes = {"valid_until": stamp + 0.0799}
    bench.executor.accept(bench.plan(stamp, **changes), bench.now)
    trace = bench.run(0.15)
    last = max(
        i for i, (_, report) in enumerate(trace) if report.mode in (ExecutorMode.TRACKING, ExecutorMode.COASTING)
    )
    assert last * TICK == pytest.approx(0.075)  # set-point 3 ends at 80 ms
    assert bench.executor.mode is ExecutorMode.DAMPING
    assert bench.executor.reason is Reason.PLAN_EXHAUSTED


def test_a_silent_state_estimator_leads_to_hold_at_50_ms_and_to_damping_at_100():
    bench = Bench().track()
    last_state = bench.count
    bench.sensors = False
    first = {}
    for _ in range(25):
        command, report = bench.tick()
        first.setdefault(report.mode, round((bench.count - last_state) * TICK, 4))
    assert first[ExecutorMode.HOLD] in (0.05, 0.055)  # floating point decides the tick on the limit
    assert first[ExecutorMode.DAMPING] in (0.1, 0.105)
    assert is_damping(command)


def test_a_short_gap_in_the_state_is_bridged_by_holding_and_tracking_goes_on():
    bench = Bench().track()
    bench.sensors = False
    held = bench.run(0.08)
    assert held[-1][1].mode is ExecutorMode.HOLD
    np.testing.assert_array_equal(held[-1][0].position, held[-2][0].position)
    bench.sensors = True
    bench.run(0.05)
    assert bench.executor.mode is ExecutorMode.TRACKING


def test_a_state_with_nan_is_held_through_then_damped_and_no_command_ever_holds_nan():
    bench = Bench().track()
    bench.pose = np.array([0.0, np.nan, 0.0])
    trace = bench.run(0.2)
    assert all(np.isfinite(command.position).all() for command, _ in trace)
    reasons = [report.reason for _, report in trace]
    assert Reason.STATE_NON_FINITE in reasons
    assert reasons[-1] is Reason.STATE_LOST
    assert is_damping(trace[-1][0])


def test_a_tilt_beyond_45_degrees_for_60_ms_leads_to_damping_and_stays_there():
    bench = Bench().track()
    bench.tilt = math.radians(46.0)
    trace = bench.run(0.1)
    first = next(i for i, (_, report) in enumerate(trace) if report.mode is ExecutorMode.DAMPING)
    assert (first + 1) * TICK == pytest.approx(0.06, abs=TICK + 1e-9)
    assert bench.executor.reason is Reason.TILTED
    bench.tilt = 0.0
    assert all(report.mode is ExecutorMode.DAMPING for _, report in bench.run(0.2))


@pytest.mark.parametrize("jump", [-1.0, -0.01, 2.0])
def test_a_clock_jump_drops_the_plans_and_holds_until_a_plan_of_the_new_time_arrives(jump):
    bench = Bench().track()
    before, _ = bench.tick()
    bench.planner = False
    bench.start += jump
    command, report = bench.tick()
    assert (report.mode, report.reason, report.sample_status) == (
        ExecutorMode.HOLD,
        Reason.CLOCK_JUMP,
        SampleStatus.NO_PLAN,
    )
    np.testing.assert_allclose(command.position, before.position)
    bench.planner = True
    bench.run(0.06)
    assert bench.executor.mode is ExecutorMode.TRACKING


def test_a_paused_simulation_is_no_stale_plan_and_no_stale_state():
    bench = Bench().track()
    bench.planner = False
    frozen_now, frozen_state = bench.now, bench.state
    before = bench.executor.mode
    for _ in range(400):
        bench.steady_start += TICK
        _, report = bench.executor.tick(frozen_now, bench.steady_start + bench.count * TICK, frozen_state)
    assert (report.mode, report.reason) == (before, Reason.SIM_PAUSED)
    bench.planner = True
    assert all(report.mode is ExecutorMode.TRACKING for _, report in bench.run(0.2))


def test_an_emergency_stop_damps_at_the_next_tick_and_is_latched_through_everything_but_its_release():
    bench = Bench().track()
    bench.executor.e_stop()
    command, report = bench.tick()
    assert report.mode is ExecutorMode.E_STOP
    assert is_damping(command)
    assert bench.executor.disarm()[0] is False
    assert bench.executor.arm(bench.now, bench.state)[0] is False
    assert all(report.mode is ExecutorMode.E_STOP for _, report in bench.run(0.2))


def test_an_emergency_stop_is_released_only_when_the_robot_is_fine_and_then_ends_disarmed():
    bench = Bench().track()
    bench.executor.e_stop()
    bench.tilt = 1.0
    bench.tick()
    ok, text = bench.executor.reset_e_stop(bench.now, bench.state)
    assert not ok
    assert text.startswith(Reason.NOT_UPRIGHT.sentence)
    bench.tilt = 0.0
    bench.tick()
    assert bench.executor.reset_e_stop(bench.now, bench.state)[0]
    assert bench.executor.mode is ExecutorMode.DISARMED
    assert bench.executor.reset_e_stop(bench.now, bench.state) == (False, Reason.NOT_STOPPED.sentence)


def test_after_damping_the_operator_disarms_and_arms_again():
    bench = Bench().track()
    bench.tilt = 1.0
    bench.run(0.1)
    bench.tilt = 0.0
    bench.tick()
    assert not bench.executor.arm(bench.now, bench.state)[0]
    assert bench.executor.disarm()[0]
    assert bench.executor.arm(bench.now, bench.state)[0]


def test_gains_that_are_broken_while_running_lead_to_fault_after_the_allowed_number_of_refusals():
    bench = Bench(max_refusals=3).track()
    bench.executor._kp = np.full(J, np.nan)  # what a memory error would look like: nothing else can bring NaN this far
    trace = bench.run(0.02)
    assert [report.mode for _, report in trace] == [ExecutorMode.TRACKING] * 2 + [ExecutorMode.FAULT] * 2
    assert trace[0][1].filter_verdict is FilterVerdict.REFUSED_COMMAND
    assert is_damping(trace[2][0])
    assert all(np.isfinite(command.kp).all() for command, _ in trace)


def test_clamps_are_counted_from_arming_on():
    tight = replace(LIMITS, position_high=np.full(J, 0.15), position_low=np.full(J, -100.0))
    config = from_mapping(ExecutorConfig, {"limits.position_margin": 0.0, "blend_time": 0.1})
    executor = ActionExecutor(config, tight, KP, KD, np.full(J, 0.2))
    state = RobotState(1.0, np.zeros(3), np.array([1.0, 0, 0, 0]), np.zeros(3), np.zeros(3), np.zeros(J), np.zeros(J))
    executor.tick(1.0, 1.0, state)
    executor.arm(1.0, state)
    for i in range(1, 31):
        command, report = executor.tick(1.0 + i * TICK, 1.0 + i * TICK, replace(state, stamp=1.0 + i * TICK))
    np.testing.assert_allclose(command.position, 0.15)
    share = np.arange(1, 21) / 20
    over = int(np.sum(0.2 * (3 * share**2 - 2 * share**3) > 0.15)) + 10
    assert report.clamped_position == J * over


@pytest.mark.parametrize("bad", [np.zeros(J + 1), np.array([1.0, np.nan, 1.0])])
def test_gains_of_the_wrong_number_or_with_nan_are_refused_before_motion(bad):
    with pytest.raises(ConfigError, match="kp must be 3 finite numbers"):
        ActionExecutor(ExecutorConfig(), LIMITS, bad, KD, STAND)
