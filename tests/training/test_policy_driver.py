"""A policy that drives for stretches while the expert labels."""

from __future__ import annotations

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import ArtifactError
from beyondmimic_training.collect.command import load_config
from beyondmimic_training.collect.policy_driver import draw_bursts


def test_the_stretches_last_as_long_as_asked_for_and_leave_the_expert_its_pauses():
    driven = draw_bursts(5000, (0.2, 1.0), (0.4, 0.6), (1, 2))
    edges = np.flatnonzero(np.diff(driven.astype(int)))
    lengths = np.diff(edges) * 0.02
    bursts, pauses = (lengths[0::2], lengths[1::2]) if driven[edges[0] + 1] else (lengths[1::2], lengths[0::2])
    assert bursts.min() >= 0.2 - 0.011 and bursts.max() <= 1.0 + 0.011
    assert pauses.min() >= 0.4 - 0.011 and pauses.max() <= 0.6 + 0.011


def test_the_same_seed_gives_the_same_stretches():
    assert np.array_equal(
        draw_bursts(300, (0.2, 1.0), (0.2, 1.0), (3,)), draw_bursts(300, (0.2, 1.0), (0.2, 1.0), (3,))
    )


def test_a_policy_that_is_not_there_is_refused_before_any_worker_starts(tmp_path):
    with pytest.raises(ArtifactError, match="missing"):
        load_config(None, policy=str(tmp_path / "missing"))


@pytest.mark.sim
def test_labels_are_the_experts_and_what_is_executed_in_a_stretch_is_the_policys():
    from dataclasses import replace

    from beyondmimic_training.collect.episode import draw_episode
    from beyondmimic_training.collect.rollout import Rollout

    config = load_config(None, envs=2, policy="policies/walk")
    config = replace(config, episode=2.0, noise=replace(config.noise, action_none=1.0))
    plans = [draw_episode(config, (5, row)) for row in range(2)]
    for plan, episode in zip(plans, Rollout(config).run(plans), strict=True):
        length = len(episode.frames["command"])
        driven = draw_bursts(100, config.dagger.burst, config.dagger.pause, plan.seed)[:length]
        same = np.all(episode.frames["target_clean"] == episode.frames["target_executed"], axis=1)
        assert np.array_equal(same, ~driven)
