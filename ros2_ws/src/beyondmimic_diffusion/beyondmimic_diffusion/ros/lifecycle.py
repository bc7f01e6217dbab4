"""What all nodes share: parameters, heartbeat, diagnostics, an orderly life and an orderly death.

A managed node has ROS 2's life cycle. Its parameters are checked when it is constructed, its files when it is
configured; both refuse with the reason in the log. With the parameter ``autostart`` it configures and activates itself,
and ends with exit code 1 if that fails, so that a start-up script notices.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
import sys
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import rclpy
from rclpy.experimental import EventsExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future
from std_srvs.srv import Trigger

from ..core.errors import BeyondMimicError
from .diagnostics import Diagnostics, Heartbeat
from .lifeline import ENDING_SIGNALS, end_with_start_up, on_ending_signals
from .lockstep import join_lockstep
from .output import GuardedOutput
from .parameters import NodeParameters
from .polled import PolledInputs, PolledSimTime, read_clock_as_bytes
from .transport import use_sockets

C = TypeVar("C")
REFUSED = 1
"""Exit code of a node that could not start."""
_SWITCH_INTERVAL = 0.0005
"""How long one Python thread may keep another waiting [s]."""
_M_MMAP_THRESHOLD = -3
"""Of glibc's mallopt."""
_SLICE = 0.25
"""How long a node is served before Python may look at signals [s]."""


