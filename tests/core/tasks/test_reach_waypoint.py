"""Reaching places."""

from __future__ import annotations

import math

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import GoalError
from beyondmimic_diffusion.core.guidance.goals import JoystickGoal
from beyondmimic_diffusion.core.guidance.sdf import Box, Cylinder
from beyondmimic_diffusion.core.route import OccupancyMap, RoutePlanner
from beyondmimic_diffusion.core.tasks import (
    ReachWaypoint,
    TaskCode,
    TaskRefusedError,
    TaskStatus,
    WaypointTaskConfig,
    forest,
)

from tests.reference.point_robot import PointRobot, drive

LOW, HIGH = (-3.0, -3.0), (3.0, 3.0)
WALL = Box((0.0, -1.0, 1.0), (0.1, 2.0, 1.0))


def router(sdf) -> RoutePlanner:
    return RoutePlanner(OccupancyMap.from_sdf(sdf, LOW, HIGH, 0.1))


def test_a_robot_that_follows_arrives_and_is_then_asked_to_stand():
    robot = PointRobot()
    task = ReachWaypoint((2.0, 1.0))
    end = drive(task, robot, 20.0)
    assert end.status is TaskStatus.SUCCEEDED and end.code is TaskCode.NONE and end.message == ""
    assert np.linalg.norm(robot.xy - (2.0, 1.0)) < 0.3
    assert isinstance(end.goals[0], JoystickGoal)
    np.testing.assert_array_equal(end.goals[0].vel_xy_c, (0.0, 0.0))
    assert end.distance == pytest.approx(np.linalg.norm(robot.xy - (2.0, 1.0)))


def test_passing_through_the_place_at_speed_is_not_arriving():
    task, robot = ReachWaypoint((0.0, 0.0)), PointRobot((-2.0, 0.0))
    for _ in range(400):  # straight through at 0.5 m/s
        robot.velocity = np.array([0.5, 0.0])
        robot.xy = robot.xy + robot.velocity * robot.dt
        robot.stamp += robot.dt
        assert not task.update(robot.state()).done


def test_standing_at_the_place_counts_after_a_second_of_rest_although_the_robot_sways():
    robot = PointRobot((0.1, 0.0))
    robot.sway = 0.4  # much above the tolerance, but its mean over one period of 1 s is nothing
    task = ReachWaypoint((0.0, 0.0))
    ticks = 0
    while not task.update(robot.state()).done:
        robot.stamp += robot.dt
        ticks += 1
        assert ticks < 200
    assert ticks == 50


def test_without_a_map_it_aims_at_the_exact_place_and_stops_there():
    task = ReachWaypoint((2.0, 1.0), max_speed=0.3)
    (goal,) = task.update(PointRobot().state()).goals
    np.testing.assert_array_equal(goal.position_xy_w, (2.0, 1.0))
    assert goal.stop and goal.max_speed == 0.3
    assert float(goal.heading_w) == pytest.approx(math.atan2(1.0, 2.0))  # it faces where it goes
    straight = ReachWaypoint((2.0, 1.0), config=WaypointTaskConfig(face_travel=False))
    assert straight.update(PointRobot().state()).goals[0].heading_w is None


def test_on_a_route_it_aims_at_a_near_place_in_sight_and_brakes_only_for_the_last_one():
    planner = router(WALL)
    task, robot = ReachWaypoint((2.0, -1.0), route=planner), PointRobot((-2.0, -1.0))
    update, stops = task.update(robot.state()), []
    while not update.done:
        (goal,) = update.goals
        assert np.linalg.norm(goal.position_xy_w - robot.xy) <= 1.4
        assert bool(goal.stop) == np.array_equal(goal.position_xy_w, (2.0, -1.0))
        stops.append(bool(goal.stop))
        robot.follow(goal)
        update = task.update(robot.state())
        assert robot.stamp < 160.0
    assert update.status is TaskStatus.SUCCEEDED
    assert stops == sorted(stops) and stops[-1] and not stops[0]
    assert planner.map.clearance_at(np.array(robot.trace)).min() > 0.25


