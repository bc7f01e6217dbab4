"""From IMU and joint samples to the robot's state. No ROS, no clock."""

from .attitude import ComplementaryAttitude, ImuAttitude
from .complementary import ComplementaryConfig, ComplementaryEstimator
from .contact import SOLE_POINTS, feet_in_contact, stance_weights
from .contact_detector import ContactConfig, ContactDetector, vertical_forces
from .estimator import EstimatorConfig, OdometrySource, SampleFault, StateEstimator
from .external import ExternalConfig, ExternalPose, PoseStatus
from .foot_geometry import FootGeometry, FootKinematics
from .kalman import ContactAidedFilter, FootReading
from .kalman_config import KalmanConfig
from .kalman_estimator import KalmanEstimator, Uncertainty
from .leg_odometry import LegOdometry, SoleMotion, stance_height, stance_velocity

__all__ = [
    "SOLE_POINTS",
    "ComplementaryAttitude",
    "ComplementaryConfig",
    "ComplementaryEstimator",
    "ContactAidedFilter",
    "ContactConfig",
    "ContactDetector",
    "EstimatorConfig",
    "ExternalConfig",
    "ExternalPose",
    "FootGeometry",
    "FootKinematics",
    "FootReading",
    "ImuAttitude",
    "KalmanConfig",
    "KalmanEstimator",
    "LegOdometry",
    "OdometrySource",
    "PoseStatus",
    "SampleFault",
    "SoleMotion",
    "StateEstimator",
    "Uncertainty",
    "feet_in_contact",
    "stance_height",
    "stance_velocity",
    "stance_weights",
    "vertical_forces",
]
