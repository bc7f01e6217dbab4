"""Attention masks against the paper's table, in the mask and through the network."""

import numpy as np
import pytest
from beyondmimic_diffusion.core.diffusion.attention import TokenKind, TokenLayout, attention_mask
from beyondmimic_diffusion.core.errors import ConfigError
from reference.attention import cloc_table

LAYOUT = TokenLayout(history_len=4, horizon=16, action_horizon=8)


@pytest.mark.parametrize(
    "layout", [LAYOUT, TokenLayout(1, 3, 3), TokenLayout(4, 32, 16), TokenLayout(0, 4, 2)], ids=str
)
def test_differentiated_mask_is_the_papers_table(layout):
    expected = np.array(cloc_table(layout.history_len, layout.horizon, layout.action_horizon))
    np.testing.assert_array_equal(attention_mask(layout, "differentiated"), expected)


def test_tokens_are_listed_in_the_order_of_the_sequence():
    tokens = LAYOUT.tokens
    assert len(tokens) == 29
    assert [token.time for token in tokens[:5]] == [-4, -3, -2, -1, 0]
    assert tokens[4].kind is TokenKind.CURRENT
    assert [token.time for token in tokens[LAYOUT.states]] == list(range(1, 17))
    assert {token.kind for token in tokens[LAYOUT.states]} == {TokenKind.STATE}
    assert [token.time for token in tokens[LAYOUT.actions]] == list(range(8))
    assert {token.kind for token in tokens[LAYOUT.actions]} == {TokenKind.ACTION}


def reaches(mask, source, layers):
    """Queries that information from ``source`` can have come to after that many layers."""
    power = np.linalg.matrix_power(mask.astype(np.int64), layers)
    return set(np.flatnonzero(power[:, source]))


def test_future_states_reach_the_first_action_only_from_the_second_layer_on():
    mask = attention_mask(LAYOUT, "differentiated")
    first_action, last_state = LAYOUT.actions.start, LAYOUT.states.stop - 1
    assert first_action not in reaches(mask, last_state, 1)
    assert first_action in reaches(mask, last_state, 2)


@pytest.mark.parametrize("layers", [1, 2, 6])
def test_no_future_action_reaches_a_state_or_an_earlier_action_at_any_depth(layers):
    mask = attention_mask(LAYOUT, "differentiated")
    for action in range(LAYOUT.actions.start, LAYOUT.actions.stop):
        assert reaches(mask, action, layers) == set(range(action, LAYOUT.actions.stop))


@pytest.mark.parametrize("layers", [1, 2, 6])
def test_causal_mask_lets_nothing_reach_its_past_at_any_depth(layers):
    mask = attention_mask(LAYOUT, "causal")
    for source, token in enumerate(LAYOUT.tokens):
        for query in reaches(mask, source, layers):
            assert LAYOUT.tokens[query].time >= token.time


def test_causal_state_sees_its_own_time_state_but_only_earlier_actions():
    mask = attention_mask(LAYOUT, "causal")
    state_1, action_0, action_1 = LAYOUT.states.start, LAYOUT.actions.start, LAYOUT.actions.start + 1
    assert mask[state_1, action_0] and not mask[state_1, action_1]
    assert mask[action_1, state_1] and mask[action_1, action_1]


def test_full_mask_hides_nothing():
    assert attention_mask(LAYOUT, "full").all()


def test_unknown_mask_is_refused_by_name():
    with pytest.raises(ConfigError, match="'sparse'; known are differentiated, full, causal"):
        attention_mask(LAYOUT, "sparse")
