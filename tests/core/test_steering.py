"""Goals to cost terms: the integrator against its closed form, per robot."""

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import ConfigError, GoalError
from beyondmimic_diffusion.core.guidance.goal_terms import GoalContext
from beyondmimic_diffusion.core.guidance.goals import Goal, HeadingGoal, JoystickGoal, ObstacleScene
from beyondmimic_diffusion.core.guidance.joystick import JoystickCost
from beyondmimic_diffusion.core.guidance.sdf import Capsule, Moving
from beyondmimic_diffusion.core.state import CharacterFrame
from beyondmimic_diffusion.core.steering import Steering, SteeringConfig

GAIN, LIMIT, DT = 0.8, 0.3, 0.04


def context(rows: int = 1, stamp: float = 0.0) -> GoalContext:
    return GoalContext(CharacterFrame(np.zeros((rows, 2)), np.zeros(rows)), stamp, DT, 16)


def served_velocity(terms) -> np.ndarray:
    """What the velocity cost is told to reach, goal and correction together."""
    (cost,) = [term.cost for term in terms if isinstance(term.cost, JoystickCost)]
    return np.atleast_2d(cost.vel_xy_c)


@pytest.fixture
def steering() -> Steering:
    return Steering(SteeringConfig(integrator_gain=GAIN, integrator_limit=LIMIT))


def test_a_steady_error_is_integrated_up_to_the_limit(steering: Steering):
    goal = JoystickGoal((0.5, 0.2))
    measured = np.array([[0.3, 0.25]])
    for count in range(1, 120):
        served = served_velocity(steering.terms([goal], context(), measured, DT))
        correction = np.clip(GAIN * DT * count * np.array([0.2, -0.05]), -LIMIT, LIMIT)
        np.testing.assert_allclose(served[0], [0.5, 0.2] + correction, atol=1e-12)
    assert served[0, 0] == pytest.approx(0.8)


def test_a_robot_told_to_stand_is_not_corrected_and_forgets_what_was_learned(steering: Steering):
    for _ in range(20):
        steering.terms([JoystickGoal((0.25, 0.0))], context(), np.array([[0.0, 0.0]]), DT)
    drifting = np.array([[-0.3, 0.2]])
    standing = served_velocity(steering.terms([JoystickGoal()], context(), drifting, DT))
    np.testing.assert_array_equal(standing, 0.0)
    again = served_velocity(steering.terms([JoystickGoal((0.25, 0.0))], context(), np.array([[0.15, 0.0]]), DT))
    np.testing.assert_allclose(again, [[0.25 + GAIN * DT * 0.1, 0.0]], atol=1e-12)


def test_near_an_obstacle_a_robot_is_not_corrected_and_one_far_from_it_is():
    """The pillar's surface passes 1.0 m from the first robot's pelvis at 5 s, and is never near the second's."""
    steering = Steering(SteeringConfig(integrator_gain=GAIN, integrator_limit=LIMIT, integrator_clearance=1.2), 2)
    pillar = Capsule((-5.0, 1.2, 0.0), (-5.0, 1.2, 2.0), 0.2)
    goals = [JoystickGoal((0.4, 0.0)), ObstacleScene(Moving(pillar, (1.0, 0.0, 0.0)), stamp=0.0)]
    frame = CharacterFrame(np.array([[0.0, 0.0], [0.0, -9.0]]), np.zeros(2))

    def corrected(stamp: float) -> np.ndarray:
        terms = steering.terms(goals, GoalContext(frame, stamp, DT, 16), np.full((2, 2), [0.1, 0.0]), DT)
        return served_velocity(terms)[:, 0] - 0.4

    first = GAIN * DT * 0.3
    np.testing.assert_allclose(corrected(0.0), [first, first], atol=1e-12)
    np.testing.assert_allclose(corrected(5.0), [0.0, 2.0 * first], atol=1e-12)
    np.testing.assert_allclose(corrected(9.0), [first, 3.0 * first], atol=1e-12)


