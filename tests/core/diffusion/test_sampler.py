"""The sampling loop with denoisers whose answers are known."""

import numpy as np
import pytest
from beyondmimic_diffusion.core.diffusion import CleanRange, LevelPath, NoiseScheduler, Sampler, draw_noise
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_diffusion.core.types import Conditioning, Sample
from reference import ddpm

K, N, H, HA, S, A = 20, 2, 5, 3, 4, 6


class ToyDenoiser:
    """A smooth function of everything a network sees, the same for each plan of a batch; remembers its inputs."""

    def __init__(self):
        self.seen = []

    def __call__(self, sample, conditioning, levels):
        self.seen.append((sample, levels))
        context = conditioning.current.mean(-1) + conditioning.history.mean((-1, -2)) + sample.states.mean((-1, -2))
        context = context[:, None, None]
        return Sample(
            np.tanh(0.5 * sample.states + 0.02 * levels.states[..., None] + context).astype(np.float32),
            np.tanh(0.3 * sample.actions - 0.01 * levels.actions[..., None] + context).astype(np.float32),
        )


class Constant:
    """A perfect denoiser: it always knows the plan."""

    def __init__(self, clean):
        self.clean = clean

    def __call__(self, sample, conditioning, levels):
        return self.clean


class Push:
    """Guidance that adds a constant, and remembers what it was asked."""

    def __init__(self, amount):
        self.amount, self.asked = np.float32(amount), []

    def correction(self, clean_states, k):
        self.asked.append((clean_states.copy(), k))
        return np.full_like(clean_states, self.amount)

    def stats(self, clean_states):
        return ((),) * len(clean_states)


def generators(*seeds):
    return [np.random.default_rng(seed) for seed in seeds]


def noise_for(*seeds):
    return draw_noise(generators(*seeds), H, S, HA, A)


def conditioning_for(batch):
    rng = np.random.default_rng(99)
    return Conditioning(
        rng.standard_normal((batch, N, S + A)).astype(np.float32), rng.standard_normal((batch, S)).astype(np.float32)
    )


def scratch(passes=5):
    return LevelPath.from_scratch(K, H, HA, passes)


def random_plan(batch, seed=5):
    rng = np.random.default_rng(seed)
    return Sample(
        rng.uniform(-1, 1, (batch, H, S)).astype(np.float32), rng.uniform(-1, 1, (batch, HA, A)).astype(np.float32)
    )


def assert_equal(got, expected):
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture
def scheduler():
    return NoiseScheduler(K)


@pytest.mark.parametrize("method", ["ddim", "ddpm"])
def test_same_seed_gives_the_same_plan_to_the_bit_and_another_seed_another(scheduler, method):
    sampler = Sampler(scheduler, ToyDenoiser())

    def run(seed):
        return sampler.sample(
            conditioning_for(1), noise_for(seed), scratch(), method=method, generators=generators(seed + 100)
        ).clean

    assert_equal(run(1), run(1))
    assert np.all(run(1).states != run(2).states)


@pytest.mark.parametrize("method", ["ddim", "ddpm"])
def test_a_batch_gives_each_robot_the_plan_it_gets_alone(scheduler, method):
    sampler, conditioning = Sampler(scheduler, ToyDenoiser()), conditioning_for(3)
    together = sampler.sample(
        conditioning, noise_for(1, 2, 3), scratch(), method=method, generators=generators(11, 12, 13)
    )
    for i in range(3):
        alone = sampler.sample(
            Conditioning(*(part[i : i + 1] for part in conditioning)),
            noise_for(i + 1),
            scratch(),
            method=method,
            generators=generators(11 + i),
        )
        assert_equal((part[i : i + 1] for part in together.clean), alone.clean)


