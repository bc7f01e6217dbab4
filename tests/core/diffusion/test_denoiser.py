"""The network: what can influence what, the output skip, and attention against plain loops."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from beyondmimic_diffusion.core.diffusion.denoiser import (  # noqa: E402
    DenoiserConfig,
    StateActionDenoiser,
    _Block,
    sinusoidal_table,
)
from beyondmimic_diffusion.core.errors import ConfigError  # noqa: E402
from reference import ddpm  # noqa: E402
from reference.attention import cloc_table, masked_attention  # noqa: E402

S, A, N, H, HA, B = 7, 6, 2, 5, 3, 2


def network(**changes):
    torch.manual_seed(0)
    sizes = {"history_len": N, "horizon": H, "action_horizon": HA, "width": 32, "num_layers": 1, "num_heads": 2}
    return StateActionDenoiser(DenoiserConfig(S, A, **{**sizes, **changes})).eval()


@pytest.fixture
def inputs():
    rng = torch.Generator().manual_seed(1)
    return {
        "states": torch.randn(B, H, S, generator=rng),
        "actions": torch.randn(B, HA, A, generator=rng),
        "history": torch.randn(B, N, S + A, generator=rng),
        "current": torch.randn(B, S, generator=rng),
        "state_levels": torch.randint(0, 20, (B, H), generator=rng),
        "action_levels": torch.randint(0, 20, (B, HA), generator=rng),
    }


@torch.no_grad()
def outputs_after_change(net, inputs, name, token):
    """Clean states and actions before and after one token of one input is changed."""
    changed = {**inputs, name: inputs[name].clone()}
    changed[name][:, token] += 1.0
    return net(**inputs), net(**changed)


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("token", range(HA))
def test_a_later_action_changes_no_bit_of_earlier_actions_and_of_states(inputs, layers, token):
    (states, actions), (states_after, actions_after) = outputs_after_change(
        network(num_layers=layers), inputs, "actions", token
    )
    assert torch.equal(states, states_after)
    assert torch.equal(actions[:, :token], actions_after[:, :token])
    assert torch.all((actions != actions_after)[:, token:].any(-1))


@pytest.mark.parametrize("token", range(H))
def test_in_one_layer_a_state_changes_only_actions_from_its_time_on_but_all_states(inputs, token):
    (states, actions), (states_after, actions_after) = outputs_after_change(network(), inputs, "states", token)
    # states[token] is s[t + token + 1]: it exists only after action number ``token`` was executed
    assert torch.equal(actions[:, : token + 1], actions_after[:, : token + 1])
    assert torch.all((states != states_after).any(-1))


def test_with_two_layers_the_last_state_reaches_every_action(inputs):
    (_, actions), (_, actions_after) = outputs_after_change(network(num_layers=2), inputs, "states", H - 1)
    assert torch.all((actions != actions_after).any(-1))


def test_causal_network_never_lets_a_later_state_reach_an_action(inputs):
    net = network(num_layers=3, attention="causal")
    (_, actions), (_, actions_after) = outputs_after_change(net, inputs, "states", H - 1)
    assert torch.equal(actions, actions_after)


def test_full_attention_lets_the_last_action_reach_everything(inputs):
    before, after = outputs_after_change(network(attention="full"), inputs, "actions", HA - 1)
    for old, new in zip(before, after, strict=True):
        assert torch.all((old != new).any(-1))


@torch.no_grad()
def test_attention_of_a_block_equals_plain_loops():
    torch.manual_seed(0)
    width, table = 8, cloc_table(N, H, HA)
    block = _Block(width, num_heads=2, dropout=0.0).eval()
    x = torch.randn(1, len(table), width)
    qkv = block.qkv(block.norm_attention(x))[0].double().numpy()
    query, key, value = qkv[:, :width], qkv[:, width : 2 * width], qkv[:, 2 * width :]
    heads = [masked_attention(query[:, h], key[:, h], value[:, h], table) for h in (slice(0, 4), slice(4, 8))]
    mixed = torch.from_numpy(np.concatenate(heads, axis=1)).float()
    expected = x[0] + block.attention_out(mixed)
    expected = expected + block.ffn_out(torch.nn.functional.gelu(block.ffn_in(block.norm_ffn(expected))))
    got = block(x, torch.tensor(table))[0]
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)  # float32


@torch.no_grad()
def test_output_skip_mixes_input_and_prediction_by_the_level_of_each_token(inputs):
    plain = network(output_skip=False)
    skip = network(output_skip=True)
    skip.load_state_dict(plain.state_dict())
    alpha_bar = torch.tensor(ddpm.cosine_alpha_bar(20))
    for got, raw, name in zip(skip(**inputs), plain(**inputs), ("state", "action"), strict=True):
        power = alpha_bar[inputs[f"{name}_levels"]][..., None]
        expected = power.sqrt() * inputs[f"{name}s"] + (1 - power).sqrt() * raw
        torch.testing.assert_close(got, expected.float(), atol=1e-6, rtol=1e-5)


@torch.no_grad()
def test_the_level_of_a_token_is_told_apart(inputs):
    net = network(output_skip=False)
    other = {**inputs, "state_levels": (inputs["state_levels"] + 1) % 20}
    assert torch.all((net(**inputs)[0] != net(**other)[0]).any(-1))


@torch.no_grad()
def test_plans_of_a_batch_do_not_touch_each_other(inputs):
    net = network()
    one = {name: value[1:] for name, value in inputs.items()}
    for together, alone in zip(net(**inputs), net(**one), strict=True):
        torch.testing.assert_close(together[1:], alone, atol=1e-6, rtol=1e-5)


def test_sinusoids_have_the_published_frequencies():
    table = sinusoidal_table(20, 8)
    for level in (0, 3, 19):
        for i in range(4):
            angle = level / 10000 ** (2 * i / 8)
            np.testing.assert_allclose(table[level, [i, 4 + i]], [np.sin(angle), np.cos(angle)], atol=1e-5)


def test_every_parameter_gets_a_gradient(inputs):
    net = network(num_layers=2).train()
    states, actions = net(**inputs)
    (states.square().mean() + actions.square().mean()).backward()
    assert [name for name, value in net.named_parameters() if value.grad is None or not value.grad.any()] == []


def test_impossible_sizes_are_refused():
    with pytest.raises(ConfigError, match="width 30"):
        DenoiserConfig(S, A, width=30, num_heads=4)
    with pytest.raises(ConfigError, match="action_horizon 8 is beyond the horizon 4"):
        DenoiserConfig(S, A, horizon=4)
