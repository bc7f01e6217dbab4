"""Whatever ends a start-up, its nodes end with it, in order: an armed robot's last commands are damping."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
bm = pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")
pytest.importorskip("mujoco", reason="the simulator needs mujoco")

from beyondmimic_diffusion.bringup import ros_environment  # noqa: E402
from beyondmimic_diffusion.ros import qos  # noqa: E402
from beyondmimic_diffusion.ros.lifeline import STARTED_BY  # noqa: E402

pytestmark = [pytest.mark.ros, pytest.mark.slow]
ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "ros2_ws/src/beyondmimic_diffusion"
PATIENCE = 120.0
"""Six interpreters start on a busy machine [s]; a bound against hanging."""
BOUND = 15.0
"""A node that does not end by itself is killed 10 s after its start-up has gone; the rest is for a busy machine [s]."""
ARMED = (bm.ExecutorState.BLEND, bm.ExecutorState.HOLD, bm.ExecutorState.TRACKING)


def command(way, words):
    """The start-up's command line."""
    if way == "bringup":
        return [sys.executable, "-m", "beyondmimic_diffusion.bringup", *words]
    if importlib.util.find_spec("ros2launch") is None or importlib.util.find_spec("launch_ros") is None:
        pytest.skip("ROS 2's launch, launch_ros and ros2cli are not installed (they are not on PyPI)")
    program = "from ros2cli.cli import main; raise SystemExit(main())"
    return [sys.executable, "-c", program, "launch", str(ROOT / "launch/bringup.launch.py"), *words]


def started_by(pid):
    """Process ids of the living nodes that a start-up has started: they say so in their environment."""
    mark, found = f"{STARTED_BY}={pid}".encode(), set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            dead = (process / "stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
            marked = mark in (process / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if marked and not dead:
            found.add(int(process.name))
    return found


def wait(ros, happened):
    """As ``ros.until``, for six processes that start on a busy machine."""
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, "did not happen"
        ros.spin(0.05)


@pytest.fixture
def start_up(ros, policy_folder, tmp_path):
    """Start it and arm the robot; its process and the motors' commands."""
    path = os.pathsep.join([str(SOURCES), os.environ.get("PYTHONPATH", "")])
    environment = {**ros_environment(), "PYTHONPATH": path}
    running = []

    def start(way):
        states = ros.heard(bm.ExecutorState, "executor/state", qos.LATCHED)
        commands = ros.heard(bm.JointCommand, "motor_command", qos.NEWEST)
        with (tmp_path / "log.txt").open("w") as log:
            words = ["sim:=mujoco", f"policy:={policy_folder}"]
            program = subprocess.Popen(
                command(way, words), stdout=log, stderr=log, env=environment, start_new_session=True
            )
        running.append(program)
        wait(ros, lambda: states or program.poll() is not None)
        assert program.poll() is None, (tmp_path / "log.txt").read_text()
        wait(ros, lambda: ros.ask("executor/arm").success)
        wait(ros, lambda: states[-1].state in ARMED and commands and max(commands[-1].kp) > 0.0)
        return program, commands

    yield start
    for program in running:
        for pid in {program.pid, *started_by(program.pid)} if program.poll() is None else started_by(program.pid):
            os.kill(pid, signal.SIGKILL)
        program.wait()


@pytest.mark.parametrize(
    ("way", "number"),
    [
        ("bringup", signal.SIGHUP), ("bringup", signal.SIGKILL),
        ("launch", signal.SIGINT), ("launch", signal.SIGTERM), ("launch", signal.SIGHUP), ("launch", signal.SIGKILL),
    ],
)  # fmt: skip
def test_when_the_start_up_ends_all_its_nodes_do_and_the_last_commands_of_an_armed_robot_damp(
    ros, start_up, way, number
):
    program, commands = start_up(way)
    nodes = started_by(program.pid)
    assert len(nodes) == 6
    program.send_signal(number)
    end = time.monotonic() + BOUND
    while started_by(program.pid):
        assert time.monotonic() < end, f"{len(started_by(program.pid))} of {len(nodes)} nodes go on"
        ros.spin(0.1)
    program.wait(BOUND)

    def damped() -> bool:
        return all(set(frame.kp) == {0.0} and min(frame.kd) > 0.0 for frame in commands[-3:])

    wait(ros, damped)  # on a loaded machine what was sent last is still on its way
    ros.spin(0.3)
    assert damped()


def test_a_node_that_was_started_by_hand_watches_nobody(monkeypatch):
    from beyondmimic_diffusion.ros import lifeline

    monkeypatch.delenv(STARTED_BY, raising=False)
    monkeypatch.setattr(lifeline.os, "pidfd_open", lambda *_: pytest.fail("it watches somebody"))
    assert lifeline.end_with_start_up() == ""


def test_a_start_up_that_cannot_be_watched_is_said_so(monkeypatch):
    from beyondmimic_diffusion.ros import lifeline

    monkeypatch.setenv(STARTED_BY, "nobody")
    assert "cannot be watched" in lifeline.end_with_start_up()


HELD = """
import ctypes, signal, sys, time
from beyondmimic_diffusion.ros import lifeline
lifeline._PATIENCE = 0.5
signal.signal(signal.SIGTERM, lambda *_: ctypes.PyDLL(None).sleep(60))  # a call that never lets the interpreter go
print(lifeline.end_with_start_up(), flush=True)
time.sleep(60)
"""


def test_a_node_whose_interpreter_is_held_by_a_library_ends_with_its_start_up_all_the_same():
    path = os.pathsep.join([str(SOURCES), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(["sleep", "60"]) as parent:
        environment = {**os.environ, "PYTHONPATH": path, STARTED_BY: str(parent.pid)}
        with subprocess.Popen([sys.executable, "-c", HELD], env=environment, stdout=subprocess.PIPE) as node:
            assert node.stdout is not None and node.stdout.readline() == b"\n"  # it watches
            parent.kill()
            assert node.wait(PATIENCE) == -signal.SIGALRM
