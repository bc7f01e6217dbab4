"""``build-engine``: a policy folder gets a TensorRT engine for the GPU of this machine, proved against the policy.

The precision is in the graph, as TensorRT 11 wants it and 10.3 can (strongly typed): weights and products in float16,
layer norms and softmax in float32, inputs and outputs as in ``model.onnx``. Shapes are fixed, batch one. The converted
graph is first compared with the golden vectors in ONNX Runtime, then, on a GPU, the engine itself. Needs no torch.
"""

from __future__ import annotations

import argparse
import logging
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from beyondmimic_diffusion.core.engine import PolicyManifest, check_golden
from beyondmimic_diffusion.core.engine.cuda_device import CudaDevice, open_device
from beyondmimic_diffusion.core.engine.engine_manifest import (
    ENGINE_FILE,
    ENGINE_MANIFEST_FILE,
    PRECISIONS,
    EngineManifest,
    Installation,
    TensorFact,
)
from beyondmimic_diffusion.core.engine.files import sha256_of
from beyondmimic_diffusion.core.engine.manifest import MANIFEST_FILE
from beyondmimic_diffusion.core.engine.network_io import (
    INPUT_NAMES,
    OUTPUT_NAMES,
    dtype_of,
    feed_of,
    input_shapes,
    output_shapes,
)
from beyondmimic_diffusion.core.engine.onnx_backend import ONNX_FILE, OnnxDenoiser
from beyondmimic_diffusion.core.engine.tensorrt_api import (
    FLAVOURS,
    TensorRt,
    complaint,
    find_tensorrt,
    make_logger,
)
from beyondmimic_diffusion.core.engine.tensorrt_backend import TensorRtDenoiser, installation
from beyondmimic_diffusion.core.errors import ArtifactError, ConfigError
from beyondmimic_diffusion.core.types import Conditioning, Levels, Sample
from onnxruntime.transformers.float16 import convert_float_to_float16

_log = logging.getLogger(__name__)
SINGLE = ("LayerNormalization", "Softmax")
"""Operators that stay in float32: sums of squares and exponentials leave float16's range."""
TOLERANCE = {"fp16": 2e-2, "fp32": 1e-3}
"""Largest difference from the golden vectors (normalised units); float16 makes a tenth of it in the shipped policy."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``build-engine``."""
    parser.add_argument("--policy", type=Path, required=True, help="policy folder; the engine is written into it")
    parser.add_argument("--precision", choices=PRECISIONS, default="fp16", help="of products and weights (fp16)")
    parser.add_argument("--tensorrt", choices=list(FLAVOURS), default="", help="kind; default: what is installed")


def main(args: argparse.Namespace) -> int:
    """Run ``build-engine``; returns the exit status."""
    build_engine(args.policy, args.precision, find_tensorrt(args.tensorrt))
    return 0


def build_engine(
    folder: Path, precision: str = "fp16", api: TensorRt | None = None, device: CudaDevice | None = None
) -> EngineManifest:
    """Write ``model.plan`` and its manifest into a policy folder, and prove them as far as this machine can.

    Args:
        folder: Policy folder.
        precision: 'fp16' or 'fp32'.
        api: TensorRT; None: what is installed.
        device: The GPU; None: the first, if there is one.

    Raises:
        ArtifactError: The policy is damaged, TensorRT refuses its graph, or the engine gives other results.
        ConfigError: No TensorRT, or (but for TensorRT for RTX) no GPU.
    """
    api = api or find_tensorrt()
    policy = PolicyManifest.load(folder)
    check_golden(folder, OnnxDenoiser(folder / ONNX_FILE, policy))  # the folder is sound before it gets an engine
    device, here = _this_machine(api, device)
    graph = convert(onnx.load(str(folder / ONNX_FILE)), precision, policy)
    graph_error = check_golden(folder, _GraphDenoiser(graph), TOLERANCE[precision])
    _log.info("graph in %s: differs from the golden vectors by %.2g in ONNX Runtime", precision, graph_error)
    engine = folder / ENGINE_FILE
    (folder / ENGINE_MANIFEST_FILE).unlink(missing_ok=True)  # never an old manifest beside a new engine
    engine.write_bytes(serialize(graph.SerializeToString(), api))
    manifest = EngineManifest(
        policy=policy.name,
        manifest_sha256=sha256_of(folder / MANIFEST_FILE),
        onnx_sha256=policy.onnx_sha256,
        engine_sha256=sha256_of(engine),
        built_with=here,
        precision=precision,
        inputs=_facts(INPUT_NAMES, input_shapes(policy)),
        outputs=_facts(OUTPUT_NAMES, output_shapes(policy)),
        graph_error=graph_error,
        golden_tolerance=TOLERANCE[precision],
        commit=_commit(),
    )
    manifest.save(folder)
    size = engine.stat().st_size / 2**20
    if device is None:
        _log.warning(
            "%s: %.1f MiB, built without a GPU: not run here; the planner proves it when it loads", engine, size
        )
        return manifest
    try:
        denoiser = TensorRtDenoiser(folder, policy, api=api, device=device)
        error = check_golden(folder, denoiser, manifest.golden_tolerance)
    except ArtifactError:
        (folder / ENGINE_MANIFEST_FILE).unlink()  # without it the engine is not loaded
        raise
    _log.info("%s: %.1f MiB on %s, differs from the golden vectors by %.2g", engine, size, here.gpu, error)
    return manifest


