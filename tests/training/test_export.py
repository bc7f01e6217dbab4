"""A trained checkpoint becomes a policy folder that says and computes the same."""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import ArtifactError, ArtifactMismatchError, ConfigError
from beyondmimic_diffusion.core.robot import g1

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from beyondmimic_diffusion.core.diffusion.denoiser import DenoiserConfig, StateActionDenoiser
from beyondmimic_diffusion.core.engine import SamplingDefaults, load_policy
from beyondmimic_diffusion.core.engine.onnx_backend import ONNX_FILE, sha256_of
from beyondmimic_diffusion.core.engine.torch_backend import TorchDenoiser
from beyondmimic_diffusion.core.types import Conditioning, Levels, Sample
from beyondmimic_training import export_onnx
from beyondmimic_training.cli import main
from beyondmimic_training.store import DatasetWriter, describe
from beyondmimic_training.trainer import load_checkpoint

from tests.reference.made_up_walk import frames
from tests.training.conftest import COLLECTION


@pytest.fixture(scope="module")
def run(walk_folder, tmp_path_factory) -> tuple[Path, Path]:
    """A checkpoint of a few steps and the policy folder exported from it."""
    from beyondmimic_training.config import ModelConfig, TrainConfig
    from beyondmimic_training.train import make_trainer

    out = tmp_path_factory.mktemp("export")
    model = ModelConfig(history_len=2, horizon=4, action_horizon=2, width=16, num_layers=1, num_heads=2)
    config = TrainConfig(
        data=(str(walk_folder),), out=str(out / "run"), steps=4, batch_size=8, precision="fp32", compile=False,
        learning_rate=0.02, warmup_steps=1, model=model,
    )  # fmt: skip
    checkpoint = make_trainer(config).fit()
    export_onnx.export(checkpoint, out / "policy", "walker", SamplingDefaults(passes=7, guidance_scale=0.6))
    return checkpoint, out / "policy"


def random_inputs(config: DenoiserConfig, batch: int, seed: int):
    rng = np.random.default_rng(seed)

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal((batch, *shape), np.float32)

    return (
        Sample(normal(config.horizon, config.state_dim), normal(config.action_horizon, config.action_dim)),
        Conditioning(normal(config.history_len, config.state_dim + config.action_dim), normal(config.state_dim)),
        Levels(rng.integers(0, 20, (batch, config.horizon)), rng.integers(0, 20, (batch, config.action_horizon))),
    )


@pytest.mark.parametrize("batch", [1, 3, 50])
def test_the_exported_network_computes_what_the_averaged_weights_compute(run, batch):
    checkpoint, folder = run
    data = load_checkpoint(checkpoint)
    config = DenoiserConfig(**data["network_config"])
    network = StateActionDenoiser(config)
    network.load_state_dict({k.removeprefix("weights."): v for k, v in data["ema"].items() if k != "step"})
    inputs = random_inputs(config, batch, batch)
    expected, found = TorchDenoiser(network)(*inputs), load_policy(folder, "onnx").denoiser(*inputs)
    # float32 sums in another order
    np.testing.assert_allclose(found.states, expected.states, atol=2e-5)
    np.testing.assert_allclose(found.actions, expected.actions, atol=2e-5)
    latest = StateActionDenoiser(config)
    latest.load_state_dict(data["network"])
    assert np.abs(TorchDenoiser(latest)(*inputs).states - found.states).max() > 1e-3


def test_the_manifest_says_what_was_trained(run):
    checkpoint, folder = run
    data, manifest = load_checkpoint(checkpoint), load_policy(folder).manifest
    model = data["config"]["model"]
    for name in ("history_len", "horizon", "action_horizon", "setpoints_per_step", "schedule"):
        assert getattr(manifest, name) == model[name], name
    assert manifest.state_kind == model["state"]
    assert manifest.num_denoising_steps == model["num_levels"]
    assert manifest.network == data["network_config"]
    assert manifest.step_dt == pytest.approx(model["setpoints_per_step"] * 0.02)
    assert manifest.joint_names == g1.JOINT_NAMES
    assert manifest.delay_range == tuple(COLLECTION["physics"]["action_delay"])
    for ours, theirs in (("state_normalizer", "state_norm"), ("action_normalizer", "action_norm")):
        for part in ("scale", "offset", "low", "high"):
            np.testing.assert_array_equal(getattr(getattr(manifest, ours), part), data[theirs][part])
    assert (manifest.name, manifest.sampling.passes, manifest.sampling.guidance_scale) == ("walker", 7, 0.6)
    assert manifest.onnx_sha256 == sha256_of(folder / ONNX_FILE)


def test_the_manifest_remembers_where_the_policy_comes_from(run):
    checkpoint, folder = run
    training = json.loads((folder / "manifest.json").read_text())["training"]
    data = load_checkpoint(checkpoint)
    assert (training["steps"], training["samples"]) == (4, 32)
    assert training["config"] == json.loads(json.dumps(data["config"]))
    assert training["data"]["collect"] == COLLECTION and training["data"]["episodes"] == 5


