"""A Unitree robot as our nodes ask for it: :class:`~.unitree_robot.UnitreeRobot` on ROS's clock, with our latency."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from rclpy.node import Node

from ..core.errors import ConfigError
from ..core.execution import LatencyWindow
from ..core.types import Array, ImuSample, JointCommand, JointSample
from ..ros.clock import LoopClock
from .robot_port import OnPair, UnitreeConfig
from .unitree_checks import UnitreeLimits, battery_voltage
from .unitree_dds import Participant
from .unitree_robot import UnitreeMotors, UnitreeRobot

_LOOPBACK = "lo"
_WINDOW = 30_000
"""Commands over which latency is told; two and a half minutes at 200 Hz."""
_NOT_TAKEN = (
    "the robot's own controller has the motors: let the robot hang (it goes limp), then call executor/take_motors"
)


class _Arrival(NamedTuple):
    """A pair of samples and when it came; replaced as a whole, for it is read by another thread."""

    imu: ImuSample
    joints: JointSample
    at: float
    """Steady clock [s]."""


class UnitreePort:
    """Executor's and estimator's way to a Unitree robot. Samples are stamped in the node's time."""

    def __init__(
        self,
        node: Node,
        config: UnitreeConfig,
        clock: LoopClock,
        mode_machines: Sequence[int] | None,
        on_pair: OnPair | None = None,
        limits: UnitreeLimits | None = None,
    ):
        """
        Args:
            node: Gives its name.
            config: Where the robot is.
            clock: The node's time.
            mode_machines: Robots that may be commanded; None: nothing is ever commanded.
            on_pair: Called with each pair of samples, in DDS's thread.
            limits: Thresholds for arming.

        Raises:
            ConfigError: No such network interface, or simulated time on one that leads to a robot.
            DdsError: CycloneDDS is missing or unsuitable.
        """
        if clock.simulated and config.network_interface != _LOOPBACK:
            raise ConfigError(
                f"{node.get_name()}: use_sim_time is true, network_interface is '{config.network_interface}': a robot "
                "has no /clock, and all watchdogs would stand still; set use_sim_time to false"
            )
        self._clock, self._on_pair = clock, on_pair
        self._ready = False
        self._arrival: _Arrival | None = None
        self._newest: _Arrival | None = None  # that was read
        self._unanswered: _Arrival | None = None  # the same, until the first command after it
        self._dry_run = config.dry_run
        self._taken_in: int | None = None  # count of the robot's restarts in which its motors were taken
        self.latency = LatencyWindow(_WINDOW)
        """From a LowState's arrival to the moment at which the first LowCmd made from it is handed to DDS [s]."""
        self._robot = UnitreeRobot(
            Participant(config.domain, config.network_interface, node.get_name()),
            clock.now,
            mode_machines=mode_machines or (),
            limits=limits,
            commands=mode_machines is not None,
            dry_run=config.dry_run,
            on_pair=self._accept,
        )
        self._ready = True

    @property
    def refused(self) -> int:
        """Messages that could not be used."""
        return self._robot.refused

    @property
    def taken(self) -> bool:
        """Whether the robot's own controller has let go, and the robot was not switched off since."""
        return self._dry_run or self._taken_in == self._robot.receiver.ticks.restarts

    def close(self) -> None:
        """Leave."""
        self._robot.close()

    def read(self) -> tuple[ImuSample, JointSample] | None:
        """Newest samples, or None before the first."""
        arrival = self._arrival
        if arrival is None:
            return None
        if arrival is not self._newest:
            self._newest = self._unanswered = arrival
        return arrival.imu, arrival.joints

    def write(self, command: JointCommand) -> None:
        """Send a command; silent while the motors are not taken."""
        if not self.taken:
            return
        self._robot.write(command)
        if self._unanswered is not None:
            self.latency.add(time.monotonic() - self._unanswered.at)
            self._unanswered = None

    def other_writers(self, allowed: Collection[str], allowed_pids: Collection[int] = ()) -> list[str]:
        """Who else commands the motors; not of interest while the robot's own controller is expected to."""
        return self._robot.other_writers(allowed, allowed_pids) if self.taken and not self._dry_run else []

    def take(self) -> tuple[bool, str]:
        """Ask the robot's own controller to let go; takes seconds."""
        restarts = self._robot.receiver.ticks.restarts
        taken, sentence = self._robot.take()
        self._taken_in = restarts if taken else None
        return taken, sentence

    def trouble(self) -> str:
        """What forbids to arm; empty if nothing does."""
        return self._robot.trouble() or ("" if self.taken else _NOT_TAKEN)

    def sample_trouble(self) -> str:
        """Messages that cannot be used are left out and counted."""
        receiver = self._robot.receiver
        if self._arrival is None and receiver.refused:
            return f"all {receiver.refused} messages on rt/lowstate were refused; is it a G1 with 29 motors?"
        return ""

    def missing(self) -> str:
        """Whether nothing was heard yet."""
        return "no message yet on rt/lowstate" if self._arrival is None else ""

    def stop_asked(self) -> bool:
        """Whether the remote asks for an emergency stop."""
        return self._robot.stop_asked()

    def sticks(self) -> tuple[Sequence[float], Sequence[int]] | None:
        """Axes and buttons of the robot's remote; None while it has never been heard."""
        receiver = self._robot.receiver
        return receiver.remote.joy() if receiver.remote_heard else None

    def battery_voltage(self) -> float | None:
        """As the motors see it [V]; None if they do not say."""
        state = self._robot.receiver.state
        return (battery_voltage(state) if state is not None else 0.0) or None

    def values(self) -> Mapping[str, Any]:
        """For diagnostics."""
        summary = self.latency.summary()
        return {
            **self._robot.values(),
            "motors_taken": self.taken and not self._dry_run,
            "low_state_to_low_cmd_count": summary.count,
            "low_state_to_low_cmd_p50_ms": 1e3 * summary.p50,
            "low_state_to_low_cmd_p99_ms": 1e3 * summary.p99,
            "low_state_to_low_cmd_max_ms": 1e3 * summary.max,
        }

    def _accept(self, imu: ImuSample, joints: JointSample) -> None:
        if not self._ready:  # it reads before it is handed to us
            return
        at = time.monotonic()
        state = self._robot.receiver.state if self._clock.simulated else None
        if state is not None:
            # Simulated time is what a simulated robot's ticks count; by arrival it could only be guessed.
            imu, joints = replace(imu, stamp=1e-3 * state.tick), replace(joints, stamp=1e-3 * state.tick)
        self._arrival = _Arrival(imu, joints, at)
        if self._on_pair is not None:
            self._on_pair(imu, joints)


class UnitreeDamper:
    """The supervisor's way to the motors of a Unitree robot."""

    def __init__(self, node: Node, config: UnitreeConfig):
        """Arguments and errors as of :class:`UnitreePort`."""
        participant = Participant(config.domain, config.network_interface, node.get_name())
        self._motors = UnitreeMotors(participant, config.dry_run)

    def write(self, command: JointCommand) -> None:
        """Send a command."""
        self._motors.write(command)

    def positions(self) -> Array | None:
        """Measured since the last call [rad], (J,); None if there are none."""
        return self._motors.positions()

    def listen(self) -> None:
        """The robot's state comes anyway."""

    def close(self) -> None:
        """Leave."""
        self._motors.close()
