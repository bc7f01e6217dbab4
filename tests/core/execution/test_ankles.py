"""Standing without plans or steps: geometry by hand, the mode machine on a virtual clock, the robot in MuJoCo."""

import math
from dataclasses import replace

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_diffusion.core.execution import AnkleController, ExecutorMode, Reason, StandingConfig
from beyondmimic_diffusion.core.execution.ankles import lean_and_rate
from beyondmimic_diffusion.core.execution.robot_limits import g1_ankles
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.rotations import quat_multiply
from beyondmimic_diffusion.core.types import JointCommand, RobotState

from tests.core.execution.bench import KD, KP, STAND, TICK, Bench, J, is_damping

PITCH, ROLL = 0, 1
CONFIG = StandingConfig()


def turned(axis, angle):
    quat = np.zeros(4)
    quat[0], quat[1 + axis] = math.cos(angle / 2), math.sin(angle / 2)
    return quat


def state_with(quat, ang_vel=(0.0, 0.0, 0.0)):
    return RobotState(1.0, np.zeros(3), quat, np.zeros(3), np.array(ang_vel), np.zeros(J), np.zeros(J))


def standing_bench(**config):
    bench = Bench(**config)
    standing = bench.executor._config.standing
    bench.executor._standing = AnkleController(standing, STAND, [PITCH], [ROLL])
    return bench


@pytest.mark.parametrize("heading", [0.0, 1.0, -2.5])
@pytest.mark.parametrize(("axis", "index"), [(1, 0), (0, 1)], ids=["forward", "right"])
def test_a_turn_about_y_is_a_lean_forward_and_about_x_to_the_right_whatever_the_heading(heading, axis, index):
    quat = quat_multiply(turned(2, heading), turned(axis, 0.2))
    lean, _ = lean_and_rate(state_with(quat))
    assert lean[index] == pytest.approx(0.2)
    assert lean[1 - index] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("axis", [0, 1])
def test_the_rate_is_the_time_derivative_of_the_lean(axis):
    """Against a finite difference of the same turn, from upright on."""
    step, speed, heading = 1e-5, 0.7, 0.8
    before = lean_and_rate(state_with(turned(2, heading)))[0]
    after = lean_and_rate(state_with(quat_multiply(turned(2, heading), turned(axis, speed * step))))[0]
    spin_b = np.zeros(3)
    spin_b[axis] = speed
    spin_w = np.array(
        [
            math.cos(heading) * spin_b[0] - math.sin(heading) * spin_b[1],
            math.sin(heading) * spin_b[0] + math.cos(heading) * spin_b[1],
            0.0,
        ]
    )
    _, rate = lean_and_rate(state_with(turned(2, heading), spin_w))
    np.testing.assert_allclose(rate, (after - before) / step, atol=1e-4)


def test_it_begins_at_the_last_target_with_the_policys_gains_and_ends_at_the_stand_pose_with_its_own():
    controller = AnkleController(CONFIG, STAND, [PITCH], [ROLL])
    start = np.array([1.0, 2.0, 3.0])
    controller.start(start)
    assert controller.gains == (1.0, 1.0)
    upright = state_with(turned(2, 0.5))
    np.testing.assert_allclose(controller.target(upright, 0.0), start)
    np.testing.assert_allclose(controller.target(upright, 0.5 * CONFIG.blend_time), 0.5 * (start + STAND))
    np.testing.assert_allclose(controller.target(upright, CONFIG.blend_time), STAND)
    assert controller.gains == (CONFIG.kp_scale, CONFIG.kd_scale)


def test_the_ankles_follow_lean_and_rate_by_their_gains_and_no_other_joint_does():
    controller = AnkleController(CONFIG, STAND, [PITCH], [ROLL])
    controller.target(state_with(turned(2, 0.0)), 10.0)
    got = controller.target(state_with(turned(1, 0.1), (0.0, 0.4, 0.0)), 0.0) - STAND
    np.testing.assert_allclose(got, [CONFIG.tilt_gain * 0.1 + CONFIG.rate_gain * 0.4, 0.0, 0.0], atol=1e-12)


@pytest.mark.parametrize("joints", [([], []), ([J], [0]), ([-1], [0])])
def test_ankles_that_the_robot_does_not_have_are_refused(joints):
    with pytest.raises(ConfigError, match="ankles"):
        AnkleController(CONFIG, STAND, *joints)


