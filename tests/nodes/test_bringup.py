"""The whole stack as processes: it comes up, notices a death, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
bm = pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")
pytest.importorskip("mujoco", reason="the simulator needs mujoco")

from beyondmimic_diffusion.bringup import Bringup, ros_environment  # noqa: E402
from beyondmimic_diffusion.graph import parse_arguments  # noqa: E402
from beyondmimic_diffusion.ros import qos  # noqa: E402

pytestmark = [pytest.mark.ros, pytest.mark.slow]
SHARED_MEMORY = Path("/dev/shm")
SOURCES = Path(__file__).resolve().parents[2] / "ros2_ws/src/beyondmimic_diffusion"
PATIENCE = 60.0
"""Six interpreters start on a busy machine [s]; a bound against hanging."""


@pytest.fixture
def environment():
    path = os.pathsep.join([str(SOURCES), os.environ.get("PYTHONPATH", "")])
    return {**ros_environment(), "PYTHONPATH": path}


@pytest.fixture
def with_shared_memory(environment, tmp_path):
    """As somebody has it who has chosen the middleware's settings himself."""
    profile = tmp_path / "own.xml"
    profile.write_text('<dds xmlns="http://www.eprosima.com"><profiles/></dds>')
    own = {"FASTRTPS_DEFAULT_PROFILES_FILE": str(profile), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    return {**environment, **own}


@pytest.fixture
def words(policy_folder):
    return ["sim:=mujoco", f"policy:={policy_folder}"]


def alive(pid):
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def maps(process):
    try:
        return (process / "maps").read_text(errors="replace")
    except OSError:
        return ""


def shared_memory(pid):
    """Fast DDS's segments that a process has mapped."""
    paths = [line.split()[-1] for line in maps(Path(f"/proc/{pid}")).splitlines() if "/dev/shm/" in line]
    return {Path(path).name for path in paths if "fastrtps" in path}


def used(name):
    """Whether some process of this machine has it mapped; others may share a port's segment."""
    return any(name in maps(process) for process in Path("/proc").glob("[0-9]*"))


def wait(happened):
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, "did not happen"
        time.sleep(0.05)


def test_every_node_comes_up_and_speaks_and_all_are_gone_afterwards(ros, words, environment):
    lines = []
    statuses = ros.heard(bm.PlannerStatus, "planner/status", qos.STREAM)
    states = ros.heard(bm.ExecutorState, "executor/state", qos.LATCHED)
    robot = ros.heard(bm.RobotState, "robot_state", qos.NEWEST)
    goals = ros.heard(bm.GuidanceGoal, "guidance/active", qos.LATCHED)
    with Bringup(parse_arguments(words), environment, lines.append) as bringup:
        processes = bringup.processes
        assert set(processes) >= {"mujoco_sim", *bringup.managed}
        ros.until(lambda: bringup.failed() or (robot and states and goals and statuses and statuses[-1].plans > 0))
        assert bringup.failed() is None, lines
        # the same parameters by name as in the table: the simulator's truth
        assert robot[-1].odom_source == bm.RobotState.ODOM_SIM_TRUTH
        assert not any(shared_memory(pid) for pid in processes.values())  # nobody waits for another's process
    assert not any(alive(pid) for pid in processes.values())
    assert not any("Traceback" in line for line in lines), lines


def test_when_a_node_dies_the_others_are_ended_and_the_exit_code_says_so(words, with_shared_memory):
    lines = []
    with Bringup(parse_arguments(words), with_shared_memory, lines.append) as bringup:
        wait(lambda: any("DISARMED" in line for line in lines))
        wait(lambda: bringup.failed() or shared_memory(bringup.processes["state_estimator"]))
        segments = shared_memory(bringup.processes["state_estimator"])
        time.sleep(3.0)  # longer than the period in which it notes what its processes use
        assert bringup.failed() is None
        os.kill(bringup.processes["state_estimator"], signal.SIGKILL)
        assert bringup.wait(threading.Event()) == 1
        processes = bringup.processes
    assert not any(alive(pid) for pid in processes.values())
    assert segments
    assert not any((SHARED_MEMORY / name).exists() and not used(name) for name in segments)
    assert any("state_estimator has ended with exit code -9" in line for line in lines)


def test_a_planner_that_dies_under_an_armed_robot_ends_nothing_until_it_is_disarmed(ros, words, environment):
    lines, codes = [], []
    states = ros.heard(bm.ExecutorState, "executor/state", qos.LATCHED)
    reaches = lambda state: ros.until(lambda: states and states[-1].state == state)  # noqa: E731
    with Bringup(parse_arguments(words), environment, lines.append) as bringup:
        waiting = threading.Thread(target=lambda: codes.append(bringup.wait(threading.Event())))
        waiting.start()
        reaches(bm.ExecutorState.DISARMED)
        ros.until(lambda: ros.ask("executor/arm").success)
        reaches(bm.ExecutorState.TRACKING)
        os.kill(bringup.processes["diffusion_planner"], signal.SIGKILL)
        reaches(bm.ExecutorState.RETURN_TO_STAND)
        ros.spin(1.0)
        assert waiting.is_alive()
        assert any("diffusion_planner has ended with exit code -9; the robot is armed" in line for line in lines)
        assert ros.ask("executor/disarm").success
        waiting.join(PATIENCE)
    assert codes == [1]


def test_with_use_respawn_a_dead_estimator_comes_back_and_speaks_again(ros, words, environment):
    lines, stop = [], threading.Event()
    robot = ros.heard(bm.RobotState, "robot_state", qos.NEWEST)
    with Bringup(parse_arguments([*words, "use_respawn:=true"]), environment, lines.append) as bringup:
        waiting = threading.Thread(target=bringup.wait, args=(stop,))
        waiting.start()
        ros.until(lambda: robot)
        first = bringup.processes["state_estimator"]
        os.kill(first, signal.SIGKILL)
        wait(lambda: bringup.processes["state_estimator"] != first)
        robot.clear()
        ros.until(lambda: robot)
        stop.set()
        waiting.join()
    assert any("state_estimator has ended with exit code -9; starting it again" in line for line in lines)


def test_ctrl_c_ends_the_program_with_0_its_nodes_and_their_shared_memory(words, with_shared_memory):
    command = [sys.executable, "-m", "beyondmimic_diffusion.bringup", *words]
    program = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=with_shared_memory, start_new_session=True
    )
    for line in program.stderr:
        if "DISARMED" in line:
            break
    children = Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()
    assert len(children) >= 5
    segments = {name for pid in children for name in shared_memory(pid)}
    program.send_signal(signal.SIGINT)
    program.communicate(timeout=PATIENCE)
    assert program.returncode == 0
    assert not any(alive(pid) for pid in children)
    assert segments
    assert not any((SHARED_MEMORY / name).exists() and not used(name) for name in segments)


def test_a_node_that_refuses_its_configuration_ends_the_start_with_its_reason(words, environment, tmp_path):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("/**/diffusion_planner:\n  ros__parameters:\n    planner:\n      pases: 3\n")
    command = [sys.executable, "-m", "beyondmimic_diffusion.bringup", *words, f"params_file:={wrong}"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=PATIENCE)
    assert done.returncode == 1
    assert "no parameter 'planner.pases'; did you mean 'planner.passes'?" in done.stderr


def test_a_wrong_argument_ends_the_program_at_once_with_2(environment):
    command = [sys.executable, "-m", "beyondmimic_diffusion.bringup", "simm:=mujoco"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=PATIENCE)
    assert done.returncode == 2
    assert "did you mean 'sim:=mujoco'" in done.stderr
