"""A stack under test: what is done to it and asked of it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rclpy
from beyondmimic_diffusion.bringup import Bringup
from beyondmimic_diffusion.ros import qos
from beyondmimic_diffusion.ros.lifecycle import prefer_realtime
from beyondmimic_msgs.msg import ActionPlan, PlannerStatus
from rcl_interfaces.srv import SetParameters
from rclpy.experimental import EventsExecutor
from rclpy.parameter import Parameter
from rclpy.task import Future
from std_srvs.srv import SetBool, Trigger

from .ears import Ears
from .heard import Moment
from .operator import Operator
from .terminal import Terminal

SPEED = 0.5
"""Of the walk into which faults are injected [m/s]."""
CLOCK_OFFSET = 100.0
"""Simulated time at the start, so that it can be set back [s]."""
PATIENCE = 90.0
"""How long a part of the stack may take to come up on a busy machine [s]."""
_ATTEMPTS = 4
_RESUMES = 3.0
"""A robot that is kept on its feet gets so long to go on with new plans [s of simulated time]."""
_RUN_UP, _WALKING_ON = 3.0, 1.0
"""Walk before an injection, from standing and where it walks already [s of simulated time]."""


class RigError(Exception):
    """The stack did not come up or the robot did not walk: nothing can be said about a fault."""


class Rig:
    """Make it with :func:`..stack.running_rig`."""

    def __init__(self, bringup: Bringup, lines: list[str], folder: Path, policy: str, real_time_factor: float):
        """
        Args:
            bringup: Started.
            lines: What the nodes write.
            folder: For what an injection writes.
            policy: Folder of the policy that is walked with.
            real_time_factor: Simulated seconds per second.
        """
        self._bringup = bringup
        self.folder, self.policy = folder, policy
        self.node = rclpy.create_node("fault_rig", start_parameter_services=False, enable_rosout=False)
        self.ears = Ears(self.node, lines)
        self.operator = Operator(self.node)
        self.plan_pub = self.node.create_publisher(ActionPlan, "plan", qos.PLAN_INPUT)
        self.factor = real_time_factor
        """Of the simulator, where nothing is wrong with it."""
        self.clock_offset = CLOCK_OFFSET
        """By which simulated time has been set [s]."""
        self.terminal = Terminal()
        """What the nodes write to."""
        self.tools: dict[str, Any] = {}
        """What an injection needs again when it is taken back."""
        self.helpers: list[subprocess.Popen[str]] = []
        """Processes beside the stack; ended with it."""
        self._stop: Future = Future()
        self._thread = threading.Thread(target=self._spin)
        self._thread.start()
        # The moment of injection must be right, too; the next stack's processes must not inherit it.
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(10))

    def close(self) -> None:
        """Leave ROS."""
        for node in self._bringup.processes:
            self.signal(node, signal.SIGCONT)
        self.end_helpers()
        self.operator.close()
        self._stop.set_result(None)
        self._thread.join()
        self.node.destroy_node()

    def _spin(self) -> None:
        prefer_realtime(10)  # what is measured is when a frame arrives, not when this program gets round to it
        executor = EventsExecutor()
        executor.add_node(self.node)
        while not self._stop.done():
            executor.spin_until_future_complete(self._stop, timeout_sec=0.25)

    # ------------------------------------------------------------ what is done

    @property
    def processes(self) -> dict[str, int]:
        """Process id by node name."""
        return self._bringup.processes

    def now(self) -> Moment:
        """This moment."""
        return self.ears.now()

    def signal(self, node: str, number: int) -> None:
        """Send a signal to one of the stack's own processes."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.processes[node], number)

    def restart(self, node: str) -> None:
        """Start a killed process again."""
        self._bringup.restart(node)
        if node == "action_executor":
            since = time.monotonic()
            self.until(lambda: self.ears.reports[-1].at > since, PATIENCE, "another executor")
        if node == "diffusion_planner":
            self.ears.planner = None
            self.until(self._planning, PATIENCE, "another planner")

    def helper(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        """Start a Python program beside the stack."""
        process = subprocess.Popen(
            [sys.executable, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
        )
        self.helpers.append(process)
        return process

    def end_helpers(self, *_: object) -> None:
        """End what was started with :meth:`helper`."""
        for process in self.helpers:
            process.kill()
            process.wait()
        self.helpers.clear()

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
                why = self.ears.reports[-1].message if self.ears.reports else "unheard"
                raise RigError(f"{what}: not within {patience:.0f} s; executor: {self.ears.mode} ({why})")
            time.sleep(0.005)

    def for_sim(self, seconds: float, unless: Callable[[], bool] = lambda: False, patience: float = 60.0) -> bool:
        """Let simulated time pass; False if ``unless`` came true before, or time stood still."""
        start, end = self.ears.sim, time.monotonic() + patience
        while self.ears.sim - start < seconds:
            if unless() or time.monotonic() > end:
                return False
            time.sleep(0.01)
        return True

    def walk(self, velocity: tuple[float, float, float] = (SPEED, 0.0, 0.0)) -> None:
        """Bring the robot to a steady walk, from wherever an earlier fault has left it.

        Raises:
            RigError: It does not walk.
        """
        why = ""
        fallen = lambda: not self.ears.up or self.ears.mode not in ("TRACKING", "COASTING", "HOLD")  # noqa: E731
        for _ in range(_ATTEMPTS):
            self.until(self._planning, PATIENCE, "planner")
            walks = self.ears.up and self.ears.mode == "TRACKING" and self.ears.speed() > 0.6 * SPEED
            if self.ears.up and self.ears.mode == "RETURN_TO_STAND":  # plans come again: it goes on by itself
                self.for_sim(_RESUMES, lambda: self.ears.mode != "RETURN_TO_STAND")
            if not (self.ears.up and self.ears.mode == "TRACKING"):
                self.stand_up()
            self.operator.velocity = velocity
            if self.for_sim(_WALKING_ON if walks else _RUN_UP, fallen) and self.ears.speed() > 0.6 * SPEED:
                return
            why = f"mode {self.ears.mode}, speed {self.ears.speed():.2f} m/s, up {self.ears.up}"
        raise RigError(f"the robot does not walk: {why}")

    def _planning(self) -> bool:
        status = self.ears.planner
        return status is not None and status.state in (PlannerStatus.RUNNING, PlannerStatus.DEGRADED)

    def stand_up(self) -> None:
        """Disarm, hang the robot in its gantry, arm, and wait until it stands and plans are played."""
        self.operator.velocity = None
        if self.ears.mode == "E_STOP":
            self.operator.press()
            self.ask("sim/reset")
            self._insist("e_stop_reset")
        elif self.ears.mode != "DISARMED":
            self.ask("executor/disarm")
        self.until(lambda: self.ears.mode == "DISARMED", 10.0, "disarming")
        self.ask("sim/reset")
        self.for_sim(0.3)
        self._insist("executor/arm")
        # Should it be damped at once (a busy machine loses samples), the next attempt begins from there.
        self.until(lambda: self.ears.mode in ("TRACKING", "DAMPING", "FAULT", "E_STOP"), 30.0, "playing plans")

    def _insist(self, service: str) -> None:
        """Ask until it is granted: a robot that was just hung up swings for a moment."""
        end = time.monotonic() + 30.0
        answer = self.ask(service)
        while not answer.success:
            if time.monotonic() > end:
                raise RigError(f"{service}: {answer.message}")
            time.sleep(0.2)
            answer = self.ask(service)
