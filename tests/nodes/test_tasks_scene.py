"""Obstacles, maps, frames and goals by topic and service, and the one latched goal that follows from all of them."""

import math

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")

from beyondmimic_diffusion.core.guidance.goals import JoystickGoal, WaypointGoal  # noqa: E402
from beyondmimic_diffusion.core.rotations import quat_from_yaw  # noqa: E402
from beyondmimic_diffusion.ros import qos  # noqa: E402
from beyondmimic_diffusion.ros.conversions import (  # noqa: E402
    FrameNames,
    goals_from_msg,
    goals_to_msg,
    scene_from_msg,
    time_from_msg,
    time_to_msg,
    transform_to_msg,
)
from beyondmimic_msgs import action, msg, srv  # noqa: E402
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus  # noqa: E402
from geometry_msgs.msg import PoseStamped  # noqa: E402
from nav_msgs.msg import OccupancyGrid  # noqa: E402
from nodes.task_rig import TERM, Rig, pillar, place, pose, scene, wall  # noqa: E402
from tf2_msgs.msg import TFMessage  # noqa: E402
from visualization_msgs.msg import Marker, MarkerArray  # noqa: E402

pytestmark = pytest.mark.ros
RESULT = action.ReachWaypoint.Result


class World(Rig):
    """The rig, with what a user would publish about the surroundings."""

    def __init__(self, ros, **parameters):
        super().__init__(ros, **parameters)
        self.scene_pub = self.publisher(msg.SdfScene, "sdf_scene", qos.LATCHED)
        self.scenes = ros.heard(msg.SdfScene, "guidance/scene", qos.LATCHED)
        self.until(lambda: self.scenes)

    def put(self, message):
        """Publish a scene and wait until it is in force."""
        before = len(self.scenes)
        self.scene_pub.publish(message)
        self.until(lambda: len(self.scenes) > before)

    def ids(self):
        return sorted(primitive.id for primitive in self.scenes[-1].primitives)

    def distance(self, *point):
        """To what the planner is told of."""
        return float(scene_from_msg(self.scenes[-1]).sdf_w.query(np.array([point], dtype=float))[0][0])

    def transform(self, parent, child, x, y, yaw, static=True):
        topic, profile = ("/tf_static", qos.STATIC_TRANSFORMS) if static else ("/tf", qos.TRANSFORMS)
        quat = quat_from_yaw(yaw)
        transform = transform_to_msg(self.now(), parent, child, np.array([x, y, 0.0]), quat)
        self.publisher(TFMessage, topic, profile).publish(TFMessage(transforms=[transform]))
        self.live(0.1)

    def warned(self, *words):
        """Wait for a diagnostic that says this."""
        found = self.ros.heard(DiagnosticArray, "/diagnostics")

        def said():
            self.node.diagnostics.publish()
            texts = [s.message for m in found for s in m.status if s.level == DiagnosticStatus.WARN]
            return any(all(word in text for word in words) for text in texts)

        self.until(said)

    def late_joiner(self):
        """What somebody hears who subscribes now."""
        heard = self.ros.heard(msg.GuidanceGoal, "guidance/active", qos.LATCHED)
        self.until(lambda: heard)
        return heard[0]


@pytest.fixture
def world(ros):
    made = []

    def make(**parameters):
        made.append(World(ros, **parameters))
        return made[-1]

    yield make
    for one in made:
        one.close()


# ------------------------------------------------------------------- composition


def test_a_joystick_command_and_obstacles_are_one_latched_goal_with_the_commands_expiry(world):
    world = world()
    world.put(scene(pillar("tree", 2.0, 0.0)))
    world.ros.until(lambda: not world.standing(), lambda: (world.steer(0.3), world.robot.step()))
    goal = world.late_joiner()
    velocity, obstacles = goals_from_msg(goal, scene=scene_from_msg(world.scenes[-1]))
    assert tuple(velocity.vel_xy_c) == (0.3, 0.0)
    assert obstacles.sdf_w is not None
    assert 0.0 < time_from_msg(goal.expires) - time_from_msg(goal.header.stamp) <= 0.5


def test_waypoint_obstacles_and_heading_are_one_latched_goal_that_is_renewed_while_it_counts(world):
    world = world()
    world.robot.speed = 0.5
    world.put(scene(pillar("tree", 3.0, 3.0)))
    handle = world.send("reach_waypoint", place(1.5, 0.0, yaw=1.0))
    world.until(lambda: TERM.HEADING in world.kinds())  # taken up near the goal
    goal = world.goals[-1]
    assert [term.type for term in goal.terms] == [TERM.WAYPOINT, TERM.HEADING, TERM.SDF]
    assert {term.name for term in goal.terms} == {"waypoint", "heading", "obstacles"}
    assert world.end(handle)[1].error_code == RESULT.NONE
    lives = [time_from_msg(g.expires) - time_from_msg(g.header.stamp) for g in world.goals if len(g.terms) >= 2]
    assert all(0.0 < life <= 2.0 for life in lives if life > -1e6)
    assert [goal.seq for goal in world.goals] == sorted({goal.seq for goal in world.goals})


