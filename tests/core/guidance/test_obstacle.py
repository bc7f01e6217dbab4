"""Obstacle cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import GoalError
from beyondmimic_diffusion.core.guidance.barrier import RelaxedBarrier
from beyondmimic_diffusion.core.guidance.obstacle import ObstacleCost
from beyondmimic_diffusion.core.guidance.sdf import Capsule, Moving, Placed, Sphere, Union
from beyondmimic_diffusion.core.rotations import rotate_yaw

SCENE = Union(
    [Sphere((0.3, 0.2, 0.1), 0.2), Moving(Capsule((-0.4, 0.1, -1.0), (-0.4, 0.1, 1.0), 0.1), (0.5, 0.0, 0.0))]
)
RADII = np.array([0.05, 0.06, 0.12])


def test_gradient_matches_finite_differences(random_plan, check_gradient):
    check_gradient(ObstacleCost(SCENE, RADII), random_plan)


def test_cost_is_the_papers_double_sum(random_plan):
    barrier = RelaxedBarrier()
    value, _ = ObstacleCost(SCENE, RADII, barrier, time_offset=0.3).value_and_gradient(random_plan)
    for plan in range(2):
        slow = 0.0
        for i, t in enumerate(random_plan.times):
            for b in range(3):
                distance, _ = SCENE.query(random_plan.key_pos_c[plan, i, b], t + 0.3)
                slow += float(barrier(distance - RADII[b])[0])
        assert value[plan] == pytest.approx(slow, rel=1e-12)


def test_every_near_key_point_is_pushed_away_from_the_obstacle(random_plan):
    sphere = Sphere((0.0, 0.0, 0.0), 0.3)
    _, partial = ObstacleCost(sphere, 0.05).value_and_gradient(random_plan)
    outward = np.sum(-partial.key_pos_c * random_plan.key_pos_c, axis=-1)
    near = np.linalg.norm(random_plan.key_pos_c, axis=-1) < 1.3
    assert np.all(outward[near] > 0.0) and np.all(outward[~near] == 0.0)


def test_cost_is_unchanged_when_plan_and_scene_turn_and_move_together(random_plan):
    shift, yaw = np.array([3.0, -1.0]), 2.2
    before, _ = ObstacleCost(SCENE, RADII).value_and_gradient(random_plan)
    seen = rotate_yaw(random_plan.key_pos_c - np.append(shift, 0.0), -yaw)
    after, _ = ObstacleCost(Placed(SCENE, shift, yaw), RADII).value_and_gradient(replace(random_plan, key_pos_c=seen))
    np.testing.assert_allclose(after, before, rtol=1e-9)


def test_states_without_key_points_are_refused(random_plan):
    with pytest.raises(GoalError, match="needs key points"):
        ObstacleCost(SCENE, RADII).value_and_gradient(replace(random_plan, key_pos_c=None))


@pytest.mark.parametrize("extrapolation", [0.04, 0.4])
def test_gradient_matches_finite_differences_beyond_the_horizon_too(random_plan, check_gradient, extrapolation):
    check_gradient(ObstacleCost(SCENE, RADII, extrapolation=extrapolation, step_dt=0.04), random_plan)


def test_extrapolation_adds_the_last_state_carried_on_at_its_planar_velocity(random_plan):
    within, _ = ObstacleCost(SCENE, RADII).value_and_gradient(random_plan)
    value, _ = ObstacleCost(SCENE, RADII, extrapolation=0.2, step_dt=0.1).value_and_gradient(random_plan)
    barrier = RelaxedBarrier()
    for plan in range(2):
        beyond = 0.0
        for later in (0.1, 0.2):
            drift = later * random_plan.root_lin_vel_c[plan, -1] * [1.0, 1.0, 0.0]
            for b in range(3):
                distance, _ = SCENE.query(random_plan.key_pos_c[plan, -1, b] + drift, random_plan.times[-1] + later)
                beyond += float(barrier(distance - RADII[b])[0])
        assert value[plan] == pytest.approx(within[plan] + beyond, rel=1e-12)


def test_an_extrapolation_into_the_past_is_refused():
    with pytest.raises(GoalError, match="none is negative"):
        ObstacleCost(SCENE, RADII, extrapolation=-0.1)
