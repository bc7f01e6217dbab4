"""What is exported computes what was trained, whatever the network's shape."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from beyondmimic_diffusion.core.diffusion.attention import ATTENTION_KINDS
from beyondmimic_diffusion.core.diffusion.denoiser import DenoiserConfig, StateActionDenoiser
from beyondmimic_training.export_form import ExportForm

SIZES = {"state_dim": 7, "action_dim": 6, "history_len": 3, "horizon": 5, "action_horizon": 4, "width": 16}


def network_of(**changes):
    torch.manual_seed(3)
    network = StateActionDenoiser(DenoiserConfig(**{**SIZES, "num_heads": 2, "num_layers": 2, **changes})).eval()
    for parameter in network.parameters():  # biases and norms too: at the start they are zero and one
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    return network


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(
    "changes",
    [
        *({"attention": kind} for kind in ATTENTION_KINDS),
        {"num_layers": 1},
        {"num_heads": 4},
        {"output_skip": False},
        {"schedule": "linear", "action_schedule": "cosine"},
    ],
    ids=str,
)
def test_the_exported_form_computes_what_the_network_computes(batch, changes):
    network = network_of(**changes)
    config = network.config
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    form = ExportForm(network)
    inputs = (
        torch.randn(batch, config.horizon, config.state_dim),
        torch.randn(batch, config.action_horizon, config.action_dim),
        torch.randn(batch, config.history_len, config.state_dim + config.action_dim),
        torch.randn(batch, config.state_dim),
        torch.randint(0, config.num_levels, (batch, config.horizon)),
        torch.randint(0, config.num_levels, (batch, config.action_horizon)),
    )
    with torch.no_grad():
        for expected, found in zip(network(*inputs), form(*inputs), strict=True):
            np.testing.assert_allclose(found.numpy(), expected.numpy(), atol=2e-5)  # float32 in another order
    for name, value in network.state_dict().items():
        np.testing.assert_array_equal(value, weights[name])
