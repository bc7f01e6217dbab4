"""Tours by name: what is asked of the robot, and that it can be done."""

import math

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_diffusion.core.guidance.teleop import VelocityLimits
from beyondmimic_diffusion.core.tasks import forest
from beyondmimic_diffusion.session.programme import TOURS, Reach, make_programme, waypoints
from beyondmimic_diffusion.session.tour import Tour


@pytest.mark.parametrize("tour", TOURS)
def test_the_same_seed_gives_the_same_tour(tour):
    assert make_programme(tour, 4) == make_programme(tour, 4)


@pytest.mark.parametrize("tour", ["waypoints", "forest", "composed"])
def test_another_seed_gives_another_tour(tour):
    assert make_programme(tour, 4).stages != make_programme(tour, 5).stages


@pytest.mark.parametrize("seed", range(20))
def test_waypoints_lie_one_to_four_metres_apart_in_directions_all_around(seed):
    places = np.array([(0.0, 0.0), *(reach.target for reach in waypoints(seed))])
    ways = np.diff(places, axis=0)
    distances = np.linalg.norm(ways, axis=1)
    assert len(ways) == 5
    assert distances.min() >= 1.0
    assert distances.max() <= 4.0
    directions = np.sort(np.arctan2(ways[:, 1], ways[:, 0]))
    gaps = np.diff([*directions, directions[0] + 2 * math.pi])
    assert gaps.max() < math.radians(72 * 1.8) + 1e-9  # one per fifth of the circle, each at most 0.4 fifths off


def test_the_forest_of_a_seed_is_that_of_the_evaluation_and_its_goal_lies_on_the_far_side():
    programme = make_programme("forest", 3)
    assert programme.scene == forest(3)
    [stage] = programme.stages
    assert isinstance(stage, Reach)
    assert stage.target == forest(3).goal
    assert stage.target[0] > max(obstacle.center[0] for obstacle in forest(3).obstacles)


@pytest.mark.parametrize("seed", range(10))
def test_the_composed_tour_goes_behind_pillars_and_is_then_driven_forward_past_one_within_the_limits(seed):
    programme = make_programme("composed", seed)
    reach, legs = programme.stages
    scene = programme.scene
    assert isinstance(reach, Reach)
    assert isinstance(legs, Tour)
    assert scene is not None
    assert reach.heading is not None
    for leg in legs.legs:
        assert VelocityLimits().clip(leg.velocity) == leg.velocity
    assert legs.legs[-1].velocity == (0.0, 0.0, 0.0)
    ahead = np.array([math.cos(reach.heading), math.sin(reach.heading)])
    assert np.dot(ahead, -np.array(reach.target)) > 0.0  # homewards
    gaps = []  # by hand: pillars are circles, the way is a segment of 2.5 m
    for pillar in scene.obstacles:
        offset = np.array(pillar.center[:2]) - reach.target
        along = np.clip(np.dot(offset, ahead), 0.0, 2.5)
        gaps.append(float(np.linalg.norm(offset - along * ahead)) - pillar.size[0])
    assert 0.35 < min(gaps) < 0.6


def test_legs_from_a_file_are_a_joystick_tour(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("- {name: ahead, duration: 6, vx: 0.3}\n")
    programme = make_programme(str(path), 0)
    assert programme.tour == "joystick"
    assert programme.scene is None
    assert programme.stages[0].legs[0].vx == 0.3


def test_an_unknown_tour_is_refused_with_the_choices():
    with pytest.raises(
        ConfigError, match=r"no tour 'standart'; choose joystick, waypoints, forest, composed, planner_lost, or give"
    ):
        make_programme("standart", 0)


@pytest.mark.parametrize("tour", ["waypoints", "forest", "composed", "planner_lost"])
def test_a_duration_is_for_the_joystick_tour_alone(tour):
    assert sum(stage.duration for stage in make_programme("joystick", 0, 20.0).stages) == pytest.approx(20.0)
    with pytest.raises(ConfigError, match=f"'{tour}' ends by itself"):
        make_programme(tour, 0, 20.0)
