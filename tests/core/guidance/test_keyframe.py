"""Keyframe cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import GoalError
from beyondmimic_diffusion.core.guidance.features import features_from
from beyondmimic_diffusion.core.guidance.keyframe import KeyframeCost
from beyondmimic_diffusion.core.state import CharacterFrame

GOALS = np.array([[0.1, 0.2, -0.7], [0.0, -0.1, 0.4]])


@pytest.mark.parametrize("frame", ["local", "character"])
def test_gradient_matches_finite_differences(random_plan, check_gradient, frame):
    check_gradient(KeyframeCost([0, 2], GOALS, frame), random_plan)


@pytest.mark.parametrize(("frame", "field"), [("local", "key_pos_l"), ("character", "key_pos_c")])
def test_cost_is_zero_at_the_keyframe_whatever_the_other_points_do(random_plan, frame, field):
    points = getattr(random_plan, field).copy()
    points[..., [0, 2], :] = GOALS
    value, _ = KeyframeCost([0, 2], GOALS, frame).value_and_gradient(replace(random_plan, **{field: points}))
    assert np.all(value == 0.0)


def test_a_local_keyframe_does_not_care_where_the_robot_is_or_faces(random_states, representation):
    states = random_states()
    moved = representation.transform(states, CharacterFrame(np.array([2.0, -1.0]), np.array(1.3)))
    cost = KeyframeCost([0, 2], GOALS)
    before, _ = cost.value_and_gradient(features_from(states, representation.layout, 0.04))
    after, _ = cost.value_and_gradient(features_from(moved, representation.layout, 0.04))
    np.testing.assert_allclose(after, before, rtol=1e-9)


def test_each_plan_of_a_batch_has_its_own_keyframe(random_plan):
    goals = np.stack([GOALS, GOALS + 0.3])
    together, _ = KeyframeCost([1, 2], goals).value_and_gradient(random_plan)
    for i in range(2):
        assert together[i] == pytest.approx(KeyframeCost([1, 2], goals[i]).value_and_gradient(random_plan)[0][i])


@pytest.mark.parametrize(("indices", "frame"), [([0], "local"), ([1, 1], "local"), ([0, 2], "world")])
def test_keyframes_that_make_no_sense_are_refused(indices, frame):
    with pytest.raises(GoalError, match="keyframe cost"):
        KeyframeCost(indices, GOALS, frame)
