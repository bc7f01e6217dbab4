"""The remote's bytes against Unitree's own table of them, and what they become for teleoperation."""

from __future__ import annotations

import struct

import pytest

pytest.importorskip("rclpy", reason="robot_io speaks ROS 2")

from beyondmimic_diffusion.core.guidance.teleop import JoyConfig, JoyMapping, VelocityLimits  # noqa: E402
from beyondmimic_diffusion.robot_io.unitree_remote import (  # noqa: E402
    FIRMWARE_CHORDS,
    JOY_BUTTONS,
    STOP_CHORDS,
    Remote,
    decode_remote,
    encode_remote,
)
from beyondmimic_diffusion.robot_io.unitree_wire import WireError  # noqa: E402

BIT_OF_BUTTON = {
    **{"R1": (2, 0), "L1": (2, 1), "start": (2, 2), "select": (2, 3), "R2": (2, 4), "L2": (2, 5)},
    **{"F1": (2, 6), "F2": (2, 7), "A": (3, 0), "B": (3, 1), "X": (3, 2), "Y": (3, 3)},
    **{"up": (3, 4), "right": (3, 5), "down": (3, 6), "left": (3, 7)},
}
"""Byte and bit of each button, as Unitree's documentation of the G1 has them."""


@pytest.mark.parametrize("button", BIT_OF_BUTTON)
def test_each_button_is_the_bit_that_unitree_says(button):
    byte, bit = BIT_OF_BUTTON[button]
    data = bytearray(40)
    data[byte] = 1 << bit
    assert decode_remote(bytes(data)).pressed == {button}
    assert encode_remote([button]) == bytes(data)


def test_sticks_are_the_floats_at_4_8_12_and_20():
    data = bytearray(40)
    struct.pack_into("<3f", data, 4, 0.25, 0.5, -0.75)
    struct.pack_into("<f", data, 16, 0.9)  # L2's way: not used
    struct.pack_into("<f", data, 20, -1.0)
    remote = decode_remote(bytes(data))
    assert (remote.left_x, remote.right_x, remote.right_y, remote.left_y) == (0.25, 0.5, -0.75, -1.0)


@pytest.mark.parametrize(("value", "read"), [(float("nan"), 0.0), (float("inf"), 0.0), (7.0, 1.0), (-7.0, -1.0)])
def test_a_stick_is_always_a_number_between_its_ends(value, read):
    assert decode_remote(encode_remote(left=(value, 0.0))).left_x == read


def test_another_number_of_bytes_is_refused():
    with pytest.raises(WireError, match="has 39 bytes; it should have 40"):
        decode_remote(bytes(39))


def test_the_default_teleoperation_drives_with_it_as_with_an_xbox_pad():
    mapping = JoyMapping(JoyConfig(), VelocityLimits(forward=0.8, lateral=0.4, yaw_rate=1.0))
    assert mapping.velocity(*Remote().joy()) is None  # open
    assert mapping.velocity(*decode_remote(encode_remote(["L1"])).joy()) == (0.0, 0.0, 0.0)  # closed at rest
    forward = decode_remote(encode_remote(["L1", "R1"], left=(0.0, 1.0)))
    assert mapping.velocity(*forward.joy()) == pytest.approx((0.8, 0.0, 0.0))
    right_and_turning_right = decode_remote(encode_remote(["L1", "R1"], left=(1.0, 0.0), right=(1.0, 0.0)))
    assert mapping.velocity(*right_and_turning_right.joy()) == pytest.approx((0.0, -0.4, -1.0))
    assert mapping.velocity(*decode_remote(encode_remote(left=(0.0, 1.0))).joy()) is None  # dead-man open


@pytest.mark.parametrize("chord", FIRMWARE_CHORDS, ids="+".join)
def test_a_chord_of_the_firmware_lets_go_of_everything_ours(chord):
    axes, buttons = decode_remote(encode_remote([*chord, "L1", "up"], left=(1.0, 1.0))).joy()
    assert (axes, buttons) == Remote().joy()
    assert not any(buttons)


def test_the_dead_man_and_turbo_alone_are_no_chord_of_the_firmware():
    remote = decode_remote(encode_remote(["L1", "R1"]))
    assert not remote.chord
    _, buttons = remote.joy()
    assert [name for name, down in zip(JOY_BUTTONS, buttons, strict=True) if down] == ["L1", "R1"]


@pytest.mark.parametrize("chord", FIRMWARE_CHORDS, ids="+".join)
def test_the_chords_with_which_the_robot_gives_in_stop_us_too(chord):
    assert decode_remote(encode_remote(chord)).wants_stop == (chord in STOP_CHORDS)


def test_a_remote_at_rest_is_neutral_and_a_pressed_or_moved_one_is_not():
    assert decode_remote(encode_remote(left=(0.05, -0.05))).neutral
    assert not decode_remote(encode_remote(["F2"])).neutral
    assert not decode_remote(encode_remote(right=(0.0, 0.3))).neutral
