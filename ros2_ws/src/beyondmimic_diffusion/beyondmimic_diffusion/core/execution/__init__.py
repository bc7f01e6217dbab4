"""From plans to motor commands: buffer, interpolation, limits, watchdog, mode machine. No ROS, no clock, no I/O."""

from .action_executor import ActionExecutor
from .ankles import AnkleController
from .executor_config import ArmingConfig, ExecutorConfig
from .executor_report import ExecutorReport
from .interpolator import INTERPOLATIONS, hold, linear
from .joint_trips import JointTrip, JointTripConfig, JointTrips
from .latency import LatencySummary, LatencyWindow
from .modes import TRANSITIONS, Event, ExecutorMode, Reason, next_mode
from .plan_buffer import PlanBuffer, PlanBufferConfig, PlanSample, PlanVerdict, SampleStatus
from .safety_filter import FilterReport, FilterVerdict, JointLimits, SafetyConfig, SafetyFilter
from .standing import StandingConfig, StandingController
from .stepping import SteppingController
from .watchdog import Fall, StateHealth, Watchdog, WatchdogConfig, WatchdogReport, tilt_and_rate, tilt_angle

__all__ = [
    "INTERPOLATIONS",
    "TRANSITIONS",
    "ActionExecutor",
    "AnkleController",
    "ArmingConfig",
    "Event",
    "ExecutorConfig",
    "ExecutorMode",
    "ExecutorReport",
    "Fall",
    "FilterReport",
    "FilterVerdict",
    "JointLimits",
    "JointTrip",
    "JointTripConfig",
    "JointTrips",
    "LatencySummary",
    "LatencyWindow",
    "PlanBuffer",
    "PlanBufferConfig",
    "PlanSample",
    "PlanVerdict",
    "Reason",
    "SafetyConfig",
    "SafetyFilter",
    "SampleStatus",
    "StandingConfig",
    "StandingController",
    "StateHealth",
    "SteppingController",
    "Watchdog",
    "WatchdogConfig",
    "WatchdogReport",
    "hold",
    "linear",
    "next_mode",
    "tilt_and_rate",
    "tilt_angle",
]
