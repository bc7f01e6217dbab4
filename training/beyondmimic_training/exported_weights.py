"""The weights of an exported policy, read back from its ONNX file: to go on training without its checkpoint.

Only of files whose graph is the network as it is trained, as that of ``policies/walk``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import torch
from beyondmimic_diffusion.core.diffusion.denoiser import DenoiserConfig, StateActionDenoiser
from beyondmimic_diffusion.core.engine import PolicyManifest
from beyondmimic_diffusion.core.engine.onnx_backend import ONNX_FILE
from beyondmimic_diffusion.core.errors import ArtifactError
from onnx import numpy_helper
from torch import Tensor


def policy_weights(folder: Path) -> dict[str, Any]:
    """What a checkpoint holds of the network: ``ema``, ``network_config``, ``state_norm`` and ``action_norm``.

    Args:
        folder: Policy folder with manifest and ONNX file.

    Raises:
        ArtifactError: No manifest, no readable ONNX file, or a graph that does not hold all weights.
    """
    manifest = PolicyManifest.load(folder)
    try:
        graph = onnx.load(str(folder / ONNX_FILE)).graph
    except Exception as error:  # protobuf raises several kinds for damaged bytes
        raise ArtifactError(f"{folder / ONNX_FILE} is not a readable ONNX model ({error})") from error
    stored = {item.name: torch.from_numpy(numpy_helper.to_array(item).copy()) for item in graph.initializer}
    weights = {name: value for name, value in stored.items() if not name.startswith("onnx::")}
    weights |= _folded(graph, stored)
    wanted = StateActionDenoiser(DenoiserConfig(**manifest.network)).state_dict().keys()
    missing = sorted(wanted - weights.keys())
    if missing:
        share = f"{len(missing)} of {len(wanted)} are missing"
        raise ArtifactError(
            f"{folder / ONNX_FILE} holds no weights named {missing[:3]} ({share}); it "
            "was exported in a form that computes them in advance (export_form.py); start from its checkpoint instead"
        )
    return {
        "ema": {"step": 0, **{f"weights.{name}": value for name, value in weights.items()}},
        "network_config": dict(manifest.network),
        "state_norm": manifest.state_normalizer.normalizer().to_dict(),
        "action_norm": manifest.action_normalizer.normalizer().to_dict(),
    }


def _folded(graph: onnx.GraphProto, stored: dict[str, Tensor]) -> dict[str, Tensor]:
    """Matrices that the exporter transposed and renamed, by the name of the bias that is added to their product."""
    made_by = {node.output[0]: node for node in graph.node}
    found: dict[str, Tensor] = {}
    for node in graph.node:
        bias = [name for name in node.input if name.endswith(".bias") and name in stored]
        if node.op_type != "Add" or not bias:
            continue
        other = next(name for name in node.input if name != bias[0])
        product = made_by.get(other)
        if product is not None and product.op_type == "MatMul" and product.input[1] in stored:
            found[bias[0].removesuffix("bias") + "weight"] = stored[product.input[1]].T.contiguous()
    return found
