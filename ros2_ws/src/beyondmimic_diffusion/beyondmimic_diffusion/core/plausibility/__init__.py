"""Whether what the sensors read, and what is estimated from it, can be true of a robot."""

from .estimate import implausible_estimate
from .sensor_judge import Finding, SensorJudge

__all__ = ["Finding", "SensorJudge", "implausible_estimate"]
