"""Rolling buffer against a list that does the same shifts, number by number."""

import math

import numpy as np
import pytest
from beyondmimic_diffusion.core.diffusion import (
    CLEAN,
    NoiseScheduler,
    RollingBuffer,
    RollingConfig,
    Sampler,
    SampleResult,
    draw_noise,
)
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_diffusion.core.types import Conditioning, Sample
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from reference.ddpm import cosine_alpha_bar

K, H, HA, B, TOP = 20, 6, 4, 2, 19
ALPHA_BAR = cosine_alpha_bar(K)


def noisy(clean, noise, level):
    if level == CLEAN:
        return clean
    return math.sqrt(ALPHA_BAR[level]) * clean + math.sqrt(1 - ALPHA_BAR[level]) * noise


def spread(start, end, passes):
    return [round(start + (end - start) * p / passes) for p in range(passes + 1)]


class ListModel:
    """One robot's plan as lists of [clean, noise, level]; None = nothing kept."""

    def __init__(self, config):
        self.config, self.states, self.actions = config, [], []

    def open(self, state_noise, action_noise, shift, offset, committed):
        self.states, self.actions = self.states[shift:], self.actions[shift:]
        for token in self.states:
            token[0] += offset
            token[2] = self.config.state_level
        for token in self.actions:
            if self.config.action_level is not None:
                token[2] = self.config.action_level
        if self.config.fresh_noise:
            for kept, fresh in ((self.states, state_noise), (self.actions, action_noise)):
                for i, token in enumerate(kept):
                    token[1] = fresh[i]
        for kept, fresh in ((self.states, state_noise), (self.actions, action_noise)):
            while len(kept) < len(fresh):
                kept.append([None, fresh[len(kept)], TOP])
        ends = []
        for i, token in enumerate(self.actions):
            stairs = math.floor(-1 + self.config.action_stride * max(0, i - committed))
            ends.append(CLEAN if self.config.action_level is not None else min(stairs, TOP, token[2]))
        samples = [
            [noise if clean is None else noisy(clean, noise, level) for clean, noise, level in tokens]
            for tokens in (self.states, self.actions)
        ]
        return samples, [token[2] for token in self.actions], ends

    def store(self, clean_states, clean_actions, action_samples, ends):
        for token, clean in zip(self.states, clean_states, strict=True):
            token[0] = clean
        for token, clean, sample, level in zip(self.actions, clean_actions, action_samples, ends, strict=True):
            token[0], token[2] = clean, level
            if level != CLEAN:
                token[1] = (sample - math.sqrt(ALPHA_BAR[level]) * clean) / math.sqrt(1 - ALPHA_BAR[level])


class RollingMachine(RuleBasedStateMachine):
    """Opens, stores and resets in any order; one feature per token."""

    config = RollingConfig.cloc()

    def __init__(self):
        super().__init__()
        self.buffer = RollingBuffer(NoiseScheduler(K), self.config)
        self.models = [ListModel(self.config) for _ in range(B)]
        self.rng = np.random.default_rng(0)
        self.path = None

    @rule(shift=st.integers(0, H + 1), offset=st.sampled_from([0.0, 0.5]), committed=st.integers(0, 2))
    def plan(self, shift, offset, committed):
        noise = Sample(self.rng.standard_normal((B, H, 1)), self.rng.standard_normal((B, HA, 1)))
        sample, self.path = self.buffer.open(
            noise, shift=shift, reframe=lambda clean: clean + offset, committed=committed
        )
        result = SampleResult(
            clean=Sample(self.rng.standard_normal((B, H, 1)), self.rng.standard_normal((B, HA, 1))),
            sample=Sample(self.rng.standard_normal((B, H, 1)), self.rng.standard_normal((B, HA, 1))),
            levels=self.path.row(self.path.passes, B),
        )
        for i, model in enumerate(self.models):
            expected, starts, ends = model.open(
                noise.states[i, :, 0].tolist(), noise.actions[i, :, 0].tolist(), shift, offset, committed
            )
            np.testing.assert_allclose(sample.states[i, :, 0], expected[0], atol=1e-9)
            np.testing.assert_allclose(sample.actions[i, :, 0], expected[1], atol=1e-9)
            passes = self.config.passes
            states = [spread(token[2], CLEAN, passes) for token in model.states]
            actions = [spread(start, end, passes) for start, end in zip(starts, ends, strict=True)]
            assert self.path.states[:, i].T.tolist() == states
            assert self.path.actions[:, i].T.tolist() == actions
            model.store(
                result.clean.states[i, :, 0].tolist(),
                result.clean.actions[i, :, 0].tolist(),
                result.sample.actions[i, :, 0].tolist(),
                ends,
            )
        self.buffer.store(result)

    @rule(rows=st.lists(st.booleans(), min_size=B, max_size=B))
    def reset_rows(self, rows):
        self.buffer.reset(np.array(rows))
        for model, forgotten in zip(self.models, rows, strict=True):
            if forgotten:
                model.states, model.actions = [], []

    @rule()
    def reset_all(self):
        self.buffer.reset()
        self.models = [ListModel(self.config) for _ in range(B)]

    @invariant()
    def levels_never_fall_along_the_plan(self):
        if self.path is not None:
            for levels in (self.path.states, self.path.actions):
                assert np.all(np.diff(levels, axis=-1) >= 0)


