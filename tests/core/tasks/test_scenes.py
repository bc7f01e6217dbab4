"""Scenes: drawn, stored, measured."""

from __future__ import annotations

import math

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import GoalError
from beyondmimic_diffusion.core.route import RouteConfig, RoutePlanner
from beyondmimic_diffusion.core.tasks import (
    Obstacle,
    Scene,
    composed,
    corridor,
    forest,
    load_scene,
    moving_obstacle,
    save_scene,
)
from beyondmimic_diffusion.core.tasks.scenes import FOREST_CLEARANCE

from tests.reference import sdf as oracle

GENERATORS = [forest, moving_obstacle, composed, corridor]


@pytest.mark.parametrize("generate", GENERATORS)
def test_the_same_seed_draws_the_same_scene_and_another_seed_another(generate):
    assert generate(5) == generate(5)
    assert generate(5) != generate(6)


@pytest.mark.parametrize("seed", range(10))
def test_a_forest_is_fifteen_pillars_in_eight_by_nine_metres_that_do_not_overlap(seed):
    scene = forest(seed)
    places = np.array([o.center[:2] for o in scene.obstacles])
    radii = np.array([o.size[0] for o in scene.obstacles])
    assert len(scene.obstacles) == 15 and np.all((radii >= 0.15) & (radii <= 0.25))
    assert np.all(places[:, 0] - radii >= 0.0) and np.all(places[:, 0] + radii <= 8.0)
    assert np.all(np.abs(places[:, 1]) + radii <= 4.5)
    for i in range(15):
        for j in range(i):
            assert math.dist(places[i], places[j]) > radii[i] + radii[j]
    assert scene.start[0] < 0.0 and scene.goal[0] > 8.0


@pytest.mark.parametrize("seed", range(10))
def test_every_forest_has_a_way_of_the_stated_clearance(seed):
    scene = forest(seed)
    config = RouteConfig(robot_radius=FOREST_CLEARANCE - 0.05)  # the finer map of the check shaves half a coarse cell
    way = RoutePlanner(scene.map(0.05), config).route(scene.start[:2], scene.goal)
    points = np.concatenate([way.points_w, np.full((len(way.points_w), 1), 0.8)], axis=1)
    assert scene.clearance(points) >= config.robot_radius - 0.005


@pytest.mark.parametrize("seed", range(20))
def test_moving_obstacles_cross_the_straight_way_near_a_robot_that_walks_it(seed):
    scene = moving_obstacle(seed)
    assert 1 <= len(scene.obstacles) <= 2
    direction = np.array(scene.goal) / np.linalg.norm(scene.goal)
    for obstacle in scene.obstacles:
        assert 0.25 <= obstacle.size[0] <= 0.3
        assert 0.2 <= np.linalg.norm(obstacle.velocity) <= 0.6 and obstacle.velocity[2] == 0.0
        times = np.arange(0.0, 20.0, 0.02)
        walker = np.clip(0.35 * (times - 1.0), 0.0, 4.0)[:, None] * direction
        there = np.array(obstacle.center[:2]) + times[:, None] * np.array(obstacle.velocity[:2])
        assert np.linalg.norm(there - walker, axis=1).min() < 0.75  # within a second's way it would be met
    start = np.append(scene.start[:2], 0.8)
    assert scene.clearance(start) > 0.2


@pytest.mark.parametrize("seed", range(10))
def test_in_a_composed_scene_the_straight_way_is_blocked_and_another_one_exists(seed):
    scene = composed(seed)
    straight = np.linspace(0.0, 1.0, 200)[:, None] * np.array(scene.goal)
    assert scene.clearance(np.concatenate([straight, np.full((200, 1), 0.8)], axis=1)) < 0.15
    assert RoutePlanner(scene.map(0.1)).route(scene.start[:2], scene.goal).length > np.linalg.norm(scene.goal)
    assert -math.pi <= scene.goal_heading <= math.pi


@pytest.mark.parametrize("seed", range(10))
def test_a_corridor_can_be_walked_through_past_its_pillar(seed):
    scene = corridor(seed)
    way = RoutePlanner(scene.map(0.05)).route(scene.start[:2], scene.goal)
    assert np.abs(way.points_w[:, 1]).max() < 0.6


