"""Ways over a map."""

from __future__ import annotations

import math

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import GoalError
from beyondmimic_diffusion.core.guidance.sdf import Box, Cylinder, Union
from beyondmimic_diffusion.core.route import NoRouteError, OccupancyMap, RouteConfig, RoutePlanner

from tests.reference.shortest_path import cheapest

LOW, HIGH = (-3.0, -3.0), (3.0, 3.0)
WALL = Box((0.0, -1.0, 1.0), (0.1, 2.0, 1.0))  # from y = -3 to y = 1: the way from left to right leads over its end
RADIUS = 0.35


def planner(sdf, config: RouteConfig | None = None, resolution: float = 0.05) -> RoutePlanner:
    return RoutePlanner(OccupancyMap.from_sdf(sdf, LOW, HIGH, resolution), config)


def pillars(rng, count: int = 8) -> Union:
    return Union([Cylinder((x, y, 1.0), 0.2, 1.0) for x, y in rng.uniform(-2.3, 2.3, (count, 2))])


def random_floor(seed: int, nearest: float) -> OccupancyMap:
    """Square blocks of 3 x 3 cells of 0.1 m: a quarter of them blocked, the others with a random clearance."""
    rng = np.random.default_rng(seed)
    blocks = np.where(rng.random((9, 7)) < 0.25, -0.1, rng.uniform(nearest, 1.0, (9, 7)))
    return OccupancyMap(np.kron(blocks, np.ones((3, 3))), 0.1, (0.0, 0.0))


def ends_of(costs: np.ndarray) -> tuple[tuple[int, int], tuple[int, int]]:
    """Two free cells in opposite corners."""
    free = np.argwhere(costs > 0.0)
    return (int(free[0][0]), int(free[0][1])), (int(free[-1][0]), int(free[-1][1]))


@pytest.mark.parametrize("seed", range(12))
def test_a_shortest_way_is_as_long_as_dijkstras_or_up_to_a_twelfth_shorter(seed):
    """All free cells cost the same. Steps in eight directions are up to 8.24 % longer than straight lines."""
    floor = random_floor(seed, nearest=0.5)
    costs = np.where(floor.clearance < 0.3, -1.0, 1.0)
    start, goal = ends_of(costs)
    expected = 0.1 * cheapest(costs.tolist(), start, goal)
    router = RoutePlanner(floor, RouteConfig(robot_radius=0.3, soft_cost=1.0))
    if math.isinf(expected):
        with pytest.raises(NoRouteError, match="no way from"):
            router.route(floor.centres(start), floor.centres(goal))
    else:
        length = router.route(floor.centres(start), floor.centres(goal)).length
        assert expected / 1.0824 - 0.1 <= length <= expected + 1e-9  # a cell for corners that lines may shave


@pytest.mark.parametrize("seed", range(12))
def test_a_way_costs_no_more_than_dijkstras_where_nearness_costs(seed):
    floor = random_floor(seed, nearest=0.31)
    costs = np.where(floor.clearance < 0.3, -1.0, 1.0 + 3.0 * np.clip((0.7 - floor.clearance) / 0.4, 0.0, 1.0) ** 2)
    start, goal = ends_of(costs)
    expected = cheapest(costs.tolist(), start, goal)
    if math.isinf(expected):
        return  # the test above has these
    config = RouteConfig(robot_radius=0.3, soft_clearance=0.7, soft_cost=4.0, spacing=0.01)
    way = RoutePlanner(floor, config).route(floor.centres(start), floor.centres(goal))
    cell = np.floor(0.5 * (way.points_w[1:] + way.points_w[:-1]) / 0.1).astype(int)
    length = np.linalg.norm(np.diff(way.points_w, axis=0), axis=1) / 0.1
    along = costs[cell[:, 0], cell[:, 1]]
    # a step between two blocks' corners grazes cells that the search never entered: the dearest price for those
    assert np.sum(length * np.where(along < 0.0, 4.0, along)) <= 1.05 * expected


@pytest.mark.parametrize("seed", range(6))
def test_a_way_keeps_the_robots_radius_from_every_pillar_and_ends_where_it_should(seed):
    rng = np.random.default_rng(seed)
    scene = pillars(rng)
    router = planner(scene)
    ends = [p for p in rng.uniform(-2.8, 2.8, (40, 2)) if router.is_free(p)][:2]
    way = router.route(*ends)
    np.testing.assert_allclose(way.points_w[[0, -1]], ends)
    heights = np.concatenate([way.points_w, np.ones((len(way.points_w), 1))], axis=1)
    # the map is linear between centres: a tenth of a cell is far more than its error at 0.55 m from an axis
    assert scene.query(heights)[0].min() >= RADIUS - 0.005
    assert way.is_free()
    steps = np.linalg.norm(np.diff(way.points_w, axis=0), axis=1)
    assert steps.max() <= router.config.spacing + 1e-9


def test_the_way_round_a_walls_end_is_as_long_as_the_rope_round_its_inflated_corner():
    """Without a soft cost: a tangent to the circle of the robot's radius round each corner, its arc, and the top."""
    way = planner(WALL, RouteConfig(soft_cost=1.0)).route((-2.0, 0.0), (2.0, 0.0))
    corner, straight = np.array([0.1, 1.0]), math.hypot(2.0 - 0.1, 1.0)
    tangent = math.sqrt(straight**2 - RADIUS**2)
    angle = math.atan2(1.0, 2.0 - corner[0]) + math.asin(RADIUS / straight)  # of the tangent over the floor
    rope = 2.0 * (tangent + RADIUS * angle + corner[0])
    assert rope - 0.01 <= way.length <= 1.03 * rope  # eight directions are within 3 % once pulled straight


