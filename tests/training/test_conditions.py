"""Stress in evaluation does to the simulated robot what it says."""

from __future__ import annotations

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.types import JointCommand
from beyondmimic_training.evaluate.command import make_conditions
from beyondmimic_training.evaluate.conditions import Conditions, DelayedMotors
from beyondmimic_training.evaluate.fleet import Fleet
from beyondmimic_training.evaluate.suites import suite_named


class Recorder:
    """Motors that remember."""

    def __init__(self):
        self.got: list[float] = []

    def apply(self, command: JointCommand) -> None:
        self.got.append(command.stamp)


def command(stamp: float) -> JointCommand:
    zero = np.zeros(g1.NUM_JOINTS)
    return JointCommand(stamp, zero, zero, zero, zero, zero)


def test_a_delayed_motor_obeys_each_command_its_delay_later():
    motors, sim, seen = DelayedMotors(3), Recorder(), []
    for step in range(8):
        motors.give(sim, command(float(step)))
        motors.step(sim)
        seen.append(len(sim.got))
    assert seen == [0, 0, 0, 1, 2, 3, 4, 5]
    assert sim.got == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_without_delay_a_command_acts_at_once():
    motors, sim = DelayedMotors(0), Recorder()
    motors.give(sim, command(7.0))
    assert sim.got == [7.0]


@pytest.mark.parametrize(
    ("items", "sentence"),
    [
        (["friction"], "write NAME=VALUE"),
        (["ice=1"], "no parameter 'ice'"),
        (["friction=-1"], "is not allowed"),
        (["friction=slippery"], "allowed: a float"),
    ],
)
def test_bad_conditions_are_refused(items, sentence):
    with pytest.raises(ConfigError, match=sentence):
        make_conditions(items)


@pytest.mark.sim
def test_a_fleet_has_the_mass_friction_and_gains_that_were_asked_for():
    spec = suite_named("joystick").episode(1, 0)
    plain, stressed = Fleet(1, 0.004), Fleet(1, 0.004, conditions=make_conditions(["payload=3", "friction=0.4"]))
    for fleet in (plain, stressed):
        fleet.place([spec])
    heavier = stressed.sims[0].model.body_mass.sum() - plain.sims[0].model.body_mass.sum()
    assert heavier == pytest.approx(3.0)
    assert stressed.sims[0].physics.friction == 0.4


@pytest.mark.sim
def test_a_delay_between_two_control_steps_is_refused():
    with pytest.raises(ConfigError, match="multiple of 0.004"):
        Fleet(1, 0.004, conditions=Conditions(actuator_delay=0.003))
