"""Windows against a loop that reads recorded frames one by one, and the sampler against the shares it was given."""

from dataclasses import replace

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import DatasetError
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.state import Normalizer

pytest.importorskip("torch")

from beyondmimic_training.config import ModelConfig, WindowConfig
from beyondmimic_training.dataset import WindowSampler, WindowSource, normalized
from beyondmimic_training.train import representation_and_mirror

from tests.reference.state_features import body_pos_features, heading

MODEL = ModelConfig(history_len=3, horizon=6, action_horizon=4, setpoints_per_step=2)
POINTS, JOINTS = len(g1.KEY_POINTS), g1.NUM_JOINTS


def make_source(dataset, model: ModelConfig = MODEL) -> WindowSource:
    return WindowSource(dataset, *representation_and_mirror(model.state), model)


@pytest.fixture(scope="module")
def dataset(made_up_dataset):
    return made_up_dataset()


@pytest.fixture(scope="module")
def source(dataset) -> WindowSource:
    return make_source(dataset)


def reflected(data):
    """The recording seen in a mirror that stands in the plane y = 0."""
    f = dict(data.frames)
    flip = np.array([1.0, -1.0, 1.0], np.float32)
    for name in ("root_pos_w", "root_lin_vel_w"):
        f[name] = f[name] * flip
    f["root_ang_vel_w"] = -f["root_ang_vel_w"] * flip
    f["root_quat_w"] = f["root_quat_w"] * np.array([1.0, -1.0, 1.0, -1.0], np.float32)
    for name in ("joint_pos", "joint_vel", "target_clean", "target_executed"):
        f[name] = f[name][:, list(g1.MIRROR_JOINT_INDEX)] * g1.MIRROR_JOINT_SIGN.astype(np.float32)
    for name in ("key_pos_w", "key_vel_w"):
        points = f[name].reshape(-1, POINTS, 3)[:, list(g1.MIRROR_KEY_POINT_INDEX)] * flip
        f[name] = points.reshape(-1, 3 * POINTS)
    return replace(data, frames=f)


# ------------------------------------------------------------------ cutting


@pytest.mark.parametrize("stride", [1, 2])
def test_a_window_is_what_a_loop_over_frames_reads(dataset, stride):
    model = replace(MODEL, setpoints_per_step=stride)
    source = make_source(dataset, model)
    f = {name: values.astype(np.float64) for name, values in dataset.frames.items()}
    index = source.centres(0.0, validation=False)[[0, 5, 41, -1]]
    windows = source.windows(index, np.zeros(4, bool))
    for row, now in enumerate(index):
        frame_xy, frame_yaw = f["root_pos_w"][now, :2], heading(f["root_quat_w"][now])
        for slot, step in enumerate(range(-3, 7)):
            i = now + stride * step
            root = tuple(f[name][i] for name in ("root_pos_w", "root_quat_w", "root_lin_vel_w", "root_ang_vel_w"))
            points = tuple(f[name][i].reshape(POINTS, 3) for name in ("key_pos_w", "key_vel_w"))
            expected = body_pos_features(root, points, frame_xy, frame_yaw)
            # float32, positions of up to 10 m
            np.testing.assert_allclose(windows.states[row, slot], expected, atol=1e-5)
        for slot, step in enumerate(range(-3, 0)):
            for part in range(stride):
                executed = windows.executed[row, slot, part * JOINTS : (part + 1) * JOINTS]
                np.testing.assert_array_equal(executed, dataset.frames["target_executed"][now + stride * step + part])
        for slot in range(4):
            for part in range(stride):
                action = windows.actions[row, slot, part * JOINTS : (part + 1) * JOINTS]
                np.testing.assert_array_equal(action, dataset.frames["target_clean"][now + stride * slot + part])


def test_a_joint_rot_window_holds_joints_where_body_pos_has_key_points(dataset):
    source = make_source(dataset, replace(MODEL, state="joint_rot"))
    now = int(source.first[0])
    states = source.windows(np.array([now]), np.array([False])).states[0]
    for slot, i in enumerate(range(now - 6, now + 13, 2)):
        np.testing.assert_allclose(states[slot, 12 : 12 + JOINTS], dataset.frames["joint_pos"][i], atol=1e-6)
        np.testing.assert_allclose(states[slot, 12 + JOINTS :], dataset.frames["joint_vel"][i], atol=1e-6)


