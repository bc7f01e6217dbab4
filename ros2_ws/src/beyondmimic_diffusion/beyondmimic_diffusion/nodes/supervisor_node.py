"""Damps the robot if the executor stops commanding it: real motors go on with the last command they were given.

A plain node in a process of its own, as small as can be: a thread that looks at the executor's progress in shared
memory (``robot_io/command_lease.py``) and, where that stands still while the robot is armed, takes the motors and
streams damping until the operator disarms or arms an executor. To notice it, it needs nothing of the middleware.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import numpy as np
from rclpy.node import Node
from std_msgs.msg import Bool

from ..core.execution.action_executor import MOST_DAMPING
from ..core.execution.progress_watch import ProgressWatch
from ..core.parameters import param, validate
from ..core.robot import g1
from ..core.types import Array, JointCommand
from ..robot_io import SupervisorLease, lease_path, open_motors
from ..ros import qos
from ..ros.background import Background
from ..ros.background_log import BackgroundLog
from ..ros.diagnostics import Diagnosis, Diagnostics, Heartbeat, Level
from ..ros.lifecycle import prefer_realtime, run
from ..ros.parameters import NodeParameters
from ..ros.polled import PolledInputs, PolledSimTime
from .robot_parameters import MotorParameters

_SEEING_OUT = 10.0
"""How long the executor may take to end [s]; it is killed before by those who start and end nodes."""
_MIDDLEWARE_PRIORITY = 15
"""Of the middleware's threads, which run before any parameter is known."""
_POLL = 0.01
"""How often it is asked, at the end, whether the executor has ended [s]."""


@dataclass(frozen=True)
class SupervisorParameters(MotorParameters):
    """What an operator may choose."""

    timeout: float = param(
        0.05, unit="s", lo=0.01, hi=1.0, doc="Standstill of the armed executor at which damping starts."
    )
    damping_rate_hz: float = param(100.0, unit="Hz", lo=20.0, hi=500.0, doc="Rate of damping.")
    damping_kd: float = param(5.0, unit="N m s/rad", lo=0.1, hi=20.0, doc="Joint damping; twice the policy's at most.")
    farewell_time: float = param(
        1.0, unit="s", lo=0.0, hi=30.0, doc="How long damping goes on when this node is ended while it damps."
    )
    realtime_priority: int = param(30, lo=0, hi=90, doc="SCHED_FIFO priority of the watch where permitted; 0: none.")

    def __post_init__(self) -> None:
        validate(self)