@pytest.mark.parametrize("seed", range(8))
def test_a_point_gets_through_every_forest_without_touching(seed):
    scene = forest(seed)
    robot = PointRobot(scene.start[:2])
    end = drive(ReachWaypoint(scene.goal, route=RoutePlanner(scene.map(0.1))), robot, 60.0)
    assert end.status is TaskStatus.SUCCEEDED, end.message
    trace = np.array(robot.trace)
    assert scene.clearance(np.concatenate([trace, np.ones((len(trace), 1))], axis=1)) > 0.2


def test_the_way_left_shrinks_to_nothing_and_the_time_with_it():
    task, robot = ReachWaypoint((2.0, -1.0), route=router(WALL)), PointRobot((-2.0, -1.0))
    first = task.update(robot.state())
    assert first.distance == pytest.approx(task.route.length)
    assert first.distance > 4.0 + 1.0  # round the wall's end
    assert first.predicted_time == pytest.approx(first.distance / WaypointTaskConfig().expected_speed)
    assert drive(task, robot, 60.0).distance < 0.3


def test_the_heading_is_taken_up_near_the_goal_and_waited_for():
    keeping = WaypointTaskConfig(face_travel=False)
    task, robot = ReachWaypoint((2.5, 0.0), heading_w=2.0, config=keeping), PointRobot()
    headings = {}
    update = task.update(robot.state())
    while not update.done:
        headings[round(update.distance, 3)] = update.goals[0].heading_w
        robot.follow(update.goals[0])
        update = task.update(robot.state())
        assert robot.stamp < 130.0
    near = WaypointTaskConfig().turn_distance
    assert all((heading is None) == (distance > near) for distance, heading in headings.items())
    assert update.status is TaskStatus.SUCCEEDED
    assert abs(task.heading_error(robot.state())) <= WaypointTaskConfig().heading_tolerance


def test_facing_the_way_may_be_asked_for():
    task = ReachWaypoint((2.0, 2.0), config=WaypointTaskConfig(face_travel=True))
    assert task.update(PointRobot().state()).goals[0].heading_w == pytest.approx(math.pi / 4)


def test_a_robot_that_does_not_move_is_reported_as_stuck_after_the_time_for_it_and_no_sooner():
    config = WaypointTaskConfig(stuck_time=3.0)
    task, robot = ReachWaypoint((2.0, 0.0), config=config), PointRobot()
    while not (end := task.update(robot.state())).done:
        robot.stamp += robot.dt
    assert end.status is TaskStatus.FAILED and end.code is TaskCode.STUCK
    assert robot.stamp - 100.0 == pytest.approx(3.0, abs=0.03)
    assert "less than 0.30 m of progress in 3 s, 2.00 m left" in end.message
    assert isinstance(end.goals[0], JoystickGoal)


def test_a_slow_robot_is_not_stuck():
    config = WaypointTaskConfig(stuck_time=3.0, stuck_distance=0.3)
    end = drive(ReachWaypoint((1.5, 0.0), config=config), PointRobot(speed=0.15), 60.0)
    assert end.status is TaskStatus.SUCCEEDED


def test_a_robot_that_walks_to_and_fro_is_stuck_too():
    task, robot = ReachWaypoint((3.0, 0.0), config=WaypointTaskConfig(stuck_time=4.0)), PointRobot()
    while not (end := task.update(robot.state())).done:
        robot.stamp += robot.dt
        robot.xy = np.array([0.2 * math.sin(robot.stamp), 0.0])
        assert robot.stamp < 110.0
    assert end.code is TaskCode.STUCK


def test_the_time_limit_ends_it():
    task, robot = ReachWaypoint((2.9, 0.0), timeout=2.0), PointRobot(speed=0.2)
    end = drive(task, robot, 60.0)
    assert end.code is TaskCode.TIMEOUT and robot.stamp == pytest.approx(102.0, abs=0.021)


def test_after_the_end_it_says_the_same_for_ever():
    task, robot = ReachWaypoint((2.9, 0.0), timeout=1.0), PointRobot()
    end = drive(task, robot, 10.0)
    robot.xy, robot.velocity, robot.stamp = np.array([2.9, 0.0]), np.zeros(2), robot.stamp + 5.0
    assert task.update(robot.state()) is end


