"""One timeline: clocks by their names, and what is known of the stream of plans. No ROS, no I/O."""

from .clock import JUMP, Clock
from .plan_stream import PlanStream, StreamLimits, StreamVerdict, end_of, take_over

__all__ = ["JUMP", "Clock", "PlanStream", "StreamLimits", "StreamVerdict", "end_of", "take_over"]