def test_the_delays_of_a_policy_are_those_of_all_its_recordings(tiny_trainer, walk_folder, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(walk_folder, other)
    wider = {**COLLECTION, "physics": {"action_delay": [0.01, 0.05]}}
    DatasetWriter(other, describe(wider, "")).write_shard(
        [(frames(90, g1.NUM_JOINTS, len(g1.KEY_POINTS), 9), {"expert": "made up"})], {}
    )
    for data in ([other], [walk_folder, other]):
        trainer = tiny_trainer(data=tuple(map(str, data)), steps=0)
        saved = load_checkpoint(trainer.fit(resume=False))
        found = saved["provenance"]["collections"]  # in the order of the shards' random names
        assert sorted(found, key=lambda c: c["physics"]["action_delay"]) == [COLLECTION, wider]
        assert export_onnx.make_manifest(saved, "x", SamplingDefaults(), "").delay_range == (0.0, 0.05)
    del saved["provenance"]["collections"]  # as in checkpoints of before
    assert export_onnx.make_manifest(saved, "x", SamplingDefaults(), "").delay_range == (0.0, 0.03)


def test_motors_get_the_gains_of_the_expert_that_was_recorded(run):
    from beyondmimic_training.experts.catalog import make_expert

    expert, manifest = make_expert("fastsac_walker"), load_policy(run[1]).manifest
    np.testing.assert_array_equal(manifest.kp, expert.kp)
    np.testing.assert_array_equal(manifest.kd, expert.kd)


def test_a_policy_trained_at_another_rate_is_refused(run):
    manifest = load_policy(run[1]).manifest
    manifest.check_rate(0.04)
    with pytest.raises(ArtifactMismatchError, match=r"0\.04 s.*0\.02 s"):
        manifest.check_rate(0.02)


def test_a_truncated_onnx_file_is_refused_with_its_name(run, tmp_path):
    for file in run[1].iterdir():
        if file.is_file():
            (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / ONNX_FILE).write_bytes((tmp_path / ONNX_FILE).read_bytes()[:2000])
    with pytest.raises(ArtifactError, match=ONNX_FILE):
        load_policy(tmp_path)


def test_a_truncated_checkpoint_is_not_exported(run, tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(run[0].read_bytes()[:3000])
    with pytest.raises(ArtifactError, match=r"checkpoint\.pt"):
        export_onnx.export(tmp_path / "checkpoint.pt", tmp_path / "policy", "x")


def test_a_checkpoint_of_another_joint_order_is_not_exported(run):
    data = load_checkpoint(run[0])
    provenance = {**data["provenance"], "joint_names": list(reversed(g1.JOINT_NAMES))}
    with pytest.raises(ArtifactMismatchError, match="joint order"):
        export_onnx.make_manifest({**data, "provenance": provenance}, "x", SamplingDefaults(), "")


def test_an_export_that_computes_something_else_is_refused(run, tmp_path, monkeypatch):
    export = export_onnx.write_onnx

    def spoil(network, path):
        export(network, path)
        with torch.no_grad():
            network.head_state.bias.add_(5e-4)  # within what loading tolerates, beyond what export does

    monkeypatch.setattr(export_onnx, "write_onnx", spoil)
    with pytest.raises(ArtifactMismatchError, match="differs from torch"):
        export_onnx.export(run[0], tmp_path / "policy", "x")


def test_the_command_names_a_policy_after_its_folder(run, tmp_path):
    assert main(["export", "--checkpoint", str(run[0]), "--out", str(tmp_path / "walk7")]) == 0
    manifest = load_policy(tmp_path / "walk7").manifest
    assert (manifest.name, manifest.sampling) == ("walk7", SamplingDefaults())


def parsed(*options: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    export_onnx.add_arguments(parser)
    return parser.parse_args(["--checkpoint", "c", "--out", "o", *options])


def test_the_command_sets_how_a_policy_is_sampled(run, monkeypatch):
    asked = []
    monkeypatch.setattr(export_onnx, "export", lambda *arguments: asked.append(arguments[-1]))
    options = "--mode warm_start --passes 3 --reopen-level 11 --guidance-scale 1.5".split()
    export_onnx.main(parsed(*options))
    export_onnx.main(parsed())
    assert asked == [
        SamplingDefaults(mode="warm_start", passes=3, reopen_level=11, guidance_scale=1.5),
        SamplingDefaults(mode="scratch", passes=5, reopen_level=14, guidance_scale=2.0),
    ]


def test_a_mode_that_the_planner_does_not_know_is_refused_with_the_known_ones(capsys):
    with pytest.raises(SystemExit):
        parsed("--mode", "policy")
    message = capsys.readouterr().err
    assert all(mode in message for mode in ("scratch", "rolling", "warm_start"))


@pytest.mark.parametrize(
    ("sampling", "range_of"),
    [
        (SamplingDefaults(reopen_level=20), "reopen_level is 20.* 1 .. 19"),
        (SamplingDefaults(reopen_level=0), "reopen_level is 0.* 1 .. 19"),
        (SamplingDefaults(passes=21), "passes is 21.* 1 .. 20"),
        (SamplingDefaults(passes=0), "passes is 0.* 1 .. 20"),
    ],
)
def test_noise_levels_that_the_network_does_not_have_are_refused_before_anything_is_written(
    run, tmp_path, sampling, range_of
):
    with pytest.raises(ConfigError, match=range_of):
        export_onnx.export(run[0], tmp_path / "policy", "x", sampling)
    assert not (tmp_path / "policy").exists()


def test_requantising_writes_the_eight_bit_file_again_and_its_hash(run, tmp_path):
    folder = tmp_path / "policy"
    shutil.copytree(run[1], folder)
    before = json.loads((folder / "manifest.json").read_text())
    (folder / "model_int8.onnx").write_bytes(b"lost")
    assert main(["export", "--requantize", str(folder)]) == 0
    assert json.loads((folder / "manifest.json").read_text()) == before  # the same weights give the same file
    assert load_policy(folder).backend_name == "onnx-int8"


def test_export_of_a_checkpoint_needs_a_folder_to_write(run, capsys):
    assert main(["export", "--checkpoint", str(run[0])]) == 2
    assert "--out" in capsys.readouterr().err
