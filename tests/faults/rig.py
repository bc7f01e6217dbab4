"""The stack as processes, and what a fault test hears of it, does to it and asks of it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from beyondmimic_diffusion.bringup import Bringup, ros_environment
from beyondmimic_diffusion.graph import BringupArguments
from beyondmimic_diffusion.ros import qos
from beyondmimic_diffusion.ros.conversions import time_from_msg
from beyondmimic_diffusion.ros.lifecycle import prefer_realtime
from beyondmimic_msgs.msg import ActionPlan, ExecutorState, JointCommand, PlannerStatus
from geometry_msgs.msg import TwistStamped
from nav_msgs.msg import Odometry
from rcl_interfaces.srv import SetParameters
from rclpy.experimental import EventsExecutor
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Bool
from std_srvs.srv import SetBool, Trigger

MODES = {
    getattr(ExecutorState, name): name
    for name in "DISARMED CHECKING HOLD BLEND TRACKING COASTING RETURN_TO_STAND DAMPING E_STOP FAULT".split()
}
SPEED = 0.5
"""Of the walk into which faults are injected [m/s]."""
FALLEN = 0.5
"""Pelvis lower than this [m]: it lies, or is about to."""
_PATIENCE = 90.0
"""How long a part of the stack may take to come up on a busy machine [s]."""
_STAMP = re.compile(r"\[(\w+)\] \[[A-Z]+\] \[([\d.]+)\]")
"""Node, level and system time of a line of the log."""
_COMMAND_PERIOD = 0.05
_ATTEMPTS = 4


class RigError(Exception):
    """The stack did not come up or the robot did not walk: nothing can be said about a fault."""


@dataclass(frozen=True)
class Moment:
    """When a fault was injected, on each clock."""

    steady: float
    sim: float
    wall: float
    """System clock [s], as in the nodes' logs."""


@dataclass(frozen=True)
class Frame:
    """One motor command as it arrived."""

    at: float
    """Steady clock [s]."""
    stiff: bool
    finite: bool


@dataclass(frozen=True)
class Report:
    """One ``executor/state``."""

    at: float
    """Steady clock [s]."""
    sim: float
    """Robot's clock, of the tick [s]."""
    mode: str
    message: str
    refused_plans: int
    state_age: float
    """Of the newest measurement that could be used [s]."""


@dataclass(frozen=True)
class Pose:
    """Ground truth."""

    sim: float
    xy: np.ndarray
    height: float


