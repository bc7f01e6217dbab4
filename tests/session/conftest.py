"""A session whose every figure is known beforehand: it is written as messages, not simulated."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

WALL_START = 1_700_000_000.0
POLICY_SHA = "ab" * 32


@dataclass
class Script:
    """What happened; the defaults are a robot that does exactly as it is told."""

    legs: list[tuple[str, float, tuple[float, float, float]]] = field(
        default_factory=lambda: [
            ("stand", 4.0, (0.0, 0.0, 0.0)),
            ("forward", 6.0, (0.5, 0.0, 0.0)),
            ("turn", 6.0, (0.0, 0.0, 0.4)),
        ]
    )
    velocity_bias: tuple[float, float] = (0.0, 0.0)
    """Real minus commanded velocity [m/s], whenever the command is not zero."""
    slowness: float = 1.0
    """Wall seconds per simulated second."""
    tracking: float = 10.0
    """Simulated time at which plans are played first [s]."""
    compute: Callable[[int], float] = lambda i: 0.010
    """Compute time of plan i [s]."""
    slack: Callable[[int], float] = lambda i: 0.015
    """Time before its first own set-point at which plan i is published [s]."""
    down: tuple[tuple[float, float], ...] = ()
    """Spans of time since tracking in which the robot lies on the floor [s]."""
    planner_dies: float = float("inf")
    """No plans are made after this, since tracking [s]; the executor plays on regardless."""
    goals: list[dict] | None = None
    """Entries as the session notes them, their times since tracking [s]; given, there are no legs in the timetable."""
    scene: dict | None = None
    touches: tuple[float, ...] = ()
    """When obstacles are touched, since tracking [s]."""
    clearance: Callable[[float], float] = lambda t: float("inf")
    """Narrowest gap at a time since tracking [m]."""
    routes: tuple[tuple[float, tuple[tuple[float, float], ...]], ...] = ()
    """Time since tracking [s] and corners [m]; no corners: there is no route any more."""

    @property
    def duration(self) -> float:
        return sum(duration for _, duration, _ in self.legs)

    def command(self, t: float) -> tuple[float, float, float]:
        """At ``t`` [s] since tracking."""
        for _, duration, velocity in self.legs:
            if t < duration:
                return velocity
            t -= duration
        return (0.0, 0.0, 0.0)

    def timetable(self) -> list[dict]:
        start, table = self.tracking, []
        for name, duration, (vx, vy, wz) in self.legs:
            table.append({"name": name, "start": start, "end": start + duration, "vx": vx, "vy": vy, "yaw_rate": wz})
            start += duration
        return table


def write_session(path: Path, script: Script) -> None:
    """The MCAP file that the recorder would have written."""
    from beyondmimic_diffusion.session.mcap_file import McapFile

    file = McapFile(path)
    for at, topic, message in sorted(messages_of(script), key=lambda entry: entry[0]):
        _put(file, topic, message, WALL_START + script.slowness * at)
    notes = {
        "tracking": script.tracking,
        "end": script.tracking + script.duration,
        "legs": script.timetable(),
        "policy": "policies/made_up",
        "seed": 3,
        "command_wall": WALL_START + 2.0,
    }
    if script.goals is not None:
        shifted = dict.fromkeys(("start", "end"), script.tracking)
        notes["goals"] = [goal | {key: goal[key] + by for key, by in shifted.items()} for goal in script.goals]
        notes["legs"] = []
    if script.scene is not None:
        notes["scene"] = script.scene
    file.add_metadata("session", {key: json.dumps(value) for key, value in notes.items()})
    file.close()


def _put(file, topic: str, message, wall: float) -> None:
    from rclpy.serialization import serialize_message

    package, kind, *_ = type(message).__module__.split(".")
    file.add_channel(topic, f"{package}/{kind}/{type(message).__name__}")
    ns = round(wall * 1e9)
    file.write(topic, serialize_message(message), ns + 200_000, ns)


def messages_of(script: Script):
    """(simulated time, topic, message)."""
    from rosgraph_msgs.msg import Clock

    end = script.tracking + script.duration
    for i in range(round((end + 0.1) / 0.04) + 1):  # what lies between is interpolated, exactly: time runs evenly
        yield 0.04 * i, "/clock", Clock(clock=stamp_of(0.04 * i))
    yield from _commands(script)
    yield from _truth(script)
    yield from _plans(script)
    yield from _executor(script)
    yield from _obstacles(script)


def stamp_of(seconds: float):
    from beyondmimic_diffusion.ros.conversions import time_to_msg

    return time_to_msg(seconds)


def _commands(script: Script):
    from geometry_msgs.msg import TwistStamped

    for i in range(round(script.duration / 0.05)):
        message = TwistStamped()
        message.header.stamp = stamp_of(script.tracking + 0.05 * i)
        twist = message.twist
        twist.linear.x, twist.linear.y, twist.angular.z = script.command(0.05 * i)
        yield script.tracking + 0.05 * i, "/cmd_vel", message


def _truth(script: Script):
    """Positions by Euler steps of 20 ms; the velocity is exact, in pelvis axes, with a little forward pitch."""
    from beyondmimic_diffusion.core.robot import g1
    from nav_msgs.msg import Odometry
    from sensor_msgs.msg import JointState

    position, yaw, pitch = np.zeros(2), 0.3, 0.1
    for i in range(round(script.duration / 0.02) + 1):
        t = 0.02 * i
        vx, vy, wz = script.command(t)
        if vx or vy or wz:
            vx, vy = vx + script.velocity_bias[0], vy + script.velocity_bias[1]
        message = Odometry()
        message.header.stamp = stamp_of(script.tracking + t)
        pose, twist = message.pose.pose, message.twist.twist
        lying = any(a <= t < b for a, b in script.down)
        pose.position.x, pose.position.y, pose.position.z = (
            float(position[0]),
            float(position[1]),
            0.1 if lying else 0.76,
        )
        # rotation about z by yaw, then about the new y by pitch
        pose.orientation.w = float(np.cos(yaw / 2) * np.cos(pitch / 2))
        pose.orientation.x = float(-np.sin(yaw / 2) * np.sin(pitch / 2))
        pose.orientation.y = float(np.cos(yaw / 2) * np.sin(pitch / 2))
        pose.orientation.z = float(np.sin(yaw / 2) * np.cos(pitch / 2))
        # the level velocity (vx, vy, 0) seen from axes pitched forward by `pitch`
        twist.linear.x, twist.linear.y, twist.linear.z = vx * np.cos(pitch), vy, vx * np.sin(pitch)
        twist.angular.z = wz
        yield script.tracking + t, "/ground_truth/odom", message
        joints = JointState(name=list(reversed(g1.JOINT_NAMES)))
        joints.header.stamp = message.header.stamp
        joints.position = [float(29 - k) + t for k in range(29)]  # reversed: joint k of ours reads k + 1 + t
        yield script.tracking + t, "/joint_states", joints
        c, s = np.cos(yaw), np.sin(yaw)
        position = position + 0.02 * np.array([c * vx - s * vy, s * vx + c * vy])
        yaw += 0.02 * wz


def _plans(script: Script):
    from beyondmimic_diffusion.ros.conversions import duration_to_msg
    from beyondmimic_msgs.msg import ActionPlan, PlannerStatus

    for i in range(round(min(script.duration, script.planner_dies) / 0.04)):
        due = script.tracking + 0.04 * i + 0.02
        plan = ActionPlan(plan_id=i, session_id=7, first_step=2, trusted_steps=16, horizon=16)
        plan.header.stamp = stamp_of(due - 0.04)  # set-point 2 is the first own one
        plan.step_dt, plan.compute_time = duration_to_msg(0.02), duration_to_msg(script.compute(i))
        plan.valid_until = stamp_of(due - 0.04 + 0.32)
        plan.root_poses = [x for h in range(16) for x in (0.01 * i + 0.1 * h, 0.02 * i, 0.76, 0.0, 0.0, 0.0, 1.0)]
        yield due - script.slack(i), "/plan", plan
    status = PlannerStatus(engine_name="made_up", engine_sha256=POLICY_SHA, backend="onnx")
    yield script.tracking + 1.0, "/planner/status", status


def _obstacles(script: Script):
    from geometry_msgs.msg import Point
    from std_msgs.msg import Float32, UInt32
    from visualization_msgs.msg import Marker, MarkerArray

    for count, at in enumerate((-9.0, *script.touches)):
        yield script.tracking + at, "/ground_truth/contacts", UInt32(data=count)
    for i in range(round(script.duration / 0.02) + 1):
        yield script.tracking + 0.02 * i, "/ground_truth/clearance", Float32(data=script.clearance(0.02 * i))
    for at, corners in script.routes:
        wipe, goal = Marker(action=Marker.DELETEALL), Marker(ns="goal", type=Marker.CYLINDER)
        line = Marker(ns="route", type=Marker.LINE_STRIP, points=[Point(x=x, y=y) for x, y in corners])
        yield script.tracking + at, "/guidance/markers", MarkerArray(markers=[wipe, goal, *([line] if corners else [])])


def _executor(script: Script):
    from beyondmimic_msgs.msg import ExecutorState, JointCommand

    for i in range(round(script.duration / 0.1) + 1):
        t = 0.1 * i
        last = min(t, script.planner_dies - 0.04)
        state = ExecutorState(state=ExecutorState.TRACKING, plan_id=max(0, round((last - 0.06) / 0.04)))
        state.header.stamp = stamp_of(script.tracking + t)
        state.ticks, state.missed_ticks = 400 + 20 * i, i // 50
        state.tick_late_p99_ms, state.tick_late_max_ms = 0.5, 2.0
        yield script.tracking + t, "/executor/state", state
    for i in range(round(script.duration / 0.02)):
        command = JointCommand()
        command.header.stamp = stamp_of(script.tracking + 0.02 * i)
        yield script.tracking + 0.02 * i, "/applied_joint_commands", command


@pytest.fixture
def recorded(tmp_path):
    """Script -> its recording, through a real MCAP file."""

    def record(script: Script):
        from beyondmimic_diffusion.session.recording import read_recording

        write_session(tmp_path / "session.mcap", script)
        return read_recording(tmp_path / "session.mcap")

    return record


@pytest.fixture
def script() -> type[Script]:
    """The class :class:`Script`."""
    return Script
