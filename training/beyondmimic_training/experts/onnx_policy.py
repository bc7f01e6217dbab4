"""ONNX networks opened for batches, and the gains of those of the pip package ``holosoma-inference``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from beyondmimic_diffusion.core.errors import ArtifactError, ArtifactMismatchError
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.types import Array


class OnnxNetwork:
    """One network with its metadata. Files that fix the batch size at 1 have it freed when they are opened."""

    def __init__(self, path: Path, outputs: tuple[str, ...] | None = None):
        """
        Args:
            outputs: Keep only these; what they do not depend on is then not computed.

        Raises:
            ArtifactError: There is no such file, or it is not an ONNX model.
            ArtifactMismatchError: It has not all of ``outputs``.
        """
        self.path = path
        model = _load(path)
        if outputs is not None:
            kept = [value for value in model.graph.output if value.name in outputs]
            if len(kept) != len(outputs):
                names = [value.name for value in model.graph.output]
                raise ArtifactMismatchError(f"'{path.name}' puts out {names}; {list(outputs)} were expected among them")
            del model.graph.output[:]
            model.graph.output.extend(kept)
        self.metadata: dict[str, str] = {p.key: p.value for p in model.metadata_props}
        self.widths: dict[str, int] = {}
        """Numbers per row of each input and output; 0 where the file leaves it open."""
        for value in (*model.graph.input, *model.graph.output):
            shape = value.type.tensor_type.shape.dim
            self.widths[value.name] = shape[-1].dim_value
            shape[0].dim_param = "batch"
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # outputs that stay (1, n) in the trackers would warn at every call
        self._session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def __call__(self, outputs: list[str], **inputs: Array) -> list[Array]:
        """Run the network on float32 inputs; returns the named outputs."""
        feed = {name: np.asarray(values, dtype=np.float32) for name, values in inputs.items()}
        return [np.asarray(output) for output in self._session.run(outputs, feed)]


def _load(path: Path) -> onnx.ModelProto:
    if not path.is_file():
        raise ArtifactError(f"there is no ONNX file '{path}'")
    try:
        return onnx.load(path)
    except Exception as error:  # protobuf raises several kinds for damaged bytes
        raise ArtifactError(f"'{path}' is not a readable ONNX model ({error})") from error


def holosoma_gains(network: OnnxNetwork) -> tuple[Array, Array]:
    """kp [N m/rad] and kd [N m s/rad], each (J,), of a network from the package, whose joints must be ours in order.

    Raises:
        ArtifactMismatchError: Other joints, or not one gain per joint.
    """
    names = tuple(json.loads(network.metadata.get("dof_names", "[]")))
    if names != g1.JOINT_NAMES:
        raise ArtifactMismatchError(f"'{network.path.name}' acts on joints {names}; {g1.JOINT_NAMES} were expected")

    def vector(key: str) -> Array:
        values = np.asarray(json.loads(network.metadata[key]), dtype=np.float64)
        if values.shape != (g1.NUM_JOINTS,):
            raise ArtifactMismatchError(f"metadata '{key}' has shape {values.shape}; ({g1.NUM_JOINTS},) was expected")
        return values

    return vector("kp"), vector("kd")
