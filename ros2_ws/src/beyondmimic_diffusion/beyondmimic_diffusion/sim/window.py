"""MuJoCo's own window onto a running simulation."""

from __future__ import annotations

import os
import time
from typing import Any

from ..core.errors import ConfigError
from .mujoco_g1 import MujocoG1

_PERIOD = 1.0 / 30.0
"""Between two pictures [s]."""


class Window:
    """Shows the robot; drawn from the thread that steps it."""

    def __init__(self, handle: Any):
        """
        Args:
            handle: What MuJoCo's passive viewer returned.
        """
        self._handle = handle
        self._due = 0.0

    def draw(self) -> None:
        """Show the present state, if the last picture is old enough."""
        now = time.monotonic()
        if now >= self._due and self._handle.is_running():
            self._due = now + _PERIOD
            self._handle.sync()

    def close(self) -> None:
        """Close the window."""
        self._handle.close()


def open_window(sim: MujocoG1) -> Window:
    """Open it.

    Raises:
        ConfigError: There is no display.
    """
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise ConfigError("mujoco_sim: a window needs a display, and DISPLAY is not set; start with headless:=true")
    import mujoco.viewer

    return Window(mujoco.viewer.launch_passive(sim.model, sim.data, show_left_ui=False, show_right_ui=False))
