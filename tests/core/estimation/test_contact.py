"""Which sole points stand, and where the soles are."""

import mujoco
import numpy as np
import pytest
from beyondmimic_diffusion.core.estimation import SOLE_POINTS, feet_in_contact, stance_weights
from beyondmimic_diffusion.core.robot.model import foot_geom_ids, load_model

F = len(SOLE_POINTS)


def test_the_sole_points_are_the_undersides_of_the_ends_of_the_foots_capsules():
    """Every point lies a capsule radius under some capsule's axis end in the MJCF, and the outermost ends are there."""
    model = load_model()
    ends = {}
    for geom in foot_geom_ids(model):
        frame = np.zeros(9)
        mujoco.mju_quat2Mat(frame, model.geom_quat[geom])
        axis = frame.reshape(3, 3)[:, 2] * model.geom_size[geom, 1]
        under = np.array([0.0, 0.0, model.geom_size[geom, 0]])
        body = model.body(model.geom_bodyid[geom]).name
        ends.setdefault(body, []).extend(model.geom_pos[geom] + sign * axis - under for sign in (1.0, -1.0))
    for point in SOLE_POINTS:
        gap = np.linalg.norm(np.array(ends[point.body]) - point.offset_b, axis=1)
        assert gap.min() < 1e-3  # the MJCF turns one capsule by a degree and shifts it by 0.5 mm
    for body, corners in ends.items():
        ours = np.array([point.offset_b for point in SOLE_POINTS if point.body == body])
        np.testing.assert_allclose(ours[:, 0].max(), np.max(corners, axis=0)[0], atol=1e-3)
        np.testing.assert_allclose(ours[:, 0].min(), np.min(corners, axis=0)[0], atol=1e-3)


def test_weights_sum_to_one_and_a_lifted_point_has_none():
    height = np.linspace(-0.7, -0.65, F)
    weights = stance_weights(height, np.zeros(F), height_band=0.01, speed_scale=0.2)
    assert weights.sum() == pytest.approx(1.0)
    assert ((weights > 0) == (height < -0.69)).all()


def test_at_the_speed_scale_a_point_counts_half_of_one_that_stands():
    speed = np.array([0.0] * (F - 1) + [0.2])
    weights = stance_weights(np.zeros(F), speed, height_band=0.01, speed_scale=0.2)
    assert weights[-1] == pytest.approx(0.5 * weights[0])


@pytest.mark.parametrize(("lift", "expected"), [((0.0, 0.0), (True, True)), ((0.05, 0.0), (False, True))])
def test_a_foot_whose_lowest_point_is_in_the_air_is_not_in_contact(lift, expected):
    height = np.repeat(lift, F // 2) + np.tile(np.linspace(0.0, 0.1, F // 2), 2)
    assert tuple(feet_in_contact(height, 0.01)) == expected
