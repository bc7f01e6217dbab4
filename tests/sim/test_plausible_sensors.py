"""What the simulated robot's sensors read is plausible: standing, falling, thrown about, put back."""

from __future__ import annotations

import numpy as np
import pytest
from beyondmimic_diffusion.core.execution.robot_limits import g1_sensor_judge
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.types import JointCommand
from beyondmimic_diffusion.sim.mujoco_g1 import MujocoG1

PERIOD = 0.004
"""Of a sample, as the simulator's node sends them [s]."""


@pytest.fixture
def robot():
    sim = MujocoG1()
    sim.reset()
    return sim


def command(target, stiffness=1.0):
    zero = np.zeros(g1.NUM_JOINTS)
    return JointCommand(0.0, target, zero, stiffness * np.array(g1.KP), np.array(g1.KD), zero)


def judged(sim, judge, seconds, target_of, stiffness=1.0):
    """All sentences said while the robot is commanded for a while, looked for ten times a second."""
    said = set()
    for k in range(round(seconds / PERIOD)):
        sim.apply(command(target_of(k * PERIOD), stiffness))
        sim.advance(2)
        judge.take(sim.imu(), sim.joints())
        if k % 25 == 24:
            said |= set(map(str, judge.findings()))
    return said


def still(t):
    return np.array(g1.DEFAULT_JOINT_POS)


def sway(t):
    """Knees, hips and waist move as while walking."""
    return still(t) + 0.3 * np.sin(2.0 * np.pi * 1.5 * t + np.arange(g1.NUM_JOINTS))


def test_standing_falling_and_lying_are_plausible(robot):
    judge = g1_sensor_judge()
    assert judged(robot, judge, 1.0, still) == set()
    assert judged(robot, judge, 2.0, still, stiffness=0.0) == set()  # falls
    assert robot.fallen()
    assert judged(robot, judge, 1.0, still, stiffness=0.0) == set()


def test_moving_all_joints_until_it_falls_is_plausible_and_so_is_being_put_back_while_time_goes_on(robot):
    judge = g1_sensor_judge()
    for _ in range(3):
        assert judged(robot, judge, 2.5, sway) == set()
        robot.reset(stamp=robot.stamp)
        assert judged(robot, judge, 1.0, still) == set()


def test_being_put_back_with_time_is_plausible(robot):
    judge = g1_sensor_judge()
    assert judged(robot, judge, 1.5, sway) == set()
    robot.reset(stamp=0.0)
    assert judged(robot, judge, 1.0, still) == set()
