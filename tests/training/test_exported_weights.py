"""An exported policy can be trained on without its checkpoint."""

from __future__ import annotations

import pytest
import torch
from beyondmimic_diffusion.core.errors import ArtifactError
from beyondmimic_training.export_onnx import export
from beyondmimic_training.exported_weights import policy_weights
from beyondmimic_training.trainer import load_checkpoint


@pytest.fixture
def exported(tiny_trainer, tmp_path):
    checkpoint = tiny_trainer().fit()
    export(checkpoint, tmp_path / "policy", "tiny")
    return checkpoint, tmp_path / "policy"


def test_every_weight_of_the_checkpoint_is_read_back_exactly(exported):
    checkpoint, folder = exported
    before, after = load_checkpoint(checkpoint), policy_weights(folder)
    expected = {name: value for name, value in before["ema"].items() if name != "step"}
    assert {name for name in after["ema"] if name != "step"} == set(expected)
    assert all(torch.equal(after["ema"][name], value) for name, value in expected.items())
    assert after["network_config"] == before["network_config"]


def test_a_run_starts_from_a_policy_folder_as_from_its_checkpoint(exported, tiny_trainer, tiny_config, tmp_path):
    checkpoint, folder = exported
    runs = [
        tiny_trainer(init_from=str(source), out=str(tmp_path / name))
        for source, name in ((checkpoint, "one"), (folder, "other"))
    ]
    one, other = (run.network.state_dict() for run in runs)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert runs[0].state_norm.to_dict() == runs[1].state_norm.to_dict()


def test_a_damaged_onnx_file_is_named(exported, tmp_path):
    _, folder = exported
    (folder / "model.onnx").write_bytes(b"no model")
    with pytest.raises(ArtifactError, match="model.onnx"):
        policy_weights(folder)