def convert(model: onnx.ModelProto, precision: str, policy: PolicyManifest) -> onnx.ModelProto:
    """A graph of the wanted precision with fixed shapes, batch one.

    Raises:
        ConfigError: Unknown precision.
        ArtifactError: A shape other than the batch is left open.
    """
    if precision not in PRECISIONS:
        raise ConfigError(f"unknown precision '{precision}'; known are {', '.join(PRECISIONS)}")
    for value in (*model.graph.input, *model.graph.output):
        model_shape = value.type.tensor_type.shape
        model_shape.dim[0].dim_value = 1
        if any(not dim.HasField("dim_value") for dim in model_shape.dim):
            shape = [dim.dim_param or dim.dim_value for dim in model_shape.dim]
            raise ArtifactError(
                f"policy '{policy.name}': '{value.name}' has shape {shape} in its ONNX file; an engine without "
                "optimisation profile needs all but the batch fixed: export the policy again"
            )
    if precision == "fp16":
        model = convert_float_to_float16(model, keep_io_types=True, op_block_list=list(SINGLE))
    return model


def serialize(graph: bytes, api: TensorRt) -> bytes:
    """TensorRT's engine of an ONNX graph.

    Raises:
        ArtifactError: It cannot read the graph or cannot build it; with TensorRT's own words.
    """
    trt, logger = api.module(), make_logger(api)
    name = f"{api.flavour} {api.version}"
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(graph):
        errors = [parser.get_error(i) for i in range(parser.num_errors)]
        reasons = "; ".join(f"operator {error.node_operator()}: {error.desc()}" for error in errors)
        raise ArtifactError(
            f"{name} cannot read the ONNX graph: {reasons or complaint(logger)}; export the policy again"
        )
    engine = builder.build_serialized_network(network, builder.create_builder_config())
    if engine is None:
        raise ArtifactError(f"{name} cannot build the engine: {complaint(logger)}")
    return bytes(engine)


class _GraphDenoiser:
    """The converted graph in ONNX Runtime on the CPU, row by row: what the conversion alone does to the results."""

    def __init__(self, graph: onnx.ModelProto):
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        self._session = ort.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def __call__(self, sample: Sample, conditioning: Conditioning, levels: Levels) -> Sample:
        feed = feed_of(sample, conditioning, levels)
        rows: list[Any] = [
            self._session.run(list(OUTPUT_NAMES), {name: value[i : i + 1] for name, value in feed.items()})
            for i in range(len(sample.states))
        ]
        states, actions = (np.concatenate(parts) for parts in zip(*rows, strict=True))
        return Sample(states, actions)


def _this_machine(api: TensorRt, device: CudaDevice | None) -> tuple[CudaDevice | None, Installation]:
    """The GPU to build for; TensorRT for RTX builds without one, for any."""
    try:
        device = device or open_device()
    except ConfigError as error:
        if api.flavour != "tensorrt_rtx":
            raise ConfigError(f"an engine is built on the machine that runs it: {error}") from None
        return None, Installation(api.flavour, api.version, cuda="", gpu="", compute_capability="")
    return device, installation(api, device)


def _facts(names: tuple[str, ...], shapes: dict[str, tuple[int, ...]]) -> tuple[TensorFact, ...]:
    return tuple(TensorFact(name, (1, *shapes[name]), dtype_of(name).name) for name in names)


def _commit() -> str:
    try:
        result = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    except OSError:  # no git on the robot
        return ""
    return result.stdout.strip()
