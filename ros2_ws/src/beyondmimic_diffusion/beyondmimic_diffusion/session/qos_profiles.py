"""QoS profiles as rosbag2 keeps them in a channel's metadata: a YAML list of maps, policies by name.

rosbag2, rosbags and Foxglove read them to play a topic back as it was offered.
"""

from __future__ import annotations

from collections.abc import Iterable

import yaml
from rclpy.duration import Duration
from rclpy.qos import QoSProfile

_INFINITE = {"sec": 9223372036, "nsec": 854775807}
"""What rmw writes for "no limit"."""


def offered_qos_profiles(profiles: Iterable[QoSProfile]) -> str:
    """The text of ``offered_qos_profiles`` for the publishers of one topic."""
    return yaml.safe_dump([_fields(profile) for profile in profiles], sort_keys=False)


def _fields(profile: QoSProfile) -> dict[str, object]:
    return {
        "history": profile.history.name.lower(),
        "depth": int(profile.depth),
        "reliability": profile.reliability.name.lower(),
        "durability": profile.durability.name.lower(),
        "deadline": _time(profile.deadline),
        "lifespan": _time(profile.lifespan),
        "liveliness": profile.liveliness.name.lower(),
        "liveliness_lease_duration": _time(profile.liveliness_lease_duration),
        "avoid_ros_namespace_conventions": bool(profile.avoid_ros_namespace_conventions),
    }


def _time(duration: Duration | None) -> dict[str, int]:
    """Seconds and nanoseconds; zero and what is beyond rmw's range mean that there is no limit."""
    nanoseconds = 0 if duration is None else duration.nanoseconds
    if not 0 < nanoseconds < 9223372036854775807:
        return dict(_INFINITE)
    return {"sec": nanoseconds // 10**9, "nsec": nanoseconds % 10**9}
