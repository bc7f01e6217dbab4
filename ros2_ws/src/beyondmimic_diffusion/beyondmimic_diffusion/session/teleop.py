"""Steering by keyboard: which key changes what, and a terminal that gives single keys and is put back afterwards."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import tty
from collections.abc import Iterator
from dataclasses import dataclass

from ..core.errors import ConfigError

HELP = "w/s or up/down: forward, back   a/d: left, right   left/right: turn   x: stand   q: quit   SPACE or ESC: E-STOP"
_ESCAPES = {b"\x1b[A": "up", b"\x1b[B": "down", b"\x1b[D": "turn left", b"\x1b[C": "turn right"}
_KEYS = {
    **{b"w": "up", b"s": "down", b"a": "left", b"d": "right", b"x": "stop"},
    **{b" ": "e-stop", b"q": "quit", b"\x03": "quit"},
}
_ESCAPE = b"\x1b"
_CHANGES = {
    "up": (1, 0, 0),
    "down": (-1, 0, 0),
    "left": (0, 1, 0),
    "right": (0, -1, 0),
    "turn left": (0, 0, 1),
    "turn right": (0, 0, -1),
}


@dataclass(frozen=True)
class KeySteps:
    """How much one key press changes, and how far it can go; (forward, left [m/s], yaw rate [rad/s])."""

    step: tuple[float, float, float] = (0.1, 0.05, 0.1)
    highest: tuple[float, float, float] = (0.7, 0.3, 0.7)
    lowest: tuple[float, float, float] = (-0.4, -0.3, -0.7)


class KeyboardDriver:
    """Turns key presses into a velocity that stays until the next one."""

    def __init__(self, steps: KeySteps | None = None):
        self._steps = steps or KeySteps()
        self._counts = [0, 0, 0]
        self.quit = False
        """The operator wants to leave."""
        self.emergency = False
        """The operator has asked for an emergency stop."""

    @property
    def velocity(self) -> tuple[float, float, float]:
        """Forward, left [m/s] and yaw rate [rad/s] wished for now."""
        vx, vy, wz = (round(n * step, 6) for n, step in zip(self._counts, self._steps.step, strict=True))
        return (vx, vy, wz)

    def press(self, action: str) -> None:
        """Apply one action of :func:`actions`."""
        if action == "quit":
            self.quit = True
        if action == "e-stop":
            self.emergency = True
        if action in ("quit", "stop", "e-stop"):
            self._counts = [0, 0, 0]
        for i, change in enumerate(_CHANGES.get(action, (0, 0, 0))):
            low, high = (round(limit[i] / self._steps.step[i]) for limit in (self._steps.lowest, self._steps.highest))
            self._counts[i] = min(max(self._counts[i] + change, low), high)


def actions(typed: bytes) -> list[str]:
    """Actions that a burst of typed bytes stands for; unknown keys are ignored."""
    found, i = [], 0
    while i < len(typed):
        escape = typed[i : i + 3].replace(b"\x1bO", b"\x1b[")  # some terminals send O for [
        if escape in _ESCAPES:
            found.append(_ESCAPES[escape])
            i += 3
            continue
        if typed[i : i + 1] == _ESCAPE:
            rest = typed[i + 1 : i + 2]
            if rest in (b"[", b"O"):  # some other key's sequence: it ends with a letter or a tilde
                i += 2
                while i < len(typed) and not (typed[i : i + 1].isalpha() or typed[i : i + 1] == b"~"):
                    i += 1
            else:
                found.append("e-stop")
            i += 1
            continue
        action = _KEYS.get(typed[i : i + 1].lower())
        if action:
            found.append(action)
        i += 1
    return found


@contextlib.contextmanager
def raw_terminal() -> Iterator[int]:
    """Single keys from the terminal, without echo; however the block is left, the terminal is as before.

    Yields:
        File descriptor to read keys from.

    Raises:
        ConfigError: Standard input is no terminal.
    """
    if not sys.stdin.isatty():
        raise ConfigError("--teleop keyboard needs a terminal to read keys from; standard input is none")
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield descriptor
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def typed_keys(descriptor: int) -> bytes:
    """What has been typed since the last call, without waiting."""
    typed = b""
    while select.select([descriptor], [], [], 0.0)[0]:
        chunk = os.read(descriptor, 64)
        if not chunk:
            break
        typed += chunk
    return typed
