"""The barrier on the body's nearest part."""

from __future__ import annotations

from dataclasses import replace

import mujoco
import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import GoalError
from beyondmimic_diffusion.core.guidance.barrier import RelaxedBarrier
from beyondmimic_diffusion.core.guidance.clearance import ClearanceCost
from beyondmimic_diffusion.core.guidance.sdf import Capsule, Cylinder, HalfSpace, Moving, SignedDistance, Sphere, Union
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.robot.kinematics import Kinematics
from beyondmimic_diffusion.core.robot.model import load_model

SCENE = Union(
    [Sphere((0.3, 0.2, 0.1), 0.2), Moving(Capsule((-0.4, 0.1, -1.0), (-0.4, 0.1, 1.0), 0.1), (0.5, 0.0, 0.0))]
)
RADII = np.array([0.05, 0.06, 0.12])
HEAD_BEYOND_FEET = np.array([[-0.3, -0.3, 1.6]])


def slow_value(plan, row, barrier, extrapolation_times=(), extensions=None, softness=0.02, time_offset=0.0):
    """The docstring's formula in loops."""
    total = 0.0
    steps = [(plan.key_pos_c[row, i], t) for i, t in enumerate(plan.times)]
    drift = plan.root_lin_vel_c[row, -1] * [1.0, 1.0, 0.0]
    steps += [(plan.key_pos_c[row, -1] + later * drift, plan.times[-1] + later) for later in extrapolation_times]
    for points, time in steps:
        spheres = list(zip(points, RADII, strict=True))
        if extensions is not None:
            spheres += [(weights @ points, 0.08) for weights in extensions]
        clearances = [float(SCENE.query(p, time + time_offset)[0]) - r for p, r in spheres]
        soft = -softness * np.log(sum(np.exp(-c / softness) for c in clearances))
        total += float(barrier(np.array(soft))[0])
    return total


def test_cost_is_the_barrier_of_the_soft_minimum_summed_over_the_states(random_plan):
    barrier = RelaxedBarrier()
    cost = ClearanceCost(SCENE, RADII, barrier, 0.3, 0.08, 0.04, HEAD_BEYOND_FEET, 0.08)
    value, _ = cost.value_and_gradient(random_plan)
    for row in range(2):
        slow = slow_value(random_plan, row, barrier, (0.04, 0.08), HEAD_BEYOND_FEET, time_offset=0.3)
        assert value[row] == pytest.approx(slow, rel=1e-10)


@pytest.mark.parametrize("extrapolation", [0.0, 0.2])
def test_the_gradient_is_that_of_moving_the_whole_body_in_the_plane(random_plan, extrapolation):
    """Central differences over shifts of all key points of one state, and over its velocity."""
    cost = ClearanceCost(SCENE, RADII, extrapolation=extrapolation, extensions=HEAD_BEYOND_FEET, extension_radii=0.08)
    _, partial = cost.value_and_gradient(random_plan)
    step = 1e-6
    for row, state, axis in np.ndindex(2, random_plan.key_pos_c.shape[1], 2):
        total = []
        for sign in (1.0, -1.0):
            moved = random_plan.key_pos_c.copy()
            moved[row, state, :, axis] += sign * step
            total.append(cost.value_and_gradient(replace(random_plan, key_pos_c=moved))[0][row])
        assert partial.root_pos_c[row, state, axis] == pytest.approx(
            (total[0] - total[1]) / (2 * step), rel=1e-5, abs=1e-6
        )
        if extrapolation:
            total = []
            for sign in (1.0, -1.0):
                faster = random_plan.root_lin_vel_c.copy()
                faster[row, state, axis] += sign * step
                total.append(cost.value_and_gradient(replace(random_plan, root_lin_vel_c=faster))[0][row])
            slope = (total[0] - total[1]) / (2 * step)
            assert partial.root_lin_vel_c[row, state, axis] == pytest.approx(slope, rel=1e-5, abs=1e-6)
    assert not np.any(partial.root_pos_c[..., 2])
    assert partial.key_pos_c is None and partial.key_pos_l is None


def test_a_robot_by_a_wall_is_pushed_from_it_as_hard_as_its_nearest_part_alone(random_plan):
    wall = HalfSpace((-5.0, 0.0, 0.0), (1.0, 0.0, 0.0))  # everything with x < -5
    points = np.zeros(random_plan.key_pos_c.shape)
    points[..., 0, 0], points[..., 1, 0], points[..., 2, 0] = -4.8, -4.0, -3.0
    barrier = RelaxedBarrier(0.05, 0.3, 0.6)
    _, partial = ClearanceCost(wall, 0.05, barrier).value_and_gradient(replace(random_plan, key_pos_c=points))
    # the others are 0.8 m further: a share of e^-40 at a softness of 0.02 m
    assert partial.root_pos_c[..., 0] == pytest.approx(float(barrier(np.array(0.15))[1]), rel=1e-12)
    assert partial.root_pos_c[..., 1] == pytest.approx(0.0)


