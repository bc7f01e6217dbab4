"""The simulated robot's side of Unitree's DDS, spoken to with types and checksum of Unitree's SDK."""

import time

import numpy as np
import pytest
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.rotations import quat_from_yaw
from beyondmimic_diffusion.core.types import ImuSample, JointSample
from beyondmimic_diffusion.robot_io.unitree_board import UnitreeBoard
from beyondmimic_diffusion.robot_io.unitree_dds import DdsError, Participant

pytestmark = pytest.mark.unitree
PATIENCE = 20.0
"""A bound against hanging [s]."""
POSITION = np.linspace(-0.3, 0.4, g1.NUM_JOINTS)
IMU = ImuSample(7.0, quat_from_yaw(0.6), np.array([0.1, -0.2, 0.3]), np.array([0.5, 0.4, 9.7]))
JOINTS = JointSample(7.0, POSITION, 2.0 * POSITION, -3.0 * POSITION)


class Peer:
    """A program of somebody else, written with Unitree's package."""

    def __init__(self, participant):
        from cyclonedds.pub import DataWriter
        from cyclonedds.sub import DataReader
        from cyclonedds.topic import Topic
        from unitree_sdk2py.idl.unitree_hg.msg.dds_ import LowCmd_, LowState_

        entity = participant.entity
        self.states = DataReader(entity, Topic(entity, "rt/lowstate", LowState_))
        self.writer = DataWriter(entity, Topic(entity, "rt/lowcmd", LowCmd_))

    def command(self, position, *, mode_machine=5, damage=False, off=()):
        """Send a LowCmd as the SDK's examples do."""
        from unitree_sdk2py.idl.default import unitree_hg_msg_dds__LowCmd_
        from unitree_sdk2py.utils.crc import CRC

        message = unitree_hg_msg_dds__LowCmd_()
        message.mode_pr, message.mode_machine = 0, mode_machine
        for i, angle in enumerate(position):
            motor = message.motor_cmd[i]
            motor.mode, motor.q, motor.dq, motor.kp, motor.kd, motor.tau = i not in off, angle, 0.5, 40.0 + i, 2.0, 1.5
        message.crc = CRC().Crc(message)
        if damage:
            message.motor_cmd[3].q += 0.1
        self.writer.write(message)


@pytest.fixture
def board(domain):
    board = UnitreeBoard(domain)
    yield board
    board.close()


@pytest.fixture
def peer(domain):
    return Peer(Participant(domain, "lo"))


def until(happened, doing=lambda: None):
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, "did not happen"
        doing()
        time.sleep(0.02)


def test_unitrees_types_and_checksum_read_what_it_sends(board, peer):
    from unitree_sdk2py.utils.crc import CRC

    heard = []

    def listen():
        board.publish(IMU, JOINTS)
        heard.extend(peer.states.take(10))

    until(lambda: heard, listen)
    state = heard[-1]
    assert state.crc == CRC().Crc(state)
    assert (state.tick, state.mode_machine, state.mode_pr) == (7000, 5, 0)
    motors = state.motor_state[: g1.NUM_JOINTS]
    np.testing.assert_allclose([m.q for m in motors], POSITION, atol=1e-7)
    np.testing.assert_allclose([m.dq for m in motors], 2.0 * POSITION, atol=1e-7)
    np.testing.assert_allclose([m.tau_est for m in motors], -3.0 * POSITION, atol=1e-7)
    np.testing.assert_allclose(state.imu_state.quaternion, IMU.quat_w, atol=1e-7)
    np.testing.assert_allclose(state.imu_state.rpy, (0.0, 0.0, 0.6), atol=1e-6)
    np.testing.assert_allclose(state.imu_state.gyroscope, IMU.ang_vel_b, atol=1e-7)
    np.testing.assert_allclose(state.imu_state.accelerometer, IMU.lin_acc_b, atol=1e-6)


def test_a_command_of_unitrees_package_moves_it_once_its_own_controller_is_released(board, peer):
    until(lambda: board.refused["own controller active"] > 0, lambda: peer.command(POSITION))
    assert board.command() is None
    board.switcher.answer(1003, "")
    until(lambda: board.command() is not None, lambda: peer.command(POSITION, off=(4,)))
    command = board.command()
    np.testing.assert_allclose(command.position, POSITION, atol=1e-7)
    np.testing.assert_allclose(command.velocity, 0.5)
    stiffness = 40.0 + np.arange(g1.NUM_JOINTS)
    stiffness[4] = 0.0  # switched off
    np.testing.assert_allclose(command.kp, stiffness)
    assert command.kd[4] == command.tau_ff[4] == 0.0
    board.forget()
    assert board.command() is None
    assert board.switcher.mode == "ai"


@pytest.mark.parametrize(
    ("fault", "reason"), [({"mode_machine": 6}, "mode_machine"), ({"damage": True}, "checksum")], ids=["machine", "crc"]
)
def test_a_command_for_another_robot_or_a_damaged_one_is_counted_and_not_followed(board, peer, fault, reason):
    board.switcher.mode = ""
    until(lambda: board.refused[reason] > 0, lambda: peer.command(POSITION, **fault))
    assert board.command() is None


def test_domain_0_is_refused():
    with pytest.raises(DdsError, match="where real ones are"):
        UnitreeBoard(0)


@pytest.mark.parametrize(
    ("api_id", "parameter", "code", "mode"),
    [
        (1001, "{}", 0, "ai"),
        (1003, "{}", 0, ""),
        (1002, '{"name": "normal"}', 0, "normal"),
        (1002, "no JSON", 3204, "ai"),
        (1004, "{}", 3203, "ai"),
    ],
)
def test_the_motion_switcher_answers_as_unitrees(board, api_id, parameter, code, mode):
    assert board.switcher.answer(api_id, parameter)[0] == code
    assert board.switcher.mode == mode
