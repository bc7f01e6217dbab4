"""What the operator wants, as data; checked when made, so that a goal that exists can be served.

A goal may hold one value, or one per robot of a batch (leading dimension B). What is fixed to the ground is given in
the world (``_w``, odom) and is brought into the character frame when a plan is made; a velocity is given in the robot's
heading frame and turns with it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import GoalError
from ..types import Array
from .ranges import MAX_AHEAD, MAX_DISTANCE, MAX_SPEED, MAX_WEIGHT, MAX_YAW_RATE

if TYPE_CHECKING:
    from .sdf import SignedDistance


@dataclass(frozen=True)
class Goal:
    """What all goals share."""

    expires: float = field(default=math.inf, kw_only=True)
    """Not to be served at or after this time of the robot's clock [s]."""

    def expired(self, now: float) -> bool:
        """True from ``expires`` on."""
        return now >= self.expires

    def _require(self, name: str, shape: tuple[int, ...], limit: float, unit: str) -> None:
        """Turn a field into a float64 array; refuse wrong shapes, NaN and lengths beyond the limit."""
        owner = type(self).__name__
        value = getattr(self, name)
        try:
            array = np.array(value, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise GoalError(f"{owner}.{name} = {value!r} is not numeric") from error
        if array.shape[array.ndim - len(shape) :] != shape or array.ndim > len(shape) + 1:
            raise GoalError(f"{owner}.{name} has shape {array.shape}; right is {shape} or (B, ...) of it")
        if not np.all(np.isfinite(array)):
            raise GoalError(f"{owner}.{name} = {array.tolist()} is not finite")
        size = np.linalg.norm(array, axis=-1) if shape else np.abs(array)
        if np.any(size > limit):
            raise GoalError(f"{owner}.{name} = {array.tolist()} is too large; allowed is up to {limit} {unit}")
        array.flags.writeable = False
        object.__setattr__(self, name, array)

    def _check_expiry(self) -> None:
        if math.isnan(self.expires):
            raise GoalError(f"{type(self).__name__}.expires is NaN; give a time [s], or inf for a goal without end")


@dataclass(frozen=True)
class JoystickGoal(Goal):
    """Walk and turn at a rate."""

    vel_xy_c: Array | tuple[float, float] = (0.0, 0.0)
    """Forward and left, in the robot's heading frame [m/s], shape (2,) or (B, 2)."""
    yaw_rate: Array | float = 0.0
    """Counter-clockwise seen from above [rad/s], scalar or (B,)."""

    def __post_init__(self) -> None:
        self._check_expiry()
        self._require("vel_xy_c", (2,), MAX_SPEED, "m/s")
        self._require("yaw_rate", (), MAX_YAW_RATE, "rad/s")


@dataclass(frozen=True)
class WaypointGoal(Goal):
    """Reach a place and stop there."""

    position_xy_w: Array | tuple[float, float] = (0.0, 0.0)
    """Where to [m], shape (2,) or (B, 2)."""
    heading_w: Array | float | None = None
    """Heading to take on the way [rad], scalar or (B,); None: none is asked for."""
    max_speed: Array | float | None = None
    """Speed of the way there, where it is served as a goal velocity [m/s], scalar or (B,); None: the planner's own."""
    stop: Array | bool = True
    """False: a waypoint on the way, passed without braking; scalar or (B,)."""

    def __post_init__(self) -> None:
        self._check_expiry()
        self._require("position_xy_w", (2,), MAX_DISTANCE, "m")
        if self.max_speed is not None:
            self._require("max_speed", (), MAX_SPEED, "m/s")
            if np.any(np.asarray(self.max_speed) < 0.0):
                raise GoalError(f"WaypointGoal.max_speed = {np.asarray(self.max_speed).tolist()} is negative")
        if self.heading_w is not None:
            self._require("heading_w", (), 4.0 * math.pi, "rad")


@dataclass(frozen=True)
class HeadingGoal(Goal):
    """Face a direction."""

    heading_w: Array | float = 0.0
    """[rad], scalar or (B,)."""

    def __post_init__(self) -> None:
        self._check_expiry()
        self._require("heading_w", (), 4.0 * math.pi, "rad")


@dataclass(frozen=True)
class ObstacleScene(Goal):
    """Keep clear of something; not a goal by itself, it adds to others."""

    sdf_w: SignedDistance | None = None
    """Distance to everything that must not be touched, in the world; None: nothing there."""
    stamp: float = 0.0
    """When the positions of moving obstacles are true [s]."""

    def __post_init__(self) -> None:
        self._check_expiry()
        if not math.isfinite(self.stamp):
            raise GoalError(f"ObstacleScene.stamp = {self.stamp} is not a time")


@dataclass(frozen=True)
class KeyframeGoal(Goal):
    """Have chosen key points at chosen places at a chosen time."""

    key_points: tuple[str, ...] = ()
    """Names of the policy's key points."""
    positions: Array | tuple[tuple[float, float, float], ...] = ()
    """Where they shall be [m], shape (M', 3); see ``frame``."""
    due: float = 0.0
    """When, by the robot's clock [s]."""
    frame: str = "local"
    """``"local"``: relative to the pelvis and rotated with its heading (a pose anywhere); ``"world"``: places."""
    hold: float = 0.0
    """How long after ``due`` the keyframe is kept [s]."""

    def __post_init__(self) -> None:
        self._check_expiry()
        if not self.key_points or len(set(self.key_points)) != len(self.key_points):
            raise GoalError(f"KeyframeGoal.key_points = {self.key_points}: give at least one name, each once")
        if self.frame not in ("local", "world"):
            raise GoalError(f"KeyframeGoal.frame = '{self.frame}'; allowed are 'local' and 'world'")
        if not math.isfinite(self.due) or not math.isfinite(self.hold) or self.hold < 0.0:
            raise GoalError(f"KeyframeGoal: due {self.due} and hold {self.hold} must be finite, hold not negative")
        if self.hold > MAX_AHEAD:
            raise GoalError(f"KeyframeGoal.hold = {self.hold:g} s; up to {MAX_AHEAD:g} s is plausible; a unit error?")
        count = len(self.key_points)
        try:
            shape = np.shape(self.positions)
        except ValueError as error:  # ragged
            raise GoalError(f"KeyframeGoal.positions = {self.positions!r:.80}; right is ({count}, 3)") from error
        if shape != (count, 3):
            raise GoalError(f"KeyframeGoal.positions has shape {shape}; right is ({count}, 3)")
        self._require("positions", (count, 3), MAX_DISTANCE, "m")


@dataclass(frozen=True)
class CustomGoal(Goal):
    """Whatever a registered cost asks for; for costs that users write themselves."""

    cost: str = ""
    """Name under which the cost is registered; also the name of its term."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the cost by name."""
    weight: float | None = None
    """None: as in the planner's parameter ``custom.active``, or 1."""
    first_step: int = 0
    """First predicted state the cost sees."""
    last_step: int | None = None
    """Last predicted state the cost sees; None: the last of the plan."""
    lowest_level: int = 0
    """Denoising passes below this noise level are not guided by it."""
    highest_level: int | None = None
    """Nor are those above this one; None: no limit."""
    clip: float | None = None
    """Largest norm of the weighted gradient of one plan, in mixed SI units; None: no limit."""
    velocity_cap: float | None = None
    """Largest change of a predicted planar velocity in one pass [m/s]; None: no limit."""
    consistent: bool = False
    """True: the cost sees positions integrated from the predicted velocities; right for most costs on places."""

    def __post_init__(self) -> None:
        self._check_expiry()
        if not isinstance(self.cost, str) or not self.cost:
            raise GoalError(f"CustomGoal.cost = {self.cost!r}; give the name of a registered cost")
        if not isinstance(self.parameters, Mapping) or not all(isinstance(key, str) for key in self.parameters):
            raise GoalError(f"CustomGoal.parameters = {self.parameters!r:.80}; give a mapping from names to values")
        for name in ("weight", "clip", "velocity_cap"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value >= 0.0):
                raise GoalError(f"CustomGoal.{name} = {value}; give a number, zero or more, or None")
        if self.weight is not None and self.weight > MAX_WEIGHT:
            raise GoalError(f"CustomGoal.weight = {self.weight:g}; up to {MAX_WEIGHT:g} is plausible; a unit error?")
        if self.first_step < 0 or (self.last_step is not None and self.last_step < self.first_step):
            raise GoalError(
                f"CustomGoal: steps {self.first_step} to {self.last_step} are none; right is 0 <= first <= last"
            )
