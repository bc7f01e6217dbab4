"""Figures of motions whose velocities are known, and intervals against the equation they solve."""

import numpy as np
import pytest
from beyondmimic_diffusion.core.rotations import quat_from_yaw
from beyondmimic_training.evaluate import EpisodeSpec, Leg, Trace, judge, summarize, wilson
from beyondmimic_training.evaluate.judge import Z95

TURN = Leg("turn", (0.3, 0.1, 0.5), 3.0)


def spec_of(*legs, index=0, lead_in=None):
    return EpisodeSpec(0, index, 0.0, np.zeros(29), lead_in, tuple(legs))


def arc(forward, left, yaw_rate, seconds, fell=False, height=0.75, yaw=3.0):
    """A robot that keeps a velocity in its own heading frame; ``yaw`` starts near the jump of the angle."""
    times = 0.02 * np.arange(round(seconds / 0.02))
    heading = yaw + yaw_rate * times
    qpos = np.zeros((len(times), 36))
    qpos[:, 2], qpos[:, 3:7] = height, quat_from_yaw(heading)
    velocity = np.stack(
        [
            forward * np.cos(heading) - left * np.sin(heading),
            forward * np.sin(heading) + left * np.cos(heading),
            np.zeros(len(times)),
        ],
        axis=1,
    )
    return Trace(qpos, velocity, fell)


def test_errors_are_the_distance_of_the_velocity_kept_from_the_command():
    result = judge(spec_of(TURN), arc(0.33, 0.14, 0.4, 3.0))
    (leg,) = result.legs
    assert result.outcome == "completed"
    assert leg.mean == pytest.approx((0.33, 0.14, 0.4), abs=1e-9)
    assert leg.velocity_error == pytest.approx(0.05)  # 3-4-5 triangle
    assert leg.yaw_rate_error == pytest.approx(0.1)
    assert leg.window_errors == pytest.approx([0.05, 0.05])


def test_sway_shows_in_the_second_long_windows_only_as_far_as_it_does_not_average_out():
    trace = arc(0.3, 0.1, 0.5, 3.0)
    sway = 0.2 * np.sin(2.0 * np.pi * trace.times)  # period of one window
    drift = np.where(trace.times < 2.0, -0.06, 0.06)  # first counted second slow, second one fast
    faster = arc(1.0, 0.0, 0.5, 3.0).lin_vel_w
    leg = judge(spec_of(TURN), Trace(trace.qpos, trace.lin_vel_w + (sway + drift)[:, None] * faster, False)).legs[0]
    assert leg.velocity_error == pytest.approx(0.0, abs=1e-9)
    assert leg.window_errors == pytest.approx([0.06, 0.06])


def test_a_fall_cuts_off_its_leg_and_keeps_the_legs_before():
    ahead = Leg("forward", (0.3, 0.1, 0.5), 3.0)
    result = judge(spec_of(ahead, TURN), arc(0.3, 0.1, 0.5, 4.0, fell=True))
    assert [leg.name for leg in result.legs] == ["forward"]
    assert result.outcome == "fell"
    assert result.lived == pytest.approx(3.98)


def test_a_robot_that_sits_at_the_end_has_failed_though_its_head_stayed_up():
    assert judge(spec_of(TURN), arc(0.3, 0.1, 0.5, 3.0, height=0.3)).outcome == "not upright at the end"


def test_without_commands_there_are_no_velocity_figures():
    summary = summarize([judge(spec_of(Leg("free", None, 3.0)), arc(0.3, 0.1, 0.5, 3.0))])
    assert summary["velocity_error"] is None
    assert summary["success"]["rate"] == 1.0


def test_the_summary_counts_failures_by_start_and_averages_over_legs():
    good = judge(spec_of(TURN), arc(0.33, 0.14, 0.5, 3.0))
    bad = judge(spec_of(TURN, lead_in=(0.5, 0.0, 0.0)), arc(0.3, 0.1, 0.5, 2.0, fell=True))
    exact = judge(spec_of(TURN), arc(0.3, 0.1, 0.5, 3.0))
    summary = summarize([good, bad, exact])
    assert summary["falls"] == 1
    assert summary["time_of_fall"] == [1.98]
    assert summary["success_by_start"]["standing"]["rate"] == 1.0
    assert summary["success_by_start"]["walking"]["rate"] == 0.0
    assert summary["velocity_error"] == pytest.approx(0.025)
    assert summary["velocity_rms_1s"] == pytest.approx(0.05 / np.sqrt(2.0))


@pytest.mark.parametrize(("successes", "n"), [(0, 5), (5, 5), (194, 200), (1, 3)])
def test_wilson_bounds_are_the_rates_that_lie_one_score_away(successes, n):
    """The interval solves |p - rate| = z sqrt(p (1 - p) / n) for p (Wilson 1927)."""
    for bound in wilson(successes, n):
        score = abs(successes / n - bound) - Z95 * np.sqrt(bound * (1.0 - bound) / n)
        assert score == pytest.approx(0.0, abs=1e-9)


def test_no_episodes_say_nothing_about_the_rate():
    assert wilson(0, 0) == (0.0, 1.0)
