"""Episodes with tasks, lived in the simulator by a policy that stands and by an expert that is piloted."""

import math
from dataclasses import replace

import numpy as np
import pytest
from beyondmimic_diffusion.core.guidance import JoystickGoal, KeyframeGoal, ObstacleScene, WaypointGoal
from beyondmimic_diffusion.core.guidance.sdf import Cylinder
from beyondmimic_diffusion.core.guidance.state_keyframe import StateKeyframeGoal
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.robot.kinematics import Kinematics
from beyondmimic_diffusion.core.rotations import rotate_yaw
from beyondmimic_diffusion.core.tasks import Obstacle, Scene
from beyondmimic_training.evaluate.baselines import (
    FIELD_BODY,
    FIELD_GAIN,
    FIELD_REACH,
    PilotedExpert,
    field_push,
    make_pilot,
    steer,
)
from beyondmimic_training.evaluate.controllers import ExpertDriver, PolicyController, PolicySettings
from beyondmimic_training.evaluate.fleet import Fleet
from beyondmimic_training.evaluate.reference_motion import keyframe_errors, reference_keyframes
from beyondmimic_training.evaluate.rollout import START
from beyondmimic_training.evaluate.task_goals import TaskGoals, TaskSettings
from beyondmimic_training.evaluate.task_judge import judge_task
from beyondmimic_training.evaluate.task_rollout import run_task
from beyondmimic_training.evaluate.task_suites import task_suite_named
from beyondmimic_training.experts import make_expert
from reference.scripted_policy import scripted_policy

PHYSICS_DT = 0.004
STAND = np.tile(g1.DEFAULT_JOINT_POS, (16, 1))


@pytest.fixture(scope="module")
def driver():
    return ExpertDriver(make_expert("fastsac_walker"))


def scenario(name, index=0, **changes):
    spec = task_suite_named(name).episode(5, index)
    return replace(spec, scenario=replace(spec.scenario, **changes))


def pillar(x, y, velocity=(0.0, 0.0, 0.0)):
    return Obstacle("pillar", "cylinder", (x, y, 0.9), (0.2, 1.8), velocity=velocity)


def first_goals(name, variant, index=0):
    spec = scenario(name, index)
    goals = TaskGoals(spec, TaskSettings(variant))
    fleet = Fleet(1, PHYSICS_DT)
    fleet.place([spec])
    return goals(fleet.state(0, START)), spec, goals


def test_with_a_route_the_policy_is_led_to_near_waypoints_and_with_a_barrier_it_is_told_of_the_pillars():
    led, spec, task = first_goals("forest", "route+barrier")
    assert [type(goal) for goal in led] == [WaypointGoal, ObstacleScene]
    assert np.linalg.norm(np.asarray(led[0].position_xy_w) - spec.xy_w) < 1.0
    assert np.min(spec.scenario.sdf_w.query(np.insert(task.route_xy_w, 2, 0.8, axis=1))[0]) > 0.3
    alone, _, _ = first_goals("forest", "none")
    assert [type(goal) for goal in alone] == [WaypointGoal]
    assert tuple(alone[0].position_xy_w) == spec.scenario.scene.goal


def test_a_joystick_between_walls_is_held_as_it_was_drawn():
    goals, spec, _ = first_goals("composed", "route+barrier", index=1)
    assert [type(goal) for goal in goals] == [JoystickGoal, ObstacleScene]
    assert tuple(goals[0].vel_xy_c) == spec.scenario.command[:2]


@pytest.mark.parametrize(("variant", "kind"), [("tokens", StateKeyframeGoal), ("cost", KeyframeGoal)])
def test_keyframes_are_asked_for_at_their_times_without_the_command_that_led_to_them(variant, kind):
    goals, spec, task = first_goals("in-between", variant)
    assert {type(goal) for goal in goals} == {kind}
    assert [goal.due - START for goal in goals] == pytest.approx([0.6 * (i + 1) for i in range(8)])
    fleet = Fleet(1, PHYSICS_DT)
    fleet.place([spec])
    (after,) = task(fleet.state(0, START + 4.8))
    assert isinstance(after, JoystickGoal) and not np.any(after.vel_xy_c)


def test_a_chase_asks_for_the_velocity_that_leads_to_the_next_keyframes_place_in_the_time_left():
    goals, spec, _ = first_goals("in-between", "tokens+chase")
    assert [type(goal) for goal in goals] == [StateKeyframeGoal] * 8 + [JoystickGoal]
    first = spec.scenario.keyframes[0]
    along = rotate_yaw(np.array([*(first.state.root_pos_w[:2] - spec.xy_w), 0.0]), -spec.yaw)[:2]
    np.testing.assert_allclose(goals[-1].vel_xy_c, along / first.time, atol=1e-6)


def test_a_policy_that_stands_runs_out_of_time_at_the_limit_and_stays_on_its_feet():
    spec = scenario("waypoint").cut(0.8)  # nobody balances it: it would fall
    trace = run_task(spec, PolicyController(scripted_policy(STAND), PolicySettings()), Kinematics(), PHYSICS_DT, str)
    result = judge_task(spec, trace)
    assert result.outcome == "too late"
    assert result.lived == pytest.approx(0.8)
    end = trace.trace.qpos[-1, :2].astype(np.float64)  # it leans, but goes nowhere
    assert result.left == pytest.approx(math.dist(end, spec.scenario.scene.goal), abs=1e-6)
    assert math.hypot(*end) < 0.3