def test_an_obstacle_that_appears_on_the_way_is_walked_round():
    planner = router(None)
    task, robot = ReachWaypoint((2.0, 0.0), route=planner), PointRobot((-2.0, 0.0))
    assert not drive(task, robot, 3.0).done
    pillar = Cylinder((0.5, 0.0, 1.0), 0.3, 1.0)
    planner.update_map(OccupancyMap.from_sdf(pillar, LOW, HIGH, 0.1))
    assert drive(task, robot, 30.0).status is TaskStatus.SUCCEEDED
    trace = np.array(robot.trace)
    assert pillar.query(np.concatenate([trace, np.ones((len(trace), 1))], axis=1))[0].min() > 0.2


def test_a_map_that_leaves_the_way_free_does_not_change_it():
    planner = router(None)
    task, robot = ReachWaypoint((2.0, 0.0), route=planner), PointRobot((-2.0, 0.0))
    task.update(robot.state())
    way = task.route
    planner.update_map(OccupancyMap.from_sdf(Cylinder((0.0, 2.5, 1.0), 0.2, 1.0), LOW, HIGH, 0.1))
    robot.follow(None)
    task.update(robot.state())
    assert task.route is way


def test_pushed_off_the_route_it_finds_another_one():
    task, robot = ReachWaypoint((2.0, -1.0), route=router(WALL)), PointRobot((-2.0, -1.0))
    drive(task, robot, 1.0)
    robot.xy = np.array([-2.0, -2.5])
    robot.follow(None)
    task.update(robot.state())
    np.testing.assert_allclose(task.route.points_w[0], robot.xy)
    assert drive(task, robot, 60.0).status is TaskStatus.SUCCEEDED


def test_a_way_that_is_closed_while_walking_ends_the_task_with_no_route():
    planner = router(WALL)
    task, robot = ReachWaypoint((2.0, -1.0), route=planner), PointRobot((-2.0, -1.0))
    drive(task, robot, 1.0)
    planner.update_map(OccupancyMap.from_sdf(Box((0.0, 0.0, 1.0), (0.1, 3.0, 1.0)), LOW, HIGH, 0.1))
    robot.follow(None)
    end = task.update(robot.state())
    assert end.code is TaskCode.NO_ROUTE and "no way from" in end.message


def test_an_older_state_changes_nothing():
    task, robot = ReachWaypoint((2.0, 0.0)), PointRobot()
    first = task.update(robot.state())
    robot.stamp, robot.xy = 50.0, np.array([2.0, 0.0])
    assert task.update(robot.state()) is first


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: ReachWaypoint((np.nan, 0.0)), TaskCode.INVALID_GOAL),
        (lambda: ReachWaypoint((1.0, 2.0, 3.0)), TaskCode.INVALID_GOAL),
        (lambda: ReachWaypoint(((1.0, 2.0), (1.0, 2.0))), TaskCode.INVALID_GOAL),
        (lambda: ReachWaypoint((1.0, 2.0), math.nan), TaskCode.INVALID_GOAL),
        (lambda: ReachWaypoint((1.0, 2.0), timeout=0.0), TaskCode.INVALID_GOAL),
        (lambda: ReachWaypoint((1.0, 2.0), timeout=math.nan), TaskCode.INVALID_GOAL),
        (lambda: ReachWaypoint((1.0, 2.0), max_speed=-1.0), TaskCode.INVALID_GOAL),
        (lambda: ReachWaypoint((0.0, -1.0), route=router(WALL)), TaskCode.INSIDE_OBSTACLE),
        (lambda: ReachWaypoint((0.3, -1.0), route=router(WALL)), TaskCode.INSIDE_OBSTACLE),
        (lambda: ReachWaypoint((9.0, 0.0), route=router(WALL)), TaskCode.NO_ROUTE),
    ],
)
def test_a_goal_that_makes_no_sense_is_refused_when_made_with_its_code(make, code):
    with pytest.raises(TaskRefusedError) as caught:
        make()
    assert caught.value.code is code and isinstance(caught.value, GoalError) and len(str(caught.value)) > 15