@pytest.mark.parametrize("passes", [1, 5, 20])
@pytest.mark.parametrize("method", ["ddim", "ddpm"])
def test_a_perfect_denoiser_is_returned_exactly(scheduler, method, passes):
    plan = random_plan(2)
    result = Sampler(scheduler, Constant(plan)).sample(
        conditioning_for(2), noise_for(1, 2), scratch(passes), method=method, generators=generators(3, 4)
    )
    assert_equal(result.clean, plan)
    assert_equal(result.sample, plan)


def test_full_ancestral_loop_equals_slow_ddpm(scheduler):
    def denoise(states, level):
        return np.tanh(0.5 * states + 0.02 * level)

    class StatesOnly:
        def __call__(self, sample, conditioning, levels):
            return Sample(denoise(sample.states, levels.states[..., None]), sample.actions)

    start = noise_for(1)
    got = Sampler(scheduler, StatesOnly()).sample(
        conditioning_for(1), start, scratch(K), method="ddpm", generators=generators(7)
    )
    rng = generators(7)
    drawn = np.stack([draw_noise(rng, H, S, HA, A).states[0] for _ in range(K)])
    expected = ddpm.ancestral_sample(start.states[0], drawn, denoise, ddpm.cosine_alpha_bar(K))
    np.testing.assert_allclose(got.clean.states[0], expected, atol=2e-5)  # float32 over 20 passes


def test_the_network_is_shown_the_levels_of_the_path_and_facts_as_level_zero(scheduler):
    denoiser = ToyDenoiser()
    path = scratch().hold(actions=np.arange(HA) < 1)
    Sampler(scheduler, denoiser).sample(conditioning_for(2), noise_for(1, 2), path)
    levels = [seen for _, seen in denoiser.seen]
    assert [level.states[0, 0] for level in levels] == [19, 15, 11, 7, 3]
    assert levels[0].actions[1].tolist() == [0, 19, 19]
    assert levels[0].states.dtype == np.int64
    assert levels[0].states.shape == (2, H)


@pytest.mark.parametrize("method", ["ddim", "ddpm"])
def test_committed_actions_come_out_unchanged_and_the_network_sees_them_at_every_pass(scheduler, method):
    denoiser, committed = ToyDenoiser(), random_plan(2).actions[:, :2]
    result = Sampler(scheduler, denoiser).sample(
        conditioning_for(2), noise_for(1, 2), scratch(), committed=committed, method=method, generators=generators(1, 2)
    )
    np.testing.assert_array_equal(result.clean.actions[:, :2], committed)
    np.testing.assert_array_equal(result.sample.actions[:, :2], committed)
    assert len(denoiser.seen) == 5
    for sample, levels in denoiser.seen:
        np.testing.assert_array_equal(sample.actions[:, :2], committed)
        assert not levels.actions[:, :2].any()


def test_no_committed_actions_is_the_same_as_none(scheduler):
    sampler, nothing = Sampler(scheduler, ToyDenoiser()), np.zeros((1, 0, A), np.float32)
    with_nothing = sampler.sample(conditioning_for(1), noise_for(1), scratch(), committed=nothing)
    assert_equal(with_nothing.clean, sampler.sample(conditioning_for(1), noise_for(1), scratch()).clean)


def test_a_keyframe_held_as_a_fact_stays_and_is_what_guidance_sees(scheduler):
    keyframe, push = np.arange(S, dtype=np.float32), Push(0.5)
    initial = noise_for(1)
    initial.states[:, 3] = keyframe
    path = scratch().hold(states=np.arange(H) == 3)
    result = Sampler(scheduler, ToyDenoiser()).sample(conditioning_for(1), initial, path, guidance=push)
    np.testing.assert_array_equal(result.clean.states[0, 3], keyframe)
    for clean_states, _ in push.asked:
        np.testing.assert_array_equal(clean_states[0, 3], keyframe)


