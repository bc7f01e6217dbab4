"""Large maps and scenes: understood off the callback thread, told to the planner in part, refused beyond a limit."""

import array
import math

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")

from beyondmimic_diffusion.core.errors import GoalError  # noqa: E402
from beyondmimic_diffusion.core.guidance.sdf import Cylinder, Sphere, Union  # noqa: E402
from beyondmimic_diffusion.core.route import RouteConfig, RoutePlanner  # noqa: E402
from beyondmimic_diffusion.ros.conversions import scene_from_msg  # noqa: E402
from beyondmimic_diffusion.ros.obstacle_store import ObstacleStore, SceneConfig  # noqa: E402
from beyondmimic_diffusion.ros.scene_intake import SceneIntake  # noqa: E402
from beyondmimic_diffusion.ros.transforms import TransformBuffer  # noqa: E402
from beyondmimic_msgs import msg  # noqa: E402
from nav_msgs.msg import OccupancyGrid  # noqa: E402
from nodes.task_rig import pillar, scene  # noqa: E402
from rclpy.serialization import serialize_message  # noqa: E402
from shape_msgs.msg import SolidPrimitive  # noqa: E402

pytestmark = pytest.mark.ros
CELL = 0.05


class Bench:
    """Store and intake, without a node."""

    def __init__(self):
        self.store = ObstacleStore(TransformBuffer("odom"), "odom", SceneConfig())
        self.refused = []
        self.intake = SceneIntake(self.store, lambda: 1.0, lambda source, error: self.refused.append(str(error)))

    def take(self, *messages):
        """Hand over, wait for the thread, put in force."""
        for message in messages:
            self.intake.take(message)
        for job in list(self.intake._jobs):
            job.done.wait()
        self.intake.tick()


@pytest.fixture
def bench():
    made = Bench()
    yield made
    made.intake.close()


def floor(size, occupied=(), resolution=CELL):
    """A map of ``size`` x ``size`` cells about the origin."""
    out = OccupancyGrid()
    out.header.frame_id = "odom"
    out.info.width = out.info.height = size
    out.info.resolution = resolution
    out.info.origin.position.x = out.info.origin.position.y = -0.5 * size * resolution
    cells = np.zeros((size, size), np.int8)
    for x, y in occupied:
        cells[int(y / resolution + size / 2), int(x / resolution + size / 2)] = 100
    out.data = array.array("b", cells.tobytes())
    return out


def sphere(name, x, y, radius=0.2):
    out = msg.SdfPrimitive(id=name, shape=SolidPrimitive(type=SolidPrimitive.SPHERE, dimensions=[radius]))
    out.pose.position.x, out.pose.position.y, out.pose.position.z, out.pose.orientation.w = float(x), float(y), 0.5, 1.0
    return out


def test_a_large_map_is_understood_by_another_thread_and_the_planner_gets_what_is_near_the_robot(bench):
    bench.intake.take(floor(1200, [(20.0, 20.0), (1.0, 0.0)]))
    assert bench.store.empty  # this thread has done nothing of it
    bench.take()
    assert not bench.store.empty
    near = bench.store.message(1.0, np.array([20.0, 18.0]))
    assert len(serialize_message(near)) < 300_000  # 241 x 241 nodes of 4 bytes
    points = np.array([[20.025, 18.0, 0.5], [20.025, 19.0, 0.5], [16.0, 20.025, 0.5]])
    found = scene_from_msg(near).sdf_w.query(points)[0]
    # to the cell's centre at (20.025, 20.025), less half a cell; beyond 3.5 m it is all the same
    np.testing.assert_allclose(found, [2.0, 1.0, 3.5], atol=0.5 * CELL + 1e-3)


def test_what_is_farther_than_the_reach_is_not_sent_unless_it_may_be_here_soon(bench):
    message = scene(
        pillar("near", 5.0, 0.0), pillar("far", 30.0, 0.0), pillar("coming", 9.0, 0.0, velocity=(-1.5, 0.0)), stamp=1.0
    )
    bench.take(message)
    sent = bench.store.message(1.0, np.zeros(2)).primitives
    assert sorted(one.id for one in sent) == ["coming", "near"]
    assert {one.id for one in bench.store.message(1.0).primitives} == {"near", "far", "coming"}


