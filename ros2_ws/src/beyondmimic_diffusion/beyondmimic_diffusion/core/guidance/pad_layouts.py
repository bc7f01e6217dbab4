"""Which axis and button of a pad is which, as ROS 2's joy node numbers them on Linux; and which pad is being heard.

A pad does not say its name on ``joy``. Its numbers of axes and buttons, and the axes on which its triggers rest at
their ends, tell it apart where that matters. Two more have the numbers of another one: a Logitech F710 in X mode is an
``xbox``; so are pads behind xpadneo.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import GoalError

_AT_END = 0.99
"""A trigger at rest reads 1 or -1, to this accuracy."""


@dataclass(frozen=True)
class PadLayout:
    """One kind of pad."""

    name: str
    """As for ``joy_config``."""
    axes: tuple[int, ...]
    """Numbers of axes that such pads have."""
    buttons: tuple[int, ...]
    """Numbers of buttons that such pads have."""
    enable_button: int
    """Dead-man: the left bumper."""
    turbo_button: int
    """Right bumper; -1: none."""
    axis_turn: int
    """Right stick, to the left."""
    triggers: tuple[int, ...] = ()
    """Axes that rest at 1 or -1."""
    axis_forward: int = 1
    """Left stick, forward."""
    axis_left: int = 0
    """Left stick, to the left."""

    @property
    def sticks(self) -> dict[str, int]:
        """Axis of each movement."""
        return {"forward": self.axis_forward, "left": self.axis_left, "turn": self.axis_turn}


LAYOUTS = {
    layout.name: layout
    for layout in (
        PadLayout("xbox", (8,), (11, 12), 4, 5, 3, (2, 5)),
        PadLayout("xbox_bluetooth", (8,), (15, 16), 6, 7, 2, (4, 5)),
        PadLayout("playstation", (8,), (13, 14), 4, 5, 3, (2, 5)),
        PadLayout("playstation_generic", (8,), (13, 14), 4, 5, 2, (3, 4)),
        PadLayout("switch_pro", (6,), (14,), 5, 6, 2),
        PadLayout("f710_d", (6,), (12,), 4, 5, 2),
        PadLayout("unitree", (8,), (10,), 4, 5, 3, (2, 5)),
        PadLayout("game_controller", (6,), (15, 16, 20, 21), 9, 10, 2),
    )
}
"""By name. ``playstation`` is the kernel's own driver, ``playstation_generic`` a pad without it; ``game_controller`` is
SDL's numbering, which joy's ``game_controller_node`` gives every pad."""


class LayoutChooser:
    """Tells from what is heard which pad it is."""

    def __init__(self) -> None:
        self._size = (-1, -1)
        self._layout: PadLayout | None = None

    def layout(self, axes: Sequence[float], buttons: Sequence[int]) -> PadLayout:
        """The layout of a pad that sends this; once it is known it stays until the numbers change.

        Raises:
            GoalError: No known pad has so many, or it cannot be told yet which of several it is.
        """
        size = len(axes), len(buttons)
        if size != self._size:
            self._size, self._layout = size, None
        if self._layout is None:
            self._layout = self._choose(axes, buttons)
        return self._layout

    def _choose(self, axes: Sequence[float], buttons: Sequence[int]) -> PadLayout:
        fitting = [one for one in LAYOUTS.values() if len(axes) in one.axes and len(buttons) in one.buttons]
        if not fitting:
            known = ", ".join(f"{one.name} ({_either(one.axes)}/{_either(one.buttons)})" for one in LAYOUTS.values())
            raise GoalError(
                f"unknown pad with {len(axes)} axes and {len(buttons)} buttons; known (axes/buttons): {known}; "
                "give its layout as joy_config:=FILE"
            )
        if len(fitting) == 1:
            return fitting[0]
        resting = [one for one in fitting if all(abs(axes[i]) >= _AT_END for i in one.triggers)]
        if len(resting) != 1:
            names = " or ".join(one.name for one in fitting)
            raise GoalError(
                f"the pad is {names}, which only its triggers tell: press and release both of them once, or give "
                "joy_config"
            )
        return resting[0]


def _either(numbers: tuple[int, ...]) -> str:
    return " or ".join(map(str, numbers))