def test_near_an_obstacle_a_straight_command_holds_the_heading_it_had_and_a_turning_one_or_none_does_not():
    steering = Steering(SteeringConfig(heading_gain=2.0, heading_limit=0.5), 2)
    wall = ObstacleScene(Capsule((0.0, 1.0, 0.0), (0.0, 1.0, 2.0), 0.1))

    def turning(goal: Goal, yaw: float, *beside: Goal) -> np.ndarray:
        """Yaw rates served beyond those asked for; the second robot is far from the wall."""
        frame = CharacterFrame(np.array([[0.0, 0.0], [0.0, -9.0]]), np.full(2, yaw))
        terms = steering.terms([goal, *beside], GoalContext(frame, 0.0, DT, 16), np.zeros((2, 2)), DT)
        (cost,) = [term.cost for term in terms if isinstance(term.cost, JoystickCost)]
        return np.broadcast_to(np.asarray(cost.yaw_rate), (2,)) - float(np.asarray(getattr(goal, "yaw_rate", 0.0)))

    ahead = JoystickGoal((0.4, 0.0))
    np.testing.assert_allclose(turning(ahead, 0.3, wall), 0.0)  # that is the heading to hold
    np.testing.assert_allclose(turning(ahead, 0.2, wall), [2.0 * 0.1, 0.0], atol=1e-12)
    np.testing.assert_allclose(turning(ahead, 0.9, wall), [-0.5, 0.0])
    np.testing.assert_allclose(turning(JoystickGoal((0.4, 0.0), 0.4), 0.2, wall), 0.0)
    np.testing.assert_allclose(turning(ahead, 0.2, wall), 0.0)  # a new one to hold
    np.testing.assert_allclose(turning(ahead, 0.1), 0.0)  # no wall, nothing held
    np.testing.assert_allclose(turning(JoystickGoal(), 0.0, wall), 0.0)
    turned = turning(ahead, np.pi - 0.05, wall), turning(ahead, 0.05 - np.pi, wall)
    np.testing.assert_allclose(turned[1], [-2.0 * 0.1, 0.0], atol=1e-12)  # across the cut of the angles


def test_turning_on_the_spot_goes_after_the_heading_that_is_due_within_its_lead():
    steering = Steering(SteeringConfig(turn_gain=0.5, turn_lead=0.3))

    def added(goal: Goal, yaw: float) -> float:
        frame = CharacterFrame(np.zeros((1, 2)), np.array([yaw]))
        terms = steering.terms([goal], GoalContext(frame, 0.0, DT, 16), np.zeros((1, 2)), DT)
        (cost,) = [term.cost for term in terms if isinstance(term.cost, JoystickCost)]
        return float(np.ravel(np.asarray(cost.yaw_rate))[0]) - float(np.asarray(getattr(goal, "yaw_rate", 0.0)))

    left, right = JoystickGoal((0.0, 0.0), 0.5), JoystickGoal((0.0, 0.0), -0.5)
    start = np.pi - 0.01  # the heading due is across the cut of the angles from the second step on
    assert [added(left, start) for _ in range(3)] == pytest.approx([0.5 * 0.5 * DT * n for n in (1, 2, 3)])
    for _ in range(20):
        assert abs(added(left, start)) <= 0.15 + 1e-12
    assert added(left, start) == pytest.approx(0.15)  # the lead
    assert added(left, start + 0.3) == pytest.approx(0.5 * 0.5 * DT)  # as far as was due before this plan
    assert added(left, start + 0.9) == pytest.approx(-0.15)  # too far
    assert added(right, start) == pytest.approx(-0.5 * 0.5 * DT)  # the other way begins anew
    assert added(JoystickGoal((0.4, 0.0), 0.5), start) == 0.0  # walking turns as it is asked
    assert added(JoystickGoal(), start) == 0.0
    steering.reset()
    assert added(right, start) == pytest.approx(-0.5 * 0.5 * DT)


def test_turning_on_the_spot_counts_as_standing_for_the_velocity(steering: Steering):
    served = served_velocity(steering.terms([JoystickGoal((0.0, 0.0), 0.6)], context(), np.array([[0.2, 0.2]]), DT))
    np.testing.assert_array_equal(served, 0.0)


