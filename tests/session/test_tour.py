"""The tour: what is asked when, by hand-computed times."""

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_diffusion.core.guidance.teleop import VelocityLimits
from beyondmimic_diffusion.session.tour import MIN_STEADY, RAMP, SETTLE, STANDARD, Leg, Tour, load_tour


def test_the_standard_tour_asks_for_every_direction_for_about_a_minute():
    tour = Tour()
    assert tour.duration == pytest.approx(60.0)
    asked = np.array([leg.velocity for leg in STANDARD])
    for column in range(3):
        assert asked[:, column].max() > 0.0 > asked[:, column].min()
    assert STANDARD[0].velocity == STANDARD[-1].velocity == (0.0, 0.0, 0.0)


def test_every_leg_of_the_standard_tour_has_a_steady_part_of_three_seconds():
    assert min(leg.duration for leg in STANDARD) - SETTLE >= MIN_STEADY
    assert min(leg.duration for leg in STANDARD[1:]) - SETTLE >= 3.0


def test_the_standard_tour_stays_within_the_task_servers_limits():
    for leg in STANDARD:
        assert VelocityLimits().clip(leg.velocity) == leg.velocity


def test_the_command_climbs_linearly_over_the_ramp_and_then_stays():
    tour = Tour((Leg("a", 5.0, vx=0.4), Leg("b", 5.0, vx=-0.2, yaw_rate=0.6)))
    assert tour.command(0.25 * RAMP)[0] == pytest.approx(0.1)
    assert tour.command(RAMP) == tour.command(4.9) == (0.4, 0.0, 0.0)
    assert tour.command(5.0 + 0.5 * RAMP) == pytest.approx((0.1, 0.0, 0.3))
    assert tour.command(9.9) == pytest.approx((-0.2, 0.0, 0.6))


def test_the_command_never_jumps():
    tour, dt = Tour(), 0.01
    commands = np.array([tour.command(t) for t in np.arange(-1.0, tour.duration - dt, dt)])
    steepest = max(np.ptp([leg.velocity[i] for leg in STANDARD]) for i in range(3)) / RAMP
    assert np.abs(np.diff(commands, axis=0)).max() <= steepest * dt + 1e-9


def test_outside_the_tour_the_robot_is_asked_to_rest():
    assert Tour().command(-0.1) == Tour().command(61.0) == (0.0, 0.0, 0.0)
    assert Tour().leg_at(-0.1) is None
    assert Tour().leg_at(61.0) is None


def test_the_timetable_is_seamless_and_absolute():
    table = Tour().timetable(100.0)
    assert table[0]["start"] == 100.0
    assert table[-1]["end"] == pytest.approx(160.0)
    for before, after in zip(table, table[1:], strict=False):
        assert after["start"] == pytest.approx(before["end"])


def test_the_planner_runs_but_in_legs_that_say_otherwise_and_outside_of_the_tour():
    tour = Tour((Leg("with", 2.0), Leg("without", 2.0, planner=False)))
    assert [tour.plans(t) for t in (-1.0, 0.0, 1.9, 2.0, 3.9, 4.0)] == [True, True, True, False, False, True]
    assert [entry["planner"] for entry in tour.timetable(0.0)] == [True, False]


@pytest.mark.parametrize("duration", [4.0, 12.0, 20.0, 60.0, 300.0])
def test_a_fitted_tour_lasts_as_long_as_asked_and_ends_at_rest(duration):
    tour = Tour().fitted(duration)
    assert tour.duration == pytest.approx(duration)
    assert tour.legs[0].name == "stand"
    assert tour.legs[-1].name == "stop"


def test_a_short_session_still_walks_for_half_its_time():
    tour = Tour().fitted(12.0)
    assert [(leg.name, leg.duration) for leg in tour.legs] == [("stand", 3.0), ("forward", 6.0), ("stop", 3.0)]


def test_a_long_session_goes_round_the_middle_legs_again():
    names = [leg.name for leg in Tour().fitted(120.0).legs]
    middle = [leg.name for leg in STANDARD[1:-1]]
    assert names[: 1 + 2 * len(middle)] == ["stand", *middle, *middle]


def test_a_tour_file_gives_its_legs(tmp_path):
    path = tmp_path / "tour.yaml"
    path.write_text("- {name: ahead, duration: 6, vx: 0.3}\n- {name: spin, duration: 5, yaw_rate: -0.4}\n")
    assert load_tour(str(path)) == Tour((Leg("ahead", 6, vx=0.3), Leg("spin", 5, yaw_rate=-0.4)))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("- {name: a, duration: 5, speed: 1}", "speed"),
        ("- {duration: 5}", "name"),
        ("- {name: a, duration: -1}", "above zero"),
        ("- {name: a, duration: 5, vx: .nan}", "finite"),
        ("- {name: a, duration: 5, vx: fast}", "finite"),
        ("hello", "list"),
        ("[", "not YAML"),
        ("[]", "at least one leg"),
    ],
)
def test_a_bad_tour_file_is_refused_with_what_is_wrong(tmp_path, text, named):
    path = tmp_path / "tour.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=named):
        load_tour(str(path))


def test_a_tour_file_that_is_not_there_is_named():
    with pytest.raises(ConfigError, match="tour 'nowhere.yaml' is no file"):
        load_tour("nowhere.yaml")


def test_a_tour_file_may_lose_the_planner_and_says_so_in_yamls_own_words(tmp_path):
    path = tmp_path / "tour.yaml"
    path.write_text("- {name: lost, duration: 3, vx: 0.3, planner: false}\n")
    assert load_tour(str(path)).legs == (Leg("lost", 3, vx=0.3, planner=False),)
    path.write_text("- {name: lost, duration: 3, planner: gone}\n")
    with pytest.raises(ConfigError, match="planner is 'gone'; true or false"):
        load_tour(str(path))
