"""What every cost promises, whatever it asks for: its gradient, its indifference to where the world begins, its sum."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from beyondmimic_diffusion.core.guidance.composer import GuidanceComposer
from beyondmimic_diffusion.core.guidance.distance_grid import DistanceGrid
from beyondmimic_diffusion.core.guidance.features import PlanGradient
from beyondmimic_diffusion.core.guidance.goal_config import GoalConfig, ObstacleConfig, VelocityConfig, WaypointConfig
from beyondmimic_diffusion.core.guidance.goal_terms import _TABLE, GoalContext, goal_terms
from beyondmimic_diffusion.core.guidance.goals import (
    CustomGoal,
    HeadingGoal,
    JoystickGoal,
    KeyframeGoal,
    ObstacleScene,
    WaypointGoal,
)
from beyondmimic_diffusion.core.guidance.sdf import Box, Capsule, Cylinder, HalfSpace, Moving, Placed, Sphere, Union
from beyondmimic_diffusion.core.guidance.user_cost import register_cost_function
from beyondmimic_diffusion.core.rotations import rotate_yaw
from beyondmimic_diffusion.core.state import CharacterFrame

from tests.reference.finite_differences import gradient

NAMES = ("left_foot", "right_foot", "head")
RADII = np.array([0.05, 0.06, 0.12])
STEP_DT = 0.04
GRID = np.random.default_rng(3).uniform(0.0, 0.6, (9, 8, 1))


@register_cost_function("test_near_place", gradient="own")
def near_place(plan, place_w, context):
    """Half the squared distance of all key points from a place in the world."""
    place = rotate_yaw(np.asarray(place_w) - np.append(context.frame.xy, 0.0), -context.frame.yaw)
    offset = plan.key_points("test_near_place") - place
    return 0.5 * np.sum(offset**2, axis=(1, 2, 3)), PlanGradient(key_pos_c=offset)


class World:
    """A frame of reference: turned by ``turn`` and moved by ``shift`` against the one the goals were written in."""

    def __init__(self, turn: float = 0.0, shift: tuple[float, float] = (0.0, 0.0)):
        self.turn, self.shift = turn, np.array(shift)

    def place(self, *xyz: float) -> np.ndarray:
        out = rotate_yaw(np.array(xyz), self.turn)
        out[:2] += self.shift
        return out

    def direction(self, *xyz: float) -> np.ndarray:
        return rotate_yaw(np.array(xyz), self.turn)

    def context(self) -> GoalContext:
        frame = CharacterFrame(self.place(1.0, -2.0), np.array(0.5 + self.turn))
        return GoalContext(frame, 10.0, STEP_DT, 5, key_point_names=NAMES, key_point_radii=RADII)


def scene(w: World, kind: str):
    """Obstacles round the robot at (1, -2), facing 0.5 rad."""
    pillars = [Cylinder(w.place(1.5 + 0.3 * i, -2.3 + 0.4 * i, 0.0), 0.1, 0.5) for i in range(4)]
    shapes = {
        "sphere": Sphere(w.place(1.5, -1.8, 0.1), 0.2),
        "capsule": Capsule(w.place(1.4, -2.3, -1.0), w.place(1.4, -2.3, 1.0), 0.15),
        "box": Box(w.place(1.6, -2.2, 0.2), (0.3, 0.2, 0.2), 0.3 + w.turn),
        "cylinder": pillars[0],
        "half-space": HalfSpace(w.place(1.7, -2.0, 0.0), w.direction(-1.0, 0.3, 0.0)),
        "union": Union(
            [*pillars, Sphere(w.place(0.6, -2.5, 0.1), 0.2), Box(w.place(0.5, -1.5, 0.0), (0.1, 0.1, 0.4), w.turn)]
        ),
        "moving": Union([Moving(p, w.direction(0.4, -0.3, 0.0)) for p in pillars]),
    }
    if kind == "grid":
        turned = rotate_yaw(-w.shift, -w.turn)  # the grid keeps its own axes; the world lies turned under it
        return Placed(DistanceGrid(GRID, (-0.2, -3.4, 0.0), 0.35), turned, -w.turn)
    return shapes[kind]


SHAPES = ("sphere", "capsule", "box", "cylinder", "half-space", "union", "moving", "grid")
CONFIGS = {
    "literal": GoalConfig(waypoint=WaypointConfig(mode="literal")),
    "consistent": GoalConfig(waypoint=WaypointConfig(mode="consistent")),
    "papers velocity": GoalConfig(velocity=VelocityConfig(average="per_step", turn="none", yaw_cost="rate")),
    "far-sighted": GoalConfig(obstacle=ObstacleConfig(mode="every", extrapolation=0.2)),
    "felt as predicted": GoalConfig(obstacle=ObstacleConfig(mode="every", consistent=False)),
    **{kind: GoalConfig(obstacle=ObstacleConfig(mode="every")) for kind in SHAPES},
    "nearest": GoalConfig(obstacle=ObstacleConfig(mode="nearest", fade_start=0.5, fade_end=1.0, extrapolation=0.2)),
}
GOALS = {
    "joystick": lambda w: (JoystickGoal((0.4, -0.1), 0.3),),
    "joystick, papers velocity": lambda w: (JoystickGoal((0.4, -0.1), 0.3),),
    "heading": lambda w: (HeadingGoal(0.9 + w.turn),),
    "waypoint": lambda w: (WaypointGoal(w.place(2.0, -1.0), 1.0 + w.turn),),
    "waypoint on the way": lambda w: (WaypointGoal(w.place(2.0, -1.0), max_speed=0.3, stop=False),),
    "waypoint, literal": lambda w: (WaypointGoal(w.place(2.0, -1.0)),),
    "waypoint, consistent": lambda w: (WaypointGoal(w.place(2.0, -1.0)),),
    **{f"obstacle {kind}": lambda w, kind=kind: (ObstacleScene(scene(w, kind), stamp=9.5),) for kind in SHAPES},
    "obstacle moving, far-sighted": lambda w: (ObstacleScene(scene(w, "moving"), stamp=9.5),),
    "obstacle moving, nearest": lambda w: (ObstacleScene(scene(w, "moving"), stamp=9.5),),
    "obstacle union, felt as predicted": lambda w: (ObstacleScene(scene(w, "union")),),
    "keyframe": lambda w: (KeyframeGoal(NAMES[:2], ((0.1, 0.2, -0.3), (0.1, -0.2, -0.3)), due=10.08, hold=0.08),),
    "keyframe in the world": lambda w: (KeyframeGoal(NAMES[2:], (w.place(1.2, -2.1, 0.4),), due=10.12, frame="world"),),
    "custom": lambda w: (CustomGoal("test_near_place", {"place_w": w.place(1.5, -1.5, 0.2)}, weight=0.7),),
}
HELD_FIXED = {"waypoint, literal", "waypoint, consistent", "obstacle moving, nearest"}
"""Eq. 8's gradient holds the blend fixed, that of the nearest part the limbs, so these are not the derivatives of their
values; test_waypoint.py and test_clearance.py know."""
TOGETHER = {  # no two of these have a term of the same name
    "a": ("joystick", "heading", "obstacle union", "keyframe", "custom", "waypoint, consistent"),
    "b": ("waypoint", "obstacle moving", "custom"),
    "c": ("waypoint on the way", "obstacle grid", "heading", "keyframe in the world"),
}


def composer(representation, goals, world: World, config: GoalConfig | None = None) -> GuidanceComposer:
    ones, zeros = np.ones(representation.dim), np.zeros(representation.dim)
    terms = goal_terms(goals, world.context(), config)
    return GuidanceComposer(representation.layout, ones, zeros, STEP_DT, terms)


def config_of(name: str) -> GoalConfig | None:
    return next((config for key, config in CONFIGS.items() if name.endswith(key)), None)


def test_every_kind_of_goal_is_looked_at_here():
    assert {type(goal) for make in GOALS.values() for goal in make(World())} == set(_TABLE)


@pytest.mark.parametrize("name", sorted(GOALS.keys() - HELD_FIXED))
def test_the_gradient_by_the_states_is_the_derivative_of_the_value(name, representation, random_states):
    """Through window, integration, frames and key points."""
    steer = composer(representation, GOALS[name](World()), World(), config_of(name))
    states = random_states(1)
    found = steer.gradient_si(states)
    assert np.any(found != 0.0)  # the goals are near enough to be felt
    expected = gradient(lambda s: float(steer.value(s)[0]), states)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", GOALS)
@pytest.mark.parametrize(("turn", "shift"), [(2.2, (3.0, -1.0)), (-0.7, (-40.0, 25.0))])
def test_value_and_gradient_do_not_change_when_the_world_is_turned_and_moved(
    name, turn, shift, representation, random_states
):
    here, there = World(), World(turn, shift)
    states = random_states()
    one, other = (composer(representation, GOALS[name](w), w, config_of(name)) for w in (here, there))
    np.testing.assert_allclose(other.value(states), one.value(states), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(other.gradient_si(states), one.gradient_si(states), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("names", TOGETHER.values(), ids=TOGETHER)
def test_goals_together_cost_the_sum_of_what_they_cost_alone_and_steer_by_it(names, representation, random_states):
    config, world, states = CONFIGS["consistent"] if "waypoint, consistent" in names else None, World(), random_states()
    goals = [GOALS[name](world) for name in names]
    together = composer(representation, list(itertools.chain(*goals)), world, config)
    alone = [composer(representation, goal, world, config) for goal in goals]
    np.testing.assert_allclose(together.value(states), sum(one.value(states) for one in alone), rtol=1e-12)
    np.testing.assert_allclose(
        together.gradient_si(states), sum(one.gradient_si(states) for one in alone), rtol=1e-9, atol=1e-12
    )
    np.testing.assert_allclose(
        together.correction(states, 0), sum(one.correction(states, 0) for one in alone), rtol=1e-9, atol=1e-12
    )
