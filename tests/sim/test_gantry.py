"""The gantry against the weight of the robot."""

import numpy as np
import pytest

mujoco = pytest.importorskip("mujoco", reason="the simulator needs mujoco")

from beyondmimic_diffusion.core.execution.watchdog import tilt_angle  # noqa: E402
from beyondmimic_diffusion.sim.gantry import Gantry  # noqa: E402
from beyondmimic_diffusion.sim.mujoco_g1 import GRAVITY, MujocoG1  # noqa: E402


@pytest.fixture
def sim():
    return MujocoG1()


def advance(sim, gantry, seconds):
    for _ in range(round(seconds / sim.dt)):
        gantry.apply(sim.dt)
        sim.advance()


def test_a_limp_robot_in_the_air_hangs_by_its_weight_over_the_stiffness(sim):
    sim.reset(root_pos_w=np.array([0.0, 0.0, 2.0]))
    gantry = Gantry(sim)
    advance(sim, gantry, 4.0)
    weight = GRAVITY * np.sum(sim.model.body_mass)
    state = sim.state()
    sag = weight / Gantry.STIFFNESS
    # limp legs still swing a little after 4 s
    assert 2.0 - state.root_pos_w[2] == pytest.approx(sag, rel=0.05)
    assert tilt_angle(state.root_quat_w) < 0.3


def test_a_limp_robot_on_the_floor_is_kept_from_falling(sim):
    gantry = Gantry(sim)
    advance(sim, gantry, 3.0)
    assert not sim.fallen(0.9)


def test_a_push_is_caught_and_the_robot_comes_back(sim):
    gantry = Gantry(sim)
    advance(sim, gantry, 1.0)
    before = sim.state().root_pos_w
    sim.push(np.array([0.5, 0.3]))
    advance(sim, gantry, 2.0)
    assert sim.state().root_pos_w == pytest.approx(before, abs=0.03)


def test_after_the_release_its_strength_falls_to_nothing_in_the_given_time(sim):
    gantry = Gantry(sim, fade=0.1)
    gantry.release()
    advance(sim, gantry, 0.05)
    assert gantry.strength == pytest.approx(0.5)
    advance(sim, gantry, 0.06)
    assert gantry.strength == 0.0
    assert not np.any(sim.data.xfrc_applied)


def test_it_can_catch_again(sim):
    gantry = Gantry(sim, fade=0.01)
    gantry.release()
    advance(sim, gantry, 0.2)
    sim.reset()
    gantry.catch()
    advance(sim, gantry, 1.0)
    assert gantry.strength == 1.0
    assert not sim.fallen(0.9)


@pytest.mark.parametrize("kd", [5.0, 20.0])
def test_under_the_executors_damping_a_hanging_robot_comes_to_rest_and_its_light_wrists_do_not_chatter(kd):
    from beyondmimic_diffusion.core.execution import ActionExecutor, ExecutorConfig
    from beyondmimic_diffusion.core.execution.robot_limits import g1_limits
    from beyondmimic_diffusion.core.robot import g1

    pose = np.array(g1.DEFAULT_JOINT_POS)
    executor = ActionExecutor(ExecutorConfig(damping_kd=kd), g1_limits(), np.array(g1.KP), np.array(g1.KD), pose)
    executor.e_stop()
    sim = MujocoG1()
    sim.reset()
    gantry = Gantry(sim, 0.3)
    fastest = []
    for _tick in range(500):
        sim.apply(executor.tick(sim.stamp, sim.stamp, sim.state())[0])
        for _ in range(2):
            gantry.apply(sim.dt)
            sim.advance(1)
        fastest.append(np.abs(sim.joints().velocity).max())
    assert max(fastest[-100:]) < 2.0  # with 5 N m s/rad on each joint the wrists swing at 8 rad/s for ever
