"""Episodes follow from seed and number alone, and hold what the suite's text says."""

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_training.evaluate import SUITES, suite_named
from beyondmimic_training.evaluate.jobs import plan_jobs


def test_the_same_seed_and_number_give_the_same_episode_and_others_another():
    suite = suite_named("walk-perturb")
    a, b, other_number, other_seed = (suite.episode(*key) for key in ((3, 7), (3, 7), (3, 8), (4, 7)))
    np.testing.assert_array_equal(a.joint_pos, b.joint_pos)
    assert (a.yaw, a.legs, a.kicks) == (b.yaw, b.legs, b.kicks)
    assert a.kicks != other_number.kicks
    assert a.kicks != other_seed.kicks


def test_joystick_goes_forward_back_left_and_right_three_seconds_each_at_speeds_in_range():
    episodes = [suite_named("joystick").episode(0, i) for i in range(200)]
    for episode in episodes:
        forward, back, left, right = episode.legs
        assert [leg.duration for leg in episode.legs] == [3.0] * 4
        assert 0.3 <= forward.command[0] <= 0.6
        assert -0.4 <= back.command[0] <= -0.2
        assert 0.4 <= left.command[2] <= 0.8
        assert -0.8 <= right.command[2] <= -0.4
    assert sum(episode.start == "standing" for episode in episodes) == 100


def test_walk_perturb_kicks_each_second_with_a_speed_uniform_up_to_half_a_metre_per_second():
    kicks = [kick for i in range(300) for kick in suite_named("walk-perturb").episode(0, i).kicks]
    assert len(kicks) == 300 * 14
    speeds = np.linalg.norm([kick.delta_v_w for kick in kicks], axis=1)
    assert speeds.max() <= 0.5
    # mean and variance of U(0, 0.5) are 0.25 and 1/48; four standard errors of 4200 draws
    assert abs(speeds.mean() - 0.25) < 4 * np.sqrt(1 / 48 / 4200)
    assert np.abs(np.mean([kick.delta_v_w for kick in kicks], axis=0)).max() < 4 * np.sqrt(0.25 / 3 / 2 / 4200)


def test_a_command_holds_to_the_end_of_its_leg_and_the_next_begins_there():
    episode = suite_named("joystick").episode(0, 0)
    assert episode.command_at(2.98) == episode.legs[0].command
    assert episode.command_at(3.0) == episode.legs[1].command
    assert episode.command_at(99.0) == episode.legs[3].command


@pytest.mark.parametrize(("episodes", "batch", "workers"), [(200, 50, 2), (3, 50, 2), (101, 25, 2), (1, 1, 4)])
def test_jobs_hold_each_episode_once_and_no_more_than_a_batch(episodes, batch, workers):
    jobs = plan_jobs("joystick", "policy", episodes, batch, workers)
    assert [i for job in jobs for i in job.episodes] == list(range(episodes))
    assert max(len(job.episodes) for job in jobs) <= batch
    assert len(jobs) >= min(workers, episodes)


def test_an_unknown_suite_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="joystick-omni"):
        suite_named("dance")
    assert set(SUITES) == {"unguided", "walk-perturb", "stand", "turn", "joystick", "joystick-omni"}
