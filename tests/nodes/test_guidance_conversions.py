"""Goals and obstacles survive the way through messages; distances agree with geometry done by hand."""

import json
import math

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
bm = pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")

from beyondmimic_diffusion.core.errors import GoalError  # noqa: E402
from beyondmimic_diffusion.core.guidance import DistanceGrid  # noqa: E402
from beyondmimic_diffusion.core.guidance.goals import (  # noqa: E402
    CustomGoal,
    HeadingGoal,
    JoystickGoal,
    KeyframeGoal,
    ObstacleScene,
    WaypointGoal,
)
from beyondmimic_diffusion.core.robot import g1  # noqa: E402
from beyondmimic_diffusion.core.rotations import quat_from_rotvec, quat_from_yaw  # noqa: E402
from beyondmimic_diffusion.ros import conversions as c  # noqa: E402
from beyondmimic_diffusion.ros.conversions.scene import grid_to_sdf, placed_grid  # noqa: E402
from beyondmimic_diffusion.ros.frames import IDENTITY, Transform  # noqa: E402
from nav_msgs.msg import OccupancyGrid  # noqa: E402
from nodes.task_rig import pillar, scene, wall  # noqa: E402
from shape_msgs.msg import SolidPrimitive  # noqa: E402

pytestmark = pytest.mark.ros
TERM = bm.GuidanceTerm
TURNED = Transform(np.array([1.0, 2.0, 0.0]), quat_from_yaw(math.pi / 2))
"""A frame at (1, 2) whose x axis points along the odometry's y."""


def back(*goals, **options):
    return c.goals_from_msg(c.goals_to_msg(goals, 4, 12.0), **options)


def test_a_waypoint_with_heading_speed_and_passing_comes_back_as_one_goal():
    (goal,) = back(WaypointGoal((1.5, -2.0), 0.7, max_speed=0.25, stop=False))
    assert isinstance(goal, WaypointGoal)
    assert tuple(goal.position_xy_w) == (1.5, -2.0)
    assert float(goal.heading_w) == pytest.approx(0.7)
    assert (float(goal.max_speed), bool(goal.stop)) == (0.25, False)


def test_a_waypoint_without_heading_or_speed_has_none():
    (goal,) = back(WaypointGoal((1.5, -2.0)))
    assert (goal.heading_w, goal.max_speed, bool(goal.stop)) == (None, None, True)


def test_a_heading_alone_stays_a_heading():
    (goal,) = back(HeadingGoal(-2.5))
    assert isinstance(goal, HeadingGoal)
    assert float(goal.heading_w) == pytest.approx(-2.5)


@pytest.mark.parametrize("frame", ["local", "world"])
def test_a_keyframe_comes_back_with_its_frame_time_and_hold(frame):
    sent = KeyframeGoal(("left_toe", "torso"), ((0.1, 0.2, 0.3), (1.0, 2.0, 3.0)), due=14.5, frame=frame, hold=0.5)
    (goal,) = back(sent)
    assert (goal.key_points, goal.due, goal.frame, goal.hold) == (sent.key_points, 14.5, frame, 0.5)
    np.testing.assert_allclose(goal.positions, sent.positions)


def test_all_terms_of_a_message_share_its_expiry():
    message = c.goals_to_msg((WaypointGoal((1.0, 0.0)),), 4, 12.0, expires=13.5, with_scene=True)
    goals = c.goals_from_msg(message, scene=ObstacleScene(stamp=11.0))
    assert [type(goal) for goal in goals] == [WaypointGoal, ObstacleScene]
    assert [goal.expires for goal in goals] == [13.5, 13.5]


def test_the_sooner_expiry_of_goal_and_message_counts():
    assert c.time_from_msg(c.goals_to_msg((JoystickGoal(expires=12.5),), 1, 12.0, expires=14.0).expires) == 12.5


