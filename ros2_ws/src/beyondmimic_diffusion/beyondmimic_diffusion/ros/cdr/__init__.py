"""The messages of the control loop as arrays over their serialised bytes.

rclpy publishes ``bytes`` and delivers them to a subscription with ``raw=True``. Building a message object from Python
and serialising it costs 30 to 150 us, and as much again at each reader; the same numbers copied to known places of a
ready-made message cost a few. Writers keep one serialised message and fill in what changes. Readers learn the layout of
a stream from its first message, which takes the general path through rclpy, and read later messages as arrays for as
long as their length and fixed bytes (frame, joint names, counts) stay the same; anything else takes the general path.
"""

from .layout import FixedLayout, LayoutError, Place, field_places

from .writers import ClockWriter, HeartbeatWriter, ImuWriter, JointCommandWriter, JointStateWriter  # isort: skip
from .path_writer import PathWriter
from .plan_messages import PlanReader, PlanWriter
from .readers import (
    ImuReader,
    JointCommandReader,
    JointStateReader,
    OdometryReader,
    RobotStateReader,
    RootMotion,
    clock_seconds,
    stamp_of,
)
from .state_writers import BaseTransformsWriter, OdometryWriter, RobotStateWriter
from .transforms_reader import StampedPose, TransformsReader, stamped_pose

__all__ = [
    "BaseTransformsWriter",
    "ClockWriter",
    "FixedLayout",
    "HeartbeatWriter",
    "ImuReader",
    "ImuWriter",
    "JointCommandReader",
    "JointCommandWriter",
    "JointStateReader",
    "JointStateWriter",
    "LayoutError",
    "OdometryReader",
    "OdometryWriter",
    "PathWriter",
    "Place",
    "PlanReader",
    "PlanWriter",
    "RobotStateReader",
    "RobotStateWriter",
    "RootMotion",
    "StampedPose",
    "TransformsReader",
    "clock_seconds",
    "field_places",
    "stamp_of",
    "stamped_pose",
]