def test_with_nothing_in_the_way_it_is_a_straight_line():
    way = planner(None).route((-2.0, -1.0), (2.0, 1.7))
    assert way.length == pytest.approx(math.hypot(4.0, 2.7), rel=1e-9)


def test_a_soft_cost_leads_through_the_middle_of_a_gate():
    gate = Union([Box((0.0, y, 1.0), (0.1, 0.5, 1.0)) for y in (-1.2, 1.2)])  # 1.4 m wide, centred on y = 0
    hugging = planner(gate, RouteConfig(soft_cost=1.0)).route((-2.0, -0.3), (2.0, -0.3))
    centred = planner(gate, RouteConfig(soft_cost=8.0, soft_clearance=0.7)).route((-2.0, -0.3), (2.0, -0.3))

    def at_gate(way):
        return abs(way.points_w[np.argmin(np.abs(way.points_w[:, 0])), 1])

    assert at_gate(hugging) > 0.25 and at_gate(centred) < 0.1


@pytest.mark.parametrize("place", [(-0.3, -1.0), (-0.15, -0.5), (-0.05, -1.0)])
def test_a_start_too_near_an_obstacle_still_gets_out_without_crossing_it(place):
    """0.2 m, 0.05 m from the wall's left face, and just inside it."""
    way = planner(WALL).route(place, (-2.0, -1.0))
    np.testing.assert_allclose(way.points_w[0], place)
    assert np.all(way.points_w[1:, 0] < 0.0)
    assert way.is_free()  # free from where it has left the blocked zone


def test_leaving_an_inflated_zone_does_not_open_a_way_through_a_thin_wall():
    closed = Box((0.0, 0.0, 1.0), (0.1, 3.0, 1.0))
    with pytest.raises(NoRouteError, match="no way from"):
        planner(closed).route((-0.3, 0.0), (2.0, 0.0))


@pytest.mark.parametrize(
    ("start", "goal", "text"),
    [
        ((-2.0, 0.0), (0.0, 0.0), "of clearance; the robot needs 0.35 m"),
        ((-2.0, 0.0), (0.3, 0.0), "has 0.20 m of clearance"),
        ((-2.0, 0.0), (7.0, 0.0), r"goal \(7.00, 0.00\) lies outside the map"),
        ((-9.0, 0.0), (2.0, 0.0), r"start .* outside the map"),
        ((np.nan, 0.0), (2.0, 0.0), "is not a place"),
    ],
)
def test_no_route_is_said_in_a_sentence_with_the_reason(start, goal, text):
    with pytest.raises(NoRouteError, match=text) as caught:
        planner(WALL).route(start, goal)
    assert isinstance(caught.value, GoalError)


def test_a_new_map_is_planned_on_and_counted():
    router = planner(None)
    straight = router.route((-2.0, 0.0), (2.0, 0.0))
    router.update_map(OccupancyMap.from_sdf(WALL, LOW, HIGH))
    assert router.version == 1
    assert not straight.is_free(router.is_free)
    assert router.route((-2.0, 0.0), (2.0, 0.0)).length > straight.length + 0.3


def test_ahead_is_the_point_at_that_distance_along_the_way():
    way = planner(None).route((-2.0, 0.0), (2.0, 0.0))
    np.testing.assert_allclose(way.ahead((-1.0, 0.3), 0.9), (-0.1, 0.0), atol=1e-9)
    np.testing.assert_allclose(way.ahead((1.5, 0.0), 0.9), (2.0, 0.0), atol=1e-9)
    assert way.remaining((-1.0, 0.3)) == pytest.approx(3.3)
    assert way.deviation((-1.0, 0.3)) == pytest.approx(0.3)


def test_behind_a_corner_the_farthest_point_in_sight_is_aimed_at():
    router = planner(WALL)
    way = router.route((-2.0, 0.0), (2.0, 0.0))
    for share in np.linspace(0.0, 1.0, 25):
        place = way.at(share * way.length)
        aim = way.ahead(place, 2.5)
        line = place + np.linspace(0.0, 1.0, 400)[:, None] * (aim - place)
        # a line of sight is looked at every 4 cm: it may cut the circle round a corner by less than a millimetre
        assert router.map.clearance_at(line).min() >= RADIUS - 1e-3
        assert np.linalg.norm(aim - place) > 0.1 or share == 1.0
    hidden = [np.linalg.norm(way.ahead(p, 2.5) - p) for p in way.points_w[:20]]
    assert min(hidden) < 2.4  # seen from there, the point 2.5 m along lies behind the wall's end


def test_each_step_towards_the_point_ahead_shortens_the_way_left():
    router = planner(WALL)
    way, place = router.route((-2.0, -1.0), (2.0, -1.0)), np.array([-2.0, -1.2])
    left = way.remaining(place)
    for _ in range(400):
        offset = way.ahead(place) - place
        place = place + min(0.05, np.linalg.norm(offset)) * offset / max(np.linalg.norm(offset), 1e-9)
        assert way.remaining(place) <= left + 1e-6
        left = way.remaining(place)
        if left < 0.02:
            break
    assert left < 0.02
