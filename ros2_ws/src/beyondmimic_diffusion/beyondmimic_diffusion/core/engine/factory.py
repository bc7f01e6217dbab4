"""A policy folder in, a checked denoiser out."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterator
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
    threads: int = 1
    """Of one network call."""


def load_policy(folder: str | Path, backend: str = "auto", threads: int = 1) -> LoadedPolicy:
    """Load a policy and prove that it computes here what it computed where it was exported.

    Args:
        folder: Policy folder.
        backend: One of :data:`BACKENDS`.
        threads: Of one network call, on the CPU and in ONNX Runtime.

    Raises:
        ArtifactError: Something in the folder is missing, damaged or gives other results.
        ConfigError: The backend is unknown or not available.
    """
    if backend not in BACKENDS:
        raise ConfigError(f"unknown backend '{backend}'; known are {', '.join(BACKENDS)}")
    manifest = _manifest_of(folder)
    if backend != "auto":
        return _load(backend, Path(folder), manifest, (), threads)
    passed_over: list[str] = []
    return next(_working(Path(folder), manifest, passed_over, threads))


def load_candidates(folder: str | Path) -> tuple[list[LoadedPolicy], list[str]]:
    """The policy with each backend that works here, in the order of :data:`BACKENDS`; and why others do not.

    Raises:
        ArtifactError: As :func:`load_policy`.
    """
    passed_over: list[str] = []
    return list(_working(Path(folder), _manifest_of(folder), passed_over)), passed_over


def _manifest_of(folder: str | Path) -> PolicyManifest:
    if not Path(folder).is_dir():
        raise ArtifactError(f"policy folder {folder} does not exist")
    return PolicyManifest.load(folder)


def _working(
    folder: Path, manifest: PolicyManifest, passed_over: list[str], threads: int = 1
) -> Iterator[LoadedPolicy]:
    """The policy with one backend after the other; why some are left out is added to ``passed_over``.

    The last candidate raises where it does not work.
    """
    *preferred, last = _candidates(folder)
    for name in preferred:
        reason = _unavailable(name, folder)
        if not reason:
            try:
                yield _load(name, folder, manifest, tuple(passed_over), threads)
                continue
            except BeyondMimicError as error:
                if name == INT8 and not isinstance(error, GoldenVectorError):
                    raise  # a damaged file; a processor whose 8-bit products saturate is no reason to give up
                reason = str(error)
        passed_over.append(f"not {name}: {reason}")
    yield _load(last, folder, manifest, tuple(passed_over), threads)


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


def _load(
    name: str, folder: Path, manifest: PolicyManifest, passed_over: tuple[str, ...], threads: int
) -> LoadedPolicy:
    """One backend, proved."""
    denoiser, tolerance = _make(name, folder, manifest, threads)
    rms_tolerance = INT8_RMS_TOLERANCE if name == INT8 else math.inf
    error = check_golden(folder, denoiser, tolerance, rms_tolerance)
    return LoadedPolicy(manifest, denoiser, name, folder, error, passed_over, threads)


def _make(name: str, folder: Path, manifest: PolicyManifest, threads: int) -> tuple[Denoiser, float]:
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
        return OnnxDenoiser(path, manifest, threads=threads, cuda=name == ONNX_CUDA), tolerance
    from .torch_backend import WEIGHTS_FILE, TorchDenoiser

    return TorchDenoiser.load(folder / WEIGHTS_FILE, manifest), GOLDEN_TOLERANCE