def test_each_shape_has_the_distance_of_its_plain_definition(rng):
    center = (0.3, -0.2, 0.9)
    shapes = {
        Obstacle("s", "sphere", center, (0.4,)): lambda p: oracle.sphere(p, center, 0.4),
        Obstacle("b", "box", center, (0.8, 0.4, 0.6), yaw=0.7): lambda p: oracle.box(p, center, (0.4, 0.2, 0.3), 0.7),
        Obstacle("z", "cylinder", center, (0.3, 1.0)): lambda p: oracle.cylinder(p, center, 0.3, 0.5),
        Obstacle("c", "capsule", center, (0.3, 1.0)): lambda p: (
            oracle.segment(p, (0.3, -0.2, 0.4), (0.3, -0.2, 1.4)) - 0.3
        ),
    }
    for obstacle, truth in shapes.items():
        for point in rng.uniform(-1.0, 2.0, (30, 3)):
            assert obstacle.sdf().query(point)[0] == pytest.approx(truth(point), abs=1e-8)


def test_a_moving_scene_is_seen_by_its_distance_as_it_is_by_hand(rng):
    scene = Scene("m", (Obstacle("c", "sphere", (0.0, 0.0, 1.0), (0.2,), velocity=(0.5, -0.1, 0.0)),))
    points = rng.uniform(-2.0, 2.0, (20, 3))
    expected = [math.dist(p, (1.5, -0.3, 1.0)) - 0.2 for p in points]
    np.testing.assert_allclose(scene.sdf().query(points, 3.0)[0], expected)
    assert scene.at(3.0).obstacles[0].center == pytest.approx((1.5, -0.3, 1.0))


def test_what_moves_is_left_out_of_the_map_unless_asked_for():
    scene = moving_obstacle(3)
    assert not scene.map(0.2).occupied.any() and scene.map(0.2, moving=True).occupied.any()


@pytest.mark.parametrize("generate", GENERATORS)
def test_a_scene_survives_its_file(generate, tmp_path):
    save_scene(generate(4), tmp_path / "scene.yaml")
    assert load_scene(tmp_path / "scene.yaml") == generate(4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\nobstacels: []", r"unknown \['obstacels'\]"),
        ("obstacles: []", r"missing \['name'\]"),
        ("- 1", "must be a mapping"),
        ("name: a\nobstacles: 3", "must be a list"),
        ("name: a\nobstacles: [{name: p, shape: cone, center: [0, 0, 0], size: [1]}]", "'cone' is unknown; known are"),
        ("name: a\nobstacles: [{name: p, shape: sphere, center: [0, 0], size: [1]}]", "has 3 finite numbers"),
        ("name: a\nobstacles: [{name: p, shape: sphere, center: [0, 0, .nan], size: [1]}]", "finite"),
        ("name: a\nobstacles: [{name: p, shape: box, center: [0, 0, 0], size: [1]}]", "a box has 3"),
        ("name: a\nobstacles: [{name: p, shape: sphere, center: [0, 0, 0], size: [0]}]", "above zero"),
        ("name: a\nobstacles: [{name: p, center: [0, 0, 0], size: [0]}]", r"missing \['shape'\]"),
        ("name: a\ngoal: [1]", "goal = .* 2 finite numbers"),
        ("name: a\nlow: [1, 0]\nhigh: [0, 1]", "has no area"),
        ("name: [", "is not YAML"),
    ],
)
def test_a_file_that_is_no_scene_is_refused_by_name_and_reason(tmp_path, text, message):
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(GoalError, match=rf"mine\.yaml.*{message}"):
        load_scene(file)


def test_a_file_that_is_not_there_is_said_so(tmp_path):
    with pytest.raises(GoalError, match="cannot be read"):
        load_scene(tmp_path / "none.yaml")


def test_two_obstacles_of_one_name_are_refused():
    pillar = Obstacle("p", "sphere", (0.0, 0.0, 0.0), (1.0,))
    with pytest.raises(GoalError, match="may occur once"):
        Scene("a", (pillar, pillar))
