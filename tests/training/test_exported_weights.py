"""A policy whose graph holds its weights can be trained on without its checkpoint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from beyondmimic_diffusion.core.diffusion.denoiser import DenoiserConfig, StateActionDenoiser
from beyondmimic_diffusion.core.errors import ArtifactError
from beyondmimic_training.export_onnx import export
from beyondmimic_training.exported_weights import policy_weights

WALK = Path(__file__).parents[2] / "policies" / "walk"
ROUNDING = 1e-4
"""Float32 sums in another order, as at export."""


def test_a_network_with_the_weights_that_were_read_back_gives_the_golden_vectors():
    data = policy_weights(WALK)
    network = StateActionDenoiser(DenoiserConfig(**data["network_config"])).eval()
    network.load_state_dict({k.removeprefix("weights."): v for k, v in data["ema"].items() if k != "step"})
    golden = np.load(WALK / "golden.npz")
    names = ("states", "actions", "history", "current", "state_levels", "action_levels")
    with torch.no_grad():
        states, actions = network(*(torch.as_tensor(golden[name]) for name in names))
    np.testing.assert_allclose(states.numpy(), golden["clean_states"], atol=ROUNDING)
    np.testing.assert_allclose(actions.numpy(), golden["clean_actions"], atol=ROUNDING)


def test_a_run_of_the_same_sizes_starts_from_a_policy_folder(tiny_trainer):
    from beyondmimic_training.config import ModelConfig

    trainer = tiny_trainer(init_from=str(WALK), model=ModelConfig())
    expected = policy_weights(WALK)["ema"]
    assert all(torch.equal(value, expected[f"weights.{name}"]) for name, value in trainer.network.state_dict().items())


def test_a_policy_exported_in_another_form_is_refused_with_the_remedy(tiny_trainer, tmp_path):
    export(tiny_trainer().fit(), tmp_path / "policy", "tiny")
    with pytest.raises(ArtifactError, match="start from its checkpoint instead"):
        policy_weights(tmp_path / "policy")


def test_a_damaged_onnx_file_is_named(tmp_path):
    (tmp_path / "manifest.json").write_bytes((WALK / "manifest.json").read_bytes())
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(ArtifactError, match="model.onnx"):
        policy_weights(tmp_path)
