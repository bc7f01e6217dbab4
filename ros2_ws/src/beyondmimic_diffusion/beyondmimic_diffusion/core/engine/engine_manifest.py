"""What must travel with a TensorRT engine, in ``model.plan.json`` beside ``model.plan``.

Engines carry none of our facts, and one that was built for another GPU or by another TensorRT may load and compute
something else. So everything the engine depends on is written down at its building and compared before it is loaded.
The policy's own facts (joints, gains, normaliser, levels) are in ``manifest.json``, which is named here by its hash.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from ..errors import ArtifactError, ArtifactMismatchError
from .files import sha256_of
from .manifest import MANIFEST_FILE, PolicyManifest
from .strict_json import decode

ENGINE_FILE = "model.plan"
ENGINE_MANIFEST_FILE = "model.plan.json"
ENGINE_SCHEMA_VERSION = 1
REBUILD = "build it here: python -m beyondmimic_training build-engine --policy"
PRECISIONS = ("fp16", "fp32")


@dataclass(frozen=True)
class TensorFact:
    """One input or output of the engine."""

    name: str
    shape: tuple[int, ...]
    """With the batch axis; fixed."""
    dtype: str
    """NumPy's name: 'float32' or 'int64'."""


@dataclass(frozen=True)
class Installation:
    """The GPU and software an engine is built with, or is to run on. An empty text: not known, not compared."""

    flavour: str
    """'tensorrt' or 'tensorrt_rtx'."""
    tensorrt: str
    """Version."""
    cuda: str
    """Version of the CUDA runtime."""
    gpu: str
    """Name of the GPU."""
    compute_capability: str
    """E.g. '8.7' on a Jetson Orin."""
    driver: str = ""
    """CUDA version of the driver. Noted, not compared: drivers are updated under an engine."""


@dataclass(frozen=True)
class EngineManifest:
    """Facts of an engine."""

    policy: str
    """Name of the policy."""
    manifest_sha256: str
    """Of the policy's ``manifest.json``."""
    onnx_sha256: str
    """Of the ``model.onnx`` it was built from."""
    engine_sha256: str
    built_with: Installation
    precision: str
    """'fp16' or 'fp32'; inputs and outputs are float32 either way."""
    inputs: tuple[TensorFact, ...]
    outputs: tuple[TensorFact, ...]
    graph_error: float
    """Largest difference of the converted graph, run by ONNX Runtime, from the golden vectors (normalised units)."""
    golden_tolerance: float
    """Largest difference from the golden vectors allowed when the engine is loaded (normalised units)."""
    commit: str = ""
    """Of the repository that built it."""
    schema_version: int = ENGINE_SCHEMA_VERSION

    @classmethod
    def load(cls, folder: str | Path) -> EngineManifest:
        """Read the manifest of the engine in a policy folder.

        Raises:
            ArtifactError: No file, no JSON, a newer schema, a missing or unknown field, or a wrong type.
        """
        path = Path(folder) / ENGINE_MANIFEST_FILE
        where = f"engine manifest {path}"
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ArtifactError(f"{where} does not exist; {REBUILD} {folder}") from None
        except (ValueError, OSError) as error:
            raise ArtifactError(f"{where} cannot be read as JSON ({error}); {REBUILD} {folder}") from error
        version = data.get("schema_version") if isinstance(data, dict) else None
        if isinstance(version, int) and version > ENGINE_SCHEMA_VERSION:
            raise ArtifactError(
                f"{where} has schema_version {version}; this build reads up to {ENGINE_SCHEMA_VERSION}: update the "
                f"stack, or {REBUILD} {folder}"
            )
        return decode(cls, data, where)

    def save(self, folder: str | Path) -> Path:
        """Write it beside the engine; returns the file."""
        path = Path(folder) / ENGINE_MANIFEST_FILE
        path.write_text(json.dumps(asdict(self), indent=1, allow_nan=False) + "\n", encoding="utf-8")
        return path

    def check_files(self, folder: str | Path, policy: PolicyManifest) -> None:
        """Refuse an engine that does not belong to the folder it lies in.

        Raises:
            ArtifactError: The engine is missing, truncated or replaced.
            ArtifactMismatchError: It was built from another model, or for other facts of the policy.
        """
        folder = Path(folder)
        engine = folder / ENGINE_FILE
        if not engine.is_file():
            raise ArtifactError(f"no engine {engine}; {REBUILD} {folder}")
        found = sha256_of(engine)
        if found != self.engine_sha256:
            raise ArtifactError(
                f"{engine} ({engine.stat().st_size} bytes) has engine_sha256 {found}, {ENGINE_MANIFEST_FILE} says "
                f"{self.engine_sha256}: the file is truncated or replaced; {REBUILD} {folder}"
            )
        present = {"onnx_sha256": policy.onnx_sha256, "manifest_sha256": sha256_of(folder / MANIFEST_FILE)}
        for name, value in present.items():
            if getattr(self, name) != value:
                raise ArtifactMismatchError(
                    f"{engine} was built for {name} {getattr(self, name)}, the policy '{policy.name}' in this folder "
                    f"has {value}; {REBUILD} {folder}"
                )

    def check_installation(self, here: Installation, folder: str | Path) -> None:
        """Refuse an engine that was built for another GPU or by other software.

        Raises:
            ArtifactMismatchError: With each field that differs.
        """
        differences = [
            f"{field.name} '{built}' (here '{present}')"
            for field in fields(Installation)
            if field.name != "driver"
            and (built := getattr(self.built_with, field.name))
            and (present := getattr(here, field.name))
            and built != present
        ]
        if differences:
            raise ArtifactMismatchError(
                f"{Path(folder) / ENGINE_FILE} was built with {', '.join(differences)}; {REBUILD} {folder}"
            )