class Rig:
    """Make it with :func:`running_rig`."""

    def __init__(self, bringup: Bringup, lines: list[str]):
        """
        Args:
            bringup: Started.
            lines: What the nodes write.
        """
        self._bringup = bringup
        self.lines = lines
        self.pids = bringup.processes
        self.frames: deque[Frame] = deque(maxlen=20000)
        self.reports: deque[Report] = deque(maxlen=5000)
        self.poses: deque[Pose] = deque(maxlen=5000)
        self.plan: ActionPlan | None = None
        self.planner: PlannerStatus | None = None
        self.damping = False
        self.sim = 0.0
        """Simulated time [s]."""
        self.velocity: float | None = None
        """Published on ``cmd_vel``; None: nothing is."""
        self.node = rclpy.create_node("fault_rig", start_parameter_services=False, enable_rosout=False)
        self._subscribe()
        self._command_pub = self.node.create_publisher(TwistStamped, "cmd_vel", qos.ORDER)
        self.plan_pub = self.node.create_publisher(ActionPlan, "plan", qos.PLAN_INPUT)
        self._stop: Future = Future()
        self._threads = [threading.Thread(target=self._spin), threading.Thread(target=self._steer)]
        for thread in self._threads:
            thread.start()
        # The moment of injection must be right, too; the next stack's processes must not inherit it.
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(10))

    def _subscribe(self) -> None:
        for message_type, topic, callback, profile in (
            (JointCommand, "motor_command", self._on_command, qos.DECIMATED),
            (ExecutorState, "executor/state", self._on_state, qos.SCENE_INPUT),
            (Odometry, "ground_truth/odom", self._on_truth, qos.STREAM),
            (Clock, "/clock", self._on_clock, qos.NEWEST),
            (ActionPlan, "plan", self._on_plan, qos.PLAN_INPUT),
            (PlannerStatus, "planner/status", self._on_planner, qos.STREAM),
            (Bool, "supervisor/damping", self._on_damping, qos.LATCHED),
        ):
            self.node.create_subscription(message_type, topic, callback, profile)

    def close(self) -> None:
        """Leave ROS."""
        self._stop.set_result(None)
        for thread in self._threads:
            thread.join()
        self.node.destroy_node()

    def _spin(self) -> None:
        prefer_realtime(10)  # what is measured is when a frame arrives, not when this program gets round to it
        executor = EventsExecutor()
        executor.add_node(self.node)
        while not self._stop.done():
            executor.spin_until_future_complete(self._stop, timeout_sec=0.25)

    def _steer(self) -> None:
        message = TwistStamped()
        message.header.frame_id = "pelvis"
        while not self._stop.done():
            if self.velocity is not None:
                message.twist.linear.x = self.velocity
                self._command_pub.publish(message)
            time.sleep(_COMMAND_PERIOD)

    # ------------------------------------------------------------ what is heard

    def _on_command(self, msg: JointCommand) -> None:
        numbers = np.concatenate([msg.position, msg.velocity, msg.kp, msg.kd, msg.effort])
        self.frames.append(Frame(time.monotonic(), any(msg.kp), bool(np.isfinite(numbers).all())))

    def _on_state(self, msg: ExecutorState) -> None:
        stamp = time_from_msg(msg.header.stamp)
        age = 1e-3 * msg.lowstate_age_ms
        self.reports.append(Report(time.monotonic(), stamp, MODES[msg.state], msg.message, msg.refused_plans, age))

    def _on_truth(self, msg: Odometry) -> None:
        place = msg.pose.pose.position
        self.poses.append(Pose(time_from_msg(msg.header.stamp), np.array([place.x, place.y]), place.z))

    def _on_clock(self, msg: Clock) -> None:
        self.sim = time_from_msg(msg.clock)

    def _on_plan(self, msg: ActionPlan) -> None:
        self.plan = msg

    def _on_planner(self, msg: PlannerStatus) -> None:
        self.planner = msg

    def _on_damping(self, msg: Bool) -> None:
        self.damping = msg.data

    @property
    def mode(self) -> str:
        """Newest mode of the executor."""
        return self.reports[-1].mode if self.reports else ""

    @property
    def up(self) -> bool:
        """Whether the robot is on its feet."""
        return bool(self.poses) and self.poses[-1].height > FALLEN

    def speed(self, window: float = 1.0) -> float:
        """Mean planar speed over the newest ``window`` of simulated time [m/s]; infinity before there is as much."""
        poses = [pose for pose in list(self.poses) if pose.sim >= self.sim - window]
        if len(poses) < 2 or poses[-1].sim - poses[0].sim < 0.8 * window:
            return float("inf")
        return float(np.linalg.norm(poses[-1].xy - poses[0].xy) / (poses[-1].sim - poses[0].sim))

    def now(self) -> Moment:
        """This moment."""
        return Moment(time.monotonic(), self.sim, time.time())

    # ------------------------------------------------------------ what is done

    def logged(self, node: str, text: str, since: Moment) -> float | None:
        """When a node first wrote a line with ``text`` after a moment, by its own clock [s after it]; None: never."""
        for line in list(self.lines):
            match = _STAMP.match(line)
            if match and match[1] == node and text in line and float(match[2]) >= since.wall:
                return float(match[2]) - since.wall
        return None

    def signal(self, node: str, number: int) -> None:
        """Send a signal to one of the stack's own processes."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pids[node], number)

    def ask(self, service: str, service_type: Any = Trigger, request: Any = None, patience: float = 10.0) -> Any:
        """Call a service.

        Raises:
            RigError: No answer.
        """
        client = self.node.create_client(service_type, service)
        try:
            self.until(client.service_is_ready, patience, f"service {service}")
            future = client.call_async(service_type.Request() if request is None else request)
            self.until(future.done, patience, f"answer of {service}")
            return future.result()
        finally:
            self.node.destroy_client(client)

    def set_parameter(self, node: str, name: str, value: Any) -> None:
        """Set a parameter of a running node."""
        request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
        result = self.ask(f"{node}/set_parameters", SetParameters, request).results[0]
        if not result.successful:
            raise RigError(result.reason)

    def pause(self, paused: bool) -> None:
        """Stop simulated time, or let it go on."""
        self.ask("sim/pause", SetBool, SetBool.Request(data=paused))

    def until(self, happened: Callable[[], object], patience: float, what: str) -> None:
        """Wait for something.

        Raises:
            RigError: It did not come.
        """
        end = time.monotonic() + patience
        while not happened():
            if time.monotonic() > end:
                why = self.reports[-1].message if self.reports else "unheard"
                raise RigError(f"{what}: not within {patience:.0f} s; executor: {self.mode} ({why})")
            time.sleep(0.005)

    def for_sim(self, seconds: float, unless: Callable[[], bool] = lambda: False, patience: float = 60.0) -> bool:
        """Let simulated time pass; False if ``unless`` came true before."""
        start, end = self.sim, time.monotonic() + patience
        while self.sim - start < seconds and time.monotonic() < end:
            if unless():
                return False
            time.sleep(0.01)
        return True

    def walk(self) -> None:
        """Bring the robot to a steady walk, from wherever an earlier fault has left it.

        Raises:
            RigError: It does not walk.
        """
        why = ""
        for _ in range(_ATTEMPTS):
            self.until(self._planning, _PATIENCE, "planner")
            if not (self.up and self.mode == "TRACKING"):
                self._stand_up()
            self.velocity = SPEED
            fallen = lambda: not self.up or self.mode not in ("TRACKING", "COASTING", "HOLD")  # noqa: E731
            if self.for_sim(4.0, fallen) and self.speed() > 0.6 * SPEED:
                return
            why = f"mode {self.mode}, speed {self.speed():.2f} m/s, up {self.up}"
        raise RigError(f"the robot does not walk: {why}")

    def _planning(self) -> bool:
        return self.planner is not None and self.planner.state in (PlannerStatus.RUNNING, PlannerStatus.DEGRADED)

    def _stand_up(self) -> None:
        self.velocity = None
        if self.mode == "E_STOP":
            self.ask("sim/reset")
            self._insist("e_stop_reset")
        elif self.mode != "DISARMED":
            self.ask("executor/disarm")
        self.until(lambda: self.mode == "DISARMED", 10.0, "disarming")
        self.ask("sim/reset")
        self.for_sim(0.5)
        self._insist("executor/arm")
        self.until(lambda: self.mode == "TRACKING", 30.0, "playing plans")

    def _insist(self, service: str) -> None:
        """Ask until it is granted: a robot that was just hung up swings for a moment."""
        end = time.monotonic() + 30.0
        answer = self.ask(service)
        while not answer.success:
            if time.monotonic() > end:
                raise RigError(f"{service}: {answer.message}")
            time.sleep(0.2)
            answer = self.ask(service)


@contextmanager
def running_rig(folder: Path, real_time_factor: float, policy: str) -> Iterator[Rig]:
    """Start the stack, hand it over once it speaks, and end it however the block is left."""
    parameters = folder / "faults.param.yaml"
    parameters.write_text(f"/**/mujoco_sim:\n  ros__parameters:\n    real_time_factor: {real_time_factor}\n")
    lines: list[str] = []
    environment = ros_environment()
    os.environ.update({name: environment[name] for name in ("ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE")})
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    try:
        arguments = BringupArguments(policy=policy, params_file=str(parameters))
        with Bringup(arguments, environment, lines.append) as bringup:
            rig = Rig(bringup, lines)
            try:
                rig.until(lambda: rig.mode and rig.sim > 0.0 and rig.poses, _PATIENCE, "simulator and executor")
                yield rig
            finally:
                for node in rig.pids:
                    rig.signal(node, signal.SIGCONT)
                rig.close()
    finally:
        rclpy.try_shutdown()
        (folder / "nodes.log").write_text("\n".join(lines))