def test_when_plans_are_lost_an_upright_robot_is_kept_standing_and_a_new_plan_takes_over_without_a_step():
    bench = standing_bench(**{"plan_blend": 0.1, "standing.resume_time": 0.0}).track()
    bench.planner = False
    trace = bench.run(0.6)
    modes = [report.mode for _, report in trace]
    assert modes[-1] is ExecutorMode.RETURN_TO_STAND
    assert bench.executor.reason is Reason.STANDING
    assert ExecutorMode.DAMPING not in modes
    np.testing.assert_allclose(trace[-1][0].position, STAND, atol=1e-9)
    np.testing.assert_allclose(trace[-1][0].kp, CONFIG.kp_scale * KP)
    np.testing.assert_allclose(trace[-1][0].kd, CONFIG.kd_scale * KD)
    bench.planner = True
    back = bench.run(0.3)
    first = next(i for i, (_, report) in enumerate(back) if report.mode is ExecutorMode.TRACKING)
    np.testing.assert_allclose(back[first][0].kp, (CONFIG.kp_scale + 0.05 * (1.0 - CONFIG.kp_scale)) * KP)
    np.testing.assert_allclose(back[-1][0].kp, KP)
    positions = np.array([command.position[0] for command, _ in [trace[-1], *back][first : first + 21]])
    assert np.abs(np.diff(positions)).max() < 0.07 * abs(bench.now - STAND[0])  # a twentieth each, not all at once


@pytest.mark.parametrize("why", ["tilted", "walking", "switched off"])
def test_when_plans_are_lost_it_damps_if_the_robot_leans_too_far_or_walks_or_standing_is_switched_off(why):
    bench = standing_bench(**({"standing.enabled": False} if why == "switched off" else {})).track()
    if why == "walking":
        bench.speed = 2.0 * CONFIG.max_speed
        bench.run(1.0)
        bench.speed = 0.0  # just now, as at the end of a swing
    bench.tilt = 0.5 if why == "tilted" else 0.0
    bench.planner = False
    trace = bench.run(0.4)
    assert ExecutorMode.RETURN_TO_STAND not in [report.mode for _, report in trace]
    assert bench.executor.mode is ExecutorMode.DAMPING
    assert bench.executor.reason is Reason.PLAN_COAST_LIMIT


def test_joint_speed_is_judged_by_its_mean_over_the_time_constant_and_not_by_one_sample():
    controller = AnkleController(CONFIG, STAND, [PITCH], [ROLL])
    moving = replace(state_with(turned(2, 0.0)), joint_vel=np.array([0.0, -2.0 * CONFIG.max_speed, 0.1]))
    elapsed = 0.0
    while controller.possible(moving):
        controller.observe(moving, None, TICK)
        elapsed += TICK
    assert elapsed == pytest.approx(CONFIG.speed_time * math.log(2.0), abs=2 * TICK)  # half of a step response


def test_a_robot_that_tips_over_while_it_is_kept_standing_is_damped_before_it_lies():
    bench = standing_bench().track()
    bench.planner = False
    bench.run(0.4)
    bench.tilt = CONFIG.max_tilt + 0.01
    command, report = bench.tick()
    assert (report.mode, report.reason) == (ExecutorMode.DAMPING, Reason.STAND_FAILED)
    assert is_damping(command)


def test_without_sensors_it_is_not_kept_standing_blindly():
    bench = standing_bench().track()
    bench.planner = False
    bench.run(0.4)
    bench.sensors = False
    trace = bench.run(0.2)
    assert trace[-1][1].mode is ExecutorMode.DAMPING
    assert bench.executor.reason is Reason.STATE_LOST


def stand_in_mujoco(controller, sim, seconds, push=(0.0, 0.0)):
    """Whether the robot is on its feet after so long; it is pushed after one second."""
    zero = np.zeros(g1.NUM_JOINTS)
    controller.start(sim.state().joint_pos)
    for step in range(round(seconds / TICK)):
        if step == 200:
            sim.push(np.array(push))
        state = sim.state()
        kp, kd = controller.gains
        command = JointCommand(state.stamp, controller.target(state, TICK), zero, kp * g1.KP, kd * g1.KD, zero)
        sim.step(command, (2, 3)[step % 2])
    return sim.state().root_pos_w[2] > 0.65


@pytest.mark.sim
@pytest.mark.parametrize("push", [(0.2, 0.0), (-0.15, 0.0), (0.0, 0.2)], ids=["forward", "back", "left"])
def test_in_mujoco_it_stands_and_bears_a_push_where_the_same_gains_without_the_ankles_fall(push):
    pytest.importorskip("mujoco")
    from beyondmimic_diffusion.sim.mujoco_g1 import MujocoG1

    pose = np.array(g1.DEFAULT_JOINT_POS)
    assert stand_in_mujoco(g1_ankles(CONFIG, pose), MujocoG1(), 6.0, push)
    rigid = replace(CONFIG, tilt_gain=0.0, rate_gain=0.0)
    assert not stand_in_mujoco(g1_ankles(rigid, pose), MujocoG1(), 6.0, push)
