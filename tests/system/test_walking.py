"""The shipped policy in the loop: stands, walks where it is steered, bears a late planner, and is damped without one.

Bounds on velocities are what a user is promised (0.12 m/s for the mean over a leg) with room for one short leg: gait
phase and the pull of a 2 s average shift it by up to 0.05 m/s.
"""

import numpy as np
import pytest
from beyondmimic_diffusion.core.engine.walker_network import open_standing
from beyondmimic_diffusion.core.execution import ExecutorMode, StandingConfig
from system.loop import START, TICK_DT, Loop, mean_velocity, upright

pytestmark = pytest.mark.sim
BOUND = 0.17


def test_it_stands_for_three_seconds_within_half_a_metre(policy):
    loop = Loop(policy)
    moments = loop.run(3.0)
    assert upright(moments[-1])
    drift = moments[-1].state.root_pos_w - moments[0].state.root_pos_w
    assert np.linalg.norm(drift[:2]) < 0.5
    assert {m.mode for m in moments[20:]} == {ExecutorMode.TRACKING}


@pytest.mark.parametrize("delay", [0.02, 0.06], ids=["plans in time", "plans 40 ms late"])
def test_it_walks_forward_at_the_speed_asked_for(policy, delay):
    loop = Loop(policy, delay=delay)
    loop.run(2.0, (0.4, 0.0))
    steady = loop.run(2.0, (0.4, 0.0))
    assert upright(steady[-1])
    np.testing.assert_allclose(mean_velocity(steady), (0.4, 0.0), atol=BOUND)
    assert ExecutorMode.DAMPING not in {m.mode for m in loop.moments}


@pytest.mark.parametrize("plan_time", [0.08, 0.12])
def test_a_planner_that_needs_longer_than_a_step_is_only_slow_and_the_robot_walks_on_in_one_mode(policy, plan_time):
    loop = Loop(policy, plan_time=plan_time)
    loop.run(3.0, (0.3, 0.0))
    steady = loop.run(3.0, (0.3, 0.0))
    assert upright(steady[-1])
    np.testing.assert_allclose(mean_velocity(steady), (0.3, 0.0), atol=BOUND)
    assert {m.mode for m in steady} == {ExecutorMode.TRACKING}


def test_when_plans_stop_while_it_walks_the_executor_coasts_and_then_damps_within_the_stated_time(policy):
    loop = Loop(policy)
    walking = loop.run(2.0, (0.4, 0.0))
    assert mean_velocity(walking[-250:])[0] > 0.15
    assert {m.mode for m in walking[20:]} == {ExecutorMode.TRACKING}
    loop.planning = False
    after = loop.run(0.4, (0.4, 0.0))
    taken_over = loop.last_plan.stamp + loop.last_plan.first_step * loop.last_plan.step_dt - START
    due = taken_over + loop.config.plan_period
    coasting = next(m.time for m in after if m.mode is ExecutorMode.COASTING)
    damping = next(m.time for m in after if m.mode is ExecutorMode.DAMPING)
    assert loop.config.plan_grace < coasting - due <= loop.config.plan_grace + TICK_DT + 1e-6
    assert loop.config.coast_limit < damping - due <= loop.config.coast_limit + TICK_DT + 1e-6
    for moment in after:
        if moment.time >= damping:
            assert moment.mode is ExecutorMode.DAMPING  # streamed, not sent once
            assert not moment.command.kp.any()
            np.testing.assert_array_equal(
                moment.command.kd, np.minimum(loop.config.damping_kd, 2.0 * np.array(policy.manifest.kd))
            )


def test_when_plans_stop_while_it_stands_its_ankles_keep_it_standing_and_goes_on_when_they_come_again(policy):
    loop = Loop(policy)
    loop.stand_with(open_standing(StandingConfig(policy=""), policy.manifest))
    loop.run(2.5)
    loop.planning = False
    alone = loop.run(4.0)
    assert alone[-1].mode is ExecutorMode.RETURN_TO_STAND
    assert upright(alone[-1])
    loop.planning = True
    again = loop.run(2.0)
    assert {m.mode for m in again[175:]} == {ExecutorMode.TRACKING}
    assert upright(again[-1])