class WarmStartMachine(RollingMachine):
    config = RollingConfig.warm_start(16, 4)


class GentleStaircaseMachine(RollingMachine):
    config = RollingConfig(state_level=10, action_stride=2.5, passes=7)


quick = settings(max_examples=25, stateful_step_count=12, deadline=None)
TestRollingEqualsListModel = RollingMachine.TestCase
TestRollingEqualsListModel.settings = quick
TestWarmStartEqualsListModel = WarmStartMachine.TestCase
TestWarmStartEqualsListModel.settings = quick
TestGentleStaircaseEqualsListModel = GentleStaircaseMachine.TestCase
TestGentleStaircaseEqualsListModel.settings = quick


class Follower:
    """A denoiser that believes a fraction of what it sees."""

    def __call__(self, sample, conditioning, levels):
        return Sample(np.tanh(0.8 * sample.states), np.tanh(0.8 * sample.actions))


def roll(config, plans, seed=0, committed=0):
    """Plan repeatedly in one buffer; yields (path, result)."""
    scheduler, rng = NoiseScheduler(K), [np.random.default_rng(seed)]
    buffer, sampler = RollingBuffer(scheduler, config), Sampler(scheduler, Follower())
    known = Conditioning(np.zeros((1, 1, 2), np.float32), np.zeros((1, 1), np.float32))
    fixed = np.full((1, committed, 1), 0.3, np.float32)
    for _ in range(plans):
        sample, path = buffer.open(draw_noise(rng, H, 1, HA, 1), committed=committed)
        result = sampler.sample(known, sample, path, committed=fixed)
        buffer.store(result)
        yield path, result


def test_clocs_numbers_are_fifteen_passes_one_level_each():
    *_, (path, _) = roll(RollingConfig.cloc(), plans=3)
    assert path.passes == 15
    np.testing.assert_array_equal(path.states[:, 0, 0], np.arange(14, -2, -1))
    np.testing.assert_array_equal(path.actions[:, 0, 0], np.arange(14, -2, -1))
    assert path.actions[0, 0].tolist() == [14, 19, 19, 19]
    assert path.actions[-1, 0].tolist() == [-1, 14, 19, 19]
    assert path.states[0, 0].tolist() == [14] * (H - 1) + [19]


def test_an_action_goes_on_from_exactly_the_sample_it_was_left_at():
    left = None
    for config in (RollingConfig.cloc(), RollingConfig(action_stride=2.5)):
        scheduler, rng = NoiseScheduler(K), [np.random.default_rng(1)]
        buffer, sampler = RollingBuffer(scheduler, config), Sampler(scheduler, Follower())
        known = Conditioning(np.zeros((1, 1, 2), np.float32), np.zeros((1, 1), np.float32))
        for _ in range(4):
            sample, path = buffer.open(draw_noise(rng, H, 1, HA, 1))
            if left is not None:
                np.testing.assert_allclose(sample.actions[:, :-1], left.sample.actions[:, 1:], atol=1e-5)
                np.testing.assert_array_equal(path.row(0, 1).actions[:, :-1], left.levels.actions[:, 1:])
            left = sampler.sample(known, sample, path)
            buffer.store(left)
        left = None


def test_the_first_free_action_ends_clean_whatever_is_committed():
    for committed in (0, 1, 2):
        *_, (path, result) = roll(RollingConfig.cloc(), plans=4, committed=committed)
        assert path.actions[-1, 0, committed] == CLEAN
        assert path.actions[0, 0, committed] == 14
        np.testing.assert_array_equal(result.clean.actions[:, :committed], np.float32(0.3))


def test_reframing_moves_the_clean_part_and_leaves_the_noise():
    scheduler = NoiseScheduler(K)
    buffer = RollingBuffer(scheduler, RollingConfig.cloc())
    rng = np.random.default_rng(3)
    first = Sample(rng.standard_normal((1, H, 1)), rng.standard_normal((1, HA, 1)))
    _, path = buffer.open(first)
    clean = Sample(rng.standard_normal((1, H, 1)), rng.standard_normal((1, HA, 1)))
    buffer.store(SampleResult(clean, clean, path.row(path.passes, 1)))
    sample, _ = buffer.open(first, reframe=lambda states: -2.0 * states)
    expected = scheduler.add_noise(-2.0 * clean.states[:, 1:], first.states[:, 1:], 14)
    np.testing.assert_allclose(sample.states[:, :-1], expected, rtol=1e-12)


def test_parameters_out_of_range_and_use_in_the_wrong_order_are_refused():
    with pytest.raises(ConfigError, match="state_level is 20; it must be within 0 and 19"):
        RollingBuffer(NoiseScheduler(K), RollingConfig(state_level=20))
    with pytest.raises(ConfigError, match="action_stride is -1"):
        RollingBuffer(NoiseScheduler(K), RollingConfig(action_stride=-1.0))
    buffer = RollingBuffer(NoiseScheduler(K), RollingConfig())
    plan = Sample(np.zeros((1, H, 1)), np.zeros((1, HA, 1)))
    levels = Sample(np.zeros((1, H), int), np.zeros((1, HA), int))
    with pytest.raises(ConfigError, match=r"store\(\) before open\(\)"):
        buffer.store(SampleResult(plan, plan, levels))
