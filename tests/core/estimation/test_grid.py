"""Which samples stand for a slower stream."""

import math

from beyondmimic_diffusion.core.estimation.grid import StampGrid
from hypothesis import given
from hypothesis import strategies as st


def test_a_stream_that_hits_the_grid_is_picked_exactly_on_it():
    grid = StampGrid(0.02)
    picked = [k for k in range(100) if grid.take(k * 0.004)]
    assert picked == list(range(0, 100, 5))


def test_stamps_with_rounding_just_below_the_grid_count_as_on_it():
    grid = StampGrid(0.04)
    assert [grid.take(stamp) for stamp in (0.04, 0.0799999995, 0.0800001, 0.12)] == [True, True, False, True]


@given(st.lists(st.integers(1, 30), min_size=1, max_size=60))
def test_an_irregular_stream_gives_the_first_sample_of_each_cell_it_visits(steps_ms):
    stamps = [1000.0]
    for step in steps_ms:
        stamps.append(stamps[-1] + 1e-3 * step)
    grid = StampGrid(0.02)
    picked = [stamp for stamp in stamps if grid.take(stamp)]
    cells: dict[int, float] = {}
    for stamp in stamps:
        cells.setdefault(math.floor((stamp + 1e-6) / 0.02), stamp)
    assert picked == list(cells.values())


def test_a_jump_back_is_picked_at_once():
    grid = StampGrid(0.02)
    assert grid.take(5.0)
    assert grid.take(1.0)
