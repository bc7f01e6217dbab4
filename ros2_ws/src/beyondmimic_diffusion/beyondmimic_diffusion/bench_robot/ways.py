"""Two ways from LowState to samples and from a command to LowCmd, behind one interface."""

from __future__ import annotations

import time
from typing import Any, Protocol, cast

import numpy as np

from ..core.robot import g1
from ..core.types import ImuSample, JointCommand, JointSample
from ..robot_io.cyclonedds_library import check_cyclonedds
from ..robot_io.unitree_dds import LOW_CMD, LOW_STATE, Participant, RawReader
from ..robot_io.unitree_receiver import UnitreeReceiver
from ..robot_io.unitree_robot import UnitreeMotors
from ..robot_io.unitree_wire import SLOT_OF_JOINT

INTERFACE = "lo"


class Way(Protocol):
    """Reads in threads of its own."""

    @property
    def received(self) -> int:
        """LowStates that arrived whole."""
        ...

    def read(self) -> tuple[ImuSample, JointSample] | None:
        """Newest samples."""
        ...

    def write(self, command: JointCommand) -> None:
        """Send a command."""
        ...


class Ours:
    """Raw bytes: what the stack uses."""

    def __init__(self, domain: int):
        """
        Args:
            domain: Of DDS.
        """
        participant = Participant(domain, INTERFACE)
        self._receiver = UnitreeReceiver(time.monotonic)
        self._motors = UnitreeMotors(participant, False, self._receiver)
        self._reader = RawReader(participant, LOW_STATE, self._receiver.accept)

    @property
    def received(self) -> int:
        """LowStates that arrived whole."""
        return self._receiver.received

    def read(self) -> tuple[ImuSample, JointSample] | None:
        """Newest samples."""
        return self._receiver.pair

    def write(self, command: JointCommand) -> None:
        """Send a command."""
        self._motors.write(command)


class Sdk:
    """``unitree_sdk2py`` as its examples for the G1 use it: generated messages, its channels, its checksum."""

    def __init__(self, domain: int):
        """
        Args:
            domain: Of DDS.
        """
        check_cyclonedds()
        from unitree_sdk2py.core.channel import ChannelFactoryInitialize, ChannelPublisher, ChannelSubscriber
        from unitree_sdk2py.idl.default import unitree_hg_msg_dds__LowCmd_
        from unitree_sdk2py.idl.unitree_hg.msg.dds_ import LowCmd_, LowState_
        from unitree_sdk2py.utils.crc import CRC

        self.received = 0
        self._state: Any = None
        self._stamp = 0.0
        self._crc = CRC().Crc
        self._command = unitree_hg_msg_dds__LowCmd_()
        ChannelFactoryInitialize(domain, INTERFACE)
        self._publisher = ChannelPublisher(LOW_CMD.topic, LowCmd_)
        self._publisher.Init()
        self._subscriber = ChannelSubscriber(LOW_STATE.topic, LowState_)
        self._subscriber.Init(self._on_state, 10)

    def _on_state(self, state: Any) -> None:
        if self._crc(state) == state.crc:
            self._state, self._stamp = state, time.monotonic()
            self.received += 1

    def read(self) -> tuple[ImuSample, JointSample] | None:
        """Newest samples."""
        state = self._state
        if state is None:
            return None
        imu, motors = state.imu_state, [state.motor_state[slot] for slot in SLOT_OF_JOINT]
        return (
            ImuSample(self._stamp, np.array(imu.quaternion), np.array(imu.gyroscope), np.array(imu.accelerometer)),
            JointSample(
                self._stamp,
                np.array([motor.q for motor in motors]),
                np.array([motor.dq for motor in motors]),
                np.array([motor.tau_est for motor in motors]),
            ),
        )

    def write(self, command: JointCommand) -> None:
        """Send a command."""
        if self._state is None:
            return
        message, motors = self._command, cast(Any, self._command.motor_cmd)
        message.mode_pr, message.mode_machine = 0, self._state.mode_machine
        for joint in range(g1.NUM_JOINTS):
            motor = motors[SLOT_OF_JOINT[joint]]
            motor.mode = 1
            motor.q, motor.dq = float(command.position[joint]), float(command.velocity[joint])
            motor.kp, motor.kd = float(command.kp[joint]), float(command.kd[joint])
            motor.tau = float(command.tau_ff[joint])
        message.crc = self._crc(message)
        self._publisher.Write(message)


WAYS: dict[str, type[Ours] | type[Sdk]] = {"ours": Ours, "sdk": Sdk}
