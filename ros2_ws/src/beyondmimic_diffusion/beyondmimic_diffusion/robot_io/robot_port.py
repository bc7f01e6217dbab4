"""The way to motors and sensors as nodes open it and ask of it, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rclpy.node import Node

from ..core.parameters import param
from ..core.protocols import RobotInterface
from ..core.types import Array, ImuSample, JointCommand, JointSample
from ..ros.clock import LoopClock
from .topic_robot import TopicMotors, TopicRobot
from .unitree_checks import UnitreeLimits

ROBOT_INTERFACES = ("topics", "unitree")
"""``topics``: our MuJoCo node or Isaac Sim's bridge; ``unitree``: LowState and LowCmd over DDS."""
OnPair = Callable[[ImuSample, JointSample], None]


@dataclass(frozen=True)
class UnitreeConfig:
    """Where a Unitree robot is; only read if the interface is ``unitree``."""

    network_interface: str = param("", doc="Network interface that the robot is connected to; lo for a simulated one.")
    domain: int = param(0, lo=0, hi=232, doc="Domain of the robot's DDS.")
    dry_run: bool = param(True, doc="Command rt/lowcmd_dryrun, to which no motor listens.")


class RobotPort(RobotInterface, Protocol):
    """Motors and sensors for the executor and the estimator."""

    @property
    def refused(self) -> int:
        """Messages that could not be used."""
        ...

    def other_writers(self, allowed: Collection[str], allowed_pids: Collection[int]) -> list[str]:
        """Who else commands the motors, by names that an operator understands.

        Args:
            allowed: Nodes that may, by name; of ROS.
            allowed_pids: Processes of this machine that may; of DDS.
        """
        ...

    def take(self) -> tuple[bool, str]:
        """Get the motors from the robot's own controller, which goes limp; the operator has seen that it hangs."""
        ...

    def trouble(self) -> str:
        """What forbids to arm, in a sentence that says what to do; empty if nothing does."""
        ...

    def sample_trouble(self) -> str:
        """Why the messages of the sensors cannot be used, in a sentence; empty if they can, or if none came yet."""
        ...

    def missing(self) -> str:
        """Sensors of which nothing was heard yet, in a sentence; empty if all were."""
        ...

    def stop_asked(self) -> bool:
        """Whether the robot's own remote asks for an emergency stop."""
        ...

    def sticks(self) -> tuple[Sequence[float], Sequence[int]] | None:
        """Axes (-1 .. 1) and buttons of the robot's own remote, as joy_node has an Xbox pad's; None: no remote."""
        ...

    def battery_voltage(self) -> float | None:
        """[V]; None if it is not known."""
        ...

    def values(self) -> Mapping[str, Any]:
        """For diagnostics."""
        ...

    def close(self) -> None:
        """Leave."""
        ...


class Motors(Protocol):
    """Motors for the supervisor."""

    def write(self, command: JointCommand) -> None:
        """Send a command."""
        ...

    def listen(self) -> None:
        """Positions are wanted from now on; not called in a thread that must not wait."""
        ...

    def positions(self) -> Array | None:
        """Joint positions measured since the last call [rad], (J,); None if there are none, or no numbers."""
        ...

    def close(self) -> None:
        """Leave."""
        ...


def open_robot(
    node: Node,
    joint_names: Sequence[str],
    interface: str,
    unitree: UnitreeConfig,
    *,
    clock: LoopClock,
    command_type: str | None = None,
    mode_machine: Sequence[int] = (),
    on_pair: OnPair | None = None,
    limits: UnitreeLimits | None = None,
) -> RobotPort:
    """The way to motors and sensors.

    Args:
        node: Owner of whatever ROS has to do with it.
        joint_names: The robot's joints in internal order.
        interface: One of :data:`ROBOT_INTERFACES`.
        unitree: Where a Unitree robot is.
        clock: Time for the samples' stamps.
        command_type: How commands are sent on topics; None: nothing is ever commanded.
        mode_machine: Robots that may be commanded, by Unitree's numbers.
        on_pair: Called with each pair of samples of one measurement, from ROS's thread or the reader's own.
        limits: Thresholds for arming a Unitree robot.

    Raises:
        ConfigError: No such network interface.
        DdsError: CycloneDDS is missing or unsuitable.
    """
    if interface == "topics":
        return TopicRobot(node, joint_names, command_type, on_pair)
    from .unitree_port import UnitreePort

    return UnitreePort(node, unitree, clock, None if command_type is None else tuple(mode_machine), on_pair, limits)


def open_motors(
    node: Node, joint_names: Sequence[str], interface: str, command_type: str, unitree: UnitreeConfig
) -> Motors:
    """The way to the motors for who only damps; arguments and errors as of :func:`open_robot`."""
    if interface == "topics":
        return TopicMotors(node, joint_names, command_type)
    from .unitree_port import UnitreeDamper

    return UnitreeDamper(node, unitree)