class ManagedNode(LifecycleNode, Generic[C]):
    """A life-cycle node with one configuration dataclass. Subclasses fill in the four hooks."""

    def __init__(self, name: str, config_type: type[C], polls_time: bool = False, **node_arguments):
        """
        Args:
            name: Node name.
            config_type: Its parameters; must have a field ``autostart``.
            polls_time: The node calls ``sim_time.refresh()`` in its own cycle, and is not woken for each ``/clock``
                message.
            node_arguments: Passed to rclpy, for tests: ``parameter_overrides``, ``context``, ``namespace``.

        Raises:
            ConfigError: A parameter is unknown or not allowed.
        """
        super().__init__(name, **node_arguments)
        self.active = False
        self.lockstep = join_lockstep(self, lambda: self.active)
        self.parameters: NodeParameters[C] = NodeParameters(self, config_type)
        self._clock_input = PolledInputs(self, "clock_input")
        self.polled = PolledInputs(self)
        """For topics from :meth:`configure` to :meth:`cleanup`, which closes it."""
        self.sim_time = PolledSimTime(self, self._clock_input) if polls_time else None
        if not polls_time:
            read_clock_as_bytes(self)
        self.heartbeat = Heartbeat(self, None if self.sim_time is None else self.sim_time.refresh)
        self.diagnostics = Diagnostics(self)
        self.diagnostics.add("rate", self.heartbeat.diagnose)
        self._is_active = self.create_service(Trigger, f"{name}/is_active", self._on_is_active)

    def destroy_node(self) -> None:
        """rclpy's end of a node; its polled topics go first."""
        for name in ("_clock_input", "polled"):  # a refused parameter ends a node before it has them
            if hasattr(self, name):
                getattr(self, name).close()
        super().destroy_node()

    @abstractmethod
    def configure(self) -> None:
        """Load files, make publishers and subscriptions; raise BeyondMimicError to refuse."""

    @abstractmethod
    def activate(self) -> None:
        """Start working."""

    @abstractmethod
    def deactivate(self) -> None:
        """Stop working, keep everything ready."""

    @abstractmethod
    def cleanup(self) -> None:
        """Undo :meth:`configure`."""

    def autostart(self) -> bool:
        """Configure and activate; False (and the reason in the log) if that was refused."""
        if self.trigger_configure() != TransitionCallbackReturn.SUCCESS:
            return False
        return self.trigger_activate() == TransitionCallbackReturn.SUCCESS

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Life cycle's hook; see :meth:`configure`."""
        return self._try(self.configure)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Life cycle's hook; see :meth:`activate`."""
        result = self._try(self.activate)
        self.active = result == TransitionCallbackReturn.SUCCESS
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Life cycle's hook; see :meth:`deactivate`."""
        self.active = False
        return self._try(self.deactivate)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Life cycle's hook; see :meth:`cleanup`."""
        return self._try(self.cleanup)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Life cycle's hook: stop first if it was active."""
        if self.active:
            self.active = False
            self._try(self.deactivate)
        return TransitionCallbackReturn.SUCCESS

    def _on_is_active(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success, response.message = self.active, "active" if self.active else "not active"
        return response

    def _try(self, step: Callable[[], None]) -> TransitionCallbackReturn:
        try:
            step()
        except BeyondMimicError as error:
            self.get_logger().error(f"{step.__name__} refused: {error}")
            return TransitionCallbackReturn.FAILURE
        return TransitionCallbackReturn.SUCCESS


def spin(node: Node, stop: Future) -> None:
    """Serve a node's callbacks on this thread until ``stop`` is done.

    The events executor of rclpy 7.1 delivers nothing when it is spun without a time limit, hence the slices; they also
    let Python's signal handlers run.
    """
    ros_executor = EventsExecutor(context=node.context)
    ros_executor.add_node(node)
    while not stop.done() and node.context.ok():
        ros_executor.spin_until_future_complete(stop, timeout_sec=_SLICE)
    ros_executor.remove_node(node)


@GuardedOutput()
def run(make_node: Callable[[], Node], close: Callable[[Any], None] | None = None, realtime_priority: int = 0) -> None:
    """Main function of a node's process: make it, start it, spin it on this thread, leave cleanly when it is told to.

    It is told by Ctrl-C or SIGTERM, by the end of its terminal, or by the end of the process that started it.

    Args:
        make_node: Constructs the node once rclpy is up.
        close: Called with the node before it is destroyed, e.g. to join its thread.
        realtime_priority: SCHED_FIFO priority, where permitted, of this thread and those that the middleware starts: a
            tick that publishes waits for their locks, and they must not be starved meanwhile; 0: none.
    """
    prefer_realtime(realtime_priority)
    use_sockets()
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    stop: Future = Future()
    on_ending_signals(lambda: None if stop.done() else stop.set_result(None))
    trouble = end_with_start_up()
    if trouble:
        get_logger("beyondmimic").warning(trouble)
    try:
        code = _serve(make_node(), close, stop)
    except BeyondMimicError as error:
        get_logger("beyondmimic").fatal(str(error))
        code = REFUSED
    rclpy.try_shutdown()
    for number in ENDING_SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C would find Python without handlers, half taken down
    sys.exit(code)


def _settle() -> None:
    """Keep what start-up made out of garbage collections, and hand the interpreter over quickly between threads."""
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(_SWITCH_INTERVAL)


def give_back_memory() -> None:
    """After something large has been dropped: collect garbage, and let the C library give its free pages back.

    It takes some milliseconds; glibc alone can do the latter, and does not by itself between two large allocations.
    """
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def map_large_blocks(size: int = 256 * 1024) -> None:
    """Let the C library map each block of ``size`` bytes and more by itself: freed, its memory goes back at once.

    By default glibc raises that size each time such a block is freed, and large blocks then leave holes between small
    ones. For a process that now and then drops something large; before the first of it is loaded.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, size)


def prefer_this_process(niceness: int = -10) -> bool:
    """Ask for a larger share of the CPU for this thread and those it starts; False where that is not permitted."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, niceness)
    except OSError:
        return False
    return True


def prefer_realtime(priority: int) -> str:
    """Ask for SCHED_FIFO for this thread; why not, or an empty text if it was given (or ``priority`` is 0)."""
    if priority > 0:
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
        except OSError as error:
            return f"{error.strerror}; run as root or allow it by an rtprio limit of at least {priority}"
    return ""


def prefer_core(core: int) -> str:
    """Ask to run this thread on one core alone; why not, or an empty text if it was given (or ``core`` is negative)."""
    if core >= 0:
        try:
            os.sched_setaffinity(0, {core})
        except OSError as error:
            return f"{error.strerror}; this process may use cores {sorted(os.sched_getaffinity(0))}"
    return ""


def _serve(node: Node, close: Callable[[Any], None] | None, stop: Future) -> int:
    try:
        starts = isinstance(node, ManagedNode) and getattr(node.parameters.config, "autostart", False)
        if starts and isinstance(node, ManagedNode) and not node.autostart():
            return REFUSED
        _settle()
        spin(node, stop)
        return 0
    finally:
        if close is not None:
            close(node)
        node.destroy_node()
