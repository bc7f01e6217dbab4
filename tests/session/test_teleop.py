"""Keys to velocities, and the terminal that must be as before."""

import os
import pty
import sys
import termios

import pytest
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_diffusion.session.steering import KeyboardSteering
from beyondmimic_diffusion.session.teleop import KeyboardDriver, actions, raw_terminal, typed_keys


def velocity_after(*pressed: str) -> tuple[float, float, float]:
    driver = KeyboardDriver()
    for action in pressed:
        driver.press(action)
    return driver.velocity


def test_each_key_changes_its_own_component_by_one_step():
    assert velocity_after("up", "up") == (0.2, 0.0, 0.0)
    assert velocity_after("down") == (-0.1, 0.0, 0.0)
    assert velocity_after("left", "left", "right") == (0.0, 0.05, 0.0)
    assert velocity_after("turn left", "turn left") == (0.0, 0.0, 0.2)


def test_opposite_keys_cancel_exactly():
    assert velocity_after(*["up"] * 7, *["down"] * 7, *["turn right"] * 3, *["turn left"] * 3) == (0.0, 0.0, 0.0)


def test_velocities_stop_at_their_limits_and_come_back_at_the_first_opposite_key():
    assert velocity_after(*["up"] * 50) == (0.7, 0.0, 0.0)
    assert velocity_after(*["up"] * 50, "down") == (0.6, 0.0, 0.0)
    assert velocity_after(*["down"] * 50) == (-0.4, 0.0, 0.0)


def test_x_stands_still():
    assert velocity_after("up", "left", "turn left", "stop") == (0.0, 0.0, 0.0)


def test_quit_stops_and_says_so():
    driver = KeyboardDriver()
    driver.press("up")
    driver.press("quit")
    assert driver.quit
    assert driver.velocity == (0.0, 0.0, 0.0)


def test_letters_arrows_and_unknown_keys_are_told_apart_in_one_burst():
    typed = b"wS\x1b[A\x1bOB\x1b[D\x1b[Cxka\x03"
    assert actions(typed) == ["up", "down", "up", "down", "turn left", "turn right", "stop", "left", "quit"]


@pytest.mark.parametrize("typed", [b" ", b"\x1b", b"w\x1b", b"\x1bw", b"\x1b\x1b[A"], ids=repr)
def test_space_and_a_lone_escape_are_an_emergency_stop(typed):
    assert actions(typed).count("e-stop") == 1


@pytest.mark.parametrize("typed", [b"\x1b[5~", b"\x1b[1;5A", b"\x1bOP", b"\x1b[15~"], ids=repr)
def test_other_keys_sequences_are_none_and_leave_nothing_behind(typed):
    assert actions(typed) == []
    assert actions(typed + b"w") == ["up"]


def test_an_emergency_stop_by_key_is_handed_on_once_and_the_robot_is_asked_to_stand():
    driver, asked = KeyboardDriver(), []
    bursts = [b"www", b" ", b""]
    steering = KeyboardSteering(driver, lambda: bursts.pop(0), e_stop=lambda: asked.append(True))
    velocities = [steering.command(0.1 * i) for i in range(3)]
    assert velocities == [(0.3, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)]
    assert asked == [True]


def test_the_terminal_gives_single_keys_and_is_restored_even_after_an_error(monkeypatch):
    master, slave = pty.openpty()
    monkeypatch.setattr(sys, "stdin", os.fdopen(slave, "r"))
    before = termios.tcgetattr(slave)

    def steer() -> None:
        with raw_terminal() as descriptor:
            assert not termios.tcgetattr(slave)[3] & termios.ICANON  # single keys
            assert not termios.tcgetattr(slave)[3] & termios.ECHO
            os.write(master, b"w\x1b[A")
            assert typed_keys(descriptor) == b"w\x1b[A"
            assert typed_keys(descriptor) == b""
            raise RuntimeError("oops")

    with pytest.raises(RuntimeError, match="oops"):
        steer()
    assert termios.tcgetattr(slave) == before


def test_without_a_terminal_teleop_is_refused(monkeypatch, tmp_path):
    (tmp_path / "keys").touch()
    with (tmp_path / "keys").open() as file:
        monkeypatch.setattr(sys, "stdin", file)
        with pytest.raises(ConfigError, match="needs a terminal"), raw_terminal():
            pass
