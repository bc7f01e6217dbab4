"""Every QoS profile of the stack, named once. The table and its reasons are in the interface documentation.

A best-effort publisher never reaches a reliable subscriber, so publishers promise and subscribers ask for little.
"""

from __future__ import annotations

from rclpy.duration import Duration
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    LivelinessPolicy,
    QoSProfile,
    ReliabilityPolicy,
    qos_profile_sensor_data,
)


def _profile(reliable: bool, depth: int, latched: bool = False) -> QoSProfile:
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )


STREAM = _profile(reliable=True, depth=10)
"""``joint_states``, ``imu/data``, ``odom``, statuses: REP-2003's publisher side, and readers that want each sample."""

NEWEST = _profile(reliable=False, depth=1)
"""``robot_state``, ``motor_command``, and readers of streams who only want the newest sample."""

DECIMATED = _profile(reliable=False, depth=10)
"""``applied_joint_commands``: a record of what happened, no loss worth a retry."""

SAMPLES = _profile(reliable=False, depth=10)
"""``joint_states``, ``imu/data``, ``ground_truth/odom`` on our reading side: each sample is wanted, but a lost one is
not worth a retry, and without reliable readers the publisher needs no acknowledgements."""

ORDER = _profile(reliable=True, depth=1)
"""``cmd_vel``, ``goal_pose``, displays: few messages, the newest counts."""

LATCHED = _profile(reliable=True, depth=1, latched=True)
"""``guidance/active``, ``executor/state``, ``e_stop``: who joins late gets the last one."""

SENSOR_INPUT = qos_profile_sensor_data
"""``joy`` and other people's sensors."""

TRANSFORMS = _profile(reliable=True, depth=100)
"""``/tf``, as tf2 has it."""

STATIC_TRANSFORMS = _profile(reliable=True, depth=100, latched=True)
"""``/tf_static``: each publisher's last message, also for who joins late."""

SCENE_INPUT = _profile(reliable=True, depth=10, latched=True)
"""``sdf_scene`` and ``map`` on the reading side: additions and removals that come quickly must not be lost."""


def plan(horizon: float) -> QoSProfile:
    """``plan`` on the publishing side: a plan that has run out is not delivered any more.

    Args:
        horizon: How far its set-points reach [s].
    """
    profile = _profile(reliable=True, depth=1)
    profile.lifespan = Duration(seconds=horizon)
    return profile


PLAN_INPUT = _profile(reliable=True, depth=4)
"""``plan`` on the reading side; it asks for no deadline, the executor's own watchdog keeps time."""


def heartbeat(period: float) -> QoSProfile:
    """``heartbeat/<node>`` on the publishing side.

    Args:
        period: Time between two heartbeats [s]; two may be missed.
    """
    profile = _profile(reliable=False, depth=1)
    profile.deadline = Duration(seconds=2.0 * period)
    profile.liveliness = LivelinessPolicy.AUTOMATIC
    profile.liveliness_lease_duration = Duration(seconds=4.4 * period)
    return profile
