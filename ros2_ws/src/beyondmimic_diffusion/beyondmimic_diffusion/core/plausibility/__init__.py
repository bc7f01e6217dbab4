"""Whether what the sensors read, and what is estimated from it, can be true of a robot."""

from .arming_gate import ArmingGate
from .estimate import implausible_estimate
from .finding import Finding
from .sensor_judge import SensorJudge

__all__ = ["ArmingGate", "Finding", "SensorJudge", "implausible_estimate"]