def test_without_obstacles_nothing_is_said_of_them_and_standing_does_not_expire(world):
    world = world()
    assert world.kinds() == [TERM.VELOCITY]
    world.put(scene(pillar("tree", 2.0, 0.0)))
    world.until(lambda: world.kinds() == [TERM.VELOCITY, TERM.SDF])
    assert time_from_msg(world.goals[-1].expires) == 0.0
    world.put(scene(msg.SdfPrimitive(id="tree", operation=msg.SdfPrimitive.REMOVE)))
    world.until(lambda: world.kinds() == [TERM.VELOCITY])


# --------------------------------------------------------------------- sdf_scene


def test_scenes_add_replace_and_remove_by_id(world):
    world = world()
    world.put(scene(pillar("a", 2.0, 0.0), pillar("b", 0.0, 2.0)))
    world.put(scene(pillar("a", 5.0, 0.0), pillar("c", -2.0, 0.0)))
    assert world.ids() == ["a", "b", "c"]
    assert world.distance(5.0, 0.0, 1.0) < 0.0 < world.distance(2.0, 0.0, 1.0)
    world.put(scene(msg.SdfPrimitive(id="b", operation=msg.SdfPrimitive.REMOVE)))
    assert world.ids() == ["a", "c"]
    world.put(scene(msg.SdfPrimitive(operation=msg.SdfPrimitive.REMOVE)))
    assert world.ids() == []


def test_a_scene_in_another_frame_is_placed_where_that_frame_is(world):
    world = world()
    world.transform("odom", "shelf", 1.0, 2.0, math.pi / 2)
    world.put(scene(pillar("a", 3.0, 0.0, 0.3), frame="shelf"))
    assert world.scenes[-1].header.frame_id == "odom"
    assert world.distance(1.0, 6.0, 1.0) == pytest.approx(1.0 - 0.3, abs=1e-5)  # its centre is at (1, 5)


def test_a_scene_whose_frame_is_not_known_yet_waits_for_it_and_diagnostics_say_so(world):
    world = world()
    world.scene_pub.publish(scene(pillar("a", 1.0, 0.0), frame="map"))
    world.warned("wait for frames", "map")
    assert world.ids() == []
    world.transform("map", "odom", 5.0, 0.0, 0.0)
    world.until(lambda: world.ids() == ["a"])
    assert world.distance(-4.0, 0.0, 1.0) < 0.0


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda s: setattr(s.primitives[1].pose.position, "x", math.nan), "'b'"),
        (lambda s: setattr(s.primitives[1], "inflation", -1.0), "inflation"),
        (lambda s: setattr(s.header, "stamp", time_to_msg(2e9)), "ahead of our clock"),
        (lambda s: setattr(s, "body_names", ["torso"]), "body_names"),
    ],
    ids=["nan", "negative inflation", "another clock", "other radii"],
)
def test_a_scene_with_something_that_cannot_be_served_is_refused_as_a_whole_with_the_reason(world, spoil, said):
    world = world()
    message = scene(pillar("a", 2.0, 0.0), pillar("b", 0.0, 2.0))
    spoil(message)
    world.scene_pub.publish(message)
    world.warned("sdf_scene refused", said)
    assert world.ids() == []


def test_a_moving_obstacle_is_told_where_it_is_by_then_and_dropped_when_nobody_renews_it(world):
    world = world(**{"scene.moving_timeout": 1.0})
    stamp = world.now()
    world.put(scene(pillar("walker", 0.0, 3.0, velocity=(0.5, 0.0)), pillar("tree", 4.0, 4.0), stamp=stamp))
    message = world.scenes[-1]
    walker = next(p for p in message.primitives if p.id == "walker")
    age = time_from_msg(message.header.stamp) - stamp
    assert walker.pose.position.x == pytest.approx(0.5 * age, abs=1e-6)
    assert walker.twist.linear.x == 0.5
    world.warned("'walker'", "not renewed")
    world.until(lambda: world.ids() == ["tree"])


# ------------------------------------------------------------------ map and route


