"""The policy's manifest: every fact of a trained policy that the stack needs, in ``manifest.json`` beside the model.

A policy folder holds ``manifest.json``, ``model.onnx``, ``golden.npz`` (inputs with the outputs they must give), and
what else its makers add. Action tokens are absolute joint targets [rad]; a token of ``step_dt`` holds
``setpoints_per_step`` consecutive set-points, first set-point first, each in the order of ``joint_names``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ArtifactError, ArtifactMismatchError
from ..state.normalizer import Normalizer
from .strict_json import decode

SCHEMA_VERSION = 1
"""Newest manifest format this build writes and reads."""

MANIFEST_FILE = "manifest.json"
ACTION_KINDS = ("joint_position",)
STATE_KINDS = ("body_pos", "joint_rot")
SAMPLING_MODES = ("scratch", "rolling", "warm_start")
_RATE_TOLERANCE = 1e-6
"""Rates are typed by people and written as decimals; closer than a microsecond is the same [s]."""


@dataclass(frozen=True)
class KeyPointFact:
    """A point fixed to a body, part of the Body-Pos state."""

    name: str
    body: str
    offset_b: tuple[float, float, float]
    """In the body's frame [m]."""
    radius: float
    """Of the sphere around it in obstacle costs [m]."""


@dataclass(frozen=True)
class NormalizerStats:
    """``to_si(x) = x * scale + offset``; clamp to ``low .. high`` in normalised units. One entry per feature."""

    scale: tuple[float, ...]
    offset: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]

    @classmethod
    def of(cls, normalizer: Normalizer) -> NormalizerStats:
        """The statistics of a normaliser."""
        return cls(**{name: tuple(values) for name, values in normalizer.to_dict().items()})

    def normalizer(self) -> Normalizer:
        """The normaliser with these statistics."""
        return Normalizer.from_dict(asdict(self))


@dataclass(frozen=True)
class SamplingDefaults:
    """How the policy is meant to be sampled; the operator may choose otherwise."""

    mode: str = "scratch"
    """'scratch', 'rolling' or 'warm_start'."""
    passes: int = 5
    """Network calls per plan."""
    least_passes: int = -1
    """Network calls per plan to which a machine that is too slow for ``passes`` may go down; -1: to none below them."""
    method: str = "ddim"
    """'ddim' or 'ddpm'."""
    reopen_level: int = 14
    """Level at which kept states re-open ('rolling', 'warm_start')."""
    guidance_scale: float = 2.0
    """Factor on all guidance. The shipped walker follows commands better at 2 than at 1."""

    @property
    def least(self) -> int:
        """``least_passes``, never more than ``passes``."""
        return self.passes if self.least_passes < 0 else min(self.least_passes, self.passes)


