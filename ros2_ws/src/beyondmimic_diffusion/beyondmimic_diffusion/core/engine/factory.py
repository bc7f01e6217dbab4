"""A policy folder in, a checked denoiser out."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import dataclass
from pathlib import Path

from ..errors import ArtifactError, BeyondMimicError, ConfigError
from ..protocols import Denoiser
from .engine_manifest import ENGINE_FILE
from .golden import GOLDEN_TOLERANCE, INT8_RMS_TOLERANCE, INT8_TOLERANCE, GoldenVectorError, check_golden
from .manifest import PolicyManifest

INT8 = "onnx-int8"
ONNX_CUDA = "onnx-cuda"
BACKENDS = ("auto", "tensorrt", ONNX_CUDA, "onnx", INT8, "torch")
"""'auto' is the first of these that the folder and the machine have and whose golden vectors hold: TensorRT (an engine
beside the policy, and a GPU), ONNX Runtime on a GPU, on the CPU with 8-bit weights, on the CPU; torch where a folder
has no ONNX file but torch weights."""


@dataclass(frozen=True)
class LoadedPolicy:
    """A policy that is ready to run."""

    manifest: PolicyManifest
    denoiser: Denoiser
    backend_name: str
    """One of :data:`BACKENDS` but 'auto'."""
    folder: Path
    golden_error: float
    """Largest difference from the golden vectors, normalised units."""
    passed_over: tuple[str, ...] = ()
    """Backends that 'auto' would have preferred, each with the reason why not: for the log."""


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
    if backend not in BACKENDS:
        raise ConfigError(f"unknown backend '{backend}'; known are {', '.join(BACKENDS)}")
    manifest = PolicyManifest.load(folder)
    if backend != "auto":
        return _load(backend, folder, manifest, ())
    *preferred, last = _candidates(folder)
    passed_over: list[str] = []
    for name in preferred:
        reason = _unavailable(name, folder)
        if not reason:
            try:
                return _load(name, folder, manifest, tuple(passed_over))
            except BeyondMimicError as error:
                if name == INT8 and not isinstance(error, GoldenVectorError):
                    raise  # a damaged file; a processor whose 8-bit products saturate is no reason to give up
                reason = str(error)
        passed_over.append(f"not {name}: {reason}")
    return _load(last, folder, manifest, tuple(passed_over))


def _candidates(folder: Path) -> list[str]:
    """What 'auto' tries, in this order."""
    if not (folder / "model.onnx").exists() and (folder / "model.pt").exists():
        return ["torch"]
    return ["tensorrt", ONNX_CUDA, *([INT8] if (folder / "model_int8.onnx").exists() else []), "onnx"]


def _unavailable(name: str, folder: Path) -> str:
    """Why a preferred backend cannot even be tried; empty if it can."""
    if name == "tensorrt" and not (folder / ENGINE_FILE).exists():
        return f"no engine {ENGINE_FILE} beside the policy"
    if name == ONNX_CUDA and importlib.util.find_spec("onnxruntime") is not None:
        from .onnx_backend import has_cuda

        return "" if has_cuda() else "this ONNX Runtime knows no GPU"
    return ""


def _load(name: str, folder: Path, manifest: PolicyManifest, passed_over: tuple[str, ...]) -> LoadedPolicy:
    """One backend, proved."""
    denoiser, tolerance = _make(name, folder, manifest)
    rms_tolerance = INT8_RMS_TOLERANCE if name == INT8 else math.inf
    error = check_golden(folder, denoiser, tolerance, rms_tolerance)
    return LoadedPolicy(manifest, denoiser, name, folder, error, passed_over)


def _make(name: str, folder: Path, manifest: PolicyManifest) -> tuple[Denoiser, float]:
    """Import one backend and build it; each needs a package that need not be installed. Also its golden tolerance."""
    if name == "tensorrt":
        from .tensorrt_backend import TensorRtDenoiser

        engine = TensorRtDenoiser(folder, manifest)
        return engine, engine.engine_manifest.golden_tolerance
    package = "torch" if name == "torch" else "onnxruntime"
    if importlib.util.find_spec(package) is None:
        raise ConfigError(f"backend '{name}' needs the Python package '{package}', which is not installed")
    if name != "torch":
        from .onnx_backend import INT8_FILE, ONNX_FILE, OnnxDenoiser

        path = folder / (INT8_FILE if name == INT8 else ONNX_FILE)
        tolerance = INT8_TOLERANCE if name == INT8 else GOLDEN_TOLERANCE
        return OnnxDenoiser(path, manifest, cuda=name == ONNX_CUDA), tolerance
    from .torch_backend import WEIGHTS_FILE, TorchDenoiser

    return TorchDenoiser.load(folder / WEIGHTS_FILE, manifest), GOLDEN_TOLERANCE