def floor(rows, resolution=0.25, frame="odom"):
    """An occupancy grid from a drawing, its last row at y = -3."""
    message = OccupancyGrid()
    message.header.frame_id = frame
    cells = [[100 if cell == "#" else 0 for cell in row] for row in reversed(rows)]
    message.info.width, message.info.height = len(rows[0]), len(rows)
    message.info.resolution = resolution
    message.info.origin.position.x, message.info.origin.position.y = -1.0, -3.0
    message.info.origin.orientation.w = 1.0
    message.data = [value for row in cells for value in row]
    return message


ROOM = ["." * 24] * 12 + ["." * 10 + "#" + "." * 13] * 12
"""6 x 6 m; a wall 0.25 m thick at x = 1.5 that leaves the upper half open (y from 0)."""


def test_a_map_is_an_obstacle_for_the_planner_and_leads_the_route_round_its_wall(world):
    world = world()
    world.publisher(OccupancyGrid, "map", qos.LATCHED).publish(floor(ROOM))
    world.until(lambda: world.scenes[-1].grids)
    assert world.distance(1.625, -2.0, 0.8) < 0.0
    assert world.distance(1.0, -2.0, 0.8) == pytest.approx(0.5, abs=0.13)  # half a cell
    world.robot.xy = np.array([0.0, -2.0])
    passed = []
    handle = world.send("reach_waypoint", place(3.5, -2.0))
    future = handle.get_result_async()
    world.ros.until(future.done, lambda: (world.robot.step(), passed.append(world.robot.xy.copy())))
    assert future.result().result.error_code == RESULT.NONE
    straight = 3.5
    assert world.feedback[0].distance > straight + 1.0
    gaps = [math.hypot(max(abs(x - 1.625) - 0.125, 0.0), max(y, 0.0)) for x, y in passed]
    assert min(gaps) > 0.25  # the centre keeps 0.35 m, less the corner that a point robot cuts between two looks


def test_places_in_a_wall_or_off_the_map_are_refused(world):
    world = world()
    world.publisher(OccupancyGrid, "map", qos.LATCHED).publish(floor(ROOM))
    world.until(lambda: world.scenes[-1].grids)
    assert world.do("reach_waypoint", place(1.6, -2.0))[1].error_code == RESULT.INSIDE_OBSTACLE
    result = world.do("reach_waypoint", place(30.0, 0.0))[1]
    assert (result.error_code, "outside the map" in result.error_msg) == (RESULT.NO_ROUTE, True)


def test_an_empty_map_removes_the_one_before_and_another_topic_can_be_named(world):
    world = world(**{"scene.map_topic": "floor_plan"})
    plan_pub = world.publisher(OccupancyGrid, "floor_plan", qos.LATCHED)
    plan_pub.publish(floor(ROOM))
    world.until(lambda: world.scenes[-1].grids)
    plan_pub.publish(OccupancyGrid())
    world.until(lambda: not world.scenes[-1].grids)


def test_a_map_that_is_damaged_is_refused_with_the_reason(world):
    world = world()
    message = floor(ROOM)
    message.info.width = 7
    world.publisher(OccupancyGrid, "map", qos.LATCHED).publish(message)
    world.warned("map refused", "7 x 24")


def test_a_wall_that_appears_on_the_way_is_walked_round(world):
    world = world()
    world.robot.speed = 0.6
    passed = []
    handle = world.send("reach_waypoint", place(4.0, 0.0))
    world.until(lambda: world.robot.xy[0] > 0.4)
    world.put(scene(wall("door", 2.5, 0.0, 0.2, 2.0)))
    future = handle.get_result_async()
    world.ros.until(future.done, lambda: (world.robot.step(), passed.append(world.robot.xy.copy())))
    assert future.result().result.error_code == RESULT.NONE, future.result().result.error_msg
    assert max(abs(y) for _, y in passed) > 1.2  # round its end at 1.0 m


# ------------------------------------------------------- goal_pose, set_terms, markers


def test_a_goal_pose_in_any_frame_is_walked_to_and_faced(world):
    world = world()
    world.transform("odom", "shelf", 1.0, 0.5, math.pi / 2)
    world.publisher(PoseStamped, "goal_pose", qos.ORDER).publish(pose(1.0, 0.0, yaw=0.25, frame="shelf"))
    world.until(lambda: np.linalg.norm(world.robot.xy - (1.0, 1.5)) < 0.3)
    world.until(world.standing)
    assert world.robot.yaw == pytest.approx(0.25 + math.pi / 2, abs=0.25)


def test_a_goal_pose_replaces_a_task_under_way_and_a_bad_one_does_not(world):
    world = world()
    goal_pub = world.publisher(PoseStamped, "goal_pose", qos.ORDER)
    handle = world.send("reach_waypoint", place(20.0, 0.0))
    world.until(lambda: TERM.WAYPOINT in world.kinds())
    goal_pub.publish(pose(0.0, 0.0, frame="nowhere"))
    world.until(lambda: "UNKNOWN_FRAME" in world.node._desk.last_end)
    assert TERM.WAYPOINT in world.kinds()
    goal_pub.publish(pose(0.0, 1.0))
    assert world.end(handle)[1].error_code == RESULT.PREEMPTED


