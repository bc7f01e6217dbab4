"""What is varied while experts are recorded. One description for every simulator that collects (MuJoCo, Isaac Lab)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from typing import Any

from beyondmimic_diffusion.core.errors import ConfigError

Range = tuple[float, float]
"""Lowest and highest value; drawn uniformly between."""


@dataclass(frozen=True)
class CommandConfig:
    """Piecewise constant velocity commands. Shares are of segments; starts and stops matter most (docs/training.md)."""

    segment: Range = (0.8, 3.6)
    """Length of a segment [s]."""
    vx: Range = (-0.6, 1.0)
    """[m/s], forward positive."""
    vy_mixed: float = 0.5
    """Largest lateral command in mixed segments [m/s]."""
    vy_lateral: float = 0.8
    """Largest lateral command in lateral segments [m/s]; the expert reaches 0.31 m/s of it."""
    yaw_rate: float = 1.0
    """Largest turning command [rad/s]."""
    standing: float = 0.35
    """Share of standing segments."""
    lateral: float = 0.26
    """Share of the moving segments that go sideways."""
    turning: float = 0.14
    """Share of the moving segments that turn in place."""
    straight: float = 0.3
    """Share of the moving segments that go straight ahead or back; the rest mix all three."""
    long_stand_first: float = 0.4
    """Share of episodes that begin by standing for 2 to 5 s."""


@dataclass(frozen=True)
class NoiseConfig:
    """Noise on what is executed (never on the label) and on what the expert sees."""

    action_std: float = 0.45
    """Largest standard deviation of the action noise, in action units (0.25 rad); drawn per episode."""
    action_none: float = 0.15
    """Share of episodes without action noise."""
    ornstein_uhlenbeck: float = 0.5
    """Share of the noisy episodes whose noise is correlated in time rather than white."""
    ou_scale: float = 0.4
    """Correlated noise does more harm: its standard deviation is scaled by this."""
    ou_time: Range = (0.04, 0.25)
    """Correlation time [s]."""
    gyro: float = 0.1
    """Largest standard deviation of the expert's gyro noise [rad/s]."""
    gravity: float = 0.02
    """... of its gravity direction."""
    joint_pos: float = 0.01
    """... of its joint angles [rad]."""
    joint_vel: float = 0.3
    """... of its joint velocities [rad/s]."""


@dataclass(frozen=True)
class SkillConfig:
    """A second expert that takes over now and then, from standing still, and gives way to the first one again."""

    expert: str = ""
    """Its name; empty for none."""
    share: float = 0.5
    """Share of the segments, where the rest of the episode is long enough, that it drives."""
    duration: Range = (4.0, 20.0)
    """Length of such a segment [s]; its motion starts from the beginning each time."""
    stand_before: Range = (0.2, 1.5)
    """How long the first expert stands before [s]."""


@dataclass(frozen=True)
class PushConfig:
    """Kicks that change the horizontal velocity of the whole robot at once."""

    frequent: float = 0.35
    """Share of episodes with a kick about every second."""
    frequent_speed: Range = (0.0, 0.5)
    """[m/s]; as in BeyondMimic's Walk+Perturb test."""
    frequent_period: Range = (0.8, 1.2)
    """[s]."""
    strong: float = 0.25
    """Share of episodes with rarer, stronger kicks."""
    strong_speed: Range = (0.2, 0.7)
    """[m/s]."""
    strong_period: Range = (2.0, 3.0)
    """[s]."""


@dataclass(frozen=True)
class PhysicsConfig:
    """Differences between robots and floors, drawn per episode."""

    friction: Range = (0.4, 1.2)
    mass_scale: Range = (0.95, 1.05)
    """Of every body."""
    payload: Range = (-1.0, 1.5)
    """On the torso [kg]."""
    gain_scale: Range = (0.9, 1.1)
    """Of kp and kd, each joint on its own."""
    gain_scale_all: Range = (1.0, 1.0)
    """Of kp and kd, one factor for all joints, on top of each joint's own."""
    joint_damping: Range = (0.0, 0.1)
    """Viscous friction, one value for all joints [N m s/rad]."""
    joint_offset: float = 0.02
    """Largest encoder offset [rad]."""
    action_delay: Range = (0.0, 0.05)
    """From an expert's decision to the motors [s]. The label is always the decision itself."""


@dataclass(frozen=True)
class DaggerConfig:
    """A policy drives now and then, and the expert labels the states that it visits."""

    policy: str = ""
    """Its folder; empty for none."""
    burst: Range = (0.2, 1.0)
    """Length of the stretches that it drives [s]."""
    pause: Range = (0.2, 1.5)
    """Time between two of them, in which the expert drives [s]."""


@dataclass(frozen=True)
class CollectConfig:
    """One collection run."""

    backend: str = "mujoco"
    """The simulator: ``mujoco`` or ``isaaclab``."""
    expert: str = "fastsac_walker"
    episode: float = 20.0
    """Length of an episode that does not fall [s]."""
    physics_dt: float = 0.004
    """Time step of the physics [s]. Walking speeds differ by at most 0.01 m/s from those at 0.001 s."""
    robots: int = 16
    """Robots stepped together in one process."""
    rounds_per_shard: int = 2
    """Episodes of each robot in one shard."""
    drop_before_fall: float = 2.0
    """What an episode that fell loses at its end [s]; 0 keeps everything up to the fall."""
    expert_sees_executed: bool = True
    """The expert's memory of its last action is what was executed: then the label follows from what is recorded."""
    command: CommandConfig = field(default_factory=CommandConfig)
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    skill: SkillConfig = field(default_factory=SkillConfig)
    dagger: DaggerConfig = field(default_factory=DaggerConfig)
    push: PushConfig = field(default_factory=PushConfig)
    physics: PhysicsConfig = field(default_factory=PhysicsConfig)

    def to_dict(self) -> dict[str, Any]:
        """Plain nested dictionaries, for a data set's metadata."""
        return asdict(self)


def config_from_dict(values: Mapping[str, Any], kind: type = CollectConfig, path: str = "") -> Any:
    """A configuration with some values replaced, e.g. read from YAML.

    Raises:
        ConfigError: A key is unknown, or a range is not two numbers.
    """
    known = {f.name: f for f in fields(kind)}
    changes: dict[str, Any] = {}
    for key, value in values.items():
        if key not in known:
            raise ConfigError(f"unknown collection setting '{path}{key}'; known here are {sorted(known)}")
        default = getattr(kind(), key)
        if is_dataclass(default):
            changes[key] = config_from_dict(value, type(default), f"{path}{key}.")
        elif isinstance(default, tuple):
            if not isinstance(value, list | tuple) or len(value) != 2 or value[0] > value[1]:
                raise ConfigError(f"setting '{path}{key}' is a range [low, high]; got {value!r}")
            changes[key] = (float(value[0]), float(value[1]))
        elif isinstance(value, bool) != isinstance(default, bool) or not isinstance(value, int | float | str):
            raise ConfigError(f"setting '{path}{key}' is a {type(default).__name__}; got {value!r}")
        else:
            changes[key] = type(default)(value)
    return kind(**changes)
