"""Recorded episodes are what the expert and the simulator did, and the randomisation is what the configuration says."""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.types import JointCommand
from beyondmimic_diffusion.sim.mujoco_g1 import MujocoG1
from beyondmimic_training.collect import CollectConfig, collect, config_from_dict
from beyondmimic_training.collect.command import add_arguments, jobs_done
from beyondmimic_training.collect.episode import draw_commands, draw_episode
from beyondmimic_training.collect.rollout import Rollout
from beyondmimic_training.store import load_dataset

SHORT = CollectConfig(episode=0.6, robots=2, rounds_per_shard=1)


def test_replaying_the_executed_targets_with_the_delay_gives_the_recorded_motion():
    plans = [replace(draw_episode(SHORT, (3, b)), delay=delay) for b, delay in enumerate((0.0, 0.028))]
    for episode, plan in zip(Rollout(SHORT).run(plans), plans, strict=True):
        sim = MujocoG1(timestep=SHORT.physics_dt)
        sim.set_physics(plan.physics)
        sim.reset(joint_pos=plan.joint_pos, root_quat_w=episode.frames["root_quat_w"][0])
        executed, zeros = episode.frames["target_executed"], np.zeros(g1.NUM_JOINTS)
        kp, kd = Rollout(SHORT)._expert.kp, Rollout(SHORT)._expert.kd
        delay_ticks = round(plan.delay / SHORT.physics_dt)
        for tick in range(5 * len(executed)):
            step, first = divmod(tick, 5)
            if first == 0:
                sim.push(plan.pushes[step])
                np.testing.assert_allclose(episode.frames["joint_pos"][step], sim.data.qpos[7:], atol=1e-9)
                np.testing.assert_allclose(episode.frames["root_lin_vel_w"][step], sim.data.qvel[:3], atol=1e-9)
            decided = (tick - delay_ticks) // 5  # the newest decision that is old enough to have arrived
            target = executed[decided] if decided >= 0 else g1.DEFAULT_JOINT_POS
            sim.step(JointCommand(0.0, target, zeros, kp, kd, zeros))


def test_action_noise_is_on_what_is_executed_and_not_on_the_label():
    plan = draw_episode(SHORT, (0, 0))
    noise = np.full_like(plan.action_noise, 0.2)
    quiet = replace(plan, action_noise=np.zeros_like(noise), delay=0.0)
    noisy_episode, quiet_episode = Rollout(SHORT).run([replace(quiet, action_noise=noise), quiet])
    frames = noisy_episode.frames
    np.testing.assert_allclose(frames["target_executed"] - frames["target_clean"], 0.25 * 0.2, atol=1e-12)
    np.testing.assert_array_equal(frames["target_clean"][0], quiet_episode.frames["target_clean"][0])


def test_the_same_seed_draws_the_same_episode_and_another_seed_another():
    a, b, c = (draw_episode(SHORT, (1, n)) for n in (0, 0, 1))
    np.testing.assert_array_equal(a.action_noise, b.action_noise)
    np.testing.assert_array_equal(a.commands, b.commands)
    assert not np.array_equal(a.joint_pos, c.joint_pos)


def test_commands_have_the_shares_and_ranges_asked_for():
    config = replace(CollectConfig().command, long_stand_first=0.0)
    commands = draw_commands(config, 400_000, np.random.default_rng(0))
    standing = ~np.any(commands, axis=1)
    assert standing.mean() == pytest.approx(config.standing, abs=0.02)  # 3600 segments: 2 standard deviations
    assert np.abs(commands[:, 1]).max() <= config.vy_lateral
    assert commands[:, 0].min() >= config.vx[0] and commands[:, 0].max() <= config.vx[1]
    changes = np.flatnonzero(np.any(np.diff(commands, axis=0), axis=1))
    assert np.min(np.diff(changes)) >= round(config.segment[0] / 0.02)


def test_a_stopped_collection_goes_on_where_it_was_and_others_seeds_are_left_alone(tmp_path: Path):
    hours_per_shard = SHORT.robots * SHORT.episode / 3600.0
    collect(tmp_path, SHORT, hours=hours_per_shard, seed=5, workers=1, progress=False)
    first = load_dataset(tmp_path).frames["joint_pos"]
    reports = collect(tmp_path, SHORT, hours=2 * hours_per_shard, seed=5, workers=1, progress=False)
    assert [r.job for r in reports] == [1]
    assert jobs_done(tmp_path, 5) == {0, 1} and jobs_done(tmp_path, 6) == set()
    assert len(load_dataset(tmp_path).frames["joint_pos"]) == 2 * len(first)


def test_unknown_settings_are_refused_by_their_full_name():
    with pytest.raises(ConfigError, match="command.sideways"):
        config_from_dict({"command": {"sideways": 1.0}})
    with pytest.raises(ConfigError, match="physics.friction"):
        config_from_dict({"physics": {"friction": [1.0, 0.5]}})
    assert config_from_dict({"push": {"strong": 0.5}}).push.strong == 0.5


def test_the_help_says_that_hours_are_those_of_the_seed(capsys):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    text = " ".join(parser.format_help().split())
    assert "robot time that this seed is to have in the end" in text
    assert "other seeds in the folder do not count" in text
