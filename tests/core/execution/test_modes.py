"""Every (mode, event) pair, against a table written out by hand."""

import pytest
from beyondmimic_diffusion.core.execution import TRANSITIONS, Event, ExecutorMode, Reason, next_mode

# rows: modes; columns in the order of EVENTS; "." stays. Letters: D disarmed, C checking, H hold, B blend, T tracking,
# c coasting, R return to stand, X damping, E e-stop, F fault.
_EVENTS = """
    ARM CHECKS_PASSED CHECKS_FAILED BLEND_DONE PLAN_READY PLAN_LATE PLAN_LOST PLAN_LOST_UPRIGHT HELD_TOO_LONG
    HELD_TOO_LONG_UPRIGHT
    STATE_STALE STATE_LOST FALLING JOINT_TRIP CLOCK_JUMP CLOCK_JUMP_UPRIGHT BROKEN STAND DAMP DISARM E_STOP E_STOP_RESET
"""
EVENTS = tuple(_EVENTS.split())
TABLE = {
    "DISARMED": "C . . . . . . . . . . . . . . . . . . . E .",
    "CHECKING": ". B D . . . . . . . . . . . . . . . . D E .",
    "HOLD": ". . . . T . . . X R . X X X . . F . X D E .",
    "BLEND": ". . . H . . . . . . . X X X . . F . X D E .",
    "TRACKING": ". . . . . c X R . . H X X X H R F R X D E .",
    "COASTING": ". . . . T . X R . . H X X X H R F R X D E .",
    "RETURN_TO_STAND": ". . . . T . . . . . . X X X . . F . X D E .",
    "DAMPING": ". . . . . . . . . . . . . . . . . . . D E .",
    "E_STOP": ". . . . . . . . . . . . . . . . . . . . . D",
    "FAULT": ". . . . . . . . . . . . . . . . . . . D E .",
}
_MODES = "DISARMED CHECKING HOLD BLEND TRACKING COASTING RETURN_TO_STAND DAMPING E_STOP FAULT"
LETTERS = dict(zip("DCHBTcRXEF", _MODES.split(" "), strict=True))


def test_the_hand_written_table_names_every_mode_and_event():
    assert {mode.name for mode in ExecutorMode} == set(TABLE)
    assert {event.name for event in Event} == set(EVENTS)


@pytest.mark.parametrize("mode", ExecutorMode, ids=lambda mode: mode.name)
@pytest.mark.parametrize("column", range(len(EVENTS)), ids=lambda column: EVENTS[column])
def test_each_event_in_each_mode_leads_where_the_table_says(mode, column):
    letter = TABLE[mode.name].split()[column]
    wanted = mode.name if letter == "." else LETTERS[letter]
    assert next_mode(mode, Event[EVENTS[column]]).name == wanted


def test_no_row_of_the_table_leads_out_of_an_emergency_stop_but_its_release():
    assert [key for key in TRANSITIONS if key[0] is ExecutorMode.E_STOP] == [(ExecutorMode.E_STOP, Event.E_STOP_RESET)]


def test_reason_codes_are_unique_and_each_has_a_sentence():
    assert len({reason.code for reason in Reason}) == len(Reason)
    assert all(len(reason.sentence) > 5 for reason in Reason)
