"""A session's MCAP file as arrays, on one time axis: simulated seconds."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mcap.exceptions import McapError
from mcap.reader import make_reader
from numpy.typing import NDArray
from rclpy.serialization import deserialize_message

from ..core.errors import BeyondMimicError
from ..core.robot import g1
from ..core.rotations import quat_rotate, yaw_of
from ..core.tasks import Scene
from ..core.types import Array
from ..ros.conversions import JointMap, duration_from_msg, time_from_msg
from .recorder import message_class
from .surroundings import TOPICS, Surroundings, surroundings

Integers = NDArray[np.integer]
METADATA = "session"
"""Name of the metadata record; its values are JSON texts."""
_EXECUTOR_TICK = "action_executor: tick"
_FILM_SPACING_NS = 15_000_000
"""Joint states closer than this are skipped: a film needs no more [ns]."""


class RecordingError(BeyondMimicError):
    """A recording that cannot be read, or lacks what is asked of it."""


@dataclass(frozen=True)
class Truth:
    """Where the pelvis really was. T samples."""

    t: Array
    """[s], (T,)."""
    pos_w: Array
    """[m], (T, 3)."""
    quat_wb: Array
    """wxyz, (T, 4)."""
    lin_vel_b: Array
    """[m/s], pelvis axes, (T, 3)."""
    ang_vel_b: Array
    """[rad/s], pelvis axes, (T, 3)."""

    def yaw(self) -> Array:
        """Heading without jumps [rad], (T,)."""
        return np.unwrap(yaw_of(self.quat_wb))

    def planar_velocity(self) -> Array:
        """Velocity along and across the heading [m/s], (T, 2): what a velocity command speaks of."""
        vel_w, yaw = quat_rotate(self.quat_wb, self.lin_vel_b), yaw_of(self.quat_wb)
        c, s = np.cos(yaw), np.sin(yaw)
        return np.stack([c * vel_w[:, 0] + s * vel_w[:, 1], c * vel_w[:, 1] - s * vel_w[:, 0]], axis=1)

    def between(self, start: float, end: float) -> Truth:
        """Samples with start <= t < end [s]."""
        keep = (self.t >= start) & (self.t < end)
        return Truth(self.t[keep], self.pos_w[keep], self.quat_wb[keep], self.lin_vel_b[keep], self.ang_vel_b[keep])


@dataclass(frozen=True)
class Plans:
    """One entry per plan, in order of publication."""

    published: Array
    """[s]."""
    plan_id: Integers
    stamp: Array
    """When set-point 0 is due [s]."""
    due: Array
    """When its first own set-point is due [s]."""
    valid_until: Array
    """[s]."""
    compute: Array
    """Wall time spent [s]."""
    root_path_w: tuple[Array, ...]
    """Where it predicts the pelvis to be [m], (H, 3) each; (0, 3) where a plan does not say."""


@dataclass(frozen=True)
class ExecutorLog:
    """What ``executor/state`` said."""

    t: Array
    """[s]."""
    mode: Integers
    """Numbers as in the message."""
    plan_id: Integers
    ticks: Integers
    missed: Integers
    late_p99_ms: Array
    late_max_ms: Array
    messages: list[str]


@dataclass(frozen=True)
class Recording:
    """Everything the report, the plots and the film are made from."""

    wall: Array
    """When each ``/clock`` message was sent [s since 1970]; without one, two moments around everything."""
    sim: Array
    """What it said [s]; without one, the same."""
    truth: Truth
    command_t: Array
    """[s], (C,)."""
    command: Array
    """Forward, left [m/s], yaw rate [rad/s], (C, 3)."""
    joint_t: Array
    """[s], (M,)."""
    joint_pos: Array
    """[rad], internal order, (M, 29)."""
    plans: Plans
    executor: ExecutorLog
    applied_t: Array
    """Stamps of ``applied_joint_commands`` [s]."""
    policy: dict[str, str]
    """Name, sha256 and backend as the planner reported them."""
    surroundings: Surroundings
    session: dict[str, Any]
    """What the session wrote down beside the messages."""
    message_count: int
    pace: Array
    """What the simulator measured as its real-time factor, once a second, (P,)."""
    executor_values: dict[str, float]
    """The newest figures of ``/diagnostics`` on the executor's tick."""

    def to_sim(self, wall: Array | float) -> Array:
        """Wall time [s since 1970] -> simulated time [s]."""
        return np.asarray(np.interp(wall, self.wall, self.sim))

    def to_wall(self, sim: Array | float) -> Array:
        """Simulated time [s] -> wall time [s since 1970]."""
        return np.asarray(np.interp(sim, self.sim, self.wall))


_TOPICS = (
    "/clock",
    "/cmd_vel",
    "/joint_states",
    "/ground_truth/odom",
    "/plan",
    "/executor/state",
    "/applied_joint_commands",
    "/planner/status",
    "/diagnostics",
    "/sim/real_time_factor",
    *TOPICS,
)


