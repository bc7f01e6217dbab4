"""Sum of costs, carried back to normalised states."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from beyondmimic_diffusion.core.diffusion.scheduler import NoiseScheduler
from beyondmimic_diffusion.core.errors import GoalError
from beyondmimic_diffusion.core.guidance.composer import CostTerm, GuidanceComposer
from beyondmimic_diffusion.core.guidance.cost import GuidanceCost
from beyondmimic_diffusion.core.guidance.features import PlanGradient
from beyondmimic_diffusion.core.guidance.heading import HeadingCost, YawRateCost
from beyondmimic_diffusion.core.guidance.joystick import JoystickCost
from beyondmimic_diffusion.core.guidance.schedule import by_signal, skip_last
from beyondmimic_diffusion.core.protocols import Guidance
from beyondmimic_diffusion.core.state import JointRotRepresentation

from tests.reference.finite_differences import gradient

STEP_DT = 0.04


class KeyPointCost(GuidanceCost):
    """Half the squared height of all key points and of the squared planar root position."""

    uses_key_points = True

    def value_and_gradient(self, plan):
        key = plan.key_points("test")
        value = 0.5 * np.sum(key**2, axis=(1, 2, 3)) + 0.5 * np.sum(plan.root_pos_c**2, axis=(1, 2))
        return value, PlanGradient(key_pos_c=key, root_pos_c=plan.root_pos_c)


@pytest.fixture
def scaling(rng, representation):
    """Scale and offset of the normaliser: far from one, and different for each feature."""
    return rng.uniform(0.2, 3.0, representation.dim), 0.3 * rng.normal(size=representation.dim)


@pytest.fixture
def compose(representation, scaling):
    def make(*terms, **options):
        return GuidanceComposer(representation.layout, *scaling, STEP_DT, terms, **options)

    return make


@pytest.fixture
def clean(random_states, scaling):
    return (random_states() - scaling[1]) / scaling[0]


TERMS = (
    CostTerm("velocity", JoystickCost([0.4, -0.1], 0.3), 1.3),
    CostTerm("heading", HeadingCost(yaw_rate=0.3), 0.7),
    CostTerm("points", KeyPointCost(), 0.2, consistent=True),
    CostTerm("late", YawRateCost(0.5, "per_step"), 0.9, first_step=2, last_step=3),
)


def test_it_is_a_guidance(compose):
    assert isinstance(compose(*TERMS), Guidance)


def test_correction_is_the_preconditioned_gradient_through_the_denormalisation(compose, clean, scaling):
    """The classic error is to forget sigma: d/dx = sigma d/ds, so that -d/ds / sigma = -d/dx / sigma^2."""
    composer = compose(*TERMS, scale=1.7)
    by_normalised = gradient(lambda x: float(np.sum(composer.value(x))), clean)
    np.testing.assert_allclose(composer.correction(clean, 5), -1.7 * by_normalised / scaling[0] ** 2, atol=2e-6)


def test_a_correction_of_scale_one_is_a_step_of_minus_the_gradient_in_si_units(compose, clean, scaling, representation):
    composer = compose(CostTerm("velocity", JoystickCost([0.4, -0.1])))
    moved = (clean + composer.correction(clean, 0)) * scaling[0] + scaling[1]
    mean = moved[..., representation.layout["root_lin_vel_c"]].mean(axis=1)
    np.testing.assert_allclose(mean[:, :2], [[0.4, -0.1]] * 2, atol=1e-12)


def test_sum_of_costs_equals_cost_of_the_sum(compose, clean):
    parts = [compose(term) for term in TERMS]
    together = compose(*TERMS)
    np.testing.assert_allclose(together.value(clean), sum(part.value(clean) for part in parts))
    np.testing.assert_allclose(together.correction(clean, 3), sum(part.correction(clean, 3) for part in parts))


def test_steps_outside_a_terms_window_are_left_alone(compose, clean):
    correction = compose(TERMS[3]).correction(clean, 3)
    assert np.all(correction[:, [0, 1, 4]] == 0.0)
    assert np.all(np.any(correction[:, [2, 3]] != 0.0, axis=-1))


def test_a_window_behind_the_horizon_is_no_guidance(compose, clean):
    assert np.all(compose(CostTerm("far", HeadingCost(0.5), first_step=9)).correction(clean, 3) == 0.0)


def test_clip_limits_the_norm_and_keeps_the_direction(compose, clean, representation):
    free = compose(CostTerm("velocity", JoystickCost([2.0, 0.0]))).gradient_si(clean)
    clipped = compose(CostTerm("velocity", JoystickCost([2.0, 0.0]), clip=0.5)).gradient_si(clean)
    for before, after in zip(free, clipped, strict=True):
        assert np.linalg.norm(after) == pytest.approx(0.5)
        np.testing.assert_allclose(after / 0.5, before / np.linalg.norm(before), atol=1e-12)


def test_clip_of_the_sum_limits_the_step_in_si_units(compose, clean, scaling):
    step = compose(*TERMS, clip=0.3, scale=2.0).correction(clean, 3) * scaling[0]
    np.testing.assert_allclose(np.sqrt(np.sum(step**2, axis=(1, 2))), 0.6)


def test_velocity_cap_limits_each_states_change_of_planar_velocity(compose, clean, scaling, representation):
    term = CostTerm("velocity", JoystickCost([2.0, 0.0]), velocity_cap=0.4)
    step = compose(term, scale=3.0).correction(clean, 3) * scaling[0]
    planar = step[..., representation.layout["root_lin_vel_c"]][..., :2]
    np.testing.assert_allclose(np.linalg.norm(planar, axis=-1), 0.4)


def test_schedule_scales_and_skips_denoising_levels(compose, clean):
    plain, scheduled = compose(*TERMS), compose(*TERMS, schedule=lambda k: 0.5 * k)
    np.testing.assert_allclose(scheduled.correction(clean, 4), 2.0 * plain.correction(clean, 4))
    assert np.all(compose(*TERMS, schedule=skip_last(3)).correction(clean, 2) == 0.0)
    np.testing.assert_array_equal(
        compose(*TERMS, schedule=skip_last(3)).correction(clean, 3), plain.correction(clean, 3)
    )


def test_weights_per_plan_guide_one_robot_and_not_the_other(compose, clean):
    term = CostTerm("velocity", JoystickCost([0.4, 0.0]), np.array([0.0, 2.0]))
    correction = compose(term).correction(clean, 3)
    alone = compose(CostTerm("velocity", JoystickCost([0.4, 0.0]), 2.0)).correction(clean, 3)
    assert np.all(correction[0] == 0.0)
    np.testing.assert_array_equal(correction[1], alone[1])


def test_a_plan_is_corrected_alike_alone_and_in_a_batch(compose, clean):
    together = compose(*TERMS).correction(clean, 3)
    np.testing.assert_allclose(compose(*TERMS).correction(clean[1:], 3), together[1:], atol=1e-14)


def test_a_term_guides_only_the_passes_within_its_noise_levels(compose, clean):
    limited = replace(TERMS[0], lowest_level=5, highest_level=9)
    alone, other = compose(TERMS[0]).correction(clean, 7), compose(TERMS[1]).correction(clean, 7)
    for level, expected in ((4, other), (5, alone + other), (9, alone + other), (10, other)):
        both = compose(limited, TERMS[1]).correction(clean, level)
        np.testing.assert_allclose(both, expected, atol=1e-12)


def test_guidance_by_the_signal_left_is_the_plain_one_times_that_factor(compose, clean):
    signal = NoiseScheduler(20).signal
    plain = compose(*TERMS).correction(clean, 12)
    np.testing.assert_allclose(
        compose(*TERMS, schedule=by_signal(signal)).correction(clean, 12), signal[12] * plain, atol=1e-12
    )


def test_no_terms_mean_no_correction(compose, clean):
    assert np.all(compose().correction(clean, 3) == 0.0)
    assert np.all(compose().value(clean) == 0.0)


def test_single_precision_stays_single_precision(compose, clean):
    correction = compose(*TERMS).correction(clean.astype(np.float32), 3)
    assert correction.dtype == np.float32  # 1e-4: rounding of features of 1, divided by a sigma of 0.2 at least
    np.testing.assert_allclose(correction, compose(*TERMS).correction(clean, 3), rtol=1e-3, atol=1e-4)


def test_stats_tell_each_plans_value_now_and_gradient_norm_at_the_last_guided_pass(compose, clean):
    composer = compose(*TERMS[:2])
    composer.correction(clean, 3)
    norms = np.linalg.norm(compose(TERMS[0]).gradient_si(clean).reshape(2, -1), axis=1)
    stats = composer.stats(0.5 * clean)
    for i in range(2):
        assert [entry.name for entry in stats[i]] == ["velocity", "heading"]
        assert stats[i][0].value == pytest.approx(compose(TERMS[0]).value(0.5 * clean)[i])
        assert stats[i][0].gradient_norm == pytest.approx(norms[i])


def test_costs_on_key_points_are_refused_for_joint_angle_states_and_root_costs_are_not():
    layout = JointRotRepresentation(("hip", "knee")).layout
    with pytest.raises(GoalError, match="'points' needs key points"):
        GuidanceComposer(layout, np.ones(16), np.zeros(16), STEP_DT, [TERMS[2]])
    composer = GuidanceComposer(layout, np.ones(16), np.zeros(16), STEP_DT, TERMS[:2])
    assert np.any(composer.correction(np.zeros((1, 4, 16)), 3) != 0.0)


def test_two_terms_of_one_name_are_refused(compose):
    with pytest.raises(GoalError, match="once"):
        compose(TERMS[0], TERMS[0])