def test_each_robot_of_a_batch_is_corrected_by_its_own_error():
    steering = Steering(SteeringConfig(integrator_gain=GAIN, integrator_limit=LIMIT), rows=3)
    goals = JoystickGoal(np.array([[0.5, 0.0], [0.0, 0.0], [0.0, -0.4]]), np.zeros(3))
    measured = np.array([[0.4, 0.0], [0.3, 0.3], [0.1, -0.1]])
    for _ in range(5):
        served = served_velocity(steering.terms([goals], context(3), measured, DT))
    step = 5 * GAIN * DT
    np.testing.assert_allclose(
        served, [[0.5 + step * 0.1, 0.0], [0.0, 0.0], [-step * 0.1, -0.4 - step * 0.3]], atol=1e-12
    )


def test_one_goal_for_all_robots_is_corrected_apart_for_each():
    steering = Steering(SteeringConfig(integrator_gain=GAIN, integrator_limit=LIMIT), rows=2)
    measured = np.array([[0.4, 0.0], [0.6, 0.0]])
    served = served_velocity(steering.terms([JoystickGoal((0.5, 0.0))], context(2), measured, DT))
    np.testing.assert_allclose(served[:, 0], [0.5 + GAIN * DT * 0.1, 0.5 - GAIN * DT * 0.1], atol=1e-12)


def test_a_large_step_of_the_goal_starts_from_zero(steering: Steering):
    for _ in range(50):
        steering.terms([JoystickGoal((0.6, 0.0))], context(), np.array([[0.2, 0.0]]), DT)
    served = served_velocity(steering.terms([JoystickGoal((-0.4, 0.0))], context(), np.array([[0.5, 0.0]]), DT))
    np.testing.assert_array_equal(served, [[-0.4, 0.0]])


def test_a_reset_forgets_the_correction(steering: Steering):
    for _ in range(10):
        steering.terms([JoystickGoal((0.5, 0.0))], context(), np.zeros((1, 2)), DT)
    steering.reset()
    served = served_velocity(steering.terms([JoystickGoal((0.5, 0.0))], context(), np.array([[0.5, 0.0]]), DT))
    np.testing.assert_array_equal(served, [[0.5, 0.0]])


def test_a_gain_of_zero_serves_goals_as_they_are():
    steering = Steering(SteeringConfig(integrator_gain=0.0))
    for _ in range(5):
        served = served_velocity(steering.terms([JoystickGoal((0.5, 0.1))], context(), np.zeros((1, 2)), DT))
    np.testing.assert_array_equal(served, [[0.5, 0.1]])


def test_goals_without_a_velocity_leave_the_integrator_alone(steering: Steering):
    for _ in range(5):
        terms = steering.terms([HeadingGoal(0.3)], context(), np.array([[0.4, 0.4]]), DT)
        assert [term.name for term in terms] == ["heading"]
    served = served_velocity(steering.terms([JoystickGoal((0.5, 0.0))], context(), np.array([[0.5, 0.0]]), DT))
    np.testing.assert_array_equal(served, [[0.5, 0.0]])


def test_an_expired_goal_steers_nothing(steering: Steering):
    assert steering.terms([JoystickGoal((0.5, 0.0), expires=1.0)], context(stamp=1.0), np.zeros((1, 2)), DT) == ()


def test_a_goal_that_no_cost_serves_is_refused(steering: Steering):
    with pytest.raises(GoalError, match="JoystickGoal"):
        steering.terms([Goal()], context(), np.zeros((1, 2)), DT)


def test_a_gain_outside_its_range_is_refused():
    with pytest.raises(ConfigError, match="integrator_gain"):
        SteeringConfig(integrator_gain=-0.1)


def test_another_limit_counts_from_the_next_plan_on_and_a_gain_of_zero_forgets_what_was_learned(steering: Steering):
    def correction() -> float:
        terms = steering.terms([JoystickGoal((0.5, 0.0))], context(), np.array([[0.25, 0.0]]), DT)
        return float(served_velocity(terms)[0, 0]) - 0.5

    for _ in range(60):
        learned = correction()
    assert learned == pytest.approx(LIMIT)
    steering.retune(SteeringConfig(integrator_gain=GAIN, integrator_limit=0.1))
    assert correction() == pytest.approx(0.1)
    steering.retune(SteeringConfig(integrator_gain=0.0, integrator_limit=LIMIT))
    assert correction() == 0.0
