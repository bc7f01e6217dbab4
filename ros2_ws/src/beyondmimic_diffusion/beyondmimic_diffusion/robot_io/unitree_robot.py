"""A Unitree G1: ``LowState`` in, ``LowCmd`` out, over DDS.

Before anything is written, the robot's own controller must have let go of the motors (:meth:`UnitreeRobot.take`), or
both would command them. ``mode_machine`` is sent back as the robot reports it. In a dry run commands go to a topic that
no motor listens to.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from ..core.robot import g1
from ..core.types import Array, ImuSample, JointCommand, JointSample
from .motion_switcher import MotionSwitcher
from .unitree_checks import UnitreeLimits, battery_voltage, first_trouble
from .unitree_dds import LOW_CMD, LOW_CMD_DRY_RUN, LOW_STATE, Endpoint, Participant, RawReader, RawWriter
from .unitree_receiver import UnitreeReceiver
from .unitree_wire import LowCmdPacker

_PITCH_ROLL = 0
"""mode_pr: ankles and waist are commanded as pitch and roll, as the policy was trained."""
_ZERO = np.zeros(g1.NUM_JOINTS)


class UnitreeMotors:
    """The motors, for whoever may command them; nothing is sent before the robot has said who it is."""

    def __init__(self, participant: Participant, dry_run: bool, receiver: UnitreeReceiver | None = None):
        """
        Args:
            participant: Of the robot's domain.
            dry_run: Command a topic that no motor listens to.
            receiver: Whose samples to use; None: a reader of its own.
        """
        self._participant = participant
        self._own = None
        if receiver is None:
            receiver = UnitreeReceiver(time.monotonic)
            self._own = RawReader(participant, LOW_STATE, receiver.accept)
        self._receiver = receiver
        self._packer = LowCmdPacker()
        self.channel = LOW_CMD_DRY_RUN if dry_run else LOW_CMD
        self._writer = RawWriter(participant, self.channel)
        self._asked = None
        self.sent = self.withheld = 0
        """Commands that went out, and those that could not because the robot is not known yet."""

    def close(self) -> None:
        """Leave."""
        if self._own is not None:
            self._own.close()

    def write(self, command: JointCommand) -> None:
        """Send a command.

        Raises:
            WireError: It holds a value that is no number.
            DdsError: DDS did not take it.
        """
        mode_machine = self._receiver.mode_machine
        if mode_machine is None:
            self.withheld += 1
            return
        values = (command.position, command.velocity, command.kp, command.kd, command.tau_ff)
        self._writer.write(self._packer.pack(_PITCH_ROLL, mode_machine, *values))
        self.sent += 1

    def damp(self, kd: float) -> None:
        """Send damping: no stiffness, the target where the joints are measured.

        Args:
            kd: [N m s/rad].
        """
        pair = self._receiver.pair
        position = _ZERO if pair is None else pair[1].position
        self.write(JointCommand(0.0, position, _ZERO, _ZERO, np.full(g1.NUM_JOINTS, kd), _ZERO))

    def positions(self) -> Array | None:
        """Measured since the last call [rad], (J,); None if there are none, or no numbers."""
        pair, asked = self._receiver.pair, self._asked
        self._asked = pair
        return None if pair is None or pair is asked else pair[1].position

    def others(self, allowed: Collection[str], allowed_pids: Collection[int]) -> list[Endpoint]:
        """Who else publishes commands.

        Args:
            allowed: Names or programs of participants that may.
            allowed_pids: Processes of this machine that may.
        """
        own = self._participant.host
        return [
            writer
            for writer in self._participant.writers(self.channel.topic)
            if not {writer.name, writer.process} & set(allowed)
            and not (writer.host == own and writer.pid in allowed_pids)
        ]


class UnitreeRobot:
    """Sensors and motors, for executor and estimator."""

    def __init__(
        self,
        participant: Participant,
        clock: Callable[[], float],
        *,
        mode_machines: Collection[int] = (),
        limits: UnitreeLimits | None = None,
        commands: bool = True,
        dry_run: bool = True,
        on_pair: Callable[[ImuSample, JointSample], None] | None = None,
    ):
        """
        Args:
            participant: Of the robot's domain.
            clock: Time in which samples are stamped [s].
            mode_machines: Robots that may be commanded, from the policy's manifest; empty: any G1 with 29 joints.
            limits: Thresholds for arming.
            commands: Whether it will ever write.
            dry_run: Command a topic that no motor listens to.
            on_pair: Called with the samples of every message, in DDS's thread.
        """
        self._mode_machines = tuple(mode_machines)
        self._limits = limits or UnitreeLimits()
        self._dry_run = dry_run
        self._switcher = MotionSwitcher(participant)
        self.receiver = UnitreeReceiver(clock, on_pair=on_pair)
        self._motors = UnitreeMotors(participant, dry_run, self.receiver) if commands else None
        self._taken = dry_run
        self._reader = RawReader(participant, LOW_STATE, self.receiver.accept)

    def close(self) -> None:
        """Leave."""
        self._reader.close()

    @property
    def refused(self) -> int:
        """Messages that could not be used."""
        return self.receiver.refused

    def read(self) -> tuple[ImuSample, JointSample] | None:
        """Samples of the newest message, or None before the first."""
        return self.receiver.pair

    def write(self, command: JointCommand) -> None:
        """Send a command; silent until the motors were taken.

        Raises:
            WireError: It holds a value that is no number.
            DdsError: DDS did not take it.
        """
        if self._motors is not None and self._taken:
            self._motors.write(command)

    def damp(self, kd: float) -> None:
        """Send damping [N m s/rad]: no stiffness, the target where the joints are measured."""
        if self._motors is not None and self._taken:
            self._motors.damp(kd)

    def take(self) -> tuple[bool, str]:
        """Get the motors from the robot's own controller, which lets go: the robot goes limp. Takes seconds."""
        if self._dry_run:
            return True, "dry run: the robot's own controller keeps the motors"
        released, sentence = self._switcher.release()
        self._taken = released
        return released, sentence

    def trouble(self) -> str:
        """What forbids to arm, in a sentence that says what to do; empty if nothing does."""
        if self._reader.failure is not None:
            return f"the reader of {LOW_STATE.topic} has ended: {self._reader.failure!r}; start this node again"
        return first_trouble(self._limits, self.receiver, self._mode_machines)

    def stop_asked(self) -> bool:
        """Whether the robot's remote asks for an emergency stop."""
        return self.receiver.remote.wants_stop

    def other_writers(self, allowed: Collection[str], allowed_pids: Collection[int] = ()) -> list[str]:
        """Who else commands the motors, in words; see :meth:`UnitreeMotors.others`."""
        return [] if self._motors is None else [w.text for w in self._motors.others(allowed, allowed_pids)]

    def values(self) -> Mapping[str, Any]:
        """For diagnostics."""
        receiver, state = self.receiver, self.receiver.state
        values: dict[str, Any] = {
            "low_states": receiver.received,
            "refused_low_states": receiver.refused,
            "bad_checksums": receiver.bad_checksums,
            "robot_restarts": receiver.ticks.restarts,
            "motors_taken": self._taken and not self._dry_run,
            "dry_run": self._dry_run,
        }
        if state is not None:
            values |= {
                "low_state_age_ms": 1e3 * receiver.age,
                "mode_machine": state.mode_machine,
                "battery_V": battery_voltage(state),
                "imu_temperature_C": state.imu_temperature,
                "winding_temperature_C": float(state.temperature.max()),
                "remote": ", ".join(sorted(receiver.remote.pressed)) or "at rest",
            }
        if self._motors is not None:
            values |= {"commands_sent": self._motors.sent}
        return values
