"""Which costs a goal becomes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import ConfigError, GoalError
from beyondmimic_diffusion.core.guidance.goal_config import GoalConfig, ObstacleConfig, VelocityConfig, WaypointConfig
from beyondmimic_diffusion.core.guidance.goal_terms import GoalContext, goal_terms, goal_velocity
from beyondmimic_diffusion.core.guidance.goals import (
    Goal,
    HeadingGoal,
    JoystickGoal,
    KeyframeGoal,
    ObstacleScene,
    WaypointGoal,
)
from beyondmimic_diffusion.core.guidance.sdf import Moving, Sphere
from beyondmimic_diffusion.core.rotations import rotate_yaw
from beyondmimic_diffusion.core.state import CharacterFrame


@pytest.fixture
def context() -> GoalContext:
    frame = CharacterFrame(np.array([1.0, -2.0]), np.array(0.5))
    return GoalContext(frame=frame, stamp=10.0, step_dt=0.04, horizon=16)


def total(terms, plan) -> np.ndarray:
    return sum(term.weight * term.cost.value_and_gradient(plan)[0] for term in terms)


def test_a_joystick_goal_is_met_by_a_robot_that_walks_and_turns_as_asked(context, random_plan):
    yaw = 0.6 * random_plan.times
    velocity = np.zeros_like(random_plan.root_lin_vel_c)
    velocity[..., 0], velocity[..., 1] = 0.4 * np.cos(yaw), 0.4 * np.sin(yaw)
    plan = replace(random_plan, root_lin_vel_c=velocity, yaw_c=np.broadcast_to(yaw, random_plan.yaw_c.shape))
    terms = goal_terms([JoystickGoal((0.4, 0.0), 0.6)], context)
    np.testing.assert_allclose(total(terms, plan), 0.0, atol=1e-15)
    assert np.all(total(goal_terms([JoystickGoal((0.4, 0.0), 0.5)], context), plan) > 1e-4)


def test_the_integrators_offset_is_added_to_the_goal(context, random_plan):
    shifted = goal_terms(
        [JoystickGoal((0.3, 0.1), 0.2)], replace(context, vel_offset_c=[0.1, 0.05], yaw_rate_offset=0.1)
    )
    direct = goal_terms([JoystickGoal((0.4, 0.15), 0.3)], context)
    np.testing.assert_allclose(total(shifted, random_plan), total(direct, random_plan))


def test_a_heading_in_the_world_is_met_by_facing_it_from_the_robots_own_frame(context, random_plan):
    plan = replace(random_plan, yaw_c=np.zeros_like(random_plan.yaw_c))
    assert np.all(total(goal_terms([HeadingGoal(0.5)], context), plan) == 0.0)
    assert np.all(total(goal_terms([HeadingGoal(0.9)], context), plan) > 0.0)


def test_an_expired_goal_has_no_costs(context):
    assert goal_terms([JoystickGoal((0.3, 0.0), expires=10.0)], context) == ()
    assert len(goal_terms([JoystickGoal((0.3, 0.0), expires=10.01)], context)) == 2


def test_a_goal_of_unknown_kind_is_refused(context):
    with pytest.raises(GoalError, match="no cost serves a Goal; served are JoystickGoal"):
        goal_terms([Goal()], context)


def test_an_unknown_variant_in_the_configuration_is_refused():
    with pytest.raises(ConfigError, match=r"velocity\.average"):
        GoalConfig(velocity=VelocityConfig(average="median"))


def by_name(terms) -> dict:
    return {term.name: term for term in terms}


@pytest.mark.parametrize("mode", ["velocity", "consistent", "literal"])
def test_a_waypoint_reached_asks_for_nothing_but_standing_still(context, random_plan, mode):
    config = GoalConfig(waypoint=WaypointConfig(mode=mode))
    zeros = np.zeros_like(random_plan.root_lin_vel_c)
    plan = replace(random_plan, root_lin_vel_c=zeros, root_pos_c=zeros, yaw_c=zeros[..., 0])
    terms = goal_terms([WaypointGoal(tuple(context.frame.xy))], context, config)
    np.testing.assert_allclose(total(terms, plan), 0.0, atol=1e-12)
    assert all(term.consistent == (mode == "consistent") for term in terms)


def test_a_waypoint_in_the_world_becomes_a_velocity_in_the_robots_own_frame(context):
    ahead = context.frame.xy + 3.0 * np.array([np.cos(0.5), np.sin(0.5)])  # the robot faces 0.5 rad
    velocity, yaw_rate = goal_velocity([WaypointGoal(ahead)], context)
    np.testing.assert_allclose(velocity, [0.4, 0.0], atol=1e-12)
    assert yaw_rate == 0.0


def test_a_waypoint_passed_on_the_way_is_not_braked_for_and_the_last_one_is(context):
    near = context.frame.xy + 0.25 * np.array([np.cos(0.5), np.sin(0.5)])  # half of slow_distance
    assert goal_velocity([WaypointGoal(near)], context)[0] == pytest.approx([0.2, 0.0])
    assert goal_velocity([WaypointGoal(near, stop=False)], context)[0] == pytest.approx([0.4, 0.0])


def test_a_goals_own_speed_counts_instead_of_the_planners(context):
    ahead = context.frame.xy + 3.0 * np.array([np.cos(0.5), np.sin(0.5)])
    assert goal_velocity([WaypointGoal(ahead, max_speed=0.15)], context)[0] == pytest.approx([0.15, 0.0])


def test_speed_and_stopping_may_differ_from_robot_to_robot(context):
    places = context.frame.xy + 0.25 * np.array([[np.cos(0.5), np.sin(0.5)]] * 2)
    goal = WaypointGoal(places, max_speed=[0.4, 0.2], stop=np.array([True, False]))
    np.testing.assert_allclose(goal_velocity([goal], context)[0], [[0.2, 0.0], [0.2, 0.0]], atol=1e-12)


@pytest.mark.parametrize("speed", [-0.1, 9.0, float("nan")])
def test_a_waypoint_with_a_speed_that_makes_no_sense_is_refused(speed):
    with pytest.raises(GoalError, match="max_speed"):
        WaypointGoal((1.0, 0.0), max_speed=speed)


def test_the_velocity_to_integrate_against_is_the_goal_without_the_integrators_offset(context):
    shifted = replace(context, vel_offset_c=np.array([0.2, 0.0]), yaw_rate_offset=0.1)
    velocity, yaw_rate = goal_velocity([JoystickGoal((0.3, 0.1), 0.2)], shifted)
    np.testing.assert_array_equal(velocity, [0.3, 0.1])
    assert yaw_rate == 0.2
    assert goal_velocity([HeadingGoal(0.1), JoystickGoal((0.3, 0.1), expires=1.0)], context) is None


def test_a_waypoint_with_a_heading_turns_to_it_instead_of_keeping_its_own(context):
    assert set(by_name(goal_terms([WaypointGoal((0.0, 0.0))], context))) == {"velocity", "turning"}
    assert set(by_name(goal_terms([WaypointGoal((0.0, 0.0), 1.0)], context))) == {"velocity", "heading"}


def test_an_obstacle_in_the_world_is_felt_where_it_will_be(context, random_plan):
    radii = np.array([0.05, 0.05, 0.1])
    start, speed = np.array([1.3, -2.2, 0.1]), np.array([0.4, 0.2, 0.0])
    scene = ObstacleScene(Moving(Sphere(start, 0.3), speed), stamp=8.0)
    every = GoalConfig(obstacle=ObstacleConfig(mode="every"))
    (term,) = goal_terms([scene], replace(context, key_point_radii=radii), every)
    origin = np.append(context.frame.xy, 0.0)
    _, partial = term.cost.value_and_gradient(random_plan)
    for i, t in enumerate(random_plan.times):
        center = rotate_yaw(start + (2.0 + t) * speed - origin, -0.5)  # 2 s have passed since the scene's stamp
        away = random_plan.key_pos_c[:, i] - center
        turned = np.linalg.norm(np.cross(away, partial.key_pos_c[:, i]), axis=-1)
        np.testing.assert_allclose(turned, 0.0, atol=1e-9)


def test_an_empty_scene_costs_nothing(context):
    assert goal_terms([ObstacleScene()], context) == ()


@pytest.mark.parametrize(
    ("due", "hold", "window"),
    [(10.04, 0.0, (0, 0)), (10.2, 0.0, (4, 4)), (10.2, 0.08, (4, 6)), (9.9, 0.2, (0, 1)), (10.64, 1.0, (15, 40))],
)
def test_a_keyframe_acts_on_the_states_that_are_due_then(context, due, hold, window):
    goal = KeyframeGoal(("head",), np.zeros((1, 3)), due=due, hold=hold)
    (term,) = goal_terms([goal], replace(context, key_point_names=("foot", "head")))
    assert (term.first_step, term.last_step) == window


@pytest.mark.parametrize("due", [9.0, 11.0])
def test_a_keyframe_past_or_beyond_the_horizon_costs_nothing_yet(context, due):
    goal = KeyframeGoal(("head",), np.zeros((1, 3)), due=due)
    assert goal_terms([goal], replace(context, key_point_names=("head",))) == ()


def test_a_keyframe_in_the_world_is_met_at_its_place(context, random_plan):
    names = ("left_foot", "right_foot", "head")
    place = rotate_yaw(random_plan.key_pos_c[0, 0, 2], 0.5) + np.append(context.frame.xy, 0.0)
    goal = KeyframeGoal(("head",), place[None], due=10.04, frame="world")
    (term,) = goal_terms([goal], replace(context, key_point_names=names))
    value, _ = term.cost.value_and_gradient(random_plan.window(0, 1))
    assert value[0] == pytest.approx(0.0, abs=1e-20)


def test_a_keyframe_on_points_the_policy_does_not_have_is_refused(context):
    with pytest.raises(GoalError, match=r"\['tail'\]; the policy has \['head'\]"):
        goal_terms([KeyframeGoal(("tail",), np.zeros((1, 3)))], replace(context, key_point_names=("head",)))


def test_two_keyframes_within_one_horizon_are_two_terms(context):
    there = replace(context, key_point_names=("head",))
    goals = [KeyframeGoal(("head",), np.full((1, 3), k), due=10.04 * (1.0 + 0.02 * k)) for k in (0, 1)]
    assert [term.name for term in goal_terms(goals, there)] == ["keyframe", "keyframe_2"]


@pytest.mark.parametrize(
    ("goal", "group"),
    [
        (JoystickGoal((0.3, 0.0)), "velocity"),
        (HeadingGoal(0.3), "heading"),
        (ObstacleScene(Sphere((1.0, 0.0, 0.0), 0.2)), "obstacle"),
        (KeyframeGoal(("head",), np.zeros((1, 3)), due=10.2), "keyframe"),
    ],
)
def test_which_passes_a_cost_guides_is_a_parameter_of_its_group(context, goal, group):
    plain = GoalConfig()
    chosen = replace(plain, **{group: replace(getattr(plain, group), lowest_level=3, highest_level=12)})
    there = replace(context, key_point_names=("head",))
    assert {(t.lowest_level, t.highest_level) for t in goal_terms([goal], there, chosen)} == {(3, 12)}
    assert all(t.lowest_level == 0 and t.highest_level >= 19 for t in goal_terms([goal], there, plain))
