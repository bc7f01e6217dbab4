"""Stepping to a stand: timing and gains on a virtual clock, the mode machine around it, and the walker in MuJoCo."""

import math

import numpy as np
import pytest
from beyondmimic_diffusion.core.execution import ExecutorMode, Reason, StandingConfig, SteppingController
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.robot.velocity_walker import ACTION_SCALE
from beyondmimic_diffusion.core.rotations import quat_multiply
from beyondmimic_diffusion.core.types import JointCommand, RobotState

from tests.core.execution.bench import KD, KP, STAND, TICK, Bench, J

CONFIG = StandingConfig()


class Network:
    """Puts out its call's number on each joint, and keeps what it saw."""

    def __init__(self):
        self.seen = []

    def __call__(self, observation):
        self.seen.append(np.array(observation))
        return np.full(J, float(len(self.seen)))


def stepping_bench(**config):
    """Without knees, so that nothing but a threshold of zero lets it step."""
    bench = Bench(**{"standing.min_load": 0.0, **config})
    network = Network()
    bench.executor._standing = SteppingController(bench.executor._config.standing, network, STAND, ())
    return bench, network


def lose_plans(bench):
    """Until the executor is in another mode; returns the trace from there on for half a second."""
    bench.planner = False
    while bench.executor.mode in (ExecutorMode.TRACKING, ExecutorMode.COASTING):
        last = bench.tick()
    return [last, *bench.run(0.5)]


