"""Stamps of applied commands are those of the set-points, not those of the ticks."""

import math

import pytest
from beyondmimic_diffusion.core.execution.due_times import DueTimes
from beyondmimic_diffusion.core.execution.measured import measured_state
from beyondmimic_diffusion.core.rotations import quat_from_rotvec, quat_to_matrix
from beyondmimic_diffusion.core.types import ImuSample, JointSample

DT = 0.02


def due_of(ticks, take_over, phase=0.0):
    times = DueTimes(DT)
    found = [times.advance(now, now - take_over + phase) for now in ticks]
    return [t for t in found if t is not None]


def test_late_ticks_give_the_due_time_of_each_set_point_once():
    ticks = [1.003, 1.008, 1.013, 1.018, 1.0231, 1.0279, 1.041, 1.0601]
    assert due_of(ticks, take_over=1.0) == pytest.approx([1.0, 1.02, 1.04, 1.06], abs=1e-9)


def test_a_tick_a_rounding_error_before_the_due_time_counts_as_on_it():
    assert due_of([1.0, 1.02 - 4e-7], take_over=1.0) == pytest.approx([1.0, 1.02], abs=2e-6)


def test_a_plan_that_takes_over_on_the_same_grid_changes_nothing():
    times = DueTimes(DT)
    assert times.advance(1.003, 0.003) == pytest.approx(1.0)
    assert times.advance(1.023, 0.003) == pytest.approx(1.02)  # a new plan, just taken over
    assert times.advance(1.028, 0.008) is None


def test_a_skipped_set_point_leaves_a_gap_and_no_wrong_stamp():
    assert due_of([1.001, 1.047], take_over=1.0) == pytest.approx([1.0, 1.04])


def test_without_a_plan_the_grid_of_the_clock_is_used():
    times = DueTimes(DT)
    assert times.advance(3.007, math.inf) == pytest.approx(3.0, abs=2e-6)
    assert times.advance(3.019, math.inf) is None
    assert times.advance(3.021, math.inf) == pytest.approx(3.02, abs=2e-6)


def test_a_clock_that_was_set_back_goes_on_from_there():
    times = DueTimes(DT)
    times.advance(9.001, math.inf)
    assert times.advance(2.001, math.inf) == pytest.approx(2.0, abs=2e-6)


def test_measured_state_turns_the_gyro_into_world_axes_and_takes_the_older_stamp(rng):
    quat = quat_from_rotvec(rng.normal(size=3))
    gyro, position, velocity = rng.normal(size=3), rng.normal(size=4), rng.normal(size=4)
    state = measured_state(ImuSample(5.0, quat, gyro, gyro), JointSample(5.004, position, velocity, velocity))
    assert state.stamp == 5.0
    assert state.root_ang_vel_w == pytest.approx(quat_to_matrix(quat) @ gyro)
    assert state.joint_pos is position
