"""Unitree's remote: the 40 bytes in ``LowState``, and what they mean as a ``sensor_msgs/Joy``.

The robot's firmware acts on some chords by itself, whatever runs on its computer (:data:`FIRMWARE_CHORDS`). They are
left to it: while one is held, the pad counts as let go of, dead-man and all. As ``Joy`` the remote is laid out like an
Xbox pad under ROS 2's joy node, so that the same configuration serves both::

    axes     0 left stick left   1 left stick up   2 L2 (1 .. -1)   3 right stick left   4 right stick up
             5 R2 (1 .. -1)      6 cross left      7 cross up
    buttons  0 A  1 B  2 X  3 Y  4 L1 (dead-man)  5 R1 (turbo)  6 select  7 start  8 F1  9 F2
"""

from __future__ import annotations

import math
import struct
from collections.abc import Collection
from dataclasses import dataclass, field

from .unitree_wire import REMOTE_BYTES, WireError

BUTTONS = ("R1", "L1", "start", "select", "R2", "L2", "F1", "F2", "A", "B", "X", "Y", "up", "right", "down", "left")
"""Names of the bits of bytes 2 and 3, least significant first."""
FIRMWARE_CHORDS = (("L1", "A"), ("L2", "R2"), ("L2", "A"), ("L2", "B"), ("R1", "X"))
"""What the firmware acts on; L2 + B damps even if our computer hangs."""
STOP_CHORDS = (("L2", "B"), ("L1", "A"))
"""Those with which the operator wants the robot to give in: we stop, too."""
JOY_BUTTONS = ("A", "B", "X", "Y", "L1", "R1", "select", "start", "F1", "F2")
NEUTRAL_STICK = 0.1
"""A stick within this of its middle is at rest."""
_STICKS = struct.Struct("<4x3f4xf")  # lx@4 rx@8 ry@12, ly@20


@dataclass(frozen=True)
class Remote:
    """What the operator's fingers do."""

    pressed: frozenset[str] = field(default_factory=frozenset)
    """Of :data:`BUTTONS`."""
    left_x: float = 0.0
    """Sticks, -1 .. 1; x is to the right, y away from the operator."""
    left_y: float = 0.0
    right_x: float = 0.0
    right_y: float = 0.0

    @property
    def chord(self) -> tuple[str, ...]:
        """The firmware's chord that is held; empty if none is."""
        return next((chord for chord in FIRMWARE_CHORDS if self.pressed.issuperset(chord)), ())

    @property
    def wants_stop(self) -> bool:
        """Whether a chord is held that lets the robot give in."""
        return any(self.pressed.issuperset(chord) for chord in STOP_CHORDS)

    @property
    def neutral(self) -> bool:
        """No button pressed, no stick moved."""
        sticks = (self.left_x, self.left_y, self.right_x, self.right_y)
        return not self.pressed and all(abs(stick) <= NEUTRAL_STICK for stick in sticks)

    def joy(self) -> tuple[list[float], list[int]]:
        """Axes and buttons of a ``sensor_msgs/Joy``; as if let go of while a chord of the firmware is held."""
        if self.chord:
            return Remote().joy()
        has = self.pressed.__contains__
        axes = [
            *(-self.left_x, self.left_y, -1.0 if has("L2") else 1.0),
            *(-self.right_x, self.right_y, -1.0 if has("R2") else 1.0),
            *(float(has("left")) - float(has("right")), float(has("up")) - float(has("down"))),
        ]
        return axes, [int(has(name)) for name in JOY_BUTTONS]


def decode_remote(data: bytes) -> Remote:
    """Read the remote's bytes; a stick that is no number is at rest.

    Raises:
        WireError: Not 40 bytes.
    """
    if len(data) != REMOTE_BYTES:
        raise WireError(f"the remote's data has {len(data)} bytes; it should have {REMOTE_BYTES}")
    bits = data[2] | data[3] << 8
    left_x, right_x, right_y, left_y = (
        max(-1.0, min(1.0, value)) if math.isfinite(value) else 0.0 for value in _STICKS.unpack_from(data)
    )
    pressed = frozenset(name for bit, name in enumerate(BUTTONS) if bits >> bit & 1)
    return Remote(pressed, left_x, left_y, right_x, right_y)


def encode_remote(
    pressed: Collection[str] = (),
    left: tuple[float, float] = (0.0, 0.0),
    right: tuple[float, float] = (0.0, 0.0),
) -> bytes:
    """The remote's bytes, for simulated robots and tests.

    Args:
        pressed: Of :data:`BUTTONS`.
        left: Left stick, to the right and away from the operator, -1 .. 1.
        right: Right stick.
    """
    data = bytearray(REMOTE_BYTES)
    bits = sum(1 << BUTTONS.index(name) for name in set(pressed))
    data[2:4] = bits.to_bytes(2, "little")
    data[4:16] = struct.pack("<3f", left[0], right[0], right[1])
    data[20:24] = struct.pack("<f", left[1])
    return bytes(data)
