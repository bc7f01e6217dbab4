"""States and steps of the simulation against a list of what must happen; no physics."""

import pytest
from beyondmimic_diffusion.sim.simulation_control import Code, Phase, SimulationControl, Stepping


class Rig:
    """A control, what it reset, and a physics that only counts."""

    def __init__(self):
        self.resets, self.made = [], 0
        self.control = SimulationControl(lambda time, state: self.resets.append((time, state)))
        self.told, self.ends = [], []

    def run(self, slices, slice_steps=2):
        """So many turns of the loop; steps made."""
        before = self.made
        for _ in range(slices):
            steps = self.control.due(slice_steps)
            self.made += steps
            if steps:
                self.control.passed()
        return self.made - before

    def step(self, steps, goes_on=lambda made: True):
        def on_step(made, left):
            self.told.append((made, left))
            return goes_on(made)

        return self.control.begin(Stepping(steps, on_step, self.ends.append))


@pytest.fixture
def rig():
    return Rig()


def test_it_plays_from_the_beginning_slice_by_slice_and_not_while_paused_or_stopped(rig):
    assert rig.control.phase is Phase.PLAYING
    assert rig.run(5, slice_steps=2) == 10
    for phase in (Phase.PAUSED, Phase.STOPPED):
        assert rig.control.set_phase(phase).code is Code.OK
        assert rig.control.phase is phase
        assert rig.run(5) == 0
    assert rig.control.set_phase(Phase.PLAYING).code is Code.OK
    assert rig.run(5, slice_steps=1) == 5


@pytest.mark.parametrize("phase", Phase)
def test_a_state_that_it_has_already_is_told_so_and_nothing_is_reset_again(rig, phase):
    rig.control.set_phase(phase)
    resets = list(rig.resets)
    answer = rig.control.set_phase(phase)
    assert answer.code is Code.ALREADY_IN_TARGET_STATE
    assert phase.name.lower() in answer.text
    assert rig.resets == resets


def test_stopping_resets_time_and_state_pausing_and_playing_reset_nothing(rig):
    for phase in (Phase.PAUSED, Phase.PLAYING, Phase.STOPPED, Phase.PAUSED, Phase.PLAYING):
        rig.control.set_phase(phase)
    assert rig.resets == [(True, True)]


@pytest.mark.parametrize("phase", [Phase.PLAYING, Phase.PAUSED])
def test_a_reset_keeps_the_simulation_playing_or_paused(rig, phase):
    rig.control.set_phase(phase)
    assert rig.control.reset(time=False, state=True).code is Code.OK
    assert rig.resets == [(False, True)]
    assert rig.control.phase is phase


def test_exactly_as_many_steps_are_made_as_were_asked_for_each_is_told_and_it_is_paused_again(rig):
    rig.control.set_phase(Phase.PAUSED)
    assert rig.step(5).code is Code.OK
    assert rig.control.phase is Phase.PLAYING
    assert rig.run(50) == 5
    assert rig.told == [(1, 4), (2, 3), (3, 2), (4, 1), (5, 0)]
    assert [end.code for end in rig.ends] == [Code.OK]
    assert rig.control.phase is Phase.PAUSED


@pytest.mark.parametrize("steps", [0, -1, -500])
def test_no_steps_or_fewer_are_refused(rig, steps):
    rig.control.set_phase(Phase.PAUSED)
    answer = rig.step(steps)
    assert answer.code is Code.OPERATION_FAILED
    assert f"{steps} steps; give one or more" in answer.text
    assert rig.run(5) == 0
    assert rig.ends == []


@pytest.mark.parametrize("phase", [Phase.PLAYING, Phase.STOPPED])
def test_steps_are_refused_unless_it_is_paused(rig, phase):
    rig.control.set_phase(phase)
    answer = rig.step(3)
    assert answer.code is Code.OPERATION_FAILED
    assert f"the simulation is {phase.name.lower()}; steps need it paused" in answer.text
    assert rig.ends == []


def test_steps_are_refused_while_others_are_made(rig):
    rig.control.set_phase(Phase.PAUSED)
    rig.step(5)
    rig.run(2)
    answer = rig.step(5)
    assert answer.code is Code.OPERATION_FAILED
    assert "3 are left" in answer.text
    assert rig.run(10) == 3


def test_steps_that_are_called_off_end_there(rig):
    rig.control.set_phase(Phase.PAUSED)
    rig.step(10, goes_on=lambda made: made < 4)
    assert rig.run(50) == 4
    [end] = rig.ends
    assert end.code is Code.OPERATION_FAILED
    assert "called off after 4 of 10 steps" in end.text
    assert rig.control.phase is Phase.PAUSED


@pytest.mark.parametrize("phase", Phase)
def test_another_state_ends_the_steps_that_are_under_way(rig, phase):
    rig.control.set_phase(Phase.PAUSED)
    rig.step(10)
    rig.run(3)
    assert rig.control.set_phase(phase).code is Code.OK
    assert rig.control.phase is phase
    [end] = rig.ends
    assert end.code is Code.OPERATION_FAILED
    assert "after 3 of 10 steps" in end.text
    assert rig.resets == ([(True, True)] if phase is Phase.STOPPED else [])


def test_a_reset_ends_the_steps_that_are_under_way_before_it_takes_place():
    order = []
    control = SimulationControl(lambda time, state: order.append("reset"))
    control.set_phase(Phase.PAUSED)
    control.begin(Stepping(10, lambda made, left: True, lambda answer: order.append("end")))
    control.reset(time=True, state=True)
    assert order == ["end", "reset"]
    assert control.phase is Phase.PAUSED