class SupervisorNode(Node):
    """The watch's thread, and what it reports."""

    def __init__(self, **node_arguments):
        super().__init__("supervisor", **node_arguments)
        self.parameters = NodeParameters(self, SupervisorParameters)
        config = self.parameters.config
        self._lease = SupervisorLease(lease_path(self.get_namespace()))
        self._watch = ProgressWatch(config.timeout, longest_look=0.5 * config.timeout)
        # The threads of callbacks and DDS: the watch waits where they do.
        prefer_realtime(config.realtime_priority // 2)
        self._background = Background("reports")
        self._log = BackgroundLog(self.get_logger(), self._background)
        self._motors = open_motors(self, g1.JOINT_NAMES, config.robot_interface, config.command_type, config.unitree)
        self._position = np.array(g1.DEFAULT_JOINT_POS)
        self._damping_pub = self.create_publisher(Bool, "supervisor/damping", qos.LATCHED)
        self._damping_pub.publish(Bool(data=False))
        self._frames = self._takeovers = 0
        self._next_frame = 0.0
        self._clock_input = PolledInputs(self, "clock_input")
        self._sim_time = PolledSimTime(self, self._clock_input)
        self.heartbeat = Heartbeat(self, self._sim_time.refresh)
        self.diagnostics = Diagnostics(self)
        self.diagnostics.add("rate", self.heartbeat.diagnose)
        self.diagnostics.add("watch", self._diagnose)
        milliseconds = 1e3 * config.timeout  # the first line that a node logs takes long; it shall not be the alarm
        self.get_logger().info(f"damps if the armed executor stands still for {milliseconds:.0f} ms")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """See the executor out, who is ended at the same time as a rule, then stop watching.

        An executor that ends in order calls off the watch. Where it does not, or is gone already, this node damps, and
        goes on doing so for a while, so that the robot has sunk down.
        """
        patience = time.monotonic() + _SEEING_OUT
        while self._lease.watched and not self._lease.damping and time.monotonic() < patience:
            time.sleep(_POLL)
        if self._lease.damping:
            self._stop.wait(self.parameters.config.farewell_time)
        self._stop.set()
        self._thread.join()
        self._lease.leave()
        self._lease.close()
        self._background.close()

    def destroy_node(self) -> None:
        """Leave the robot, too."""
        self._motors.close()
        self._clock_input.close()
        super().destroy_node()

    # ------------------------------------------------------------ watch's thread

    def _run(self) -> None:
        refused = prefer_realtime(self.parameters.config.realtime_priority)
        if refused:
            self._log.warning(f"the watch has no real-time priority: {refused}")
        while not self._stop.is_set():
            try:
                patience = self._look()
            except Exception as error:  # what it is for is to go on when others do not
                self._log.error(f"internal error in the watch: {error!r}", throttle_duration_sec=1.0)
                patience = _POLL
            time.sleep(patience)

    def _look(self) -> float:
        """Do what is due; how long the next look may wait [s]."""
        self.heartbeat.beat()
        lease = self._lease
        if lease.damping:
            return self._go_on_damping()
        if not lease.watched:
            self._watch.reset()
            return self._watch.patience
        progress, raised_at = lease.progress, lease.progress_at
        now = time.monotonic()
        if lease.given_up or self._watch.stopped(progress, now, raised_at):
            return self._take_over(now)
        return self._watch.patience

    def _go_on_damping(self) -> float:
        now = time.monotonic()
        if self._lease.asked_back:
            self._give_back()
        elif now >= self._next_frame:
            self._damp(now)
        return max(0.0, self._next_frame - time.monotonic())

    def _take_over(self, now: float) -> float:
        self._lease.take()
        self._damp(now)
        self._takeovers += 1
        gone = "stands still" if self._lease.executor_lives else "is gone"
        if self._lease.given_up:
            gone = "cannot write"
        silence = 1e3 * self._watch.silence
        self._log.error(f"action_executor {gone}: no command for {silence:.0f} ms; damping")
        self._background.do(self._motors.listen)
        self._background.do(lambda: self._damping_pub.publish(Bool(data=True)))
        return max(0.0, self._next_frame - time.monotonic())

    def _give_back(self) -> None:
        self._lease.give_back()
        self._watch.reset()
        self._background.do(lambda: self._damping_pub.publish(Bool(data=False)))
        self._log.info("the executor was asked for the motors again, and has them")

    def _damp(self, now: float) -> None:
        """One frame: no stiffness, the target where the joint is."""
        zero = np.zeros(g1.NUM_JOINTS)
        kd = np.minimum(self.parameters.config.damping_kd, MOST_DAMPING * np.array(g1.KD))
        self._sim_time.refresh()
        stamp = self.get_clock().now().nanoseconds * 1e-9
        self._motors.write(JointCommand(stamp, self._measured_position(), zero, zero, kd, zero))
        self._next_frame = now + 1.0 / self.parameters.config.damping_rate_hz
        self._frames += 1

    def _measured_position(self) -> Array:
        """Newest measured positions that are numbers, else those before [rad], (J,); they pull nothing."""
        position = self._motors.positions()
        if position is not None:
            self._position = np.clip(position, -2.0 * np.pi, 2.0 * np.pi)
        return self._position

    def _diagnose(self) -> Diagnosis:
        values = {
            "watching": self._lease.watched,
            "executor_progress": self._lease.progress,
            "takeovers": self._takeovers,
            "damping_frames": self._frames,
        }
        if self._lease.damping:
            return Diagnosis(Level.ERROR, "the executor stopped commanding: damping", values)
        if not self._lease.watched:
            return Diagnosis(Level.OK, "the executor is not armed", values)
        return Diagnosis(Level.OK, "the executor commands", values)


def main() -> None:
    """Entry point."""
    run(SupervisorNode, close=lambda node: node.close(), realtime_priority=_MIDDLEWARE_PRIORITY)


if __name__ == "__main__":
    main()
