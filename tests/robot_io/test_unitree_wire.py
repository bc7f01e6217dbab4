"""Our bytes are Unitree's bytes: against the code that they ship, and against the checksum's definition."""

from __future__ import annotations

import struct

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="robot_io speaks ROS 2")

from beyondmimic_diffusion.core.robot import g1  # noqa: E402
from beyondmimic_diffusion.robot_io import unitree_wire as wire  # noqa: E402
from beyondmimic_diffusion.robot_io.cyclonedds_library import DdsError, check_cyclonedds  # noqa: E402

RANDOM_MESSAGES = 1000
_UNITREE_JOINTS = """
LeftHipPitch LeftHipRoll LeftHipYaw LeftKnee LeftAnklePitch LeftAnkleRoll
RightHipPitch RightHipRoll RightHipYaw RightKnee RightAnklePitch RightAnkleRoll
WaistYaw WaistRoll WaistPitch
LeftShoulderPitch LeftShoulderRoll LeftShoulderYaw LeftElbow LeftWristRoll LeftWristPitch LeftWristYaw
RightShoulderPitch RightShoulderRoll RightShoulderYaw RightElbow RightWristRoll RightWristPitch RightWristYaw
""".split()
"""Motor slots 0-28 as Unitree's examples for the G1 count them."""


def mpeg2(words: bytes) -> int:
    """CRC-32/MPEG-2 bit by bit over little-endian words."""
    crc = 0xFFFFFFFF
    for (word,) in struct.iter_unpack("<I", words):
        for bit in reversed(range(32)):
            top = (crc >> 31) ^ (word >> bit & 1)
            crc = (crc << 1 & 0xFFFFFFFF) ^ (0x04C11DB7 if top else 0)
    return crc


def random_command(rng):
    """q, dq, kp, kd, tau as float32 holds them, each (29,)."""
    return rng.normal(scale=10.0, size=(5, 29)).astype(np.float32)


def test_the_checksum_is_crc_32_mpeg_2_over_words(rng):
    for length in (4, 8, 1000, 2088):
        words = rng.bytes(length)
        assert wire.crc32(words) == mpeg2(words)


def test_joints_are_mapped_to_the_motors_slots_by_name():
    def unitree_name(joint: str) -> str:
        return "".join(part.capitalize() for part in joint.removesuffix("_joint").split("_"))

    assert sorted(wire.SLOT_OF_JOINT) == list(range(29))
    assert [_UNITREE_JOINTS[slot] for slot in wire.SLOT_OF_JOINT] == [unitree_name(name) for name in g1.JOINT_NAMES]


# ---------------------------------------------------------------- against Unitree's generated code


@pytest.fixture(scope="module")
def sdk():
    """Unitree's types, and its checksum over their fields by its own library."""
    try:
        check_cyclonedds()
    except DdsError as error:
        pytest.skip(str(error))
    from unitree_sdk2py.idl import default
    from unitree_sdk2py.idl.unitree_hg.msg import dds_
    from unitree_sdk2py.utils.crc import CRC

    class Sdk:
        types = dds_
        crc = staticmethod(CRC().Crc)
        low_cmd = staticmethod(default.unitree_hg_msg_dds__LowCmd_)
        low_state = staticmethod(default.unitree_hg_msg_dds__LowState_)

    return Sdk


@pytest.mark.unitree
def test_commands_are_byte_for_byte_what_the_sdk_sends(sdk, rng):
    packer = wire.LowCmdPacker()
    message = sdk.low_cmd()
    for _ in range(RANDOM_MESSAGES):
        q, dq, kp, kd, tau = random_command(rng)
        enable = bool(rng.integers(2))
        message.mode_pr, message.mode_machine = map(int, rng.integers(256, size=2))
        for joint, slot in enumerate(wire.SLOT_OF_JOINT):
            motor = message.motor_cmd[slot]
            motor.mode = int(enable)
            motor.q, motor.dq, motor.tau, motor.kp, motor.kd = map(float, (v[joint] for v in (q, dq, tau, kp, kd)))
        message.crc = sdk.crc(message)
        assert packer.pack(message.mode_pr, message.mode_machine, q, dq, kp, kd, tau, enable) == message.serialize()


