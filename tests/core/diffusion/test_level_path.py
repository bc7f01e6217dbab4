"""Paths of noise levels."""

import numpy as np
import pytest
from beyondmimic_diffusion.core.diffusion import LevelPath
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_diffusion.core.types import Levels


def test_from_scratch_with_all_passes_visits_every_level():
    path = LevelPath.from_scratch(20, 3, 2, passes=20)
    np.testing.assert_array_equal(path.states[:, 0], np.arange(19, -2, -1))
    np.testing.assert_array_equal(path.actions[:, 1], np.arange(19, -2, -1))


def test_five_passes_are_evenly_spaced_from_noise_to_clean():
    path = LevelPath.from_scratch(20, 1, 1, passes=5)
    assert path.states[:, 0].tolist() == [19, 15, 11, 7, 3, -1]


def test_each_token_goes_its_own_way_between_its_own_ends():
    start = Levels(np.array([14, 19, 5]), np.array([[3], [19]]))
    end = Levels(np.array([-1, 4, 5]), np.array([[-1], [14]]))
    path = LevelPath.between(start, end, 15)
    np.testing.assert_array_equal(path.states[:, 0], np.arange(14, -2, -1))
    np.testing.assert_array_equal(path.states[:, 1], np.arange(19, 3, -1))
    np.testing.assert_array_equal(path.states[:, 2], 5)
    assert path.actions.shape == (16, 2, 1)
    assert path.row(0, 2).actions.tolist() == [[3], [19]]
    assert path.row(15, 2).actions.tolist() == [[-1], [14]]


def test_only_tokens_that_start_clean_and_stay_are_facts():
    path = LevelPath(np.array([[-1, 0, 0, 3, 19], [-1, 0, -1, 3, 10]]), np.array([[19], [-1]])).hold(actions=[True])
    facts = path.facts(batch=1)
    assert facts.states.tolist() == [[True, True, False, False, False]]
    assert facts.actions.tolist() == [[True]]


@pytest.mark.parametrize(
    ("states", "actions", "words"),
    [
        ([[3], [4]], [[3], [2]], "state levels must never rise"),
        ([[3], [2]], [[0], [-2]], "action levels must never rise from pass to pass nor be below -1"),
        ([[3], [2]], [[3], [2], [1]], "2 rows for states and 3 for actions"),
        ([[3]], [[3]], "at least 2"),
    ],
)
def test_impossible_paths_are_refused(states, actions, words):
    with pytest.raises(ConfigError, match=words):
        LevelPath(np.array(states), np.array(actions))


def test_more_passes_than_levels_are_refused():
    with pytest.raises(ConfigError, match="21 denoising passes asked for, but there are only 20"):
        LevelPath.from_scratch(20, 1, 1, passes=21)