def ask(world, goal):
    client = world.ros.probe.create_client(srv.SetGuidance, "guidance/set_terms")
    world.until(client.service_is_ready)
    future = client.call_async(srv.SetGuidance.Request(goal=goal))
    world.until(future.done)
    return future.result()


def test_terms_by_service_are_in_force_in_the_odometrys_frame_until_they_expire(world):
    world = world()
    world.put(scene(pillar("tree", 9.0, 9.0)))
    world.transform("odom", "shelf", 1.0, 2.0, math.pi / 2)
    terms = goals_to_msg((WaypointGoal((3.0, 0.0), 0.0),), 0, world.now(), world.now() + 1.0, FrameNames("shelf"))
    response = ask(world, terms)
    assert response.success, response.message
    world.until(lambda: world.goals[-1].seq >= response.seq)
    waypoint, _ = goals_from_msg(world.goals[-1], scene=scene_from_msg(world.scenes[-1]))
    np.testing.assert_allclose(waypoint.position_xy_w, (1.0, 5.0), atol=1e-6)
    assert float(waypoint.heading_w) == pytest.approx(math.pi / 2)
    world.until(world.standing)


def test_terms_by_service_replace_a_task_and_give_way_to_the_operator(world):
    world = world()
    handle = world.send("reach_waypoint", place(20.0, 0.0))
    assert ask(world, goals_to_msg((WaypointGoal((0.0, 9.0)),), 0, world.now())).success
    assert world.end(handle)[1].error_code == RESULT.PREEMPTED
    world.until(lambda: world.goals[-1].terms[0].waypoint.pose.position.y == 9.0)
    world.ros.until(lambda: world.goals[-1].terms[0].velocity.twist.linear.x == 0.3, lambda: world.steer(0.3))
    world.until(world.standing)
    assert not ask(world, expired(world)).success


def expired(world):
    return goals_to_msg((WaypointGoal((0.0, 1.0)),), 0, world.now() - 9.0, world.now() - 1.0)


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        (lambda w: goals_to_msg((JoystickGoal((0.3, 0.0)),), 0, w.now()), "must expire"),
        (expired, "expired"),
        (lambda w: goals_to_msg((WaypointGoal((0.0, 1.0)),), 0, w.now(), names=FrameNames("moon")), "'moon'"),
        (lambda w: msg.GuidanceGoal(global_scale=1.0, terms=[TERM(type=9, name="x", weight=1.0)]), "type 9"),
    ],
    ids=["velocity without end", "expired", "unknown frame", "unknown type"],
)
def test_terms_that_make_no_sense_are_refused_with_the_reason_and_nothing_changes(world, terms, said):
    world = world()
    response = ask(world, terms(world))
    assert not response.success
    assert response.seq == 0
    assert said in response.message
    world.live(0.2)
    assert world.standing()


def test_markers_show_goal_route_and_obstacles_to_whoever_joins_late(world):
    world = world()
    world.robot.speed = 0.3
    world.put(scene(pillar("tree", 1.5, 0.0, 0.3), wall("wall", 0.0, -2.0, 3.0, 0.2)))
    handle = world.send("reach_waypoint", place(3.0, 0.0, yaw=0.5))
    world.until(lambda: world.feedback)
    world.live(0.5)
    pictures = world.ros.heard(MarkerArray, "guidance/markers", qos.LATCHED)
    world.until(lambda: pictures)
    markers = pictures[0].markers
    assert markers[0].action == Marker.DELETEALL
    assert {m.header.frame_id for m in markers} == {"odom"}
    tree = next(m for m in markers if m.text == "tree")
    assert (tree.type, tree.scale.x, tree.scale.z) == (Marker.CYLINDER, pytest.approx(0.6), pytest.approx(2.0))
    route = np.array([(p.x, p.y) for m in markers if m.type == Marker.LINE_STRIP for p in m.points])
    np.testing.assert_allclose(route[-1], (3.0, 0.0), atol=1e-9)
    assert np.linalg.norm(route - (1.5, 0.0), axis=1).min() > 0.3 + 0.3
    arrow = next(m for m in markers if m.ns == "goal" and m.type == Marker.ARROW)
    assert 2.0 * math.atan2(arrow.pose.orientation.z, arrow.pose.orientation.w) == pytest.approx(0.5)
    world.until(handle.cancel_goal_async().done)
    world.until(lambda: not any(m.ns == "goal" for m in pictures[-1].markers))
