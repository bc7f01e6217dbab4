"""``export``: a checkpoint becomes a policy folder: ONNX, manifest, golden vectors."""

from __future__ import annotations

import argparse
import logging
import platform
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from beyondmimic_diffusion.core.diffusion.denoiser import DenoiserConfig, StateActionDenoiser
from beyondmimic_diffusion.core.engine import (
    INT8,
    KeyPointFact,
    NormalizerStats,
    PolicyManifest,
    SamplingDefaults,
    load_policy,
    make_golden,
    save_golden,
)
from beyondmimic_diffusion.core.engine.manifest import SAMPLING_MODES
from beyondmimic_diffusion.core.engine.onnx_backend import INT8_FILE, ONNX_FILE, sha256_of
from beyondmimic_diffusion.core.engine.torch_backend import TorchDenoiser
from beyondmimic_diffusion.core.errors import ArtifactMismatchError, ConfigError
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.state import Normalizer
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from .config import train_config
from .experts.catalog import make_expert
from .export_form import ExportForm
from .trainer import load_checkpoint

_log = logging.getLogger(__name__)
OPSET = 18
INPUTS = ("states", "actions", "history", "current", "state_levels", "action_levels")
OUTPUTS = ("clean_states", "clean_actions")
PARITY = 1e-4
"""Largest allowed difference between torch and ONNX Runtime in normalised units; float32 sums differ by about 1e-6."""
MODE_MACHINE_29DOF = (5,)
"""``mode_machine`` that a Unitree G1 with 29 joints reports in its low-level state."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``export``."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--checkpoint", type=Path, help="checkpoint.pt of a training run")
    source.add_argument(
        "--requantize",
        type=Path,
        metavar="FOLDER",
        help="only write model_int8.onnx of this policy folder again, from its model.onnx; needs no checkpoint",
    )
    parser.add_argument("--out", type=Path, help="policy folder to write, e.g. policies/walk")
    parser.add_argument("--name", default="", help="name of the policy; the folder's name by default")
    own = parser.add_argument_group("how the policy is sampled where the operator does not say otherwise")
    default = SamplingDefaults()
    own.add_argument("--mode", choices=SAMPLING_MODES, default=default.mode, help=f"({default.mode})")
    own.add_argument("--passes", type=int, default=default.passes, help=f"network calls per plan ({default.passes})")
    own.add_argument(
        "--least-passes",
        type=int,
        default=default.least_passes,
        help="network calls per plan to which slow machines may go down; -1: none below --passes",
    )
    own.add_argument(
        "--reopen-level",
        type=int,
        default=default.reopen_level,
        help=f"level at which kept states re-open in 'rolling' and 'warm_start' ({default.reopen_level})",
    )
    own.add_argument("--guidance-scale", type=float, default=default.guidance_scale, help=f"({default.guidance_scale})")


def main(args: argparse.Namespace) -> int:
    """Run ``export``; returns the exit status."""
    if args.requantize is not None:
        requantize(args.requantize)
        return 0
    if args.out is None:
        raise ConfigError("export --checkpoint needs --out, the policy folder to write")
    sampling = SamplingDefaults(
        mode=args.mode,
        passes=args.passes,
        least_passes=args.least_passes,
        reopen_level=args.reopen_level,
        guidance_scale=args.guidance_scale,
    )
    export(args.checkpoint, args.out, args.name or args.out.name, sampling)
    return 0


def export(checkpoint: Path, out: Path, name: str, sampling: SamplingDefaults | None = None) -> PolicyManifest:
    """Write a policy folder from the averaged weights of a checkpoint, and prove its parity with torch.

    Raises:
        ArtifactError: The checkpoint cannot be read, or the exported policy gives other results.
        ConfigError: The network has too few noise levels for how it is to be sampled.
    """
    data = load_checkpoint(checkpoint)
    sampling = sampling or SamplingDefaults()
    _check_sampling(sampling, int(data["network_config"]["num_levels"]))
    network = StateActionDenoiser(DenoiserConfig(**data["network_config"])).eval()
    averaged = {k.removeprefix("weights."): v for k, v in data["ema"].items() if k != "step"}
    network.load_state_dict(averaged)
    out.mkdir(parents=True, exist_ok=True)
    write_onnx(network, out / ONNX_FILE)
    write_int8(out / ONNX_FILE, out / INT8_FILE)
    manifest = make_manifest(data, name, sampling, sha256_of(out / ONNX_FILE), sha256_of(out / INT8_FILE))
    manifest.save(out)
    golden = make_golden(manifest, TorchDenoiser(network))
    save_golden(out, golden)
    error = load_policy(out, "onnx").golden_error
    if not error < PARITY:
        raise ArtifactMismatchError(f"{out}: ONNX Runtime differs from torch by {error:.1e}; allowed is {PARITY:.0e}")
    size = (out / ONNX_FILE).stat().st_size / 2**20
    rounding = load_policy(out, INT8).golden_error
    _log.info("%s: %.1f MiB, ONNX Runtime differs from torch by %.1e, with 8 bits by %.2g", out, size, error, rounding)
    return manifest


def requantize(folder: Path) -> PolicyManifest:
    """Write ``model_int8.onnx`` of a policy folder again from its ``model.onnx``, with its hash in the manifest.

    Raises:
        ArtifactError: The folder is damaged, or the golden vectors do not hold with 8-bit weights.
    """
    manifest = PolicyManifest.load(folder)
    if sha256_of(folder / ONNX_FILE) != manifest.onnx_sha256:
        raise ArtifactMismatchError(f"{folder / ONNX_FILE} is not the file that the manifest was written for")
    write_int8(folder / ONNX_FILE, folder / INT8_FILE)
    manifest = replace(manifest, int8_sha256=sha256_of(folder / INT8_FILE))
    manifest.save(folder)
    rounding = load_policy(folder, INT8).golden_error
    _log.info("%s: with 8 bits it differs by %.2g from the golden vectors", folder / INT8_FILE, rounding)
    return manifest


def _check_sampling(sampling: SamplingDefaults, num_levels: int) -> None:
    bounds = (("passes", sampling.passes, num_levels), ("reopen_level", sampling.reopen_level, num_levels - 1))
    for name, value, most in bounds:
        if not 1 <= value <= most:
            raise ConfigError(f"{name} is {value}; with this network's {num_levels} noise levels it is 1 .. {most}")


def write_onnx(network: nn.Module, path: Path) -> None:
    """Export the denoiser with a dynamic batch axis; the weights are inside the file."""
    if isinstance(network, StateActionDenoiser):
        network = ExportForm(network)
    config: Any = network.config
    arguments = (
        torch.zeros(2, config.horizon, config.state_dim),
        torch.zeros(2, config.action_horizon, config.action_dim),
        torch.zeros(2, config.history_len, config.state_dim + config.action_dim),
        torch.zeros(2, config.state_dim),
        torch.zeros(2, config.horizon, dtype=torch.int64),
        torch.zeros(2, config.action_horizon, dtype=torch.int64),
    )
    axes = {name: {0: "batch"} for name in (*INPUTS, *OUTPUTS)}
    with torch.no_grad(), sdpa_kernel([SDPBackend.MATH]):
        torch.onnx.export(
            network,
            arguments,
            str(path),
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    onnx.checker.check_model(str(path))


def write_int8(source: Path, path: Path) -> None:
    """The same network with 8-bit weights, one scale per output channel; biases, norms and attention stay float.

    Weights use -64 .. 64 only (``reduce_range``): without VNNI instructions a CPU adds two products of an activation
    (0 .. 255) and a weight in 16 bits, and 2 * 255 * 64 is the most that fits.
    """
    logging.getLogger().addFilter(_no_quantisation_hint)
    try:
        quantize_dynamic(source, path, weight_type=QuantType.QInt8, per_channel=True, reduce_range=True)
    finally:
        logging.getLogger().removeFilter(_no_quantisation_hint)


_CHATTER = ("pre-processing before quantization", "Quantization parameters for tensor", "Ignore MatMul")
"""Of the quantiser, on the root logger."""


def _no_quantisation_hint(record: logging.LogRecord) -> bool:
    return not any(text in record.getMessage() for text in _CHATTER)


def make_manifest(
    data: dict[str, Any], name: str, sampling: SamplingDefaults, sha256: str, int8_sha256: str = ""
) -> PolicyManifest:
    """The facts of the policy, from its checkpoint and the robot it was recorded on."""
    config = train_config(data["config"])
    model, provenance = config.model, data["provenance"]
    if tuple(provenance["joint_names"]) != g1.JOINT_NAMES:
        raise ArtifactMismatchError("the checkpoint's data set has another joint order than core/robot/g1.py")
    expert = make_expert(provenance["collect"]["expert"])
    return PolicyManifest(
        name=name,
        robot=g1.ROBOT_NAME,
        mode_machine=MODE_MACHINE_29DOF,
        joint_names=g1.JOINT_NAMES,
        kp=tuple(map(float, expert.kp)),
        kd=tuple(map(float, expert.kd)),
        default_joint_pos=tuple(map(float, g1.DEFAULT_JOINT_POS)),
        action_kind="joint_position",
        setpoints_per_step=model.setpoints_per_step,
        step_dt=model.setpoints_per_step * float(provenance["control_dt"]),
        history_len=model.history_len,
        horizon=model.horizon,
        action_horizon=model.action_horizon,
        num_denoising_steps=model.num_levels,
        schedule=model.schedule,
        state_kind=model.state,
        key_points=tuple(KeyPointFact(p.name, p.body, p.offset_b, p.radius) for p in g1.KEY_POINTS),
        state_normalizer=NormalizerStats.of(Normalizer.from_dict(data["state_norm"])),
        action_normalizer=NormalizerStats.of(Normalizer.from_dict(data["action_norm"])),
        delay_range=_delay_range(provenance.get("collections", [provenance["collect"]])),
        sampling=sampling,
        onnx_sha256=sha256,
        int8_sha256=int8_sha256,
        network=data["network_config"],
        training={
            "config": data["config"],
            "steps": data["step"],
            "samples": data["samples"],
            "seconds": round(data["seconds"]),
            "data": provenance,
            "commit": _commit(),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "machine": f"{platform.machine()}, {torch.get_num_threads()} threads",
        },
    )


def _delay_range(collections: list[dict[str, Any]]) -> tuple[float, float]:
    """Least and most action delay in any of the recordings [s]."""
    lows, highs = zip(*(c["physics"]["action_delay"] for c in collections), strict=True)
    return float(min(lows)), float(max(highs))


def _commit() -> str:
    result = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return result.stdout.strip()
