"""From sticks and velocity commands to a goal that dies when nobody renews it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import GoalError
from ..parameters import param, validate
from .goals import JoystickGoal
from .pad_layouts import LAYOUTS, LayoutChooser, PadLayout

_NEUTRAL = 0.05
"""A stick within this of its middle is at rest."""


@dataclass(frozen=True)
class VelocityLimits:
    """What may be asked of the robot; more is cut to this."""

    forward: float = param(0.8, unit="m/s", lo=0.0, hi=3.0, doc="Greatest forward speed.", live=True)
    backward: float = param(0.6, unit="m/s", lo=0.0, hi=3.0, doc="Greatest backward speed.", live=True)
    lateral: float = param(0.4, unit="m/s", lo=0.0, hi=3.0, doc="Greatest sideways speed.", live=True)
    yaw_rate: float = param(1.0, unit="rad/s", lo=0.0, hi=4.0, doc="Greatest yaw rate.", live=True)

    def __post_init__(self) -> None:
        validate(self)

    def clip(self, velocity: Sequence[float]) -> tuple[float, float, float]:
        """Forward, left [m/s] and yaw rate [rad/s], each cut to its limit.

        Raises:
            GoalError: A component is NaN or infinite.
        """
        if not np.all(np.isfinite(velocity)):
            raise GoalError(f"velocity command (vx, vy, yaw rate) = {tuple(velocity)}: every component must be finite")
        vx, vy, wz = (float(v) for v in velocity)
        return (
            min(max(vx, -self.backward), self.forward),
            min(max(vy, -self.lateral), self.lateral),
            min(max(wz, -self.yaw_rate), self.yaw_rate),
        )


@dataclass(frozen=True)
class JoyConfig:
    """Which axis and button does what; the defaults are an Xbox pad under the joy node."""

    layout: str = param(
        "custom",
        choices=("custom", "auto", *LAYOUTS),
        doc="Kind of pad; auto: by what is heard; custom: the buttons and axes below.",
    )
    enable_button: int = param(4, lo=0, hi=31, doc="Dead-man button: commands count only while it is held.")
    turbo_button: int = param(5, lo=-1, hi=31, doc="Full speed while held together with the dead-man; -1: none.")
    axis_forward: int = param(1, lo=0, hi=15, doc="Axis for forward.")
    axis_left: int = param(0, lo=0, hi=15, doc="Axis for left.")
    axis_turn: int = param(3, lo=0, hi=15, doc="Axis for turning left.")
    slow: float = param(0.5, lo=0.0, hi=1.0, doc="Share of the greatest speed without the turbo button.", live=True)
    dead_zone: float = param(0.1, lo=0.0, hi=0.9, doc="Share of a stick's way that does nothing.", live=True)

    def __post_init__(self) -> None:
        validate(self)


class JoyMapping:
    """Sticks to velocities; the sticks must be at rest when the dead-man closes.

    A pad reports zeros before its first event, a trigger rests at 1 or -1, and a pad of another kind has it where this
    one has a stick: none of that may start the robot.
    """

    def __init__(self, config: JoyConfig, limits: VelocityLimits):
        self._chooser = LayoutChooser()
        self._layout: PadLayout | None = None
        self._seen_open = self._held = self._obeyed = self._ever_pressed = False
        self.configure(config, limits)

    def configure(self, config: JoyConfig, limits: VelocityLimits) -> None:
        """Map the sticks like this from now on; what was seen of the pad stays."""
        self._config, self._limits = config, limits

    def velocity(self, axes: Sequence[float], buttons: Sequence[int]) -> tuple[float, float, float] | None:
        """Forward, left [m/s], yaw rate [rad/s]; None while the dead-man is not held.

        Raises:
            GoalError: The pad is unknown or has too few axes or buttons, or the dead-man was closed while a stick was
                not at rest.
        """
        layout = self._layout_of(axes, buttons)
        if layout != self._layout:
            self._layout, self._seen_open, self._obeyed = layout, False, False
        self._held = bool(buttons[layout.enable_button])
        if not self._held:
            self._seen_open, self._obeyed = True, False
            return None
        if not self._seen_open:
            raise GoalError(
                f"the dead-man (button {layout.enable_button}) is held since the pad was first heard; release it, then "
                "press it again"
            )
        self._ever_pressed = True
        sticks = {use: float(axes[axis]) for use, axis in layout.sticks.items()}
        if not self._obeyed:
            self._check_rest(layout, sticks)
            self._obeyed = True
        turbo = layout.turbo_button >= 0 and bool(buttons[layout.turbo_button])
        share = 1.0 if turbo else self._config.slow
        forward, left, turn = (share * self._live(sticks[use]) for use in ("forward", "left", "turn"))
        limits = self._limits
        ahead = limits.forward if forward > 0.0 else limits.backward
        return forward * ahead, left * limits.lateral, turn * limits.yaw_rate

    @property
    def words(self) -> str:
        """Which pad it is, and what is known of its dead-man."""
        if self._layout is None:
            return "not understood yet"
        state = "held" if self._held else "open" if self._ever_pressed else "never pressed so far"
        return f"layout {self._layout.name}, dead-man (button {self._layout.enable_button}) {state}"

    def _layout_of(self, axes: Sequence[float], buttons: Sequence[int]) -> PadLayout:
        """The layout in force, which this pad has the axes and buttons for."""
        config = self._config
        if config.layout == "auto":
            return self._chooser.layout(axes, buttons)
        layout = LAYOUTS.get(config.layout) or _custom(config)
        wanted, pressed = tuple(layout.sticks.values()), (layout.enable_button, layout.turbo_button)
        if max(wanted) >= len(axes) or max(pressed) >= len(buttons):
            raise GoalError(
                f"joy has {len(axes)} axes and {len(buttons)} buttons, but axes {wanted} and buttons {pressed} are "
                f"configured (layout {layout.name}); set joy.* for this pad, or joy_config:=auto"
            )
        return layout

    def _check_rest(self, layout: PadLayout, sticks: dict[str, float]) -> None:
        """The dead-man has just closed."""
        for use, value in sticks.items():
            if not abs(value) <= max(self._config.dead_zone, _NEUTRAL):
                raise GoalError(
                    f"the dead-man closed while axis {layout.sticks[use]} ({use}) reads {value:+.2f}, 0 expected: let "
                    "go of the sticks; if it is a trigger, which rests at 1 or -1, give the pad's layout (joy_config)"
                )

    def _live(self, stick: float) -> float:
        """Stick position outside the dead zone, stretched to -1 .. 1."""
        size = (min(abs(stick), 1.0) - self._config.dead_zone) / (1.0 - self._config.dead_zone)
        return math.copysign(max(0.0, size), stick)


def _custom(config: JoyConfig) -> PadLayout:
    """As written in the parameters."""
    return PadLayout(
        "custom",
        (),
        (),
        config.enable_button,
        config.turbo_button,
        config.axis_turn,
        axis_forward=config.axis_forward,
        axis_left=config.axis_left,
    )


class CommandPace:
    """Which commands are forwarded at once: those that come a period or more after the last one that was."""

    def __init__(self, period: float):
        """
        Args:
            period: Least time between two commands that are forwarded [s].
        """
        self._period = period
        self._next = -math.inf

    def wait(self, now: float) -> float:
        """How long the newest command must wait [s]; 0: it is forwarded now, and counted.

        Args:
            now: Any clock that does not jump [s].
        """
        if now < self._next:
            return self._next - now
        self._next = now + self._period
        return 0.0


class VelocityTask:
    """The newest velocity command until it is too old; then, and before the first, the wish to stand."""

    def __init__(self, timeout: float):
        """
        Args:
            timeout: A command that is not renewed for this long is dropped [s].
        """
        self._timeout = timeout
        self.stop()

    @property
    def timeout(self) -> float:
        """A command that is not renewed for this long is dropped [s]."""
        return self._timeout

    def stop(self) -> None:
        """Drop the command: stand."""
        self._velocity = (0.0, 0.0, 0.0)
        self._until = -math.inf

    def command(self, velocity: tuple[float, float, float], now: float) -> None:
        """Take a command; ``now`` is any clock that does not jump [s], the same one as for the other calls."""
        self._velocity = velocity
        self._until = now + self._timeout

    def limit(self, limits: VelocityLimits) -> None:
        """Cut the command in force to these."""
        self._velocity = limits.clip(self._velocity)

    def active(self, now: float) -> bool:
        """True while a command counts."""
        return now < self._until

    def moving(self, now: float) -> bool:
        """True while a command other than to stand counts."""
        return self.active(now) and any(self._velocity)

    def remaining(self, now: float) -> float:
        """How long the command still counts [s]; 0 if there is none."""
        return max(0.0, self._until - now)

    def goal(self, now: float, stamp: float) -> JoystickGoal:
        """What the planner shall serve.

        Args:
            now: As in :meth:`command`.
            stamp: The same moment on the robot's clock [s].

        Returns:
            The command with its expiry on the robot's clock, or to stand, without expiry.
        """
        if not self.active(now):
            return JoystickGoal()
        vx, vy, wz = self._velocity
        return JoystickGoal((vx, vy), wz, expires=stamp + self.remaining(now))
