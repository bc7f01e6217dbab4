"""A recorded clip is what the experts do, from a stand and back to one."""

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_diffusion.core.guidance.clip import Clip
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_training.clip import record_clip
from beyondmimic_training.experts import make_expert
from beyondmimic_training.experts.tracker import TrackerExpert


@pytest.fixture(scope="module")
def clip() -> Clip:
    return record_clip("fastsac_dancer", 4.0, "short", back=2.5)


def test_a_clip_follows_the_trackers_motion_and_ends_as_it_began(clip):
    expert = make_expert("fastsac_dancer")
    assert isinstance(expert, TrackerExpert)
    joints = clip.states.joint_pos
    assert clip.duration == pytest.approx(6.52)  # the next state of 25 Hz after 6.5 s
    held = joints[[0, 75, 100]]  # at 0, 3 and 4 s, where the motion rests; in between the tracker lags
    np.testing.assert_allclose(held, expert.motion.joint_pos[[0, 150, 200]], atol=0.25)
    assert np.abs(joints[90] - joints[0]).max() > 1.0
    assert np.abs(joints[-1] - g1.DEFAULT_JOINT_POS).max() < 0.25  # it sags under its weight
    assert np.linalg.norm(clip.states.root_lin_vel_w[-1]) < 0.1


def test_velocities_of_a_clip_are_the_slopes_of_its_positions(clip):
    inner = slice(1, -1)
    slope = (clip.states.key_pos_w[2:] - clip.states.key_pos_w[:-2]) / (2 * clip.dt)
    difference = np.abs(slope - clip.states.key_vel_w[inner])
    assert np.median(difference) < 0.02  # [m/s]; a difference over 80 ms misses what feet do when they touch down
    root = (clip.states.root_pos_w[2:] - clip.states.root_pos_w[:-2]) / (2 * clip.dt)
    assert np.median(np.abs(root - clip.states.root_lin_vel_w[inner])) < 0.02


def test_a_clip_of_no_length_is_refused():
    with pytest.raises(ConfigError, match="too short"):
        record_clip("fastsac_dancer", 0.01, "nothing")