def random_low_state(sdk, rng):
    """Every field of every motor at random, checksum by the SDK."""
    message = sdk.low_state()
    message.version = rng.integers(2**32, size=2).tolist()
    message.mode_pr, message.mode_machine = map(int, rng.integers(256, size=2))
    message.tick = int(rng.integers(2**32))
    imu = message.imu_state
    for name, size in (("quaternion", 4), ("gyroscope", 3), ("accelerometer", 3), ("rpy", 3)):
        setattr(imu, name, rng.normal(size=size).astype(np.float32).tolist())
    imu.temperature = int(rng.integers(-(2**15), 2**15))
    values = rng.normal(size=(35, 5)).astype(np.float32).tolist()
    words = rng.integers(2**32, size=(35, 7)).tolist()
    for i, motor in enumerate(message.motor_state):
        motor.mode = int(rng.integers(256))
        motor.q, motor.dq, motor.ddq, motor.tau_est, motor.vol = values[i]
        motor.temperature = rng.integers(-(2**15), 2**15, size=2).tolist()
        motor.sensor, motor.motorstate, motor.reserve = words[i][:2], words[i][2], words[i][3:]
    message.wireless_remote = list(rng.bytes(40))
    message.reserve = rng.integers(2**32, size=4).tolist()
    message.crc = sdk.crc(message)
    return message