def read_recording(path: Path) -> Recording:
    """Read a session's MCAP file.

    Raises:
        RecordingError: It is no complete MCAP file, or holds no ground truth, or a clock that never moved.
    """
    messages: dict[str, list[tuple[float, Any]]] = defaultdict(list)
    try:
        with path.open("rb") as stream:
            reader = make_reader(stream)
            summary = reader.get_summary()
            session = {m.name: m.metadata for m in reader.iter_metadata()}.get(METADATA, {})
            last_joints = 0
            for schema, channel, message in reader.iter_messages(topics=list(_TOPICS)):
                if schema is None:
                    continue
                if channel.topic == "/joint_states":
                    if message.log_time - last_joints < _FILM_SPACING_NS:
                        continue
                    last_joints = message.log_time
                decoded = deserialize_message(message.data, message_class(schema.name))
                messages[channel.topic].append((1e-9 * message.publish_time, decoded))
    except (OSError, McapError) as error:
        raise RecordingError(f"'{path}' is not a complete MCAP recording: {error}") from error
    simulated_time = bool(messages["/clock"]) or not messages["/ground_truth/odom"]
    for topic in ("/clock", "/ground_truth/odom") if simulated_time else ("/ground_truth/odom",):
        if len(messages[topic]) < 2:
            raise RecordingError(f"'{path}' holds {len(messages[topic])} messages on {topic}; at least 2 are needed")
    count = summary.statistics.message_count if summary and summary.statistics else 0
    return _assemble(messages, {key: json.loads(text) for key, text in session.items()}, count)


def _assemble(messages: dict[str, list[tuple[float, Any]]], session: dict[str, Any], count: int) -> Recording:
    wall, sim = _time_axis(messages)
    commands = [m for _, m in messages["/cmd_vel"]]
    joints = [m for _, m in messages["/joint_states"]]
    order = JointMap(g1.JOINT_NAMES)
    return Recording(
        wall=wall,
        sim=sim,
        truth=_truth([m for _, m in messages["/ground_truth/odom"]]),
        command_t=_stamps(commands),
        command=np.array(
            [(m.twist.linear.x, m.twist.linear.y, m.twist.angular.z) for m in commands], dtype=float
        ).reshape(-1, 3),
        joint_t=_stamps(joints),
        joint_pos=np.array([order.order(m.name, m.position, "joint_states") for m in joints]).reshape(-1, 29),
        plans=_plans(messages["/plan"], wall, sim),
        executor=_executor([m for _, m in messages["/executor/state"]]),
        applied_t=_stamps([m for _, m in messages["/applied_joint_commands"]]),
        policy=_policy([m for _, m in messages["/planner/status"]]),
        surroundings=surroundings(
            {t: [(float(np.interp(at, wall, sim)), m) for at, m in messages[t]] for t in TOPICS},
            Scene.from_dict(session["scene"]) if "scene" in session else None,
        ),
        session=session,
        message_count=count,
        pace=np.array([m.data for _, m in messages["/sim/real_time_factor"]]),
        executor_values=_executor_values([m for _, m in messages["/diagnostics"]]),
    )


def _time_axis(messages: dict[str, list[tuple[float, Any]]]) -> tuple[Array, Array]:
    """Wall and simulated time; the same where the stack ran on the wall's."""
    if messages["/clock"]:
        wall = np.array([at for at, _ in messages["/clock"]])
        return wall, np.array([time_from_msg(m.clock) for _, m in messages["/clock"]])
    moments = [at for channel in messages.values() for at, _ in channel]
    around = np.array([min(moments) - 1.0, max(moments) + 1.0])
    return around, around


def _executor_values(messages: list[Any]) -> dict[str, float]:
    """Those that are numbers."""
    for message in reversed(messages):
        for status in message.status:
            if status.name == _EXECUTOR_TICK:
                return {pair.key: value for pair in status.values if (value := _number(pair.value)) is not None}
    return {}


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _stamps(messages: list[Any]) -> Array:
    return np.array([time_from_msg(m.header.stamp) for m in messages], dtype=float)


def _truth(messages: list[Any]) -> Truth:
    rows = []
    for m in messages:
        p, q, twist = m.pose.pose.position, m.pose.pose.orientation, m.twist.twist
        v, w = twist.linear, twist.angular
        rows.append((p.x, p.y, p.z, q.w, q.x, q.y, q.z, v.x, v.y, v.z, w.x, w.y, w.z))
    table = np.array(rows)
    return Truth(_stamps(messages), table[:, :3], table[:, 3:7], table[:, 7:10], table[:, 10:])


def _plans(messages: list[tuple[float, Any]], wall: Array, sim: Array) -> Plans:
    stamp = _stamps([m for _, m in messages])
    ahead = np.array([m.first_step * duration_from_msg(m.step_dt) for _, m in messages])
    return Plans(
        published=np.interp([at for at, _ in messages], wall, sim) if messages else np.empty(0),
        plan_id=np.array([m.plan_id for _, m in messages], dtype=np.int64),
        stamp=stamp,
        due=stamp + ahead,
        valid_until=np.array([time_from_msg(m.valid_until) for _, m in messages]),
        compute=np.array([duration_from_msg(m.compute_time) for _, m in messages]),
        root_path_w=tuple(np.asarray(m.root_poses, dtype=float).reshape(-1, 7)[:, :3] for _, m in messages),
    )


def _executor(messages: list[Any]) -> ExecutorLog:
    return ExecutorLog(
        t=_stamps(messages),
        mode=np.array([m.state for m in messages], dtype=np.int64),
        plan_id=np.array([m.plan_id for m in messages], dtype=np.int64),
        ticks=np.array([m.ticks for m in messages], dtype=np.int64),
        missed=np.array([m.missed_ticks for m in messages], dtype=np.int64),
        late_p99_ms=np.array([m.tick_late_p99_ms for m in messages], dtype=float),
        late_max_ms=np.array([m.tick_late_max_ms for m in messages], dtype=float),
        messages=[m.message for m in messages],
    )


def _policy(messages: list[Any]) -> dict[str, str]:
    if not messages:
        return {}
    last = messages[-1]
    return {"name": last.engine_name, "sha256": last.engine_sha256, "backend": last.backend}
