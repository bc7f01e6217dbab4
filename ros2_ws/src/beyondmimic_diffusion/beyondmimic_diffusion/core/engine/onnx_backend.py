"""The denoiser in ONNX Runtime: what runs on the robot's CPU and in ``make sim``.

Inputs and outputs of the ONNX graph (axis 0 is the batch and dynamic; all values normalised):

=================  =================  =======  ==========================================
input              shape              type
=================  =================  =======  ==========================================
``states``         (batch, H, S)      float32  noisy future states
``actions``        (batch, Ha, A)     float32  noisy future actions
``history``        (batch, N, S + A)  float32  past (state, action) pairs
``current``        (batch, S)         float32  newest state
``state_levels``   (batch, H)         int64    noise level of each state, 0 .. K-1
``action_levels``  (batch, Ha)        int64    noise level of each action, 0 .. K-1
=================  =================  =======  ==========================================

Outputs: ``clean_states`` (batch, H, S) and ``clean_actions`` (batch, Ha, A), float32. The weights are inside the file
(no external data), so that its hash covers them. ``model_int8.onnx`` has the same contract.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort

from ..errors import ArtifactError, ArtifactMismatchError, ConfigError
from ..types import Conditioning, Levels, Sample
from .files import sha256_of
from .manifest import PolicyManifest
from .network_io import INPUT_NAMES, OUTPUT_NAMES, feed_of, input_shapes

ONNX_FILE = "model.onnx"
INT8_FILE = "model_int8.onnx"
"""8-bit weights, activations quantised per call: two thirds of the time of ``model.onnx`` without VNNI, less
than half with them. A call's activations share one scale over the whole batch, so the plans of a batch are not exactly
those of each robot alone."""
CUDA_PROVIDER = "CUDAExecutionProvider"
CPU_PROVIDER = "CPUExecutionProvider"

__all__ = [
    "CUDA_PROVIDER",
    "INPUT_NAMES",
    "INT8_FILE",
    "ONNX_FILE",
    "OUTPUT_NAMES",
    "OnnxDenoiser",
    "input_shapes",
    "sha256_of",
]


def has_cuda() -> bool:
    """Whether this ONNX Runtime was built with CUDA; a GPU may still be missing."""
    return CUDA_PROVIDER in ort.get_available_providers()


class OnnxDenoiser:
    """``Denoiser`` backed by an ONNX file, on one thread, so that the same input always gives the same bits."""

    def __init__(self, path: str | Path, manifest: PolicyManifest, *, threads: int = 1, cuda: bool = False):
        """
        Args:
            path: The ONNX file.
            manifest: Its facts; hash and shapes are compared.
            threads: Of one network call. More than one pays only where cores are idle.
            cuda: On the GPU, in full single precision.

        Raises:
            ArtifactError: No file, a damaged one, or not the one the manifest was written for.
            ConfigError: ``cuda``, and ONNX Runtime finds no GPU.
            ArtifactMismatchError: A sound file with other inputs or outputs.
        """
        path = Path(path)
        _check_file(path, manifest)
        for other in (path.parent / ONNX_FILE, path.parent / INT8_FILE):
            if other != path and other.is_file():  # a folder with one damaged file is not to be trusted
                _check_file(other, manifest)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # leave the cores to the rest
        options.log_severity_level = 3
        providers = [(CUDA_PROVIDER, {"use_tf32": "0"})] if cuda else [CPU_PROVIDER]
        try:
            self._session = ort.InferenceSession(str(path), options, providers=providers)
        except Exception as error:  # ONNX Runtime raises several unrelated types
            raise ArtifactError(
                f"ONNX Runtime {ort.__version__} cannot load {path}: {error}; export the policy again"
            ) from error
        if cuda and self._session.get_providers()[0] != CUDA_PROVIDER:  # it falls back to the CPU without an error
            raise ConfigError(f"ONNX Runtime {ort.__version__} finds no GPU; it offers {self._session.get_providers()}")
        _check_graph(self._session, path, manifest)

    def __call__(self, sample: Sample, conditioning: Conditioning, levels: Levels) -> Sample:
        """See :class:`~..protocols.Denoiser`."""
        feed = feed_of(sample, conditioning, levels)
        states, actions = self._session.run(OUTPUT_NAMES, feed)
        return Sample(np.asarray(states), np.asarray(actions))


def _check_file(path: Path, manifest: PolicyManifest) -> None:
    """The file is there and is the one the manifest was written for."""
    if not path.is_file():
        raise ArtifactError(f"policy '{manifest.name}' has no ONNX file {path}; copy the policy folder again")
    found = sha256_of(path)
    expected = manifest.int8_sha256 if path.name == INT8_FILE else manifest.onnx_sha256
    if found != expected:
        raise ArtifactError(
            f"{path} ({path.stat().st_size} bytes) has sha256 {found}, the manifest of policy '{manifest.name}' says "
            f"{expected or 'there is none'}: the file is truncated, replaced, or not fetched; "
            "copy the policy folder again, or export the policy again"
        )


def _check_graph(session: ort.InferenceSession, path: Path, manifest: PolicyManifest) -> None:
    """Names and shapes are those that this module's docstring lists."""
    expected = input_shapes(manifest)
    found = {node.name: tuple(node.shape[1:]) for node in session.get_inputs()}
    if found != expected:
        raise ArtifactMismatchError(f"{path} has inputs {found} (without batch); the manifest needs {expected}")
    outputs = {node.name for node in session.get_outputs()}
    if outputs != set(OUTPUT_NAMES):
        raise ArtifactMismatchError(f"{path} has outputs {sorted(outputs)}; they must be {sorted(OUTPUT_NAMES)}")