def test_the_hands_of_the_standing_robot_lie_in_the_spheres_beyond_its_wrists():
    model, kinematics = load_model(), Kinematics()
    data = mujoco.MjData(model)
    data.qpos[:7], data.qpos[7:] = (0.0, 0.0, 0.76, 1.0, 0.0, 0.0, 0.0), g1.DEFAULT_JOINT_POS
    mujoco.mj_kinematics(model, data)
    points = dict(
        zip(g1.KEY_POINT_NAMES, kinematics.key_points_batch(data.qpos[None], np.zeros((1, 35)))[0][0], strict=True)
    )
    for one in g1.EXTENSIONS:
        centre = (1.0 + one.reach) * points[one.tip] - one.reach * points[one.base]
        hand = model.geom(f"{one.name}_collision").id
        axis = data.geom_xmat[hand].reshape(3, 3)[:, 2] * model.geom_size[hand, 1]
        for end in (data.geom_xpos[hand] + axis, data.geom_xpos[hand] - axis):
            assert np.linalg.norm(end - centre) + model.geom_size[hand, 0] < one.radius


def test_sizes_and_times_that_make_no_sense_are_refused():
    with pytest.raises(GoalError, match="metres, zero or more"):
        ClearanceCost(SCENE, -0.1)
    with pytest.raises(GoalError, match="softness above zero"):
        ClearanceCost(SCENE, RADII, softness=0.0)


@pytest.mark.parametrize("extrapolation", [0.0, 1.2])
def test_leaving_out_what_is_far_away_changes_neither_value_nor_gradient(random_plan, rng, extrapolation):
    """Against the same cost on shapes that are never left out."""
    pillars = [Cylinder([*xy, 0.5], 0.2, 0.5) for xy in rng.uniform(-5.0, 5.0, (25, 2))]

    class Whole(SignedDistance):
        def query(self, points, time=0.0):
            return Union(pillars).query(points, time)

    barrier = RelaxedBarrier(0.05, 0.1, 0.35)
    arguments = {"radii": 0.1, "barrier": barrier, "extrapolation": extrapolation}
    value, gradient = ClearanceCost(Union(pillars), **arguments).value_and_gradient(random_plan)
    expected, slope = ClearanceCost(Whole(), **arguments).value_and_gradient(random_plan)
    assert np.any(expected > 0.0)
    np.testing.assert_allclose(value, expected, rtol=1e-7)
    np.testing.assert_allclose(gradient.root_pos_c, slope.root_pos_c, rtol=1e-6, atol=1e-9)


def test_a_robot_far_from_everything_feels_nothing(random_plan):
    value, gradient = ClearanceCost(Sphere((50.0, 0.0, 0.0), 1.0), 0.1).value_and_gradient(random_plan)
    assert np.all(value == 0.0) and gradient.root_pos_c is None


@pytest.mark.parametrize("moved", [0.3, 3.0, 40.0])
def test_what_is_looked_at_follows_the_plan_from_pass_to_pass(random_plan, rng, moved):
    """One cost that has seen the plan elsewhere says the same as one that sees it for the first time."""
    pillars = Union([Cylinder([*xy, 0.5], 0.2, 0.5) for xy in rng.uniform(-5.0, 5.0, (40, 2))])
    used = ClearanceCost(pillars, 0.1, RelaxedBarrier(0.05, 0.1, 0.35), extrapolation=1.2)
    shift = np.array([moved, 0.5 * moved, 0.0])
    far = replace(random_plan, root_pos_c=random_plan.root_pos_c + shift, key_pos_c=random_plan.key_pos_c + shift)
    used.value_and_gradient(far)
    for plan in (random_plan, far, random_plan):
        fresh = ClearanceCost(pillars, 0.1, RelaxedBarrier(0.05, 0.1, 0.35), extrapolation=1.2)
        (value, gradient), (expected, slope) = used.value_and_gradient(plan), fresh.value_and_gradient(plan)
        np.testing.assert_allclose(value, expected, rtol=1e-9)
        for name in ("root_pos_c", "root_lin_vel_c"):
            one, other = getattr(gradient, name), getattr(slope, name)
            zero = np.zeros(plan.root_pos_c.shape)
            np.testing.assert_allclose(zero if one is None else one, zero if other is None else other, atol=1e-9)
    assert np.any(fresh.value_and_gradient(random_plan)[0] > 0.0)
