"""ONNX Runtime against torch, and what a damaged policy folder says."""

import json
from dataclasses import replace

import numpy as np
import pytest
from beyondmimic_diffusion.core.diffusion import LevelPath, NoiseScheduler, Sampler, draw_noise
from beyondmimic_diffusion.core.engine import PolicyManifest, load_policy, make_golden, save_golden
from beyondmimic_diffusion.core.errors import ArtifactError, ArtifactMismatchError, ConfigError
from beyondmimic_diffusion.core.types import Conditioning, Levels, Sample

FLOAT32 = 1e-5  # sums of some ten values of order 1 in another order, over two layers


def inputs(manifest, batch, seed=0):
    golden = make_golden(manifest, lambda sample, conditioning, levels: sample, seed, batch)
    return (
        Sample(golden["states"], golden["actions"]),
        Conditioning(golden["history"], golden["current"]),
        Levels(golden["state_levels"], golden["action_levels"]),
    )


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_onnx_runtime_agrees_with_torch_for_any_batch(folder, batch):
    onnx, torch = load_policy(folder, "onnx"), load_policy(folder, "torch")
    args = inputs(onnx.manifest, batch)
    for got, expected in zip(onnx.denoiser(*args), torch.denoiser(*args), strict=True):
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, expected, atol=FLOAT32)


def test_torch_backend_agrees_with_the_module_itself(folder, exported):
    import torch

    policy = load_policy(folder, "torch")
    sample, conditioning, levels = inputs(policy.manifest, 3)
    with torch.no_grad():
        expected = exported[0](*(torch.from_numpy(array) for array in (*sample, *conditioning, *levels)))
    for got, want in zip(policy.denoiser(sample, conditioning, levels), expected, strict=True):
        np.testing.assert_array_equal(got, want.numpy())


def test_same_seed_gives_the_same_plan_to_the_bit_in_two_sessions(folder):
    def plan():
        policy = load_policy(folder, "onnx")
        m = policy.manifest
        _, conditioning, _ = inputs(m, 1)
        noise = draw_noise([np.random.default_rng(3)], m.horizon, m.state_dim, m.action_horizon, m.action_dim)
        path = LevelPath.from_scratch(m.num_denoising_steps, m.horizon, m.action_horizon, m.sampling.passes)
        return Sampler(NoiseScheduler(m.num_denoising_steps), policy.denoiser).sample(conditioning, noise, path).clean

    for first, second in zip(plan(), plan(), strict=True):
        np.testing.assert_array_equal(first, second)


def test_read_only_and_broadcast_arrays_are_accepted(folder):
    policy = load_policy(folder, "onnx")
    sample, conditioning, levels = inputs(policy.manifest, 2)
    same = Levels(*(np.broadcast_to(level[:1], level.shape) for level in levels))
    copied = Levels(*(level.copy() for level in same))
    for got, expected in zip(
        policy.denoiser(sample, conditioning, same), policy.denoiser(sample, conditioning, copied), strict=True
    ):
        np.testing.assert_array_equal(got, expected)


def test_auto_prefers_onnx_and_falls_back_to_torch_weights(folder):
    policy = load_policy(folder)
    assert policy.backend_name == "onnx"
    assert policy.passed_over[0] == "not tensorrt: no engine model.plan beside the policy"
    (folder / "model.onnx").unlink()
    assert load_policy(folder).backend_name == "torch"
    (folder / "model.pt").unlink()
    with pytest.raises(ArtifactError, match=r"has no ONNX file .*model.onnx; copy the policy folder again"):
        load_policy(folder)
    with pytest.raises(ArtifactError, match=r"has no torch weights .*model.pt"):
        load_policy(folder, "torch")


def test_a_truncated_onnx_file_is_refused_with_the_remedy(folder):
    path = folder / "model.onnx"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(
        ArtifactError, match=r"model.onnx \(5000 bytes\) has sha256 .* truncated.*copy the policy folder"
    ):
        load_policy(folder)


def test_a_damaged_onnx_file_with_a_matching_hash_is_still_refused(folder):
    from beyondmimic_diffusion.core.engine.onnx_backend import sha256_of

    path = folder / "model.onnx"
    path.write_bytes(path.read_bytes()[:5000])
    replace(PolicyManifest.load(folder), onnx_sha256=sha256_of(path)).save(folder)
    with pytest.raises(ArtifactError, match=r"cannot load .*model.onnx.*export the policy again"):
        load_policy(folder)


def test_a_model_of_another_size_is_a_mismatch_that_shows_both(folder):
    content = json.loads((folder / "manifest.json").read_text())
    content["horizon"] = content["network"]["horizon"] = 9
    (folder / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(ArtifactMismatchError, match=r"'states': \(4, 5\).*the manifest needs .*'states': \(9, 5\)"):
        load_policy(folder)
    with pytest.raises(ArtifactError, match="cannot load torch weights"):
        load_policy(folder, "torch")


def test_another_result_than_at_export_is_refused(folder):
    policy = load_policy(folder)
    assert policy.golden_error < FLOAT32
    golden = make_golden(policy.manifest, policy.denoiser)
    golden["clean_states"] = golden["clean_states"] + np.float32(0.01)
    save_golden(folder, golden)
    with pytest.raises(ArtifactError, match=r"differ by 0.01, allowed are 0.001"):
        load_policy(folder)


def test_missing_damaged_or_incomplete_golden_vectors_are_refused(folder):
    path = folder / "golden.npz"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ArtifactError, match=r"golden.npz are damaged"):
        load_policy(folder)
    np.savez(path, states=np.zeros(3))
    with pytest.raises(ArtifactError, match=r"golden.npz are damaged .*actions"):
        load_policy(folder)
    path.unlink()
    with pytest.raises(ArtifactError, match=r"no golden vectors"):
        load_policy(folder)


def test_an_unknown_network_field_is_refused_by_the_torch_backend(folder):
    manifest = PolicyManifest.load(folder)
    replace(manifest, network={**manifest.network, "rotary": True}).save(folder)
    with pytest.raises(ArtifactError, match=r"network has fields \['rotary'\]"):
        load_policy(folder, "torch")


def test_backends_that_are_not_there_say_so(folder, tmp_path):
    with pytest.raises(ArtifactError, match=r"engine manifest .* does not exist; build it here: .* build-engine"):
        load_policy(folder, "tensorrt")
    with pytest.raises(ConfigError, match="unknown backend 'openvino'; known are auto, tensorrt, onnx-cuda, onnx, "):
        load_policy(folder, "openvino")
    with pytest.raises(ArtifactError, match="nowhere does not exist"):
        load_policy(tmp_path / "nowhere")
