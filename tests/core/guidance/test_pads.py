"""Each common pad, with the messages that joy's node makes of it: which it is, and that it drives as it should."""

from __future__ import annotations

import math
import os

import pytest
from beyondmimic_diffusion.core.errors import GoalError
from beyondmimic_diffusion.core.guidance.pad_layouts import LAYOUTS
from beyondmimic_diffusion.core.guidance.pad_report import PadReport
from beyondmimic_diffusion.core.guidance.teleop import JoyConfig, JoyMapping, VelocityLimits
from hypothesis import given, settings
from hypothesis import strategies as st

CASES = int(os.environ.get("CASES", "1000"))
LIMITS = VelocityLimits(forward=0.8, backward=0.6, lateral=0.4, yaw_rate=1.0)
AUTO = JoyConfig(layout="auto", slow=0.5, dead_zone=0.1)


class Pad:
    """A pad by its driver's own list of events, sorted by their codes as joy's node numbers them, hats at the end."""

    def __init__(self, axes: str, buttons: str, hats: int = 2, rest: float = 1.0):
        self.axes, self.buttons, self.hats = axes.split(), buttons.split(), hats
        self.rest = rest

    def message(self, pressed=(), fresh=False, **moved):
        """Axes as joy publishes them, left and up positive; triggers rest at ``rest``, but at 0 before an event."""
        at_rest = {"LT": self.rest, "RT": self.rest} if not fresh else {}
        axes = [moved.get(name, at_rest.get(name, 0.0)) for name in self.axes] + [0.0] * self.hats
        return axes, [int(name in pressed) for name in self.buttons]


XPAD = "LX LY LT RX RY RT"
PADS = {
    "xbox": Pad(XPAD, "A B X Y LB RB back start guide LS RS"),
    "xbox_series": Pad(XPAD, "A B X Y LB RB back start guide LS RS share"),
    "xbox_bluetooth": Pad("LX LY RX RY RT LT", "A B C X Y Z LB RB LT2 RT2 back start guide LS RS"),
    "xbox_bluetooth_share": Pad("LX LY RX RY RT LT", "A B C X Y Z LB RB LT2 RT2 back start guide LS RS share"),
    "ps4": Pad(XPAD, "cross circle triangle square LB RB L2 R2 share options PS LS RS"),
    "ps5_without_driver": Pad(
        "LX LY RX LT RT RY", "square cross circle triangle LB RB L2 R2 share options LS RS PS touch"
    ),
    "switch_pro": Pad("LX LY RX RY", "B A X Y capture LB RB ZL ZR minus plus home LS RS"),
    "f710_x": Pad(XPAD, "A B X Y LB RB back start guide LS RS"),
    "f710_d": Pad("LX LY RX RY", "X A B Y LB RB LT RT back start LS RS"),
    "unitree": Pad(XPAD, "A B X Y LB RB select start F1 F2"),
    "game_controller": Pad("LX LY RX RY LT RT", "A B X Y back guide start LS RS LB RB u d l r m p1 p2 p3 p4 t", 0, 0.0),
}
LAYOUT_OF = {
    "xbox_series": "xbox",
    "xbox_bluetooth_share": "xbox_bluetooth",
    "ps4": "playstation",
    "ps5_without_driver": "playstation_generic",
    "f710_x": "xbox",
}


@pytest.fixture(params=PADS)
def named(request):
    return request.param, PADS[request.param]


def test_each_pad_is_told_by_what_is_heard_and_drives_forward_left_and_turns(named):
    name, pad = named
    joy = JoyMapping(AUTO, LIMITS)
    assert joy.velocity(*pad.message()) is None
    assert (
        joy.words
        == f"layout {LAYOUT_OF.get(name, name)}, dead-man (button {pad.buttons.index('LB')}) never pressed so far"
    )
    assert joy.velocity(*pad.message(["LB"])) == (0.0, 0.0, 0.0)
    assert joy.velocity(*pad.message(["LB"], LY=1.0)) == pytest.approx((0.4, 0.0, 0.0))
    assert joy.velocity(*pad.message(["LB", "RB"], LX=1.0)) == pytest.approx((0.0, 0.4, 0.0))
    assert joy.velocity(*pad.message(["LB", "RB"], RX=-1.0)) == pytest.approx((0.0, 0.0, -1.0))
    for other in ("LT", "RT", "RY"):
        assert joy.velocity(*pad.message(["LB", "RB"], **{other: -1.0})) == (0.0, 0.0, 0.0)
    assert joy.velocity(*pad.message(["RB"], LY=1.0)) is None