def test_obstacles_without_a_scene_are_refused_not_passed_over():
    message = c.goals_to_msg((JoystickGoal(),), 1, 0.0, with_scene=True)
    with pytest.raises(GoalError, match="guidance/scene"):
        c.goals_from_msg(message)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda t: setattr(t.waypoint.header, "frame_id", "map"), "'map'.*'odom'"),
        (lambda t: setattr(t.waypoint.pose.position, "x", math.inf), "not finite"),
        (lambda t: setattr(t, "waypoint_softness", 3.0), "waypoint_softness"),
        (lambda t: setattr(t, "waypoint_speed", -1.0), "negative"),
    ],
    ids=["another frame", "infinite", "softness", "negative speed"],
)
def test_a_waypoint_that_cannot_be_served_is_refused_with_the_reason(spoil, said):
    message = c.goals_to_msg((WaypointGoal((1.0, 0.0)),), 1, 0.0)
    spoil(message.terms[0])
    with pytest.raises(GoalError, match=said):
        c.goals_from_msg(message)


def test_a_velocity_and_a_waypoint_at_once_are_refused():
    with pytest.raises(GoalError, match="JoystickGoal and WaypointGoal"):
        back(JoystickGoal((0.1, 0.0)), WaypointGoal((1.0, 0.0)))


def custom(**changes):
    term = TERM(type=TERM.CUSTOM, name="low", weight=0.5, custom_plugin="pelvis_height", custom_json='{"height": 0.6}')
    for name, value in changes.items():
        setattr(term, name, value)
    return bm.GuidanceGoal(seq=1, global_scale=1.0, terms=[term])


def test_a_users_cost_is_served_where_modules_are_configured_and_refused_elsewhere():
    (goal,) = c.goals_from_msg(custom(last_step=7, scale_limit=2.0), custom=True)
    assert goal == CustomGoal("pelvis_height", {"height": 0.6}, weight=0.5, last_step=7, clip=2.0)
    with pytest.raises(GoalError, match=r"steering\.goals\.custom\.modules"):
        c.goals_from_msg(custom())
    with pytest.raises(GoalError, match="not JSON"):
        c.goals_from_msg(custom(custom_json="{height}"), custom=True)


def test_places_in_another_frame_are_brought_to_the_odometrys():
    class Frames:
        def lookup(self, target, source, stamp=None):
            assert (target, source) == ("odom", "shelf")
            return TURNED

    message = c.goals_to_msg((WaypointGoal((3.0, 1.0), 0.25),), 1, 0.0, names=c.FrameNames("shelf"))
    (goal,) = c.goals_from_msg(c.placed_goal(message, Frames(), c.FrameNames()))
    # by hand: x along odom's y, y against odom's x
    np.testing.assert_allclose(goal.position_xy_w, (1.0 - 1.0, 2.0 + 3.0), atol=1e-12)
    assert float(goal.heading_w) == pytest.approx(0.25 + math.pi / 2)


# --------------------------------------------------------------------- keyframes


def keyframe(**changes):
    message = c.keyframes_to_msg([KeyframeGoal(("torso",), ((0.0, 0.0, 0.3),), due=14.5)])[0]
    for name, value in changes.items():
        setattr(message, name, value)
    return message


def test_a_keyframe_by_step_is_due_so_many_steps_after_it_was_given():
    message = keyframe(step=4)
    message.header.stamp.sec = message.header.stamp.nanosec = 0
    assert c.keyframe_from_msg(message, 10.0).due == pytest.approx(10.0 + 5 * 0.04)


def test_bodies_are_known_by_the_key_point_at_their_origin():
    for point in g1.KEY_POINTS:
        assert c.key_point(point.name) == point.name
        if not any(point.offset_b):
            assert c.key_point(point.body) == point.name


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"body_names": ["tail"]}, "'tail'.*left_toe"),
        ({"mask": [3]}, "orientations"),
        ({"poses": []}, "0 poses"),
        ({"hold": -1.0}, "hold"),
    ],
    ids=["unknown body", "orientation", "no poses", "negative hold"],
)
def test_a_keyframe_that_cannot_be_served_is_refused_with_the_reason(changes, said):
    with pytest.raises(GoalError, match=said):
        c.keyframe_from_msg(keyframe(**changes), 0.0)


# --------------------------------------------------------------------- obstacles


