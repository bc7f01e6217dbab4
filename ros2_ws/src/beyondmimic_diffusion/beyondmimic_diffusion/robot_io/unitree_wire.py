r"""The bytes of Unitree's ``LowState``, ``LowCmd`` and second IMU, without DDS; fast enough for 500 Hz in Python.

On the wire a message is CDR, little endian, behind a header of four bytes; its checksum is taken over the C structure,
whose first motor is padded differently::

    LowState, bytes after the header                         LowCmd, bytes after the header
       0  version 2 x u4, mode_pr u1, mode_machine u1           0  mode_pr u1, mode_machine u1
      12  tick u4 [ms]                                           2  motor 0: mode u1
      16  IMU 13 x f4 (wxyz, gyro, acc, rpy), temperature i2     4  motor 0: q dq tau kp kd f4, reserve u4
      70  motor 0: mode u1                                      28  motors 1-34: mode u1 ..., 28 bytes each
      72  motor 0: q dq ddq tau f4, 2 temperatures i2,         980  reserve 4 x u4
          voltage f4, sensor 2 x u4, error u4, reserve 4 x u4  996  crc u4
     124  motors 1-34: mode u1 ..., 56 bytes each             1000
    2028  remote 40 x u1, reserve 4 x u4, crc u4
    2088

Joints are in the robot's internal order (:data:`..core.robot.g1.JOINT_NAMES`), mapped by name to the motors' slots.
"""

from .wire_frame import SLOT_OF_JOINT, BadCrcError, WireError, WrongLengthError, crc32
from .wire_low_cmd import LOW_CMD_PADDING, LowCmd, LowCmdPacker, decode_low_cmd
from .wire_low_state import (
    LOW_STATE_PADDING,
    REMOTE_BYTES,
    ImuState,
    LowState,
    Motion,
    decode_imu,
    decode_low_state,
    decode_motion,
    encode_imu,
    encode_low_state,
    wireless_remote,
)

__all__ = [
    "LOW_CMD_PADDING",
    "LOW_STATE_PADDING",
    "REMOTE_BYTES",
    "SLOT_OF_JOINT",
    "BadCrcError",
    "ImuState",
    "LowCmd",
    "LowCmdPacker",
    "LowState",
    "Motion",
    "WireError",
    "WrongLengthError",
    "crc32",
    "decode_imu",
    "decode_low_cmd",
    "decode_low_state",
    "decode_motion",
    "encode_imu",
    "encode_low_state",
    "wireless_remote",
]