def test_when_plans_stop_while_it_walks_it_is_damped_where_there_are_only_the_ankles(policy):
    loop = Loop(policy)
    loop.stand_with(open_standing(StandingConfig(policy=""), policy.manifest))
    loop.run(3.0, (0.5, 0.0))
    loop.planning = False
    modes = [m.mode for m in loop.run(0.5, (0.5, 0.0))]
    assert ExecutorMode.RETURN_TO_STAND not in modes
    assert modes[-1] is ExecutorMode.DAMPING


@pytest.mark.parametrize("phase", [0.0, 0.3, 0.6], ids=["early", "middle", "late"])
def test_when_plans_stop_while_it_walks_it_steps_to_a_stand_and_walks_on_when_they_come_again(policy, phase):
    loop = Loop(policy)
    loop.stand_with(open_standing(StandingConfig(), policy.manifest))
    loop.run(2.5 + phase, (0.5, 0.0))
    loop.planning = False
    alone = loop.run(2.5, (0.5, 0.0))
    modes = list(dict.fromkeys(m.mode for m in alone))
    assert modes == [ExecutorMode.TRACKING, ExecutorMode.COASTING, ExecutorMode.RETURN_TO_STAND]
    at_rest = [np.linalg.norm(m.state.root_lin_vel_w[:2]) < 0.15 for m in alone if m.time > alone[0].time + 1.5]
    assert all(at_rest)
    assert all(upright(m) for m in alone)
    loop.planning = True
    again = loop.run(3.0, (0.5, 0.0))
    assert {m.mode for m in again[175:]} == {ExecutorMode.TRACKING}
    assert upright(again[-1])
    assert mean_velocity(again[-375:])[0] > 0.3


def held(loop, height):
    """Hang the robot up by its pelvis, so high above where it is [m]."""
    sim, advance = loop._sim, loop._sim.step
    place = sim.data.qpos[:7].copy()
    place[2] += height

    def step(command, n=1):
        advance(command, n)
        sim.data.qpos[:7], sim.data.qvel[:6] = place, 0.0

    sim.step = step


def test_a_robot_that_hangs_in_the_air_is_damped_when_plans_stop_for_a_walker_would_kick_about(policy):
    loop = Loop(policy)
    loop.stand_with(open_standing(StandingConfig(), policy.manifest))
    held(loop, 0.4)
    loop.run(2.0)
    loop.planning = False
    modes = list(dict.fromkeys(m.mode for m in loop.run(0.5)))
    assert modes == [ExecutorMode.TRACKING, ExecutorMode.COASTING, ExecutorMode.DAMPING]


def test_a_robot_that_stands_without_plans_and_is_lifted_off_the_floor_goes_limp_within_two_seconds(policy):
    loop = Loop(policy)
    loop.stand_with(open_standing(StandingConfig(), policy.manifest))
    loop.run(2.5, (0.4, 0.0))
    loop.planning = False
    assert loop.run(2.0)[-1].mode is ExecutorMode.RETURN_TO_STAND
    held(loop, 0.3)
    assert loop.run(2.0)[-1].mode is ExecutorMode.DAMPING


def test_a_planner_that_is_one_period_late_never_leaves_the_executor_without_a_plan(policy):
    """40 ms late is a whole plan period: the executor may notice (COASTING), and never runs out."""
    loop = Loop(policy, delay=0.06)
    moments = loop.run(1.0, (0.3, 0.0))
    playing = [m.mode for m in moments if m.time > 0.2]
    assert set(playing) <= {ExecutorMode.TRACKING, ExecutorMode.COASTING}