def test_each_pads_layout_may_be_given_by_name(named):
    name, pad = named
    joy = JoyMapping(JoyConfig(layout=LAYOUT_OF.get(name, name)), LIMITS)
    joy.velocity(*pad.message(fresh=True))
    assert joy.velocity(*pad.message(["LB"], fresh=True)) == (0.0, 0.0, 0.0)
    assert joy.velocity(*pad.message(["LB", "RB"], LY=-1.0)) == pytest.approx((-0.6, 0.0, 0.0))


@pytest.mark.parametrize("name", ["ps4", "ps5_without_driver"])
def test_a_pad_that_only_its_triggers_tell_apart_is_not_obeyed_before_they_were_heard(name):
    joy, pad = JoyMapping(AUTO, LIMITS), PADS[name]
    for pressed in ((), ("LB",)):
        with pytest.raises(
            GoalError, match="playstation or playstation_generic, .*press and release both of them once"
        ):
            joy.velocity(*pad.message(pressed, fresh=True, LT=1.0))
    assert joy.velocity(*pad.message()) is None
    assert f"layout {LAYOUT_OF[name]}," in joy.words


@pytest.mark.parametrize("given", LAYOUTS)
def test_a_wrong_layout_never_moves_the_robot_while_the_sticks_are_at_rest(given, named):
    _, pad = named
    joy = JoyMapping(JoyConfig(layout=given), LIMITS)
    for pressed in ((), pad.buttons):
        try:
            velocity = joy.velocity(*pad.message(pressed))
        except GoalError:
            continue
        assert velocity in (None, (0.0, 0.0, 0.0))


def test_an_unknown_pad_is_named_by_its_numbers_beside_those_that_are_known():
    with pytest.raises(GoalError, match=r"unknown pad with 4 axes and 9 buttons; known .*switch_pro \(6/14\)"):
        JoyMapping(AUTO, LIMITS).velocity([0.0] * 4, [0] * 9)


def test_another_pad_in_its_place_must_be_let_go_of_first():
    joy = JoyMapping(AUTO, LIMITS)
    joy.velocity(*PADS["xbox"].message())
    joy.velocity(*PADS["xbox"].message(["LB"]))
    with pytest.raises(GoalError, match="held since the pad was first heard"):
        joy.velocity(*PADS["switch_pro"].message(["LB"], LY=1.0))


def test_what_is_heard_of_a_pad_is_told_and_what_is_missing():
    report, axes, buttons = PadReport(), *PADS["xbox"].message()
    assert report.sentence(0.0, 0, "") == (True, "no pad: joy has no publisher")
    well, text = report.sentence(0.0, 1, "")
    assert not well and "no message came" in text
    report.heard(1.0, axes, buttons)
    assert report.sentence(1.1, 1, "layout xbox") == (True, "8 axes, 11 buttons; layout xbox")
    well, text = report.sentence(4.2, 1, "")
    assert not well and text.startswith("no message on joy for 3.2 s")
    report.heard(5.0, axes, buttons, "a trouble")
    report.heard(5.1, axes, buttons)
    assert report.sentence(5.2, 1, "") == (False, "a trouble")
    assert report.sentence(5.2, 1, "x")[0]


def answer(joy, axes, buttons):
    """Velocity, and the sentence if it is refused."""
    try:
        return joy.velocity(axes, buttons), ""
    except GoalError as error:
        return None, str(error)


numbers = st.floats(allow_nan=True, allow_infinity=True)
messages = st.tuples(st.lists(numbers, max_size=10), st.lists(st.integers(-1, 2), max_size=22))


@settings(max_examples=CASES)
@given(st.sampled_from(["auto", "custom", *LAYOUTS]), st.lists(messages, min_size=1, max_size=6))
def test_any_messages_of_a_pad_are_a_velocity_nothing_or_a_sentence(layout, heard):
    joy = JoyMapping(JoyConfig(layout=layout), LIMITS)
    for axes, buttons in heard:
        velocity, text = answer(joy, axes, buttons)
        assert velocity is None or not text
        if velocity is not None:
            assert any(buttons)
            for value, most in zip(velocity, (0.8, 0.4, 1.0), strict=True):
                assert math.isnan(value) or abs(value) <= most  # NaN is refused by the limits


@settings(max_examples=CASES)
@given(st.sampled_from(sorted(PADS)), st.dictionaries(st.sampled_from("LX LY RX RY LT RT".split()), numbers))
def test_whatever_a_known_pads_axes_read_as_the_dead_man_closes_nothing_moves(name, moved):
    joy, pad = JoyMapping(AUTO, LIMITS), PADS[name]
    joy.velocity(*pad.message())
    velocity, text = answer(joy, *pad.message(["LB"], **moved))
    assert velocity == (0.0, 0.0, 0.0) or "the dead-man closed while axis" in text
