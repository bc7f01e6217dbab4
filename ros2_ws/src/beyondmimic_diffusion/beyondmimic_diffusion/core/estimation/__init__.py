"""From IMU and joint samples to the robot's state. No ROS, no clock."""

from .attitude import ComplementaryAttitude, ImuAttitude
from .contact import SOLE_POINTS, feet_in_contact, stance_weights
from .estimator import EstimatorConfig, OdometrySource, StateEstimator
from .leg_odometry import LegOdometry, SoleMotion, stance_height, stance_velocity

__all__ = [
    "SOLE_POINTS",
    "ComplementaryAttitude",
    "EstimatorConfig",
    "ImuAttitude",
    "LegOdometry",
    "OdometrySource",
    "SoleMotion",
    "StateEstimator",
    "feet_in_contact",
    "stance_height",
    "stance_velocity",
    "stance_weights",
]
