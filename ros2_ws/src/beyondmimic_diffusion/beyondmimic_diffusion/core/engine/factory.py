"""A policy folder in, a checked denoiser out."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from ..errors import ArtifactError, ConfigError
from ..protocols import Denoiser
from .golden import INT8_TOLERANCE, check_golden
from .manifest import PolicyManifest

INT8 = "onnx-int8"
BACKENDS = ("auto", "onnx", INT8, "torch", "tensorrt")
"""'auto' is ONNX Runtime, with 8-bit weights where the folder has them; torch
where a folder has no ONNX file but torch weights."""


@dataclass(frozen=True)
class LoadedPolicy:
    """A policy that is ready to run."""

    manifest: PolicyManifest
    denoiser: Denoiser
    backend_name: str
    """'onnx', 'onnx-int8' or 'torch'."""
    folder: Path
    golden_error: float
    """Largest difference from the golden vectors, normalised units."""


def load_policy(folder: str | Path, backend: str = "auto") -> LoadedPolicy:
    """Load a policy and prove that it computes here what it computed where it was exported.

    Args:
        folder: Policy folder.
        backend: One of :data:`BACKENDS`.

    Raises:
        ArtifactError: Something in the folder is missing, damaged or gives other results.
        ConfigError: The backend is unknown or not available.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ArtifactError(f"policy folder {folder} does not exist")
    manifest = PolicyManifest.load(folder)
    name = _choose(folder, backend)
    denoiser = _make(name, folder, manifest)
    if name != INT8:
        return LoadedPolicy(manifest, denoiser, name, folder, check_golden(folder, denoiser))
    try:
        return LoadedPolicy(manifest, denoiser, name, folder, check_golden(folder, denoiser, INT8_TOLERANCE))
    except ArtifactError:  # a processor whose 8-bit products saturate; the float file gives the exported results
        if backend != "auto":
            raise
        return load_policy(folder, "onnx")


def _choose(folder: Path, backend: str) -> str:
    """The backend to use."""
    if backend not in BACKENDS:
        raise ConfigError(f"unknown backend '{backend}'; known are {', '.join(BACKENDS)}")
    if backend == "tensorrt":
        raise ConfigError("backend 'tensorrt' is not available in this build; use 'onnx' (CPU) or 'torch'")
    if backend != "auto":
        return backend
    if (folder / "model_int8.onnx").exists():
        return INT8
    if not (folder / "model.onnx").exists() and (folder / "model.pt").exists():
        return "torch"
    return "onnx"


def _make(name: str, folder: Path, manifest: PolicyManifest) -> Denoiser:
    """Import one backend and build it; each needs a package that need not be installed."""
    package = "torch" if name == "torch" else "onnxruntime"
    if importlib.util.find_spec(package) is None:
        raise ConfigError(f"backend '{name}' needs the Python package '{package}', which is not installed")
    if name != "torch":
        from .onnx_backend import INT8_FILE, ONNX_FILE, OnnxDenoiser

        return OnnxDenoiser(folder / (INT8_FILE if name == INT8 else ONNX_FILE), manifest)
    from .torch_backend import WEIGHTS_FILE, TorchDenoiser

    return TorchDenoiser.load(folder / WEIGHTS_FILE, manifest)
