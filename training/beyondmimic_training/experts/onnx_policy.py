"""ONNX policies of the pip package ``holosoma-inference``: found, opened and made to take batches."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from beyondmimic_diffusion.core.errors import ArtifactError, ArtifactMismatchError
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.types import Array

_PACKAGE = "holosoma_inference"


def model_path(relative: str) -> Path:
    """Path of a model file inside the installed package.

    Raises:
        ArtifactError: The package is missing or has no such file.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ArtifactError(
            "the Stage 1 policies come with the pip package 'holosoma-inference', which is not installed; "
            "'pip install --no-deps holosoma-inference==0.1.3' is enough"
        )
    path = Path(next(iter(spec.submodule_search_locations))) / "models" / relative
    if not path.is_file():
        raise ArtifactError(f"the package 'holosoma-inference' holds no '{relative}'; version 0.1.3 does")
    return path


class OnnxPolicy:
    """One network with its metadata. The files fix the batch size at 1; it is made free when the file is opened."""

    def __init__(self, path: Path, outputs: tuple[str, ...] | None = None):
        """
        Args:
            outputs: Keep only these; what they do not depend on is then not computed.
        """
        model = onnx.load(path)
        if outputs is not None:
            kept = [value for value in model.graph.output if value.name in outputs]
            del model.graph.output[:]
            model.graph.output.extend(kept)
        self.metadata = {p.key: p.value for p in model.metadata_props}
        self._check_joints(path)
        for value in (*model.graph.input, *model.graph.output):
            value.type.tensor_type.shape.dim[0].dim_param = "batch"
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # outputs that stay (1, n) in the trackers would warn at every call
        self._session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        self.kp = self._vector("kp")
        self.kd = self._vector("kd")

    def _check_joints(self, path: Path) -> None:
        names = tuple(json.loads(self.metadata.get("dof_names", "[]")))
        if names != g1.JOINT_NAMES:
            raise ArtifactMismatchError(f"'{path.name}' acts on joints {names}; {g1.JOINT_NAMES} were expected")

    def _vector(self, key: str) -> Array:
        values = np.asarray(json.loads(self.metadata[key]), dtype=np.float64)
        if values.shape != (g1.NUM_JOINTS,):
            raise ArtifactMismatchError(f"metadata '{key}' has shape {values.shape}; ({g1.NUM_JOINTS},) was expected")
        return values

    def __call__(self, outputs: list[str], **inputs: Array) -> list[Array]:
        """Run the network on float32 inputs; returns the named outputs."""
        feed = {name: np.asarray(values, dtype=np.float32) for name, values in inputs.items()}
        return [np.asarray(output) for output in self._session.run(outputs, feed)]