@pytest.mark.parametrize("state", ["body_pos", "joint_rot"])
def test_a_mirrored_window_is_the_window_of_the_reflected_recording(dataset, state):
    model = replace(MODEL, state=state)
    source, image = make_source(dataset, model), make_source(reflected(dataset), model)
    index = source.centres(0.0, validation=False)[::37]
    flags = np.arange(len(index)) % 2 == 0
    mixed = source.windows(index, flags)
    plain, mirrored = source.windows(index, np.zeros_like(flags)), image.windows(index, np.zeros_like(flags))
    for name in ("states", "executed", "actions"):
        expected = np.where(flags[:, None, None], getattr(mirrored, name), getattr(plain, name))
        np.testing.assert_allclose(getattr(mixed, name), expected, atol=1e-5, err_msg=name)


def test_no_window_crosses_the_border_of_an_episode_and_none_that_fits_is_left_out(dataset, source):
    episode = np.repeat(np.arange(len(dataset.lengths)), dataset.lengths)
    fits = [
        i
        for i in range(6, len(episode) - 12)
        if episode[i - 6] == episode[i + 12]  # 3 steps before, 6 after, of 2 frames
    ]
    together = np.concatenate([source.centres(0.25, validation=v) for v in (False, True)])
    np.testing.assert_array_equal(np.sort(together), fits)


def test_validation_has_whole_episodes_of_its_own(dataset, source):
    episode = np.repeat(np.arange(len(dataset.lengths)), dataset.lengths)
    training, validation = (set(episode[source.centres(0.25, validation=v)]) for v in (False, True))
    assert validation == {4} and training == {0, 1, 3}


def test_actions_that_reach_further_than_the_states_end_the_window(made_up_dataset):
    data = made_up_dataset((40,))
    source = make_source(data, replace(MODEL, horizon=4, action_horizon=4, setpoints_per_step=2))
    assert (source.first[0], source.last[0]) == (6, 40 - 8)


def test_a_data_set_of_short_episodes_is_refused_with_the_length_that_is_needed(made_up_dataset):
    with pytest.raises(DatasetError, match=r"19 frames.*longest has 18"):
        make_source(made_up_dataset((18, 10)))


# ------------------------------------------------------------------ drawing


def slow_kind(command: np.ndarray, i: int, reach: int) -> str:
    before, after = command[i - reach], command[i + reach]
    was, will = bool(np.any(np.abs(before) > 0.05)), bool(np.any(np.abs(after) > 0.05))
    if was != will:
        return "start" if will else "stop"
    if not was:
        return "standing"
    return "change" if np.any(np.abs(after - before) > 0.1) else "moving"


def test_each_kind_of_window_is_drawn_with_its_share(dataset, source):
    config = WindowConfig(start=0.2, stop=0.1, change=0.15, standing=0.25, onset_steps=3)
    centres = source.centres(0.0, validation=False)
    sampler = WindowSampler(source, config, centres)
    count = 20_000
    drawn = sampler.draw(count, np.random.default_rng(0))
    assert set(drawn) <= set(centres)
    kinds = [slow_kind(dataset.frames["command"], i, 6) for i in drawn]
    for kind, share in {"start": 0.2, "stop": 0.1, "change": 0.15, "standing": 0.25, "moving": 0.3}.items():
        spread = np.sqrt(share * (1.0 - share) / count)
        assert kinds.count(kind) / count == pytest.approx(share, abs=5 * spread), kind


def test_a_kind_that_was_not_recorded_leaves_its_share_to_the_others(made_up_dataset):
    data = made_up_dataset((80, 80), command=[np.zeros(3), np.array([0.5, 0.0, 0.0])])
    source = make_source(data)
    config = WindowConfig(standing=0.25, start=0.3, stop=0.1, change=0.1)
    drawn = WindowSampler(source, config, np.concatenate([np.arange(6, 68), np.arange(86, 148)])).draw(
        4000, np.random.default_rng(1)
    )
    share = np.mean(drawn < 80)
    assert share == pytest.approx(0.25, abs=5 * np.sqrt(0.25 * 0.75 / 4000))


