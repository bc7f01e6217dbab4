"""Times and durations."""

from __future__ import annotations

from builtin_interfaces.msg import Duration, Time
from std_msgs.msg import Header


def time_to_msg(seconds: float) -> Time:
    """Seconds of a clock -> message, rounded to the nanosecond."""
    nanoseconds = round(seconds * 1e9)
    return Time(sec=nanoseconds // 1_000_000_000, nanosec=nanoseconds % 1_000_000_000)


def time_from_msg(stamp: Time) -> float:
    """Message -> seconds (a double resolves 0.2 us at present-day epochs)."""
    return stamp.sec + stamp.nanosec * 1e-9


def duration_to_msg(seconds: float) -> Duration:
    """Seconds -> message, rounded to the nanosecond."""
    nanoseconds = round(seconds * 1e9)
    return Duration(sec=nanoseconds // 1_000_000_000, nanosec=nanoseconds % 1_000_000_000)


def duration_from_msg(duration: Duration) -> float:
    """Message -> seconds."""
    return duration.sec + duration.nanosec * 1e-9


def set_stamp(header: Header, seconds: float) -> None:
    """Write a time into a header that is used again and again."""
    nanoseconds = round(seconds * 1e9)
    header.stamp.sec = nanoseconds // 1_000_000_000
    header.stamp.nanosec = nanoseconds % 1_000_000_000
