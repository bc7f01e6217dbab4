"""What a training run is made of; written into the policy's provenance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml
from beyondmimic_diffusion.core.errors import ConfigError


@dataclass(frozen=True)
class ModelConfig:
    """Size and kind of the network."""

    state: str = "body_pos"
    """``body_pos`` or ``joint_rot``."""
    history_len: int = 4
    horizon: int = 16
    action_horizon: int = 8
    """Action tokens that are trained and may be executed (8 of 16 steps in the papers)."""
    setpoints_per_step: int = 2
    """Joint set-points of 20 ms in one action token."""
    width: int = 256
    num_layers: int = 4
    num_heads: int = 4
    dropout: float = 0.0
    attention: str = "differentiated"
    """``differentiated``, ``full`` or ``causal``."""
    num_levels: int = 20
    schedule: str = "cosine"
    normalizer: str = "std"
    """``std`` or ``range``."""


@dataclass(frozen=True)
class LevelConfig:
    """How noise levels are drawn in training: shares of three ways, drawn apart for states and actions."""

    shared: float = 0.55
    """One level for a whole modality."""
    ramp: float = 0.35
    """Levels that do not fall along the horizon."""
    independent: bool = True
    """States and actions draw their levels apart; false: one level for all tokens of a window (ablation)."""
    committed: float = 0.3
    """Share of windows whose first action tokens are facts (level 0), as committed actions are at run time."""
    max_committed: int = 2
    """Action tokens that may be committed."""
    keyframes: float = 0.0
    """Share of windows of which one to three future states are facts (level 0), as keyframes are at run time."""


@dataclass(frozen=True)
class WindowConfig:
    """Which windows are drawn, and how often: onsets decide whether a robot ever starts (docs/training.md)."""

    start: float = 0.14
    """Share of windows whose command turns from standing to moving within ``onset_steps`` of now."""
    stop: float = 0.07
    """... from moving to standing."""
    change: float = 0.17
    """... from one velocity to another."""
    standing: float = 0.12
    """Share of windows that stand throughout; the rest moves, balanced over executed velocities."""
    second_skill: float = 0.0
    """Share of windows well inside the second skill of the data (dancing); the shares above are of the rest."""
    leaving: float = 0.0
    """... in which the second skill gives way to the first within the horizon, or did so within the last second."""
    entering: float = 0.0
    """... in which the second skill begins, or has begun within 0.8 s. They always hold a keyframe of it: without one
    a robot that stands is never taught to begin to dance."""
    onset_steps: int = 3
    mirror: bool = True
    """Mirror half of the windows left to right."""
    max_delay: float = 1.0
    """Windows of episodes recorded with a longer action delay are left out [s] (ablation)."""
    history_noise: float = 0.03
    """Standard deviation of the noise on the clean history, in normalised units."""


@dataclass(frozen=True)
class TrainConfig:
    """One training run."""

    data: tuple[str, ...] = ("data/walk",)
    out: str = "runs/walk"
    seed: int = 0
    steps: int = 10_000
    minutes: float = 0.0
    """Wall time after which the run ends, its learning rate decayed by then; 0: ``steps`` alone decide."""
    batch_size: int = 64
    """Per process."""
    learning_rate: float = 1e-3
    final_learning_rate: float = 1e-5
    warmup_steps: int = 300
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 1e-3
    """On matrices only."""
    optimizer: str = "adamw"
    """``adamw``, or ``muon`` (orthogonalised momentum on the transformer's matrices, AdamW on the rest)."""
    muon_learning_rate: float = 0.01
    grad_clip: float = 1.0
    action_weight: float = 2.0
    ema_power: float = 0.75
    ema_max: float = 0.998
    precision: str = "auto"
    """``auto``, ``fp32`` or ``bf16``."""
    compile: bool = True
    windows_on: str = "auto"
    """Where batches are made: ``host`` (a thread of the CPU), ``device`` (all frames in the GPU's memory), or ``auto``:
    on the device if it is a GPU."""
    checkpoint_minutes: float = 5.0
    log_every: int = 25
    validate_every: int = 500
    init_from: str = ""
    """Checkpoint, or policy folder, whose weights (not optimiser) the run starts from; empty for none. Its plans may be
    shorter: steps beyond them begin with the position embedding of its last one."""
    init_normalizers: bool = True
    """Take its normalisers too; false: statistics of this run's data (where that reaches further)."""
    wandb: str = ""
    """Name of a Weights & Biases project; empty for none."""
    model: ModelConfig = field(default_factory=ModelConfig)
    levels: LevelConfig = field(default_factory=LevelConfig)
    windows: WindowConfig = field(default_factory=WindowConfig)

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for YAML, checkpoints and the manifest."""
        return asdict(self)


_SECTIONS = {"model": ModelConfig, "levels": LevelConfig, "windows": WindowConfig}


def _build(cls: type, mapping: Any, where: str) -> Any:
    if not isinstance(mapping, Mapping):
        raise ConfigError(f"{where} is {mapping!r}; it should hold key: value pairs")
    defaults = {f.name: getattr(cls, f.name, None) for f in fields(cls)}
    for key in mapping:
        if key not in defaults:
            raise ConfigError(f"'{key}' in {where} is unknown; known are {', '.join(sorted(defaults))}")
    values = {
        key: _build(_SECTIONS[key], value, key) if key in _SECTIONS else _fitted(value, defaults[key], key, where)
        for key, value in mapping.items()
    }
    return cls(**values)


def _fitted(value: Any, default: Any, key: str, where: str) -> Any:
    """A value as its field's type; YAML reads ``1e-3`` as text and lists for tuples."""
    if isinstance(default, tuple):
        items = value if isinstance(value, list | tuple) else [value]
        return tuple(_fitted(item, default[0], key, where) for item in items)
    try:
        if isinstance(default, bool) or isinstance(value, bool):
            fits = isinstance(default, bool) and isinstance(value, bool)
        elif isinstance(default, float):
            value, fits = float(value), True
        elif isinstance(default, int):
            fits = float(value) == int(float(value))
            value = int(float(value))
        else:
            fits = isinstance(value, str)
    except (TypeError, ValueError, OverflowError):
        fits = False
    if not fits:
        raise ConfigError(f"'{key}' in {where} is {value!r}; it should be a {type(default).__name__}, as {default!r}")
    return value


def train_config(mapping: Mapping[str, Any], where: str = "the training configuration") -> TrainConfig:
    """Configuration from plain data.

    Raises:
        ConfigError: A key is unknown, or a value is of another type than the field.
    """
    return _build(TrainConfig, mapping, where)


def load_train_config(path: Path, overrides: list[str]) -> TrainConfig:
    """Configuration from a YAML file and ``key=value`` or ``section.key=value`` overrides.

    Raises:
        ConfigError: No such file, no YAML, an override of another form, or what :func:`train_config` refuses.
    """
    try:
        mapping = yaml.safe_load(path.read_text()) or {}
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"configuration '{path}' cannot be read: {error}") from error
    if not isinstance(mapping, dict):
        raise ConfigError(f"configuration '{path}' is {mapping!r}; it should hold key: value pairs")
    for item in overrides:
        key, sep, value = item.partition("=")
        *sections, name = key.split(".")
        if not sep or len(sections) > 1:
            raise ConfigError(f"override '{item}' should read key=value or section.key=value")
        target = mapping.setdefault(sections[0], {}) if sections else mapping
        if not isinstance(target, dict):
            raise ConfigError(f"override '{item}': '{sections[0]}' is a value, not a section")
        target[name] = yaml.safe_load(value)
    return train_config(mapping, str(path))