def test_rare_velocities_are_drawn_more_often_than_they_were_recorded(made_up_dataset):
    data = made_up_dataset((1218, 218), command=[np.array([0.2, 0.0, 0.0]), np.array([0.6, 0.0, 0.0])])
    source = make_source(data)
    sampler = WindowSampler(source, WindowConfig(), np.concatenate([np.arange(6, 1206), np.arange(1224, 1424)]))
    drawn = sampler.draw(20_000, np.random.default_rng(2))
    expected = 200**0.3 / (200**0.3 + 1200**0.3)  # each bin of n windows has weight n * n^-0.7
    assert np.mean(drawn >= 1218) == pytest.approx(expected, abs=5 * np.sqrt(expected * (1 - expected) / 20_000))


@pytest.mark.parametrize(("mirror", "share"), [(True, 0.5), (False, 0.0)])
def test_half_of_the_windows_are_mirrored_if_asked_for(source, monkeypatch, mirror, share):
    flags = []
    cut = source.windows
    monkeypatch.setattr(source, "windows", lambda index, mirrored: flags.append(mirrored) or cut(index, mirrored))
    sampler = WindowSampler(source, WindowConfig(mirror=mirror), source.centres(0.0, validation=False))
    identity = Normalizer(*(np.full(1, v) for v in (1.0, 0.0, -1.0, 1.0)))
    rng = np.random.default_rng(0)
    for _ in range(20):
        sampler.batch(50, rng, identity, identity)
    assert np.mean(np.concatenate(flags)) == pytest.approx(share, abs=5 * 0.5 / np.sqrt(1000) * (share > 0))


def test_the_same_numbers_draw_the_same_batch(source):
    norms = source.fit_normalizers("std", 50, np.random.default_rng(0))
    sampler = WindowSampler(source, WindowConfig(), source.centres(0.0, validation=False))
    first, second = (sampler.batch(6, np.random.default_rng(9), *norms) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


# ------------------------------------------------------------------ normalising


def test_a_batch_puts_history_now_and_future_where_the_network_expects_them(source):
    state_norm, action_norm = source.fit_normalizers("std", 200, np.random.default_rng(0))
    index = source.centres(0.0, validation=False)[[3, 60]]
    windows = source.windows(index, np.array([False, True]))
    batch = normalized(windows, MODEL, state_norm, action_norm)
    size = windows.states.shape[-1]
    # float32
    np.testing.assert_allclose(state_norm.to_si(batch.history[..., :size]), windows.states[:, :3], atol=2e-5)
    np.testing.assert_allclose(action_norm.to_si(batch.history[..., size:]), windows.executed, atol=1e-5)
    np.testing.assert_allclose(state_norm.to_si(batch.current), windows.states[:, 3], atol=2e-5)
    np.testing.assert_allclose(state_norm.to_si(batch.states), windows.states[:, 4:], atol=2e-5)
    np.testing.assert_allclose(action_norm.to_si(batch.actions), windows.actions, atol=1e-5)
    assert all(part.dtype == np.float32 and part.flags.c_contiguous for part in batch[:4])
    assert not batch.entering.any()


def test_both_set_points_of_a_token_and_both_sides_of_the_body_are_normalised_alike(source):
    state_norm, action_norm = source.fit_normalizers("std", 300, np.random.default_rng(0))
    np.testing.assert_array_equal(action_norm.scale[:JOINTS], action_norm.scale[JOINTS:])
    partner = list(g1.MIRROR_JOINT_INDEX)
    # the mirror images are part of the statistics
    np.testing.assert_allclose(action_norm.scale[:JOINTS], action_norm.scale[partner], rtol=1e-5)
    np.testing.assert_allclose(
        action_norm.offset[:JOINTS], action_norm.offset[partner] * g1.MIRROR_JOINT_SIGN, atol=1e-6
    )
    mirror = source.mirror
    np.testing.assert_allclose(state_norm.scale, state_norm.scale[mirror.state_index], rtol=1e-4)
    np.testing.assert_allclose(state_norm.offset, mirror.states(state_norm.offset), atol=1e-5)
