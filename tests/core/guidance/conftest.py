"""A small body-pos layout and random plans for the guidance tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest
from beyondmimic_diffusion.core.guidance.cost import GuidanceCost
from beyondmimic_diffusion.core.guidance.features import PlanFeatures, PlanGradient, features_from
from beyondmimic_diffusion.core.state import BodyPosRepresentation

from tests.reference.finite_differences import gradient

STEP_DT = 0.04


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def representation() -> BodyPosRepresentation:
    return BodyPosRepresentation(("left_foot", "right_foot", "head"))


@pytest.fixture
def random_states(rng: np.random.Generator, representation: BodyPosRepresentation) -> Callable[..., np.ndarray]:
    """States in SI units, float64, shape (B, H, S); tilted and turned by up to about a radian."""

    def make(batch: int = 2, horizon: int = 5) -> np.ndarray:
        return rng.uniform(-0.6, 0.6, (batch, horizon, representation.dim))

    return make


def _check_gradient(cost: GuidanceCost, plan: PlanFeatures, rel: float = 1e-6, absolute: float = 1e-7) -> None:
    """Every partial derivative of the cost against central differences of its value, one plan at a time."""
    _, partial = cost.value_and_gradient(plan)
    for item in fields(PlanGradient):
        at = getattr(plan, item.name)
        if at is None:
            continue
        analytic = getattr(partial, item.name)
        analytic = np.zeros_like(at) if analytic is None else analytic

        def total(changed: np.ndarray, name: str = item.name) -> float:
            return float(np.sum(cost.value_and_gradient(replace(plan, **{name: changed}))[0]))

        np.testing.assert_allclose(analytic, gradient(total, at), rtol=rel, atol=absolute, err_msg=item.name)


@pytest.fixture
def check_gradient() -> Callable[..., None]:
    """Asserts that a cost's gradient is the derivative of its value (float64; 1e-7 is the differences' own error)."""
    return _check_gradient


@pytest.fixture
def random_plan(random_states: Callable[..., np.ndarray], representation: BodyPosRepresentation) -> PlanFeatures:
    return features_from(random_states(), representation.layout, STEP_DT)
