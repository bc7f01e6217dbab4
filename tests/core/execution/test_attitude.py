"""One orientation in plain floats against the batched maths."""

import numpy as np
import pytest
from beyondmimic_diffusion.core.execution.attitude import to_body, to_world, up_axis_w, vertical_b
from beyondmimic_diffusion.core.execution.bounded import bounded
from beyondmimic_diffusion.core.rotations import quat_to_matrix


@pytest.mark.parametrize("seed", range(20))
def test_axes_and_rotations_are_the_columns_and_rows_of_the_matrix(seed):
    rng = np.random.default_rng(seed)
    quat, vec = rng.standard_normal(4), rng.standard_normal(3)
    unit = quat / np.linalg.norm(quat)
    matrix = quat_to_matrix(unit)
    close = {"rtol": 0.0, "atol": 1e-14}  # a dozen operations in float64
    np.testing.assert_allclose(up_axis_w(quat), matrix[:, 2], **close)
    np.testing.assert_allclose(vertical_b(quat), matrix[2], **close)
    np.testing.assert_allclose(to_world(unit, vec), matrix @ vec, **close)
    np.testing.assert_allclose(to_body(quat, vec), matrix.T @ vec, **close)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 99.999], True), ([99.0] * 29, True), ([100.0, 0.0], False), ([0.0, -100.0], False), ([1e300], False),
        ([np.nan, 0.0], False), ([np.inf], False), ([-np.inf, np.nan], False), ([], True),
    ],
)  # fmt: skip
def test_numbers_are_bounded_where_each_ones_magnitude_is_below_the_bound(values, expected):
    assert bounded(100.0, np.array(values)) is expected
    assert bounded(100.0, np.zeros(3), np.array(values)) is expected