def distance(sdf, *point, time=0.0):
    return float(sdf.query(np.array([point], dtype=float), time)[0][0])


def test_a_cylinder_grows_by_its_inflation_on_all_sides():
    message = pillar("a", 2.0, 0.0, radius=0.3)
    message.inflation = 0.1
    sdf = c.obstacle_from_msg(message, IDENTITY).sdf()
    assert distance(sdf, 3.0, 0.0, 1.0) == pytest.approx(1.0 - 0.4, abs=1e-6)
    assert distance(sdf, 2.0, 0.0, 2.5) == pytest.approx(0.5 - 0.1, abs=1e-6)


def test_a_box_in_a_turned_frame_is_turned_with_it():
    sdf = c.obstacle_from_msg(wall("a", 2.0, 0.0, 2.0, 0.2), TURNED).sdf()  # centre (1, 4), long along odom's y
    assert distance(sdf, 1.0, 5.5, 1.0) == pytest.approx(0.5, abs=1e-6)
    assert distance(sdf, 2.0, 4.0, 1.0) == pytest.approx(0.9, abs=1e-6)


def test_a_moving_sphere_in_a_turned_frame_travels_along_that_frames_axis():
    message = bm.SdfPrimitive(id="ball", shape=SolidPrimitive(type=SolidPrimitive.SPHERE, dimensions=[0.5]))
    message.twist.linear.x = 0.8
    sdf = c.obstacle_from_msg(message, TURNED).sdf()
    assert distance(sdf, 1.0, 4.0, 0.0) == pytest.approx(1.5)
    assert distance(sdf, 1.0, 4.0, 0.0, time=1.0) == pytest.approx(1.5 - 0.8)


def test_an_obstacle_comes_back_from_a_message_as_it_was():
    message = wall("a", 2.0, 1.0, 2.0, 0.2)
    obstacle = c.obstacle_from_msg(message, TURNED)
    again = c.obstacle_from_msg(c.obstacle_to_msg(obstacle), IDENTITY)
    np.testing.assert_allclose(again.center, obstacle.center)
    np.testing.assert_allclose(again.size, obstacle.size)
    assert (again.name, again.shape, again.yaw) == ("a", "box", pytest.approx(math.pi / 2))


def tilted(angle):
    message = pillar("leaning", 0.0, 0.0)
    w, x, y, z = quat_from_rotvec([angle, 0.0, 0.0])
    pose = message.pose.orientation
    pose.w, pose.x, pose.y, pose.z = float(w), float(x), float(y), float(z)
    return message


def changed(**changes):
    message = pillar("a", 0.0, 0.0)
    for name, value in changes.items():
        target, _, attribute = name.rpartition("__")
        owner = message
        for part in filter(None, target.split("__")):
            owner = getattr(owner, part)
        setattr(owner, attribute, value)
    return message


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (changed(id=""), "name"),
        (changed(shape__type=SolidPrimitive.CONE), "shape type 4"),
        (changed(shape__dimensions=[1.0]), "2 finite numbers"),
        (changed(shape__dimensions=[1.0, -0.3]), "above zero"),
        (changed(pose__position__x=math.nan), "finite"),
        (changed(pose__position__x=1e5), "unit error"),
        (changed(inflation=-0.1), "inflation"),
        (tilted(0.5), "tilted"),
    ],
    ids=["no id", "cone", "too few sizes", "negative", "nan", "far away", "negative inflation", "tilted"],
)
def test_an_obstacle_that_cannot_be_served_is_refused_with_the_reason(message, said):
    with pytest.raises(GoalError, match=said):
        c.obstacle_from_msg(message, IDENTITY)


def test_a_frame_that_leans_a_little_is_passed_over():
    assert c.obstacle_from_msg(tilted(0.15), IDENTITY).shape == "cylinder"


def test_the_planner_takes_scenes_in_its_own_frame_only():
    with pytest.raises(GoalError, match=r"'map'.*sdf_scene"):
        c.scene_from_msg(scene(pillar("a", 0.0, 0.0), frame="map"))
    assert c.scene_from_msg(scene()).sdf_w is None