@dataclass(frozen=True)
class PolicyManifest:
    """Facts of a trained policy. J joints, S state features, A = setpoints_per_step * J."""

    name: str
    robot: str
    """Name of the robot, as in ``core/robot``."""
    mode_machine: tuple[int, ...]
    """Unitree ``mode_machine`` codes of the robots it may run on; empty = not checked."""
    joint_names: tuple[str, ...]
    kp: tuple[float, ...]
    """[N m/rad], per joint."""
    kd: tuple[float, ...]
    """[N m s/rad], per joint."""
    default_joint_pos: tuple[float, ...]
    """[rad], per joint; where the robot stands."""
    action_kind: str
    """'joint_position': absolute joint targets [rad]."""
    setpoints_per_step: int
    step_dt: float
    """Spacing of the tokens [s]."""
    history_len: int
    horizon: int
    action_horizon: int
    num_denoising_steps: int
    """K, noise levels."""
    schedule: str
    state_kind: str
    """'body_pos' or 'joint_rot'."""
    key_points: tuple[KeyPointFact, ...]
    state_normalizer: NormalizerStats
    action_normalizer: NormalizerStats
    delay_range: tuple[float, float]
    """Action delay it was trained with [s]: least, most."""
    sampling: SamplingDefaults
    onnx_sha256: str
    """Of ``model.onnx``, hexadecimal; empty if there is no ONNX file."""
    network: dict[str, Any]
    """Fields of ``DenoiserConfig``."""
    int8_sha256: str = ""
    """Of ``model_int8.onnx``, the same network with 8-bit weights; empty if there is none."""
    training: dict[str, Any] = field(default_factory=dict)
    """Provenance: data sets, steps, seed, versions. Not read by the stack."""
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        for problem in self._problems():
            raise ArtifactError(f"policy manifest '{self.name}': {problem}")

    @property
    def setpoint_dt(self) -> float:
        """Spacing of the joint set-points [s]."""
        return self.step_dt / self.setpoints_per_step

    @property
    def state_dim(self) -> int:
        """S."""
        return len(self.state_normalizer.scale)

    @property
    def action_dim(self) -> int:
        """A."""
        return len(self.action_normalizer.scale)

    @classmethod
    def load(cls, path: str | Path) -> PolicyManifest:
        """Read a manifest.

        Args:
            path: The file, or the policy folder that holds it.

        Raises:
            ArtifactError: No file, no JSON, a newer schema, a missing or unknown field, a wrong type, or facts that
                contradict each other.
        """
        path = Path(path)
        path = path / MANIFEST_FILE if path.is_dir() else path
        where = f"policy manifest {path}"
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ArtifactError(f"{where} does not exist; a policy folder needs {MANIFEST_FILE}") from None
        except (ValueError, OSError) as error:
            raise ArtifactError(f"{where} cannot be read as JSON ({error}); copy the policy folder again") from error
        version = data.get("schema_version") if isinstance(data, dict) else None
        if isinstance(version, int) and version > SCHEMA_VERSION:
            raise ArtifactError(
                f"{where} has schema_version {version}; this build reads up to {SCHEMA_VERSION}: "
                "update the stack, or export the policy with this version"
            )
        return decode(cls, data, where)

    def save(self, path: str | Path) -> Path:
        """Write the manifest to a file, or into a folder; returns the file."""
        path = Path(path)
        path = path / MANIFEST_FILE if path.is_dir() else path
        path.write_text(json.dumps(asdict(self), indent=1, allow_nan=False) + "\n", encoding="utf-8")
        return path

    def check_robot(
        self, joint_names: Sequence[str], robot: str | None = None, mode_machine: int | None = None
    ) -> None:
        """Refuse a robot the policy was not made for.

        Args:
            joint_names: The robot's joints in its order.
            robot: Its name; None = not compared.
            mode_machine: Unitree code it reports; None = not compared.

        Raises:
            ArtifactMismatchError: With the first difference.
        """
        if robot is not None and robot != self.robot:
            raise ArtifactMismatchError(f"policy '{self.name}' was trained for robot '{self.robot}', this is '{robot}'")
        if mode_machine is not None and self.mode_machine and mode_machine not in self.mode_machine:
            raise ArtifactMismatchError(
                f"policy '{self.name}' may run on mode_machine {', '.join(map(str, self.mode_machine))}; "
                f"this robot reports {mode_machine}"
            )
        if len(joint_names) != len(self.joint_names):
            raise ArtifactMismatchError(
                f"policy '{self.name}' was trained for {len(self.joint_names)} joints, the robot has {len(joint_names)}"
            )
        for i, (trained, present) in enumerate(zip(self.joint_names, joint_names, strict=True)):
            if trained != present:
                raise ArtifactMismatchError(
                    f"policy '{self.name}' was trained for another joint order: first difference at index {i}, "
                    f"policy has '{trained}', robot has '{present}'"
                )

    def check_rate(self, step_dt: float, setpoints_per_step: int | None = None) -> None:
        """Refuse to run the policy on another time grid.

        Raises:
            ArtifactMismatchError: The step differs from the trained one.
        """
        if abs(step_dt - self.step_dt) > _RATE_TOLERANCE:
            raise ArtifactMismatchError(
                f"policy '{self.name}' was trained with steps of {self.step_dt:g} s, asked for {step_dt:g} s; "
                "use the policy's rate, or a policy trained at this one"
            )
        if setpoints_per_step is not None and setpoints_per_step != self.setpoints_per_step:
            raise ArtifactMismatchError(
                f"policy '{self.name}' has {self.setpoints_per_step} set-points in a step, "
                f"asked for {setpoints_per_step}"
            )

    def _problems(self) -> list[str]:
        """Facts that contradict each other or cannot be."""
        problems = [
            f"{name} is '{value}'; known are {', '.join(known)}"
            for name, value, known in (
                ("action_kind", self.action_kind, ACTION_KINDS),
                ("state_kind", self.state_kind, STATE_KINDS),
                ("sampling.mode", self.sampling.mode, SAMPLING_MODES),
            )
            if value not in known
        ]
        for name in (
            "setpoints_per_step",
            "step_dt",
            "history_len",
            "horizon",
            "action_horizon",
            "num_denoising_steps",
        ):
            if getattr(self, name) <= 0:
                problems.append(f"{name} is {getattr(self, name)}; it must be positive")
        if self.sampling.least_passes == 0 or self.sampling.least_passes < -1:
            problems.append(f"sampling.least_passes is {self.sampling.least_passes}; give at least 1, or -1 for passes")
        joints = len(self.joint_names)
        if joints == 0 or len(set(self.joint_names)) != joints:
            problems.append("joint_names must be different names, at least one")
        for name in ("kp", "kd", "default_joint_pos"):
            if len(getattr(self, name)) != joints:
                problems.append(f"{name} has {len(getattr(self, name))} entries for {joints} joints")
        if self.state_kind == "body_pos" and not self.key_points:
            problems.append("state_kind is 'body_pos', but key_points is empty")
        if not 0.0 <= self.delay_range[0] <= self.delay_range[1]:
            problems.append(
                f"delay_range is {list(self.delay_range)}; it must be [least, most] in seconds, not negative"
            )
        if self.action_dim != joints * self.setpoints_per_step:
            problems.append(
                f"action_normalizer has {self.action_dim} entries; {self.setpoints_per_step} set-points "
                f"of {joints} joints need {joints * self.setpoints_per_step}"
            )
        return problems + self._normalizer_problems() + self._network_problems()

    def _normalizer_problems(self) -> list[str]:
        problems = []
        for name, stats in (("state_normalizer", self.state_normalizer), ("action_normalizer", self.action_normalizer)):
            sizes = {len(stats.scale), len(stats.offset), len(stats.low), len(stats.high)}
            if len(sizes) != 1:
                problems.append(f"{name}: scale, offset, low and high have different lengths {sorted(sizes)}")
            if any(scale <= 0.0 for scale in stats.scale):
                problems.append(f"{name}.scale must be positive everywhere")
            if any(low > high for low, high in zip(stats.low, stats.high, strict=False)):
                problems.append(f"{name}.low is above high")
        return problems

    def _network_problems(self) -> list[str]:
        """The network's own sizes are those of the manifest."""
        facts = {
            "state_dim": self.state_dim,
            "action_dim": self.action_dim,
            "history_len": self.history_len,
            "horizon": self.horizon,
            "action_horizon": self.action_horizon,
            "num_levels": self.num_denoising_steps,
            "schedule": self.schedule,
        }
        return [
            f"network.{name} is {self.network.get(name)!r}, the manifest says {value!r}"
            for name, value in facts.items()
            if self.network.get(name) != value
        ]