@pytest.mark.parametrize("speed", [0.0, 30.0], ids=["standing", "walking"])
def test_when_plans_are_lost_the_network_is_asked_every_20_ms_and_its_targets_are_held_between_at_the_policys_gains(
    speed,
):
    bench, network = stepping_bench()
    bench.track()
    bench.speed = min(speed, bench.executor._config.watchdog.joints.trip_speed - 1.0)
    trace = lose_plans(bench)
    assert {report.mode for _, report in trace} == {ExecutorMode.RETURN_TO_STAND}
    assert bench.executor.reason is Reason.STEPPING
    calls = [round((command.position[0] - STAND[0]) / ACTION_SCALE) for command, _ in trace]
    assert calls == [1 + tick // round(0.02 / TICK) for tick in range(len(trace))]
    for command, _ in trace:
        np.testing.assert_allclose(command.kp, KP)
        np.testing.assert_allclose(command.kd, KD)


def test_its_first_last_action_is_the_last_command_that_was_sent_and_then_its_own():
    bench, network = stepping_bench()
    bench.track()
    bench.planner = False
    while bench.executor.mode in (ExecutorMode.TRACKING, ExecutorMode.COASTING):
        sent = bench.executor._last_command.position
        bench.tick()
    bench.run(0.02)
    np.testing.assert_allclose(STAND + ACTION_SCALE * network.seen[0][0, :J], sent)
    np.testing.assert_allclose(network.seen[1][0, :J], 1.0)


def test_new_plans_take_over_by_the_plan_blend_from_its_last_target():
    bench, _ = stepping_bench(**{"plan_blend": 0.1, "standing.resume_time": 0.0})
    bench.track()
    trace = lose_plans(bench)
    bench.planner = True
    back = bench.run(0.3)
    first = next(i for i, (_, report) in enumerate(back) if report.mode is ExecutorMode.TRACKING)
    before, after = [trace[-1], *back][first][0].position[0], back[first][0].position[0]
    assert after - before == pytest.approx((TICK / 0.1) * (bench.now - before), rel=0.1)  # a target tells its time
    assert abs(back[-1][0].position[0] - bench.now) < 0.05


@pytest.mark.parametrize("resume_time", [0.2, 0.5])
def test_new_plans_take_over_once_they_have_come_steadily_for_the_resume_time_and_a_gap_begins_it_anew(resume_time):
    bench, _ = stepping_bench(**{"standing.resume_time": resume_time})
    bench.track()
    lose_plans(bench)
    bench.planner = True
    bench.run(0.6 * resume_time)
    bench.planner = False
    bench.run(0.2)  # longer than the coasting limit
    bench.planner = True
    modes = [report.mode for _, report in bench.run(resume_time + 0.1)]
    waited = modes.index(ExecutorMode.TRACKING) * TICK
    assert set(modes[: modes.index(ExecutorMode.TRACKING)]) == {ExecutorMode.RETURN_TO_STAND}
    assert waited == pytest.approx(resume_time, abs=0.045)  # from the first plan, of which one comes each 40 ms


def test_a_jump_of_the_clock_does_not_leave_a_walk_to_a_held_pose():
    bench, network = stepping_bench()
    bench.track()
    bench.start -= 1.0
    bench.planner = False
    _, report = bench.tick()
    assert (report.mode, report.reason) == (ExecutorMode.RETURN_TO_STAND, Reason.CLOCK_JUMP)
    bench.run(1.0)
    assert bench.executor.mode is ExecutorMode.RETURN_TO_STAND
    assert len(network.seen) > 40
    bench.planner = True
    bench.run(0.5 + 0.1)
    assert bench.executor.mode is ExecutorMode.TRACKING


def test_a_gap_in_the_state_that_outlives_the_plans_ends_in_steps_and_not_on_the_floor():
    bench, _ = stepping_bench(hold_limit=0.2, coast_limit=0.0)
    bench.track()
    bench.sensors = False
    while bench.executor.mode is not ExecutorMode.HOLD:
        bench.tick()
    bench.executor.plans.reset()
    bench.planner, bench.sensors = False, True
    modes = [report.mode for _, report in bench.run(0.5)]
    assert list(dict.fromkeys(modes)) == [ExecutorMode.HOLD, ExecutorMode.RETURN_TO_STAND]


def test_a_robot_that_waits_in_its_gantry_for_the_first_plan_is_not_made_to_step():
    bench, network = stepping_bench(hold_limit=0.1)
    bench.hold()
    assert all(report.mode is ExecutorMode.HOLD for _, report in bench.run(2.0))
    assert network.seen == []


@pytest.mark.parametrize("why", ["tilted", "switched off"])
def test_when_plans_are_lost_it_damps_if_the_robot_leans_too_far_or_standing_is_switched_off(why):
    bench, _ = stepping_bench(**({"standing.enabled": False} if why == "switched off" else {}))
    bench.track()
    bench.tilt = CONFIG.max_tilt + 0.01 if why == "tilted" else 0.0
    assert {report.mode for _, report in lose_plans(bench)} == {ExecutorMode.DAMPING}


def test_a_step_may_save_a_robot_that_leans_further_but_one_that_falls_is_damped():
    bench, _ = stepping_bench()
    bench.track()
    lose_plans(bench)
    bench.tilt = CONFIG.max_tilt + 0.05
    assert {report.mode for _, report in bench.run(0.5)} == {ExecutorMode.RETURN_TO_STAND}
    bench.tilt = bench.executor._config.watchdog.tilt_limit + 0.01
    bench.run(0.1)
    assert (bench.executor.mode, bench.executor.reason) == (ExecutorMode.DAMPING, Reason.TILTED)


def test_what_the_knees_bear_is_the_torque_that_stretches_them_averaged_over_the_load_time():
    """Against the step response of a first-order lag, by hand."""
    controller = SteppingController(CONFIG, Network(), STAND, (0, 2))
    off = np.array([-0.3, 5.0, -0.4])  # the middle joint is no knee
    state = RobotState(1.0, np.zeros(3), np.array([1.0, 0, 0, 0]), np.zeros(3), np.zeros(3), STAND, np.full(J, 0.5))
    command = JointCommand(1.0, STAND + off, np.zeros(J), KP, KD, np.zeros(J))
    bearing = KP[0] * 0.7 + KD[0] * 2 * 0.5
    elapsed = 0.0
    while not controller.possible(state):
        controller.observe(state, command, TICK)
        elapsed += TICK
    expected = -CONFIG.load_time * math.log(1.0 - CONFIG.min_load / bearing)
    assert elapsed == pytest.approx(expected, abs=2 * TICK)
    slack = JointCommand(1.0, STAND - off, np.zeros(J), KP, KD, np.zeros(J))
    while controller.upright(state):  # once it bears nothing any more it must not go on either
        controller.observe(state, slack, TICK)
        elapsed += TICK
    assert elapsed < 2.0


def test_a_robot_that_hangs_is_damped_when_plans_are_lost_and_not_made_to_kick_about():
    bench, network = stepping_bench(**{"standing.min_load": 6.0})
    bench.track()
    assert {report.mode for _, report in lose_plans(bench)} == {ExecutorMode.DAMPING}
    assert network.seen == []


def test_without_sensors_it_does_not_step_blindly():
    bench, _ = stepping_bench()
    bench.track()
    lose_plans(bench)
    bench.sensors = False
    bench.run(0.2)
    assert (bench.executor.mode, bench.executor.reason) == (ExecutorMode.DAMPING, Reason.STATE_LOST)


def test_a_stall_is_not_caught_up_with():
    network = Network()
    controller = SteppingController(CONFIG, network, STAND, ())
    state = RobotState(1.0, np.zeros(3), np.array([1.0, 0, 0, 0]), np.zeros(3), np.zeros(3), STAND, np.zeros(J))
    controller.target(state, 0.0)
    controller.target(state, 0.1)
    for _ in range(4):
        controller.target(state, TICK)
    assert 3 <= len(network.seen) <= 4


def test_it_does_what_the_walker_does_that_is_told_to_stand():
    """Against the recording side's walker, on states of a walk that is turned, tilted and spinning."""
    pytest.importorskip("onnxruntime", reason="the walker is an ONNX policy")
    experts = pytest.importorskip("beyondmimic_training.experts", reason="the walker comes with the training package")
    from beyondmimic_diffusion.core.engine import manifest
    from beyondmimic_diffusion.core.engine.walker_network import open_standing

    policy = manifest.PolicyManifest.load("policies/walk")
    stepping, walker = open_standing(CONFIG, policy), experts.make_expert("fastsac_walker")
    rng = np.random.default_rng(0)
    stand = np.array(g1.DEFAULT_JOINT_POS)
    first = stand + 0.2 * rng.standard_normal(g1.NUM_JOINTS)
    stepping.start(first)
    for step in range(20):
        turn = quat_multiply(np.array([np.cos(1.0), 0, 0, np.sin(1.0)]), np.array([np.cos(0.1), 0, np.sin(0.1), 0]))
        state = RobotState(
            stamp=0.02 * step,
            root_pos_w=rng.standard_normal(3),
            root_quat_w=turn,
            root_lin_vel_w=rng.standard_normal(3),
            root_ang_vel_w=rng.standard_normal(3),
            joint_pos=stand + 0.3 * rng.standard_normal(g1.NUM_JOINTS),
            joint_vel=2.0 * rng.standard_normal(g1.NUM_JOINTS),
        )
        seen = experts.RobotBatch.of(state)
        if step == 0:
            walker.reset(seen)
            walker.observe_executed(first[None])
        wanted = walker.act(seen, np.zeros((1, 3)))[0]
        np.testing.assert_allclose(stepping.target(state, 0.02), wanted, atol=2e-5)
