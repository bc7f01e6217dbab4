"""Windows made in torch are the windows made in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from beyondmimic_training.config import ModelConfig, WindowConfig
from beyondmimic_training.dataset import WindowSampler, WindowSource, normalized
from beyondmimic_training.device_windows import DeviceWindows
from beyondmimic_training.train import representation_and_mirror

CPU = torch.device("cpu")
ROUNDING = 2e-4
"""Float32 over a dozen operations, divided by the smallest standard deviations."""


@pytest.fixture(scope="module", params=["body_pos", "joint_rot"])
def made(request, made_up_dataset):
    representation, mirror = representation_and_mirror(request.param)
    source = WindowSource(made_up_dataset(), representation, mirror, ModelConfig(state=request.param))
    norms = source.fit_normalizers("std", 200, np.random.default_rng(0))
    sampler = WindowSampler(source, WindowConfig(), source.centres(0.0, validation=False))
    return source, sampler, norms, DeviceWindows(sampler, *norms, CPU)


@pytest.mark.parametrize("reflected", [False, True])
def test_a_window_cut_on_the_device_is_the_one_cut_on_the_host(made, reflected):
    source, sampler, norms, device = made
    index = sampler.draw(64, np.random.default_rng(1))
    expected = normalized(source.windows(index, np.full(64, reflected)), source.model, *norms)
    flags = torch.full((64,), reflected)
    got = device.cut(torch.as_tensor(index), flags, torch.zeros(64, dtype=torch.bool))
    for name in ("history", "current", "states", "actions"):
        np.testing.assert_allclose(getattr(got, name).numpy(), getattr(expected, name), atol=ROUNDING, err_msg=name)


def test_each_group_is_drawn_as_often_as_its_share_says(made):
    _, sampler, _, device = made
    generator = torch.Generator(CPU).manual_seed(0)
    count = 40_000
    dice = torch.rand(count, dtype=torch.float64, generator=generator)
    drawn = device.frames_at(dice).numpy()
    shares = np.array([share for *_, share in sampler.groups.values()])
    for (members, *_), share in zip(sampler.groups.values(), shares / shares.sum(), strict=True):
        seen = np.isin(drawn, members).mean()
        spread = np.sqrt(share * (1.0 - share) / count)
        assert seen == pytest.approx(share, abs=5.0 * spread)


def test_the_same_generator_gives_the_same_batch(made):
    device = made[-1]
    first, second = (device.batch(16, torch.Generator(CPU).manual_seed(3)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
