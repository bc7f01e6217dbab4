"""How each kind of goal is served: what an operator may tune."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..parameters import param, validate
from .joystick import AVERAGES, TURNS
from .user_cost import parse_weights


@dataclass(frozen=True)
class PassesConfig:
    """Which denoising passes a cost guides."""

    lowest_level: int = param(0, lo=0, hi=999, doc="Passes below this noise level are not guided by it.")
    highest_level: int = param(999, lo=0, hi=999, doc="Nor are passes above this one.")


@dataclass(frozen=True)
class VelocityConfig(PassesConfig):
    """Velocity goals."""

    weight: float = param(1.0, lo=0.0, hi=100.0, doc="Weight of the planar velocity cost.")
    average: str = param("mean", choices=AVERAGES, doc="Cost on the mean predicted velocity, or on each step (eq. 7).")
    turn: str = param("commanded", choices=TURNS, doc="Which heading the goal velocity turns with over the horizon.")
    yaw_weight: float = param(1.0, lo=0.0, hi=100.0, doc="Weight of the turning cost.")
    yaw_cost: str = param(
        "ramp", choices=("ramp", "mean_rate", "rate"), doc="Turning as a heading ramp, mean rate or rate of each step."
    )


@dataclass(frozen=True)
class HeadingConfig(PassesConfig):
    """Heading goals."""

    weight: float = param(1.0, lo=0.0, hi=100.0, doc="Weight of the heading cost.")
    max_rate: float = param(0.8, unit="rad/s", lo=0.0, hi=4.0, doc="How fast a goal heading may be approached.")


@dataclass(frozen=True)
class WaypointConfig(PassesConfig):
    """Waypoints."""

    mode: str = param(
        "velocity",
        choices=("velocity", "consistent", "literal"),
        doc="As a goal velocity, as eq. 8 on positions integrated from velocities, or as eq. 8 literally.",
    )
    weight: float = param(1.0, lo=0.0, hi=100.0, doc="Weight of the waypoint cost (not of the goal velocity).")
    softness: float = param(2.0, unit="1/m", lo=0.1, hi=20.0, doc="How soon stopping takes over in eq. 8.")
    velocity_cap: float = param(
        0.6, unit="m/s", lo=0.01, hi=5.0, doc="Largest change of a predicted velocity in one pass by eq. 8."
    )
    max_speed: float = param(0.4, unit="m/s", lo=0.0, hi=1.5, doc="Speed of the goal velocity.")
    slow_distance: float = param(0.5, unit="m", lo=0.01, hi=5.0, doc="Distance from which the goal velocity falls.")


@dataclass(frozen=True)
class ObstacleConfig(PassesConfig):
    """Obstacles."""

    mode: str = param(
        "nearest",
        choices=("nearest", "every"),
        doc="Barrier on the body's nearest part, moving the root, or eq. 9: on every key point, moving limbs too.",
    )
    weight: float = param(0.1, lo=0.0, hi=100.0, doc="Weight of the barrier.")
    margin: float = param(
        0.05, unit="m", lo=0.001, hi=0.5, doc="Clearance where the barrier's parabola begins (delta)."
    )
    fade_start: float = param(0.1, unit="m", lo=0.01, hi=0.99, doc="Clearance up to which the barrier is eq. 10.")
    fade_end: float = param(0.35, unit="m", lo=0.02, hi=1.0, doc="Clearance from which on obstacles are not felt.")
    consistent: bool = param(True, doc="Felt at positions integrated from the predicted velocities.")
    velocity_cap: float = param(
        1.6, unit="m/s", lo=0.01, hi=5.0, doc="Largest change of a predicted velocity in one pass."
    )
    extrapolation: float = param(
        1.2, unit="s", lo=0.0, hi=3.0, doc="Time beyond the horizon in which the last velocity is taken to go on."
    )


@dataclass(frozen=True)
class KeyframeConfig(PassesConfig):
    """Keyframes."""

    weight: float = param(1.0, lo=0.0, hi=100.0, doc="Weight of the squared error.")


@dataclass(frozen=True)
class CustomConfig:
    """Costs that users write themselves (docs/adding_a_cost.md)."""

    modules: str = param("", doc="Python modules that register costs, separated by commas.")
    active: str = param("", doc="Costs beside every goal, with their weights, as 'upright=0.5, hands_apart=2'.")

    def weights(self) -> Mapping[str, float]:
        """Weight by cost name from :attr:`active`."""
        return parse_weights(self.active)


@dataclass(frozen=True)
class GoalConfig:
    """All of them."""

    velocity: VelocityConfig = field(default_factory=VelocityConfig)
    heading: HeadingConfig = field(default_factory=HeadingConfig)
    waypoint: WaypointConfig = field(default_factory=WaypointConfig)
    obstacle: ObstacleConfig = field(default_factory=ObstacleConfig)
    keyframe: KeyframeConfig = field(default_factory=KeyframeConfig)
    custom: CustomConfig = field(default_factory=CustomConfig)

    def __post_init__(self) -> None:
        validate(self)
        self.custom.weights()  # refuses what is not of the form
