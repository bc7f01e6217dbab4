"""A tiny policy folder, exported for real."""

from dataclasses import asdict, replace

import pytest
from beyondmimic_diffusion.core.engine import KeyPointFact, NormalizerStats, PolicyManifest, SamplingDefaults

JOINTS = ("left_knee", "right_knee", "waist")
S, N, H, HA = 5, 2, 4, 3
A = 2 * len(JOINTS)


def stats(size):
    return NormalizerStats(scale=(0.5,) * size, offset=(0.1,) * size, low=(-3.0,) * size, high=(3.0,) * size)


@pytest.fixture
def manifest():
    return PolicyManifest(
        name="tiny",
        robot="three_joints",
        mode_machine=(5, 6),
        joint_names=JOINTS,
        kp=(40.0, 40.0, 28.5),
        kd=(2.5, 2.5, 1.8),
        default_joint_pos=(0.3, 0.3, 0.0),
        action_kind="joint_position",
        setpoints_per_step=2,
        step_dt=0.04,
        history_len=N,
        horizon=H,
        action_horizon=HA,
        num_denoising_steps=20,
        schedule="cosine",
        state_kind="body_pos",
        key_points=(KeyPointFact("toe", "left_ankle_roll_link", (0.13, 0.0, -0.025), 0.03),),
        state_normalizer=stats(S),
        action_normalizer=stats(A),
        delay_range=(0.0, 0.05),
        sampling=SamplingDefaults(),
        onnx_sha256="",
        network={
            "state_dim": S, "action_dim": A, "history_len": N, "horizon": H, "action_horizon": HA,
            "width": 16, "num_layers": 2, "num_heads": 2, "num_levels": 20, "schedule": "cosine",
        },
        training={"steps": 3, "data": ["walk"]},
    )  # fmt: skip


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """A torch network and its ONNX file."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxruntime")
    from beyondmimic_diffusion.core.diffusion.denoiser import DenoiserConfig, StateActionDenoiser
    from beyondmimic_diffusion.core.engine.onnx_backend import INPUT_NAMES, OUTPUT_NAMES

    torch.manual_seed(0)
    module = StateActionDenoiser(
        DenoiserConfig(S, A, history_len=N, horizon=H, action_horizon=HA, width=16, num_layers=2, num_heads=2)
    ).eval()
    inputs = (
        torch.randn(2, H, S), torch.randn(2, HA, A), torch.randn(2, N, S + A), torch.randn(2, S),
        torch.zeros(2, H, dtype=torch.int64), torch.zeros(2, HA, dtype=torch.int64),
    )  # fmt: skip
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    torch.onnx.export(
        module,
        inputs,
        str(path),
        input_names=list(INPUT_NAMES),
        output_names=list(OUTPUT_NAMES),
        dynamic_axes={name: {0: "batch"} for name in (*INPUT_NAMES, *OUTPUT_NAMES)},
        opset_version=18,
        dynamo=False,
    )
    return module, path


@pytest.fixture
def folder(exported, manifest, tmp_path):
    """A complete policy folder: manifest, ONNX file, torch weights, golden vectors."""
    import shutil

    import torch
    from beyondmimic_diffusion.core.engine import make_golden, save_golden
    from beyondmimic_diffusion.core.engine.onnx_backend import sha256_of
    from beyondmimic_diffusion.core.engine.torch_backend import TorchDenoiser

    module, path = exported
    shutil.copy(path, tmp_path / "model.onnx")
    torch.save(module.state_dict(), tmp_path / "model.pt")
    complete = replace(manifest, onnx_sha256=sha256_of(path))
    complete.save(tmp_path)
    save_golden(tmp_path, make_golden(complete, TorchDenoiser(module)))
    return tmp_path


def as_json(manifest):
    """The manifest's content as JSON data."""
    import json

    return json.loads(json.dumps(asdict(manifest)))


@pytest.fixture
def content(manifest):
    """The manifest as JSON data, to be spoilt."""
    return as_json(manifest)
