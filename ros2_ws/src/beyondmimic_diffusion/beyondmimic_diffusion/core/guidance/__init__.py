"""Costs that steer a plan, the goals they serve, and their sum."""

from .barrier import RelaxedBarrier
from .clearance import ClearanceCost
from .composer import CostTerm, GuidanceComposer
from .cost import GuidanceCost, make_cost, register_cost, registered_costs
from .distance_grid import DistanceGrid, distances_from_occupancy
from .features import PlanFeatures, PlanGradient, features_from, integrate_positions, pull_back, pull_back_integration
from .goal_config import GoalConfig
from .goal_terms import GoalContext, goal_terms, goal_velocity, velocity_terms
from .goals import CustomGoal, Goal, HeadingGoal, JoystickGoal, KeyframeGoal, ObstacleScene, WaypointGoal
from .heading import HeadingCost, YawRateCost
from .integrator import GoalIntegrator
from .joystick import JoystickCost
from .keyframe import KeyframeCost
from .obstacle import ObstacleCost
from .schedule import Schedule, by_signal, skip_last
from .sdf import Box, Capsule, Cylinder, HalfSpace, Moving, Placed, SignedDistance, Sphere, Union
from .user_cost import load_cost_modules, register_cost_function
from .waypoint import WaypointCost, waypoint_velocity

__all__ = [
    "Box",
    "Capsule",
    "ClearanceCost",
    "CostTerm",
    "CustomGoal",
    "Cylinder",
    "DistanceGrid",
    "Goal",
    "GoalConfig",
    "GoalContext",
    "GoalIntegrator",
    "GuidanceComposer",
    "GuidanceCost",
    "HalfSpace",
    "HeadingCost",
    "HeadingGoal",
    "JoystickCost",
    "JoystickGoal",
    "KeyframeCost",
    "KeyframeGoal",
    "Moving",
    "ObstacleCost",
    "ObstacleScene",
    "Placed",
    "PlanFeatures",
    "PlanGradient",
    "RelaxedBarrier",
    "Schedule",
    "SignedDistance",
    "Sphere",
    "Union",
    "WaypointCost",
    "WaypointGoal",
    "YawRateCost",
    "by_signal",
    "distances_from_occupancy",
    "features_from",
    "goal_terms",
    "goal_velocity",
    "integrate_positions",
    "load_cost_modules",
    "make_cost",
    "pull_back",
    "pull_back_integration",
    "register_cost",
    "register_cost_function",
    "registered_costs",
    "skip_last",
    "velocity_terms",
    "waypoint_velocity",
]