def test_a_pillar_that_comes_along_touches_the_robot_and_the_clearance_tells_how_far_it_was():
    scene = Scene("one", (pillar(-1.5, 0.0, (1.0, 0.0, 0.0)),), goal=(3.0, 0.0))
    spec = scenario("waypoint", scene=scene)
    spec = replace(spec, yaw=0.0)
    kinematics = Kinematics()
    trace = run_task(spec, PolicyController(scripted_policy(STAND), PolicySettings()), kinematics, PHYSICS_DT, str)
    assert judge_task(spec, trace).outcome == "touched"
    # at frame 25 the pillar's axis is at x = -1; distance of each sphere from it by hand
    qpos = trace.trace.qpos[25:26].astype(np.float64)
    points = kinematics.key_points_batch(qpos, np.zeros((1, 35)))[0][0]
    by_hand = np.hypot(points[:, 0] + 1.0, points[:, 1]) - 0.2 - g1.KEY_POINT_RADII
    assert trace.clearance[25] == pytest.approx(np.min(by_hand), abs=1e-6)  # float32 traces
    # nothing of the robot is more than 0.3 m behind its pelvis, which the pillar's surface would pass at 1.3 s, and the
    # robot, which nobody balances, leans forward by up to 0.1 m until then
    assert 1.0 < trace.trace.times[-1] < 1.4


def test_a_task_that_gives_up_ends_the_episode():
    spec, looks = scenario("waypoint"), []

    def gave_up():
        looks.append(1)
        return "STUCK: no progress" if len(looks) > 50 else ""

    trace = run_task(
        spec, PolicyController(scripted_policy(STAND), PolicySettings()), Kinematics(), PHYSICS_DT, gave_up
    )
    assert judge_task(spec, trace).outcome == "gave up"
    assert trace.trace.times[-1] == pytest.approx(50 * 0.02)


@pytest.mark.sim
def test_the_expert_under_its_pilot_arrives_and_stands_there(driver):
    spec = scenario("waypoint", scene=Scene("near", goal=(1.2, 0.6)))
    spec = replace(spec, yaw=0.3)
    spec = replace(spec, scenario=replace(spec.scenario, finish=replace(spec.scenario.finish, xy_w=(1.2, 0.6))))
    trace = run_task(spec, PilotedExpert(driver, make_pilot("expert", spec)), Kinematics(), PHYSICS_DT, str)
    assert judge_task(spec, trace).outcome == "reached"
    last = trace.trace.qpos[-1, :2]
    assert np.linalg.norm(last - (1.2, 0.6)) < 0.3
    assert trace.trace.times[-1] == pytest.approx(trace.done_at + 1.0)


@pytest.mark.sim
def test_the_field_leads_the_expert_round_a_pillar_into_which_it_walks_without(driver):
    outcomes = {}
    for name in ("expert", "expert-field"):
        scene = Scene("one", (pillar(1.5, 0.25),), goal=(3.0, 0.0))
        spec = replace(scenario("waypoint", scene=scene), yaw=0.0)
        spec = replace(spec, scenario=replace(spec.scenario, finish=replace(spec.scenario.finish, xy_w=(3.0, 0.0))))
        trace = run_task(spec, PilotedExpert(driver, make_pilot(name, spec)), Kinematics(), PHYSICS_DT, str)
        outcomes[name] = judge_task(spec, trace).outcome
    assert outcomes == {"expert": "touched", "expert-field": "reached"}


def test_the_field_pushes_straight_away_by_its_formula_and_not_from_afar():
    shape = Cylinder((0.0, 0.0, 0.9), 0.2, 0.9)
    clear = 0.6 - 0.2 - FIELD_BODY
    expected = FIELD_GAIN * (1.0 / clear - 1.0 / (FIELD_REACH - FIELD_BODY))
    assert field_push(shape, np.array([0.6, 0.0]), 0.0) == pytest.approx([expected, 0.0])
    assert field_push(shape, np.array([0.0, -0.6]), 0.0) == pytest.approx([0.0, -expected])
    assert not np.any(field_push(shape, np.array([0.2 + FIELD_REACH + 0.01, 0.0]), 0.0))
    assert not np.any(field_push(None, np.zeros(2), 0.0))


def test_far_from_the_goal_the_pilot_turns_first_and_near_it_only_steps():
    wish = np.array([0.0, 0.3])
    forward, left, turn = steer(wish, 0.0, 3.0, None)
    assert (forward, left) == (0.0, 0.0) and turn > 0.5
    forward, left, turn = steer(wish, 0.0, 0.4, None)
    assert (forward, left, turn) == (pytest.approx(0.0), pytest.approx(0.3), 0.0)
    forward, left, turn = steer(wish, 1.2, 0.1, 0.9)
    assert (forward, left) == (0.0, 0.0) and turn == pytest.approx(-0.45)


def test_keyframes_are_the_experts_own_states_so_that_its_motion_misses_them_by_nothing():
    keyframes = reference_keyframes(11, (0.4, 0.0, 0.2))
    assert [k.time for k in keyframes] == pytest.approx([0.6 * (i + 1) for i in range(8)])
    frames = np.zeros((241, 36))
    for k in keyframes:
        state = k.state
        frames[round(k.time / 0.02)] = np.concatenate([state.root_pos_w, state.root_quat_w, state.joint_pos])
    assert keyframe_errors(keyframes, frames, Kinematics(), 0.02) == pytest.approx(np.zeros(8), abs=1e-9)
    frames[:, 1] += 0.1
    assert keyframe_errors(keyframes, frames[:100], Kinematics(), 0.02) == pytest.approx([0.1, 0.1, 0.1])
    walked = keyframes[-1].state.root_pos_w
    assert np.linalg.norm(walked[:2]) > 0.8  # 4.8 s at 0.4 m/s, less the start and the expert's gain
