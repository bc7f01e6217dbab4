"""A dance between walks: who drives when, that both experts stay themselves, and how windows are told apart."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import ConfigError, DatasetError
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.types import JointCommand
from beyondmimic_diffusion.sim.mujoco_g1 import MujocoG1
from beyondmimic_training.collect import CollectConfig, config_from_dict
from beyondmimic_training.collect.command import load_config
from beyondmimic_training.collect.episode import draw_episode
from beyondmimic_training.experts import RobotBatch, SwitchingExpert, make_expert

torch = pytest.importorskip("torch")

from beyondmimic_training.config import LevelConfig, ModelConfig, WindowConfig
from beyondmimic_training.dataset import WindowSampler, WindowSource
from beyondmimic_training.loss import hold_keyframes
from beyondmimic_training.train import representation_and_mirror

ZEROS = np.zeros(g1.NUM_JOINTS)
DANCE = {"episode": 30.0, "skill": {"expert": "fastsac_dancer"}}
SHIPPED = Path(__file__).parents[2] / "training" / "configs" / "collect" / "walk_dance.yaml"


@pytest.fixture(scope="module")
def plans():
    config = config_from_dict(DANCE)
    return config, [draw_episode(config, (5, n)) for n in range(40)]


def runs(driver: np.ndarray) -> list[tuple[int, int]]:
    """First frame and end of each stretch of ones, by a loop."""
    found, begin = [], None
    for t, who in enumerate([*driver.tolist(), 0]):
        if who and begin is None:
            begin = t
        if not who and begin is not None:
            found.append((begin, t))
            begin = None
    return found


def test_the_second_expert_drives_whole_segments_after_a_stand_and_is_followed_by_the_first(plans):
    config, episodes = plans
    seen = 0
    for plan in episodes:
        for begin, end in runs(plan.driver):
            seen += 1
            low, high = config.skill.duration
            assert low - 0.02 <= 0.02 * (end - begin) <= high + 0.02
            stand = round(config.skill.stand_before[0] / 0.02)
            assert not plan.commands[begin - stand : end].any()
            assert not plan.driver[:begin][-stand:].any()
    assert seen > 20


def test_the_collection_of_the_shipped_policy_loads():
    config = load_config(SHIPPED)
    assert (config.expert, config.skill.expert) == ("fastsac_walker", "fastsac_dancer")


def test_without_a_second_expert_episodes_are_drawn_as_before():
    with_one, without = config_from_dict(DANCE), replace(config_from_dict(DANCE), skill=CollectConfig().skill)
    a, b = draw_episode(with_one, (1, 3)), draw_episode(without, (1, 3))
    assert not b.driver.any()
    np.testing.assert_array_equal(a.action_noise, b.action_noise)
    assert a.physics.friction == b.physics.friction


def test_each_robot_gets_the_targets_of_the_expert_that_drives_it():
    names = ("fastsac_walker", "fastsac_dancer")
    both = SwitchingExpert([make_expert(n) for n in names])
    walker, dancer = (make_expert(n) for n in names)
    sims = [MujocoG1(timestep=0.004, sensors=False) for _ in range(2)]
    look = lambda rows: RobotBatch(  # noqa: E731
        *(
            np.concatenate([getattr(RobotBatch.of(sims[r].state()), n) for r in rows])
            for n in RobotBatch.__annotations__
        )
    )
    both.reset(look([0, 1]))
    walker.reset(look([0]))
    for step in range(60):  # robot 0 walks; robot 1 stands for 10 steps and then dances
        command = np.array([[0.5, 0.0, 0.0], [0.0, 0.0, 0.0]])
        driver = np.array([0, int(step >= 10)])
        if step == 10:
            dancer.reset(look([1]))
        targets = both.act(look([0, 1]), command, driver)
        np.testing.assert_allclose(targets[0], walker.act(look([0]), command[:1])[0], atol=1e-5)
        if step >= 10:
            np.testing.assert_allclose(targets[1], dancer.act(look([1]), command[1:])[0], atol=1e-5)
        for sim, target in zip(sims, targets, strict=True):
            sim.step(JointCommand(0.0, target, ZEROS, both.kp, both.kd, ZEROS), 5)
    assert np.abs(sims[1].state().joint_pos - sims[0].state().joint_pos).max() > 0.2


def test_experts_with_other_gains_are_not_mixed():
    walker, other = make_expert("fastsac_walker"), make_expert("fastsac_walker")
    other.kp = other.kp * 1.5
    with pytest.raises(ConfigError, match="kp"):
        SwitchingExpert([walker, other])


# ------------------------------------------------------------------ windows

MODEL = ModelConfig(history_len=3, horizon=16, action_horizon=4, setpoints_per_step=2)
LENGTH, BEGIN, END = 400, 120, 300
SHARES = WindowConfig(second_skill=0.3, entering=0.2, leaving=0.1)


@pytest.fixture(scope="module")
def source(made_up_dataset) -> WindowSource:
    """Two episodes of 8 s with a dance from frame 120 to 300 in each."""
    data = made_up_dataset(lengths=(LENGTH, LENGTH))
    skill = np.zeros((2, LENGTH, 1), np.int8)
    skill[:, BEGIN:END] = 2
    command = data.frames["command"].reshape(2, LENGTH, 3).copy()
    command[:, BEGIN - 20 : END] = 0.0
    frames = {**data.frames, "skill": skill.reshape(-1, 1), "command": command.reshape(-1, 3)}
    return WindowSource(replace(data, frames=frames), *representation_and_mirror("body_pos"), MODEL)


def expected_kind(frame: int) -> str:
    """By the definitions of WindowConfig: 32 frames ahead, begun after 0.8 s, left for 1 s, 0.3 s to be seen."""
    t, ahead = frame % LENGTH, 2 * MODEL.horizon
    if t < BEGIN:
        into = t + ahead - BEGIN
        return "first" if into < 0 else "unclear" if into < 15 else "entering"
    if t < END:
        if t + ahead >= END:
            return "leaving"
        return "entering" if t - BEGIN < 40 else "second_skill"
    return "leaving" if t - END < 50 else "first"


def test_windows_are_sorted_by_where_the_second_skill_begins_and_ends(source):
    sampler = WindowSampler(source, SHARES, source.centres(0.0, validation=False))
    centres = source.centres(0.0, validation=False)
    assert sampler.kinds(centres).tolist() == [expected_kind(c) for c in centres]


def test_windows_come_with_their_shares_and_those_that_enter_are_marked(source):
    sampler = WindowSampler(source, SHARES, source.centres(0.0, validation=False))
    rng = np.random.default_rng(0)
    kinds = np.array([expected_kind(c) for c in sampler.draw(20_000, rng)])
    for name, share in (("second_skill", 0.3), ("entering", 0.2), ("leaving", 0.1), ("unclear", 0.0)):
        assert np.mean(kinds == name) == pytest.approx(share, abs=0.02)
    norms = source.fit_normalizers("std", 200, rng)
    batch = sampler.batch(2000, rng, *norms)
    assert np.mean(batch.entering) == pytest.approx(0.2, abs=0.05)


def test_windows_of_episodes_with_a_longer_delay_may_be_left_out(made_up_dataset):
    data = made_up_dataset(lengths=(LENGTH,) * 4)  # the last one is kept for validation
    rows = tuple({**row, "delay": delay} for row, delay in zip(data.episodes, (0.05, 0.0, 0.02, 0.0), strict=True))
    source = WindowSource(replace(data, episodes=rows), *representation_and_mirror("body_pos"), MODEL)
    centres = source.centres(0.0, validation=False)
    drawn = WindowSampler(source, WindowConfig(max_delay=0.02), centres).draw(2000, np.random.default_rng(0))
    assert set(np.unique(drawn // LENGTH)) == {1, 2}
    with pytest.raises(DatasetError, match="max_delay"):
        WindowSampler(source, WindowConfig(max_delay=-1.0), centres)


def test_keyframes_are_facts_in_their_share_of_windows_and_in_all_that_enter():
    count, length = 4000, 16
    levels = torch.full((count, length), 7)
    entering = torch.arange(count) % 4 == 0
    held = hold_keyframes(levels, entering, LevelConfig(keyframes=0.2), torch.Generator().manual_seed(0)).numpy()
    facts = (held == 0).sum(axis=1)
    assert set(np.unique(held)) == {0, 7}
    others = ~entering.numpy()
    assert np.mean(facts[others] > 0) == pytest.approx(0.2, abs=0.03)
    assert facts.max() <= 4
    assert np.all(held[entering.numpy(), -1] == 0)
    places = np.mean(held[others] == 0, axis=0)
    np.testing.assert_allclose(places, places.mean(), atol=0.02)  # anywhere along the horizon
