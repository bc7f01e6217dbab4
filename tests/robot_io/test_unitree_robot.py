"""The whole robot over DDS on this machine alone: against a made-up robot here, and Unitree's C++ SDK in a process."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="robot_io speaks ROS 2")

from beyondmimic_diffusion.core.errors import ConfigError  # noqa: E402
from beyondmimic_diffusion.core.protocols import RobotInterface  # noqa: E402
from beyondmimic_diffusion.core.types import JointCommand  # noqa: E402
from beyondmimic_diffusion.robot_io import unitree_wire as wire  # noqa: E402
from beyondmimic_diffusion.robot_io.unitree_checks import UnitreeLimits  # noqa: E402
from beyondmimic_diffusion.robot_io.unitree_dds import (  # noqa: E402
    LOW_CMD,
    LOW_CMD_DRY_RUN,
    LOW_STATE,
    DdsError,
    Participant,
    RawReader,
    RawWriter,
)
from beyondmimic_diffusion.robot_io.unitree_remote import encode_remote  # noqa: E402
from beyondmimic_diffusion.robot_io.unitree_robot import UnitreeMotors, UnitreeRobot  # noqa: E402

pytestmark = pytest.mark.unitree
PATIENCE = 60.0
"""Discovery and delivery on a busy machine [s]; they take milliseconds."""


def wait_until(what) -> None:
    give_up = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < give_up, "it did not happen"
        time.sleep(0.01)


def command(rng) -> JointCommand:
    return JointCommand(0.0, *rng.normal(size=(5, 29)).astype(np.float32))


class MadeUpRobot:
    """Sends what the test says, keeps what it hears on both topics."""

    def __init__(self, domain: int, make_bytes):
        self.participant = Participant(domain, "lo", "/robot")
        self.heard: dict = {LOW_CMD: [], LOW_CMD_DRY_RUN: []}
        self._make_bytes = make_bytes
        self._states = RawWriter(self.participant, LOW_STATE)
        self._readers = [
            RawReader(self.participant, channel, lambda cdr, got=got: got.append(wire.decode_low_cmd(cdr)))
            for channel, got in self.heard.items()
        ]
        self._tick = 0

    def send(self, **fields) -> None:
        self._tick += 2
        self._states.write(self._make_bytes(**({"tick": self._tick} | fields)))

    def close(self) -> None:
        for reader in self._readers:
            reader.close()


@pytest.fixture
def robot_end(domain, make_bytes):
    robot = MadeUpRobot(domain, make_bytes)
    yield robot
    robot.close()


@pytest.fixture
def participant(domain):
    return Participant(domain, "lo", "/test/executor")


@pytest.fixture
def connected(robot_end, participant):
    """Makes a robot that has heard the other end and is heard there."""
    opened: list[UnitreeRobot] = []

    def make(**options) -> UnitreeRobot:
        limits = UnitreeLimits(remote="neutral", max_age=1.0)
        robot = UnitreeRobot(participant, time.time, limits=limits, mode_machines=(5,), **options)
        opened.append(robot)
        channel = LOW_CMD_DRY_RUN if options.get("dry_run", True) else LOW_CMD
        wait_until(lambda: participant.readers(channel.topic) and participant.writers(LOW_STATE.topic))
        wait_until(lambda: robot_end.send() or robot.read() is not None)
        return robot

    yield make
    for robot in opened:
        robot.close()


def released(robot: UnitreeRobot, monkeypatch) -> None:
    """As if the motion switcher had answered; the real ones are in test_motion_switcher.py."""
    monkeypatch.setattr("beyondmimic_diffusion.robot_io.motion_switcher.MotionSwitcher.release", lambda _: (True, "ok"))
    assert robot.take() == (True, "ok")


def test_it_is_a_robot_like_any_other(connected):
    assert isinstance(connected(), RobotInterface)


def test_samples_arrive_as_they_were_sent(connected, robot_end, rng):
    robot = connected()
    q = rng.normal(size=29).astype(np.float32)
    robot_end.send(q=q)
    wait_until(lambda: np.array_equal(robot.read()[1].position, q))
    assert robot.trouble() == ""


def test_a_dry_run_commands_a_topic_that_no_motor_listens_to(connected, robot_end, rng):
    robot = connected(dry_run=True)
    assert robot.take() == (True, "dry run: the robot's own controller keeps the motors")
    sent = command(rng)
    robot.write(sent)
    wait_until(lambda: robot_end.heard[LOW_CMD_DRY_RUN])
    np.testing.assert_array_equal(robot_end.heard[LOW_CMD_DRY_RUN][0].q, sent.position)
    assert robot_end.heard[LOW_CMD] == []


def test_nothing_is_commanded_before_the_motors_were_taken(connected, robot_end, rng, monkeypatch):
    robot = connected(dry_run=False)
    robot.write(command(rng))
    robot.damp(5.0)
    released(robot, monkeypatch)
    sent = command(rng)
    robot.write(sent)
    wait_until(lambda: robot_end.heard[LOW_CMD])
    (heard,) = robot_end.heard[LOW_CMD]
    assert heard.enabled.all()
    for got, expected in (
        (heard.q, sent.position),
        (heard.dq, sent.velocity),
        (heard.kp, sent.kp),
        (heard.kd, sent.kd),
        (heard.tau, sent.tau_ff),
    ):
        np.testing.assert_array_equal(got, expected)


def test_the_robots_mode_machine_is_sent_back(connected, robot_end, rng, monkeypatch):
    robot = connected(dry_run=False)
    released(robot, monkeypatch)
    for mode_machine in (5, 13):
        robot_end.send(mode_machine=mode_machine)
        wait_until(lambda expected=mode_machine: robot.receiver.state.mode_machine == expected)
        robot.write(command(rng))
        wait_until(lambda expected=mode_machine: [c.mode_machine for c in robot_end.heard[LOW_CMD]][-1:] == [expected])
    assert robot.trouble().startswith("the robot reports mode_machine 13")


def test_damping_is_weak_and_aims_where_the_joints_are(connected, robot_end, rng, monkeypatch):
    robot = connected(dry_run=False)
    released(robot, monkeypatch)
    q = rng.normal(size=29).astype(np.float32)
    robot_end.send(q=q, dq=np.ones(29))
    wait_until(lambda: np.array_equal(robot.read()[1].position, q))
    robot.damp(6.5)
    wait_until(lambda: robot_end.heard[LOW_CMD])
    (heard,) = robot_end.heard[LOW_CMD]
    np.testing.assert_array_equal(heard.q, q)
    assert not heard.kp.any()
    assert not heard.dq.any()
    assert not heard.tau.any()
    assert (heard.kd == 6.5).all()


def test_a_supervisors_motors_wait_for_the_robot_to_say_who_it_is(participant, robot_end, rng):
    motors = UnitreeMotors(participant, dry_run=False)
    try:
        wait_until(lambda: participant.readers(LOW_CMD.topic))
        motors.write(command(rng))
        assert (motors.sent, motors.withheld) == (0, 1)
        assert motors.positions() is None
        wait_until(lambda: robot_end.send(q=np.full(29, 0.5)) or motors.positions() is not None)
        wait_until(lambda: motors.positions() is None)  # told once per measurement
        motors.damp(5.0)
        wait_until(lambda: robot_end.heard[LOW_CMD])
        assert (robot_end.heard[LOW_CMD][0].q == 0.5).all()
    finally:
        motors.close()


def test_a_second_writer_is_named_unless_it_is_allowed(connected, domain):
    robot = connected(dry_run=False)
    assert robot.other_writers(()) == []
    other = Participant(domain, "lo", "/test/supervisor")
    writer = RawWriter(other, LOW_CMD)
    wait_until(lambda: robot.other_writers(()))
    (text,) = robot.other_writers(())
    assert text.startswith("/test/supervisor (process ")
    assert robot.other_writers(("/test/supervisor",)) == []
    pid = int(text.split("process ")[1].split(" ")[0])
    assert robot.other_writers((), (pid,)) == []
    del writer, other
    wait_until(lambda: robot.other_writers(()) == [])


def test_damaged_messages_on_the_wire_are_counted_and_forbid_arming(connected, robot_end, make_bytes):
    robot = connected()
    damaged = bytearray(make_bytes(tick=9999))
    damaged[200] ^= 1
    robot_end._states.write(bytes(damaged))
    wait_until(lambda: robot.values()["bad_checksums"] == 1)
    assert robot.receiver.state.tick != 9999
    assert "wrong checksum" in robot.trouble()


def test_the_remotes_stop_chord_is_heard(connected, robot_end):
    robot = connected()
    assert not robot.stop_asked()
    robot_end.send(wireless_remote=encode_remote(["L2", "B"]))
    wait_until(robot.stop_asked)


def test_one_process_cannot_have_one_domain_on_two_interfaces(participant, domain):
    from beyondmimic_diffusion.robot_io.network_interface import interfaces

    others = [name for name, entry in interfaces().items() if name != "lo" and entry.up and entry.addresses]
    if not others:
        pytest.skip("this machine has no second network interface")
    with pytest.raises(
        DdsError, match=f"domain {domain} of this process is on lo already; it cannot be on {others[0]}"
    ):
        Participant(domain, others[0])


def test_a_missing_interface_is_refused_before_anything_is_sent(domain):
    with pytest.raises(ConfigError, match=r"network_interface 'nowhere0' does not exist\. There are: .*lo \(up"):
        Participant(domain, "nowhere0")


# ---------------------------------------------------------------- Unitree's C++ SDK


@pytest.fixture
def peer(domain):
    from robot_io.unitree_peer import UnitreePeer

    process = UnitreePeer(domain)
    yield process
    process.close()


@pytest.mark.unitree_peer
def test_the_cpp_sdk_and_we_read_each_others_numbers(participant, peer, rng):
    robot = UnitreeRobot(participant, time.time, dry_run=False)
    robot._taken = True
    try:
        wait_until(lambda: participant.writers(LOW_STATE.topic) and participant.readers(LOW_CMD.topic))
        values = {name: rng.normal(size=29).astype(np.float32).tolist() for name in ("q", "dq", "tau_est")}
        state = values | {"temperature": [41] * 29, "voltage": [49.5] * 29, "mode_machine": 5}
        state |= {"quat": [0.5, -0.5, 0.5, 0.5], "omega": [1.0, 2.0, 3.0], "accel": [4.0, 5.0, 6.0], "rpy": [0.0] * 3}
        wait_until(lambda: peer.ask("publish", state=state) == {} and robot.read() is not None)
        imu, joints = robot.read()
        assert [joints.position.tolist(), joints.velocity.tolist(), joints.effort.tolist()] == list(values.values())
        assert [imu.quat_w.tolist(), imu.ang_vel_b.tolist(), imu.lin_acc_b.tolist()] == [
            state[name] for name in ("quat", "omega", "accel")
        ]
        sent = command(rng)
        wait_until(lambda: robot.write(sent) or peer.ask("command")["q_target"] == sent.position.tolist())
        heard = peer.ask("command")
        assert [heard[name] for name in ("dq_target", "kp", "kd", "tau_ff")] == [
            array.tolist() for array in (sent.velocity, sent.kp, sent.kd, sent.tau_ff)
        ]
    finally:
        robot.close()


@pytest.mark.unitree_peer
def test_the_cpp_sdk_refuses_a_command_whose_checksum_is_wrong(participant, peer):
    writer = RawWriter(participant, LOW_CMD)
    wait_until(lambda: participant.readers(LOW_CMD.topic))
    zero = np.zeros(29)

    def send(number: float, damage: int) -> None:
        cdr = wire.LowCmdPacker().pack(0, 5, np.full(29, number), zero, zero, zero, zero)
        writer.write(cdr[:-1] + bytes([cdr[-1] ^ damage]))

    wait_until(lambda: send(1.0, 0) or peer.ask("command")["q_target"][0] == 1.0)
    for _ in range(20):  # one at a time: the SDK looks at the newest only
        send(2.0, 1)
        time.sleep(0.02)
        assert peer.ask("command")["q_target"][0] == 1.0
    wait_until(lambda: send(3.0, 0) or peer.ask("command")["q_target"][0] != 1.0)
    assert peer.ask("command")["q_target"][0] == 3.0
    assert "incoming low_cmd CRC Error" in peer.close()


@pytest.mark.unitree_peer
@pytest.mark.parametrize("count", [500, pytest.param(5000, marks=pytest.mark.slow)], ids=["1 s", "10 s"])
def test_nothing_is_lost_between_us_and_the_cpp_sdk_at_500_hz(participant, peer, count):
    """LowState n is answered by LowCmd n, before LowState n + 1 on a grid of 2 ms: both ways, every message."""
    received: list[int] = []
    packer, writer, zero = wire.LowCmdPacker(), RawWriter(participant, LOW_CMD), np.zeros(29)
    begun = threading.Event()

    def answer(cdr: bytes) -> None:
        state = wire.decode_low_state(cdr)
        number = state.q[0]
        received.append(int(number))
        begun.set()
        writer.write(packer.pack(0, state.mode_machine, np.full(29, number), zero, zero, zero, zero))

    reader = RawReader(participant, LOW_STATE, answer)
    try:
        wait_until(lambda: participant.writers(LOW_STATE.topic) and participant.readers(LOW_CMD.topic))
        time.sleep(0.5)  # the other side matches in its own time
        result = peer.ask("exchange", count=count, period=0.002)
        assert reader.failure is None
        assert result["lost"] == []
        assert received == list(range(1, count + 1))
    finally:
        reader.close()
    assert "CRC" not in peer.close()