def plane_grid(yaw, frame=IDENTITY):
    """Distances to the plane x = 1 of the grid's own frame, whose origin lies at (0.5, -0.25)."""
    message = bm.SdfGrid(id="plane", voxel_size=0.1, size=[31, 21, 1], unknown_distance=7.0)
    x = 0.1 * np.arange(31)
    message.distances = np.repeat(x - 1.0, 21).astype(np.float32).tolist()
    message.origin.position.x, message.origin.position.y = 0.5, -0.25
    w, _, _, z = quat_from_yaw(yaw)
    message.origin.orientation.w, message.origin.orientation.z = float(w), float(z)
    return placed_grid(message, frame)


@pytest.mark.parametrize("yaw", [0.0, 0.6, -2.0])
@pytest.mark.parametrize("frame", [IDENTITY, TURNED], ids=["in odom", "in a turned frame"])
def test_a_grid_is_looked_up_where_its_frame_and_heading_put_it(yaw, frame):
    sdf = grid_to_sdf(plane_grid(yaw, frame))
    local = np.array([1.73, 0.91])
    cos, sin = math.cos(yaw), math.sin(yaw)
    placed = np.array([0.5 + cos * local[0] - sin * local[1], -0.25 + sin * local[0] + cos * local[1], 0.4])
    value, slope = sdf.query(frame.point(placed)[None])
    assert value[0] == pytest.approx(0.73, abs=1e-6)
    np.testing.assert_allclose(slope[0], frame.vector(np.array([cos, sin, 0.0])), atol=1e-5)  # float32 / 0.1 m


def test_voxels_without_a_value_count_as_unknown_distance():
    message = plane_grid(0.0)
    values = np.array(message.distances)
    values[:] = np.nan
    message.distances = values.tolist()
    assert distance(grid_to_sdf(message), 1.0, 0.0, 0.0) == 7.0


def occupancy(data, yaw=0.0):
    message = OccupancyGrid()
    message.info.width, message.info.height, message.info.resolution = data.shape[1], data.shape[0], 0.5
    message.info.origin.position.x = -1.0
    w, _, _, z = quat_from_yaw(yaw)
    message.info.origin.orientation.w, message.info.origin.orientation.z = float(w), float(z)
    message.data = data.astype(np.int8).ravel().tolist()
    return message


def test_an_occupancy_grid_is_occupied_where_its_rows_say_and_unknown_is_what_the_parameter_says():
    data = np.zeros((4, 6), dtype=int)
    data[1, 4] = 100  # row 1: y in 0.5 .. 1.0; column 4: x in 1.0 .. 1.5
    data[3, 0] = -1
    floor = c.occupancy_map_from_msg(occupancy(data), IDENTITY, 65, unknown_is_free=True)
    assert float(floor.clearance_at((1.25, 0.75))) < 0.0
    assert float(floor.clearance_at((-0.75, 1.75))) > 0.0
    assert float(floor.clearance_at((0.25, 0.75))) == pytest.approx(1.0 - 0.25)  # to the cell's border
    strict = c.occupancy_map_from_msg(occupancy(data), IDENTITY, 65, unknown_is_free=False)
    assert float(strict.clearance_at((-0.75, 1.75))) < 0.0


def test_the_barriers_grid_and_the_routes_map_agree_in_any_frame(rng):
    floor = c.occupancy_map_from_msg(occupancy(100 * (rng.random((9, 7)) < 0.2), 0.4), TURNED, 65, True)
    sdf = grid_to_sdf(c.map_to_grid(floor))
    places = floor.centres(rng.uniform(1.0, 6.0, size=(50, 2)))
    points = np.concatenate([places, rng.uniform(0.0, 1.5, size=(50, 1))], axis=1)
    np.testing.assert_allclose(sdf.query(points)[0], floor.clearance_at(places), atol=1e-6)
    assert isinstance(grid_to_sdf(plane_grid(0.0)), DistanceGrid)


def test_json_of_a_users_cost_may_be_left_out():
    (goal,) = c.goals_from_msg(custom(custom_json=""), custom=True)
    assert json.dumps(dict(goal.parameters)) == "{}"