def test_guidance_is_asked_about_the_clamped_clean_prediction_at_each_level(scheduler):
    plan, push = random_plan(1), Push(0.0)
    limits = CleanRange(*(np.float32(value) for value in (-0.5, 0.5, -0.25, 0.25)))
    result = Sampler(scheduler, Constant(plan), clean_range=limits).sample(
        conditioning_for(1), noise_for(1), scratch(), guidance=push
    )
    assert [k for _, k in push.asked] == [19, 15, 11, 7, 3]
    for clean_states, _ in push.asked:
        np.testing.assert_array_equal(clean_states, np.clip(plan.states, -0.5, 0.5))
    np.testing.assert_array_equal(result.clean.actions, np.clip(plan.actions, -0.25, 0.25))


def test_guidance_moves_the_final_plan_by_its_correction_if_the_network_does_not_answer(scheduler):
    plan = random_plan(1)
    result = Sampler(scheduler, Constant(plan)).sample(
        conditioning_for(1), noise_for(1), scratch(), guidance=Push(0.25)
    )
    np.testing.assert_array_equal(result.clean.states, plan.states + np.float32(0.25))
    np.testing.assert_array_equal(result.clean.actions, plan.actions)


def test_guidance_of_early_passes_reaches_the_network_through_the_sample(scheduler):
    guided, plain = ToyDenoiser(), ToyDenoiser()
    Sampler(scheduler, guided).sample(conditioning_for(1), noise_for(1), scratch(), guidance=Push(0.5))
    Sampler(scheduler, plain).sample(conditioning_for(1), noise_for(1), scratch())
    assert_equal(guided.seen[0][0], plain.seen[0][0])
    # after the first pass the sample differs by the correction times its factor in the DDIM step 19 -> 15
    alpha_bar = ddpm.cosine_alpha_bar(K)
    factor = np.sqrt(alpha_bar[15]) - np.sqrt(alpha_bar[19]) * np.sqrt((1 - alpha_bar[15]) / (1 - alpha_bar[19]))
    np.testing.assert_allclose(guided.seen[1][0].states - plain.seen[1][0].states, 0.5 * factor, atol=1e-6)


def test_a_path_that_ends_above_clean_gives_the_intermediate_sample(scheduler):
    plan, initial = random_plan(1), noise_for(1)
    start, end = scratch().row(0, 1), scratch().row(1, 1)
    result = Sampler(scheduler, Constant(plan)).sample(conditioning_for(1), initial, LevelPath.between(start, end, 2))
    assert_equal(result.levels, end)
    assert_equal(result.clean, plan)
    noise = scheduler.noise_of(initial.states, plan.states, 19)
    np.testing.assert_allclose(result.sample.states, scheduler.add_noise(plan.states, noise, 15), atol=1e-5)


def test_states_and_actions_may_have_different_schedules(scheduler):
    plan, initial = random_plan(1), noise_for(1)
    linear = NoiseScheduler(K, "linear")
    path = LevelPath.between(scratch().row(0, 1), scratch().row(1, 1), 1)
    result = Sampler(scheduler, Constant(plan), action_scheduler=linear).sample(conditioning_for(1), initial, path)
    np.testing.assert_array_equal(result.sample.states, scheduler.step(initial.states, plan.states, 19, 15))
    np.testing.assert_array_equal(result.sample.actions, linear.step(initial.actions, plan.actions, 19, 15))


def test_what_cannot_be_sampled_is_refused_with_the_reason(scheduler):
    sampler = Sampler(scheduler, ToyDenoiser())
    with pytest.raises(ConfigError, match="'euler'; known are ddim, ddpm"):
        sampler.sample(conditioning_for(1), noise_for(1), scratch(), method="euler")
    with pytest.raises(ConfigError, match="one generator per plan"):
        sampler.sample(conditioning_for(1), noise_for(1), scratch(), method="ddpm")
    with pytest.raises(ConfigError, match="level path has level 49; the highest is 19"):
        sampler.sample(conditioning_for(1), noise_for(1), LevelPath.from_scratch(50, H, HA, 5))
    with pytest.raises(ConfigError, match="state schedule has 20 levels, action schedule 10"):
        Sampler(scheduler, ToyDenoiser(), action_scheduler=NoiseScheduler(10))