@pytest.mark.unitree
def test_every_field_of_the_sdks_state_is_read_and_its_checksum_agrees(sdk, rng):
    for _ in range(RANDOM_MESSAGES // 5):
        message = random_low_state(sdk, rng)
        state = wire.decode_low_state(message.serialize())
        imu, motors = message.imu_state, [message.motor_state[slot] for slot in wire.SLOT_OF_JOINT]
        assert (state.tick, state.mode_pr, state.mode_machine) == (message.tick, message.mode_pr, message.mode_machine)
        assert (state.imu_temperature, list(state.wireless_remote)) == (imu.temperature, message.wireless_remote)
        for got, expected in (
            (state.quaternion_wxyz, imu.quaternion),
            (state.gyroscope, imu.gyroscope),
            (state.accelerometer, imu.accelerometer),
            (state.rpy, imu.rpy),
            (state.q, [m.q for m in motors]),
            (state.dq, [m.dq for m in motors]),
            (state.tau_est, [m.tau_est for m in motors]),
            (state.voltage, [m.vol for m in motors]),
            (state.temperature, [m.temperature for m in motors]),
            (state.motor_error, [m.motorstate for m in motors]),
        ):
            np.testing.assert_array_equal(got, expected)
        motion = wire.decode_motion(message.serialize())
        assert motion.tick == message.tick
        for got, expected in (
            (motion.quaternion_wxyz, imu.quaternion),
            (motion.gyroscope, imu.gyroscope),
            (motion.accelerometer, imu.accelerometer),
            (motion.q, [m.q for m in motors]),
            (motion.dq, [m.dq for m in motors]),
            (motion.tau_est, [m.tau_est for m in motors]),
            (motion.temperature, [max(m.temperature) for m in motors]),
        ):
            np.testing.assert_array_equal(got, expected)


@pytest.mark.unitree
def test_states_of_a_simulated_robot_are_read_by_the_sdk_and_carry_its_checksum(sdk, rng, make_state):
    for _ in range(RANDOM_MESSAGES // 10):
        q, dq, tau = rng.normal(size=(3, 29)).astype(np.float32)
        cdr = wire.encode_low_state(
            make_state(
                tick=int(rng.integers(2**32)),
                q=q,
                dq=dq,
                tau_est=tau,
                temperature=rng.integers(-40, 120, size=(29, 2)),
                wireless_remote=rng.bytes(40),
            )
        )
        message = sdk.types.LowState_.deserialize(cdr)
        assert sdk.crc(message) == message.crc
        assert message.serialize() == cdr
        for joint, slot in enumerate(wire.SLOT_OF_JOINT):
            motor = message.motor_state[slot]
            assert (motor.q, motor.dq, motor.tau_est, motor.mode) == (q[joint], dq[joint], tau[joint], 1)


@pytest.mark.unitree
def test_the_second_imu_is_read_as_the_sdk_writes_it(sdk, rng):
    for _ in range(20):
        values = [rng.normal(size=size).astype(np.float32).tolist() for size in (4, 3, 3, 3)]
        temperature = int(rng.integers(-100, 100))
        message = sdk.types.IMUState_(*values, temperature)
        body = message.serialize()
        imu = wire.decode_imu(body)
        assert [imu.quaternion_wxyz.tolist(), imu.gyroscope.tolist(), imu.accelerometer.tolist()] == values[:3]
        assert (imu.rpy.tolist(), imu.temperature) == (values[3], temperature)
        assert wire.encode_imu(imu)[: len(body)] == body


# ---------------------------------------------------------------- round trips and refusals


def test_a_command_survives_the_wire(rng):
    packer = wire.LowCmdPacker()
    for enable in (True, False):
        q, dq, kp, kd, tau = random_command(rng)
        command = wire.decode_low_cmd(packer.pack(0, 5, q, dq, kp, kd, tau, enable))
        assert (command.mode_pr, command.mode_machine) == (0, 5)
        assert command.enabled.tolist() == [enable] * 29
        for got, expected in zip(
            (command.q, command.dq, command.kp, command.kd, command.tau), (q, dq, kp, kd, tau), strict=True
        ):
            np.testing.assert_array_equal(got, expected)


KINDS = {
    "LowState": (wire.decode_low_state, wire.LOW_STATE_PADDING),
    "LowState in a tick": (wire.decode_motion, wire.LOW_STATE_PADDING),
    "LowCmd": (wire.decode_low_cmd, wire.LOW_CMD_PADDING),
}


@pytest.fixture(params=KINDS)
def message(request, make_bytes, rng):
    """Its name, good bytes of it, its decoder and where its padding is."""
    kind = request.param.split()[0]
    good = make_bytes() if kind == "LowState" else wire.LowCmdPacker().pack(0, 5, *random_command(rng))
    return (kind, good, *KINDS[request.param])


def test_any_changed_bit_is_noticed_unless_it_is_padding(message, rng):
    _, good, decode, padding = message
    for byte in range(4, len(good)):
        damaged = bytearray(good)
        damaged[byte] ^= 1 << int(rng.integers(8))
        if byte in padding:
            decode(bytes(damaged))
            continue
        with pytest.raises(wire.BadCrcError, match=r"checksum is [0-9a-f]{8}, its content gives [0-9a-f]{8}"):
            decode(bytes(damaged))


def test_another_length_or_byte_order_is_refused_with_what_is_right(message):
    kind, good, decode, _ = message
    with pytest.raises(wire.WrongLengthError, match=f"{kind}: {len(good) - 4} bytes arrived, .* has {len(good)}"):
        decode(good[:-4])
    with pytest.raises(wire.WireError, match=f"{kind}: begins with 00 00 00 00; only little-endian"):
        decode(bytes(4) + good[4:])


@pytest.mark.parametrize(("field", "index"), [("q", 0), ("dq", 1), ("kp", 2), ("kd", 3), ("tau", 4)])
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e39], ids=str)
def test_a_command_that_is_no_number_is_never_packed(field, index, value):
    values = np.zeros((5, 29))
    values[index, 10] = value
    with (
        np.errstate(over="ignore"),
        pytest.raises(wire.WireError, match=f"{field} of {g1.JOINT_NAMES[10]} is .*; nothing was sent"),
    ):
        wire.LowCmdPacker().pack(0, 5, *values)


def test_a_packer_keeps_nothing_of_the_command_before(rng):
    used = wire.LowCmdPacker()
    used.pack(1, 7, *random_command(rng))
    second = random_command(rng)
    assert used.pack(0, 5, *second, False) == wire.LowCmdPacker().pack(0, 5, *second, False)
