"""The stack as one session sees it: its processes, its recording, the few things asked of it."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rclpy
from beyondmimic_msgs.msg import ExecutorState, PlannerStatus
from geometry_msgs.msg import TwistStamped
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from std_msgs.msg import Bool
from std_srvs.srv import Trigger

from ..bringup import Bringup
from ..core.errors import BeyondMimicError
from ..ros import qos
from ..ros.conversions import time_to_msg
from ..ros.transport import use_sockets
from .lockstep import LockstepRecorder
from .mcap_file import McapFile
from .node_log import NodeLog
from .recorder import Recorder

POLL = 0.02
"""How often the recording's queues are emptied [s]."""
_SERVICE_PATIENCE = 3.0
"""[s]."""
_IDLE = 0.002
"""[s]."""
_ANSWER_PATIENCE = 10.0
"""How long time stands still in lockstep for the answer to a goal [s]."""
_CALLBACKS = 3
"""Feedback, status and result of a goal; at 50 calls a second nothing piles up."""


class SessionError(BeyondMimicError):
    """The session cannot go on; the text says which part of the stack is to blame."""


class Interrupted(Exception):  # noqa: N818  not an error
    """The operator pressed Ctrl-C."""


class Stack:
    """Processes, recorder and the session's own node. Make it with :func:`running_stack`."""

    def __init__(
        self,
        bringup: Bringup,
        file: McapFile,
        log: NodeLog,
        stop: threading.Event,
        simulated_time: bool,
        lockstep: bool = False,
    ):
        """
        Args:
            bringup: Already started.
            file: Recording.
            log: What the nodes write.
            stop: Set when the operator wants to leave.
            simulated_time: Whether there is a ``/clock``; otherwise time is the wall's.
            lockstep: Whether the session takes turns with the nodes.
        """
        self._bringup = bringup
        self._simulated_time = simulated_time
        self._log = log
        self._stop = stop
        self._plans = True
        self._listener = rclpy.create_node("session_recorder", start_parameter_services=False, enable_rosout=False)
        self._node = rclpy.create_node("session", start_parameter_services=False, enable_rosout=False)
        self._ros_executor = SingleThreadedExecutor()
        self._ros_executor.add_node(self._node)
        self._seat = LockstepRecorder(self._listener, self._node, file) if lockstep else None
        self.recorder = self._seat or Recorder(self._listener, file)
        self._command_pub = self._node.create_publisher(TwistStamped, "cmd_vel", qos.ORDER)
        self._e_stop_pub = self._node.create_publisher(Bool, "e_stop_request", qos.ORDER)
        self._command = TwistStamped()
        self._command.header.frame_id = "pelvis"

    def let_plan(self, wanted: bool) -> None:
        """Freeze the planner's process, or let it go on."""
        if wanted == self._plans:
            return
        self._plans = wanted
        if self._seat is not None:  # a frozen member would stop time
            self._seat.mute("" if wanted else "diffusion_planner")
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._bringup.processes["diffusion_planner"], signal.SIGCONT if wanted else signal.SIGSTOP)

    def close(self) -> None:
        """Fetch what is left, then leave ROS."""
        self.let_plan(True)
        self.recorder.fetch()
        self.recorder.close()
        self._ros_executor.shutdown()
        self._node.destroy_node()
        self._listener.destroy_node()

    # ------------------------------------------------------------ watching

    def step(self) -> None:
        """Record for one short moment.

        Raises:
            Interrupted: The operator wants to leave.
            SessionError: A process has ended.
        """
        if self._seat is not None:
            self._seat.next_turn(self._check)
            return
        self._stop.wait(POLL)
        self.recorder.poll()
        self._check()

    def idle(self) -> None:
        """Let the wall's time pass, for something that does not depend on robot time; in lockstep that stands still.

        Raises:
            Interrupted, SessionError: As :meth:`step`.
        """
        if self._seat is None:
            self.step()
            return
        self._check()
        self._ros_executor.spin_once(timeout_sec=_IDLE)

    def wait_for_future(self, future: Any) -> None:
        """In lockstep: have the answer of another node before time goes on. Otherwise it is looked at now and then."""
        until = time.monotonic() + _ANSWER_PATIENCE
        while self._seat is not None and not future.done() and time.monotonic() < until:
            self.idle()

    @property
    def results(self) -> int:
        """How many results of actions have been sent; 0 without lockstep, where nobody counts them."""
        return 0 if self._seat is None else self._seat.results

    def has_result(self, result: Any, before: int) -> bool:
        """Whether an action has ended. In lockstep it has when its server says so, not when the result comes.

        Args:
            result: Future of the client.
            before: :attr:`results` when the goal was sent.
        """
        if self._seat is not None:
            if self._seat.results == before:
                return False
            self.wait_for_future(result)
        return bool(result.done())

    def _check(self) -> None:
        if self._stop.is_set():
            raise Interrupted
        ended = self._bringup.failed()
        if ended is not None:
            name, code = ended
            raise SessionError(f"{name} has ended with exit code {code}. Its last lines:\n{self._log.last_lines(name)}")

    def wait_for(
        self,
        what: str,
        ready: Callable[[], bool],
        patience: float,
        detail: Callable[[], str] = str,
        wait: Callable[[], None] | None = None,
    ) -> None:
        """Record until something is the case.

        Args:
            what: Is waited for.
            ready: Whether it is there.
            patience: [s].
            detail: Said where it does not come.
            wait: :meth:`idle` for what does not depend on robot time; by default :meth:`step`.

        Raises:
            SessionError: It did not come within ``patience`` [s].
        """
        until = time.monotonic() + patience
        while not ready():
            if time.monotonic() > until:
                raise SessionError(f"{what}: not after {patience:.0f} s. {detail()}".rstrip())
            (wait or self.step)()

    def sim_time(self) -> float:
        """Time of the stack [s]: simulated, and 0 before the first ``/clock`` message; or the wall's."""
        return self.recorder.sim_time() or 0.0 if self._simulated_time else time.time()

    def planner(self) -> PlannerStatus | None:
        """Newest ``planner/status``."""
        return self.recorder.newest("/planner/status")

    def executor(self) -> ExecutorState | None:
        """Newest ``executor/state``."""
        return self.recorder.newest("/executor/state")

    # ------------------------------------------------------------ acting

    def call(self, service: str, patience: float = _SERVICE_PATIENCE) -> tuple[bool, str]:
        """Call a ``std_srvs/Trigger`` service; its verdict and its reason.

        Args:
            service: Its name.
            patience: How long to wait for the answer [s].

        Raises:
            SessionError: No answer.
        """
        client = self._node.create_client(Trigger, service)
        try:
            self.wait_for(f"service {service}", client.service_is_ready, 10.0, wait=self.idle)
            future = client.call_async(Trigger.Request())
            until = time.monotonic() + patience
            while not future.done() and time.monotonic() < until:
                self._ros_executor.spin_once(timeout_sec=0.0)
                self.idle()
            answer = future.result() if future.done() else None
            if answer is None:
                raise SessionError(f"service {service} did not answer within {patience:.0f} s")
            return answer.success, answer.message
        finally:
            self._node.destroy_client(client)

    def action_client(self, action_type: Any, name: str) -> ActionClient:
        """A client of the session's own node; its callbacks run in :meth:`spin`."""
        return ActionClient(self._node, action_type, name)

    def spin(self) -> None:
        """Let a few callbacks of the session's own node run; to be called often while a goal is under way."""
        for _ in range(_CALLBACKS):
            self._ros_executor.spin_once(timeout_sec=0.0)

    def e_stop(self) -> None:
        """Ask the executor for an emergency stop."""
        self._e_stop_pub.publish(Bool(data=True))

    def command(self, velocity: tuple[float, float, float]) -> None:
        """Publish ``cmd_vel``: forward, left [m/s] and yaw rate [rad/s]."""
        self._command.header.stamp = time_to_msg(self.sim_time())
        twist = self._command.twist
        twist.linear.x, twist.linear.y, twist.angular.z = velocity
        self._command_pub.publish(self._command)


@contextmanager
def running_stack(
    bringup: Bringup,
    log: NodeLog,
    out: Path,
    stop: threading.Event,
    simulated_time: bool,
    lockstep: bool,
    metadata: dict[str, str],
) -> Iterator[Stack]:
    """Listen to a stack that was started, and finish its recording however the block is left.

    Args:
        bringup: Its processes.
        log: What they write; it is quiet from the end of the block on.
        out: Folder for ``session.mcap``.
        stop: Set when the operator wants to leave.
        simulated_time: Whether there is a ``/clock``.
        lockstep: Whether the session takes turns with the nodes.
        metadata: Written into the recording when the session is over; the block fills it.
    """
    from .recording import METADATA

    file = McapFile(out / "session.mcap")
    use_sockets()
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    stack: Stack | None = None
    try:
        stack = Stack(bringup, file, log, stop, simulated_time, lockstep)
        yield stack
    finally:
        log.quiet = True
        if stack is not None:
            stack.close()
        rclpy.try_shutdown()
        with contextlib.suppress(OSError):  # a full disk; the recorder has said so
            file.add_metadata(METADATA, metadata)
        file.close()


def describe(message: Any | None) -> str:
    """A status message's reason in words."""
    return "nothing was heard of it" if message is None else str(message.message)
