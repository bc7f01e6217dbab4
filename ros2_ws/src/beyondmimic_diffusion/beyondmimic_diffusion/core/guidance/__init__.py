"""Costs that steer a plan, the goals they serve, and their sum."""

from .composer import CostTerm, GuidanceComposer, Schedule, skip_last
from .cost import GuidanceCost, make_cost, register_cost, registered_costs
from .features import PlanFeatures, PlanGradient, features_from, integrate_positions, pull_back, pull_back_integration
from .goal_terms import GoalConfig, GoalContext, goal_terms, velocity_terms
from .goals import Goal, HeadingGoal, JoystickGoal, KeyframeGoal, ObstacleScene, WaypointGoal
from .heading import HeadingCost, YawRateCost
from .integrator import GoalIntegrator
from .joystick import JoystickCost

__all__ = [
    "CostTerm",
    "Goal",
    "GoalConfig",
    "GoalContext",
    "GoalIntegrator",
    "GuidanceComposer",
    "GuidanceCost",
    "HeadingCost",
    "HeadingGoal",
    "JoystickCost",
    "JoystickGoal",
    "KeyframeGoal",
    "ObstacleScene",
    "PlanFeatures",
    "PlanGradient",
    "Schedule",
    "WaypointGoal",
    "YawRateCost",
    "features_from",
    "goal_terms",
    "integrate_positions",
    "make_cost",
    "pull_back",
    "pull_back_integration",
    "register_cost",
    "registered_costs",
    "skip_last",
    "velocity_terms",
]