def test_messages_are_put_in_force_in_the_order_in_which_they_came(bench):
    many = scene(*(pillar(f"p{i}", i % 10, i // 10) for i in range(60)))
    bench.take(many, scene(pillar("p0", 7.0, 7.0)))
    (moved,) = [solid for solid, _ in bench.store.solids if solid.name == "p0"]
    assert moved.center[:2] == (7.0, 7.0)


def test_more_obstacles_than_the_limit_are_refused_as_a_whole_and_those_before_stay(bench):
    bench.take(scene(pillar("first", 1.0, 0.0)))
    bench.take(scene(*(sphere(f"s{i}", i, 0.0) for i in range(1000))))
    assert "1001 obstacles would be in force; up to 1000 are served" in bench.refused[0]
    assert len(bench.store.solids) == 1


def test_a_flood_of_large_maps_is_refused_and_does_not_pile_up(bench):
    for _ in range(12):
        bench.intake.take(floor(300))
    assert bench.intake.waiting <= 8
    assert "still being understood" in bench.refused[-1]


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (scene(sphere("a", 1.0, 0.0, 1e30)), "'a': size.*unit error"),
        (scene(sphere("a", 1e30, 0.0)), "unit error"),
        (scene(sphere("a", 1.0, 0.0, -0.2)), "each must be above zero"),
        (scene(sphere("a", 1.0, 0.0, math.inf)), "'a'"),
        (floor(10, resolution=50.0), "cells of 50 m.*unit error"),
        (floor(2000, resolution=1.0), "2000 m long.*unit error"),
        (floor(4001), "4001 x 4001 cells; up to 16000000 are served"),
    ],
)
def test_sizes_that_nothing_near_a_robot_has_are_refused(bench, message, said):
    bench.take(message)
    assert bench.store.empty
    with pytest.raises(GoalError, match=said):
        raise GoalError(bench.refused[0])


@pytest.mark.parametrize("change", [{"inflation": 1e9}, {"inflation": math.nan}])
def test_an_inflation_that_makes_no_sense_is_refused(bench, change):
    solid = sphere("a", 1.0, 0.0)
    for name, value in change.items():
        setattr(solid, name, value)
    bench.take(scene(solid))
    assert "inflation" in bench.refused[0]


def test_a_grid_that_makes_no_sense_is_refused(bench):
    def grid(**changes):
        values = {"id": "g", "voxel_size": 0.1, "size": [2, 2, 1], "distances": [1.0] * 4, **changes}
        out = scene()
        out.grids = [msg.SdfGrid(**values)]
        return out

    for message in (grid(voxel_size=1e9), grid(distances=[1e30] * 4), grid(voxel_size=math.nan)):
        bench.take(message)
    assert bench.store.empty
    assert len(bench.refused) == 3


def test_routes_among_very_many_obstacles_keep_clear_of_each(bench):
    rng = np.random.default_rng(3)
    places = rng.uniform(-40.0, 40.0, (600, 2))
    places = places[np.linalg.norm(places, axis=1) > 1.5]
    places = places[np.linalg.norm(places - (8.0, 6.0), axis=1) > 1.5]
    bench.take(scene(*(sphere(f"s{i}", x, y) for i, (x, y) in enumerate(places))))
    config = RouteConfig()
    ends = (np.zeros(2), np.array([8.0, 6.0]))
    route = RoutePlanner(bench.store.floor(ends, config.reach), config).route(*ends)
    gaps = np.linalg.norm(route.points_w[:, None] - places, axis=-1) - 0.2
    assert gaps.min() > config.robot_radius - 0.12  # a sphere's nearest height is 0.4 m, cells are 0.1 to 0.2 m


def test_the_floor_around_single_obstacles_is_that_of_their_signed_distances(bench):
    bench.take(scene(pillar("a", 1.0, 0.5), sphere("b", -1.0, 0.0)))
    floor_map = bench.store.floor((np.zeros(2), np.array([2.0, 0.0])))
    points = floor_map.centres(np.stack(np.meshgrid(*map(np.arange, floor_map.clearance.shape), indexing="ij"), -1))
    shapes = Union([Cylinder((1.0, 0.5, 1.0), 0.3, 1.0), Sphere((-1.0, 0.0, 0.5), 0.2)])
    heights = [np.concatenate([points, np.full((*points.shape[:2], 1), z)], -1) for z in (0.1, 0.4, 0.7, 1.0, 1.3)]
    expected = np.min([shapes.query(at)[0] for at in heights], axis=0)
    close = expected < 2.5
    np.testing.assert_allclose(floor_map.clearance[close], expected[close], atol=1e-9)
