"""Noise levels by their distribution, the loss by hand."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from beyondmimic_training.config import LevelConfig
from beyondmimic_training.loss import co_diffusion_loss, commit_prefix, draw_levels

K, LENGTH, COUNT = 20, 16, 4000


def draw(**config) -> np.ndarray:
    generator = torch.Generator().manual_seed(0)
    return draw_levels(COUNT, LENGTH, K, LevelConfig(**config), generator).numpy()


@pytest.mark.parametrize(
    "config",
    [{}, {"shared": 1.0}, {"shared": 0.0, "ramp": 1.0}, {"shared": 0.0, "ramp": 0.0}],
    ids=["mixed", "shared", "ramp", "independent"],
)
def test_every_level_is_drawn_equally_often(config):
    share = np.bincount(draw(**config).ravel(), minlength=K) / (COUNT * LENGTH)
    # tokens of a window may be copies of each other: count windows, not tokens
    np.testing.assert_allclose(share, 1.0 / K, atol=5 * np.sqrt((1 / K) * (1 - 1 / K) / COUNT))


def test_shared_levels_are_the_same_along_a_window():
    levels = draw(shared=1.0)
    assert np.all(levels == levels[:, :1])


def test_a_ramp_never_falls_along_the_horizon():
    levels = draw(shared=0.0, ramp=1.0)
    assert np.all(np.diff(levels, axis=1) >= 0)
    assert np.any(np.diff(levels, axis=1) > 0)


def test_independent_levels_of_neighbours_do_not_depend_on_each_other():
    levels = draw(shared=0.0, ramp=0.0).astype(np.float64)
    correlation = np.corrcoef(levels[:, 0], levels[:, 1])[0, 1]
    assert correlation == pytest.approx(0.0, abs=5 / np.sqrt(COUNT))


def test_the_three_kinds_come_with_their_shares():
    levels = draw(shared=0.5, ramp=0.3)
    constant = np.all(levels == levels[:, :1], axis=1)
    rising = np.all(np.diff(levels, axis=1) >= 0, axis=1) & ~constant
    # by chance an independent window of 16 tokens is constant or rising once in 10^9
    for found, share in ((constant, 0.5), (rising, 0.3)):
        assert found.mean() == pytest.approx(share, abs=5 * np.sqrt(share * (1 - share) / COUNT))


def test_committed_actions_are_a_prefix_of_facts_in_their_share_of_windows():
    before = torch.full((COUNT, 8), 7)
    after = commit_prefix(before, LevelConfig(committed=0.3, max_committed=2), torch.Generator().manual_seed(1)).numpy()
    zeros = (after == 0).sum(axis=1)
    assert set(zeros) == {0, 1, 2}
    for row, count in zip(after, zeros, strict=True):
        np.testing.assert_array_equal(row, [0] * count + [7] * (8 - count))
    for count, share in ((0, 0.7), (1, 0.15), (2, 0.15)):
        assert np.mean(zeros == count) == pytest.approx(share, abs=5 * np.sqrt(share * (1 - share) / COUNT))


def test_no_action_is_committed_where_none_may_be():
    before = torch.full((50, 8), 7)
    assert torch.equal(commit_prefix(before, LevelConfig(committed=0.0)), before)


def test_the_loss_is_the_mean_of_squares_of_states_plus_the_weighted_one_of_actions():
    rng = np.random.default_rng(0)
    states, actions = rng.normal(size=(2, 3, 4, 5)), rng.normal(size=(2, 3, 2, 6))
    total, state, action = co_diffusion_loss(*(torch.from_numpy(a) for pair in zip(states, actions, strict=True)
                                               for a in pair), action_weight=2.0)  # fmt: skip
    by_hand_state = sum((a - b) ** 2 for a, b in zip(states[0].ravel(), states[1].ravel(), strict=True)) / 60
    by_hand_action = sum((a - b) ** 2 for a, b in zip(actions[0].ravel(), actions[1].ravel(), strict=True)) / 36
    assert float(state) == pytest.approx(by_hand_state)
    assert float(action) == pytest.approx(by_hand_action)
    assert float(total) == pytest.approx(by_hand_state + 2.0 * by_hand_action)


def test_a_perfect_prediction_costs_nothing():
    x, y = torch.randn(2, 3, 4), torch.randn(2, 2, 6)
    assert [float(v) for v in co_diffusion_loss(x, y, x, y, 2.0)] == [0.0, 0.0, 0.0]
