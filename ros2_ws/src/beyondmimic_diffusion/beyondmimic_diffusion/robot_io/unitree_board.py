"""The robot's side of Unitree's DDS: what the motor board and the services of a G1 do, for a simulated one, on ``lo``.

Sends ``rt/lowstate``, takes ``rt/lowcmd`` as the board does (checksum, ``mode_machine``, switched-on motors), answers
the motion switcher. While the robot's own controller has the motors, commands are counted and ignored.
"""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from ..core.robot import g1
from ..core.types import Array, ImuSample, JointCommand, JointSample
from .motion_switcher_server import MotionSwitcherServer
from .unitree_dds import LOW_CMD, LOW_STATE, DdsError, Participant, RawReader, RawWriter
from .unitree_wire import REMOTE_BYTES, BadCrcError, LowState, WireError, decode_low_cmd, encode_low_state

MODE_MACHINE = 5
"""A G1 with 29 joints."""
OWN_CONTROLLER = "ai"
"""Name under which the robot's own controller runs after it was switched on."""
_REMOTE_AT_REST = b"\x55\x51" + bytes(REMOTE_BYTES - 2)
"""Switched on, nothing pressed: the two bytes with which its data begins."""
_IMU_TEMPERATURE = 30
"""[degC]; simulated parts stay cool."""
_TEMPERATURES = np.full((g1.NUM_JOINTS, 2), 30.0)
_VOLTAGES = np.full(g1.NUM_JOINTS, 48.0)
_NO_ERRORS = np.zeros(g1.NUM_JOINTS, np.uint32)


class UnitreeBoard:
    """One simulated robot on the network; samples go in, commands come out."""

    def __init__(self, domain: int, mode_machine: int = MODE_MACHINE, own_controller: str = OWN_CONTROLLER):
        """
        Args:
            domain: Of DDS; never 0, where real robots are.
            mode_machine: Which robot it says it is.
            own_controller: What has the motors at first; empty: nothing, commands are followed at once.

        Raises:
            DdsError: CycloneDDS is missing or unsuitable, or the domain is that of real robots.
        """
        if domain == 0:
            raise DdsError("a simulated robot may not be in DDS domain 0, where real ones are; 1 is usual")
        self.mode_machine = mode_machine
        self.remote = _REMOTE_AT_REST
        """What the remote sends; see ``unitree_remote``."""
        self.refused: Counter[str] = Counter()
        """Commands that were not followed, by reason."""
        self._command: JointCommand | None = None
        self._participant = Participant(domain, "lo", "simulated_robot")
        self.switcher = MotionSwitcherServer(self._participant, own_controller)
        self._states = RawWriter(self._participant, LOW_STATE)
        self._commands = RawReader(self._participant, LOW_CMD, self._on_command)

    def close(self) -> None:
        """Leave the network."""
        self._commands.close()
        self.switcher.close()

    def publish(self, imu: ImuSample, joints: JointSample) -> None:
        """Send one ``LowState``; its tick is the joints' stamp."""
        self._states.write(encode_low_state(self._low_state(imu, joints)))

    def command(self) -> JointCommand | None:
        """Newest command that was followed; None before the first, and while the robot's own controller runs."""
        return self._command

    def forget(self) -> None:
        """As after switching the robot off and on: no command, its own controller has the motors again."""
        self._command = None
        self.switcher.restart()

    def _low_state(self, imu: ImuSample, joints: JointSample) -> LowState:
        return LowState(
            tick=round(1e3 * joints.stamp) & 0xFFFFFFFF,
            mode_pr=0,
            mode_machine=self.mode_machine,
            quaternion_wxyz=imu.quat_w,
            gyroscope=imu.ang_vel_b,
            accelerometer=imu.lin_acc_b,
            rpy=_roll_pitch_yaw(imu.quat_w),
            imu_temperature=_IMU_TEMPERATURE,
            q=joints.position,
            dq=joints.velocity,
            tau_est=joints.effort,
            temperature=_TEMPERATURES,
            voltage=_VOLTAGES,
            motor_error=_NO_ERRORS,
            wireless_remote=self.remote,
        )

    def _on_command(self, cdr: bytes) -> None:
        try:
            command = decode_low_cmd(cdr)
        except BadCrcError:
            self.refused["checksum"] += 1
            return
        except WireError:
            self.refused["not a LowCmd"] += 1
            return
        if command.mode_machine != self.mode_machine:
            self.refused["mode_machine"] += 1
        elif self.switcher.mode:
            self.refused["own controller active"] += 1
        else:
            on = command.enabled.astype(np.float64)  # (J,): a motor that is off is limp
            self._command = JointCommand(0.0, command.q, command.dq, on * command.kp, on * command.kd, on * command.tau)


def _roll_pitch_yaw(quat_w: Array) -> Array:
    """[rad], shape (3,)."""
    w, x, y, z = quat_w.tolist()
    return np.array(
        [
            math.atan2(2.0 * (w * x + y * z), 1.0 - 2.0 * (x * x + y * y)),
            math.asin(max(-1.0, min(1.0, 2.0 * (w * y - z * x)))),
            math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z)),
        ]
    )
