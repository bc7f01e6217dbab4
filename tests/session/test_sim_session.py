"""`make sim` as a user runs it: a process of its own, on a domain of its own."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

pytest.importorskip("rclpy", reason="the session runs over ROS 2")

from beyondmimic_diffusion.sim_session import INTERRUPTED, REFUSED, main, parse
from diagnostic_msgs.msg import DiagnosticArray
from mcap.reader import make_reader
from rclpy.serialization import deserialize_message

ROOT = Path(__file__).resolve().parents[2]
POLICY = Path(os.environ.get("BEYONDMIMIC_TEST_POLICY", ROOT / "policies" / "walk"))
SHARED_MEMORY = Path("/dev/shm")
LOCKSTEP = ("--lockstep",)
"""Time waits for each node: these tests are about the course of a session, not about the machine's speed."""

needs_policy = pytest.mark.skipif(not (POLICY / "manifest.json").is_file(), reason=f"no policy at {POLICY}")
pytestmark = pytest.mark.ros


def start(out: Path, *words: str) -> subprocess.Popen[str]:
    path = str(ROOT / "ros2_ws/src/beyondmimic_diffusion")
    environment = os.environ | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "beyondmimic_diffusion.sim_session", "--out", str(out), "--policy", str(POLICY)]
    return subprocess.Popen(
        [*command, *words],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def shared_files() -> set[str]:
    """Shared memory of Fast DDS; the lock and semaphore of a segment are named after it."""
    return {
        path.name.removeprefix("sem.").split("_el")[0].split("_mutex")[0] for path in SHARED_MEMORY.glob("*fastrtps*")
    }


def in_use() -> str:
    """What living processes have mapped: another run's shared memory is not ours to judge."""
    maps = []
    for path in Path("/proc").glob("[0-9]*/maps"):
        try:
            maps.append(path.read_text(errors="replace"))
        except OSError:
            continue
    return "".join(maps)


def nodes_of(domain: str) -> list[psutil.Process]:
    """Processes of the stack on a ROS domain."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("ROS_DOMAIN_ID") == domain and "beyondmimic_diffusion.nodes" in " ".join(
                process.cmdline()
            ):
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.mark.slow
@pytest.mark.sim
@needs_policy
def test_a_short_session_walks_reports_and_leaves_nothing_running(tmp_path):
    before = shared_files()
    process = start(tmp_path, *LOCKSTEP, "--duration", "12", "--seed", "5", "--no-film")
    output, _ = process.communicate(timeout=400)
    assert process.returncode == 0, output
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["falls"] == 0
    assert report["healthy"]
    assert report["seed"] == 5
    assert report["executor"]["ticks"] > 0
    assert report["plans"] > 200
    assert report["plans_used_after_valid_until"] == 0
    assert report["plans_late"] == 0
    assert report["executor"]["seconds_in_mode"] == {"TRACKING": pytest.approx(12.0, abs=0.2)}
    assert report["duration"] == pytest.approx(12.0, abs=0.2)
    forward = next(leg for leg in report["legs"] if leg["name"] == "forward")
    assert forward["velocity"][0] > 0.15  # 0.5 is asked for; half of it is beyond doubt walking
    with (tmp_path / "session.mcap").open("rb") as stream:
        summary = make_reader(stream).get_summary()
    topics = {channel.topic for channel in summary.channels.values()}
    assert topics >= {
        *("/clock", "/joint_states", "/imu/data", "/odom", "/robot_state", "/cmd_vel", "/guidance/active", "/plan"),
        *("/applied_joint_commands", "/executor/state", "/planner/status", "/ground_truth/odom", "/diagnostics", "/tf"),
    }
    assert {text for text in sensors_said(tmp_path) if "so far" not in text and "yet" not in text} == {"plausible"}
    assert {path.name for path in tmp_path.glob("*.png")} == {"velocity.png", "path.png", "timing.png"}
    assert nodes_of(os.environ["ROS_DOMAIN_ID"]) == []
    mapped = in_use()
    assert [name for name in shared_files() - before if name not in mapped] == []


def sensors_said(folder: Path) -> set[str]:
    """What the state estimator said of the sensors and of its estimate, by the recording."""
    with (folder / "session.mcap").open("rb") as stream:
        arrays = [
            deserialize_message(message.data, DiagnosticArray)
            for _, _, message in make_reader(stream).iter_messages(["/diagnostics"])
        ]
    return {s.message for array in arrays for s in array.status if s.name == "state_estimator: sensors"}


def plans_of(folder: Path) -> list[tuple[int, bytes]]:
    """When each plan was published, and its bytes."""
    with (folder / "session.mcap").open("rb") as stream:
        return [(message.publish_time, message.data) for _, _, message in make_reader(stream).iter_messages(["/plan"])]


@pytest.mark.slow
@pytest.mark.sim
@needs_policy
def test_in_lockstep_the_same_seed_gives_the_same_plans_and_the_same_report_to_the_bit_also_beside_busy_loops(tmp_path):
    words = (*LOCKSTEP, "--duration", "3", "--no-film", "--no-plots")
    outputs = {}
    for name, seed, load in (("first", "5", 0), ("again", "5", 2), ("other", "6", 0)):
        busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(load)]
        try:
            process = start(tmp_path / name, *words, "--seed", seed)
            outputs[name], _ = process.communicate(timeout=400)
        finally:
            for loop in busy:
                loop.kill()
                loop.wait()
        assert process.returncode == 0, outputs[name]
    first, again, other = (plans_of(tmp_path / name) for name in outputs)
    assert len(first) > 100
    assert first == again
    assert [t for t, _ in other] == [t for t, _ in first] and other != first
    reports = [(tmp_path / name / "report.json").read_bytes() for name in ("first", "again")]
    assert reports[0] == reports[1]


@pytest.mark.slow
@pytest.mark.sim
@pytest.mark.unitree
@needs_policy
def test_a_short_session_walks_through_unitrees_messages_alone(tmp_path):
    domain = ("--unitree-domain", str(150 + os.getpid() % 50))
    process = start(tmp_path, "--sim", "unitree_mujoco", *domain, "--duration", "12", "--no-film", "--no-plots")
    output, _ = process.communicate(timeout=400)
    assert process.returncode == 0, output
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["sim"] == "unitree_mujoco"
    assert report["falls"] == 0
    forward = next(leg for leg in report["legs"] if leg["name"] == "forward")
    assert forward["velocity"][0] > 0.15
    unitree = report["unitree"]
    assert unitree["low_states"] > 500 * 12  # a G1 sends 500 a second
    assert unitree["refused_low_states"] == 0
    assert 0.0 < unitree["low_state_to_low_cmd_ms"]["p50"] <= unitree["low_state_to_low_cmd_ms"]["p99"]
    with (tmp_path / "session.mcap").open("rb") as stream:
        summary = make_reader(stream).get_summary()
    # what commands and sensors are on with sim:=mujoco, nobody publishes here but the estimator, from LowState
    topics = {channel.topic for channel in summary.channels.values()}
    assert "/motor_command" not in topics
    assert topics >= {"/joint_states", "/imu/data", "/joy", "/robot_state", "/odom"}


@pytest.mark.slow
@pytest.mark.sim
@needs_policy
def test_the_tour_of_waypoints_reaches_each_of_them_through_the_action(tmp_path):
    process = start(tmp_path, *LOCKSTEP, "--tour", "waypoints", "--seed", "2", "--no-film")
    output, _ = process.communicate(timeout=900)
    assert process.returncode == 0, output
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["tour"] == "waypoints"
    assert [(goal["reached"], goal["error_code"]) for goal in report["goals"]] == [(True, 0)] * 5
    assert max(goal["distance"] for goal in report["goals"]) < 0.35
    assert report["falls"] == report["contacts"] == 0
    assert report["velocity_error"] is None
    assert report["plans"] > 500
    assert report["plans_late"] == 0


@pytest.mark.slow
@pytest.mark.sim
@needs_policy
def test_the_tour_of_the_forest_stands_the_robot_among_the_pillars_of_its_seed(tmp_path):
    from beyondmimic_diffusion.core.tasks import forest, load_scene

    process = start(tmp_path, *LOCKSTEP, "--tour", "forest", "--seed", "3", "--no-film")
    output, _ = process.communicate(timeout=900)
    assert process.returncode == 0, output
    assert load_scene(tmp_path / "scene.yaml") == forest(3)
    report = json.loads((tmp_path / "report.json").read_text())
    [goal] = report["goals"]
    assert goal["target"] == pytest.approx(forest(3).goal)
    assert goal["reached"]
    assert report["contacts"] == 0
    assert 0.0 < report["min_clearance"] < 1.0  # no way through leads past all pillars at a metre


@pytest.mark.slow
@pytest.mark.sim
@needs_policy
def test_a_robot_whose_planner_is_frozen_in_mid_walk_stands_and_walks_on_when_it_goes_on(tmp_path):
    tour = tmp_path / "tour.yaml"
    tour.write_text(
        "- {name: forward, duration: 4.5, vx: 0.5}\n- {name: lost, duration: 4.5, vx: 0.5, planner: false}\n"
        "- {name: again, duration: 4.5, vx: 0.5}\n- {name: stop, duration: 2}\n"
    )
    process = start(tmp_path, *LOCKSTEP, "--tour", str(tour), "--no-film", "--no-plots")
    output, _ = process.communicate(timeout=400)
    assert process.returncode == 0, output
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["falls"] == 0
    forward, lost, again, _ = report["legs"]
    assert forward["velocity"][0] > 0.15 and again["velocity"][0] > 0.15
    assert lost["velocity_error"] < 0.1
    assert 3.0 < report["executor"]["seconds_in_mode"]["RETURN_TO_STAND"] < 6.0
    assert "on its feet without" in output


@pytest.mark.slow
@pytest.mark.sim
@needs_policy
def test_ctrl_c_in_the_middle_ends_every_process_and_still_writes_the_recording(tmp_path):
    process = start(tmp_path, *LOCKSTEP, "--no-film", "--no-plots")
    assert process.stdout is not None
    lines: list[str] = []
    steering = threading.Event()

    def read() -> None:
        for line in process.stdout:
            lines.append(line)
            if "steering starts" in line:
                steering.set()

    reader = threading.Thread(target=read)
    reader.start()
    assert steering.wait(200.0), "".join(lines)
    process.send_signal(signal.SIGINT)
    assert process.wait(60.0) == INTERRUPTED, "".join(lines)
    reader.join()
    assert nodes_of(os.environ["ROS_DOMAIN_ID"]) == []
    assert "interrupted by the operator" in json.loads((tmp_path / "report.json").read_text())["problems"]
    with (tmp_path / "session.mcap").open("rb") as stream:
        assert make_reader(stream).get_summary().statistics.message_count > 100


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--policy", "no/such/policy"], "no policy at 'no/such/policy'"),
        (["--tour", "fores"], "no tour 'fores'; choose joystick, waypoints, forest, composed, planner_lost, or"),
        (["--tour", "forest", "--duration", "30"], "tour 'forest' ends by itself"),
        (["--teleop", "keyboard"], "needs a terminal"),
    ],
)
def test_what_cannot_be_started_is_refused_with_the_reason(words, told, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as left:
        main([*words, "--out", str(tmp_path)])
    assert left.value.code == REFUSED
    assert told in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [["--duration", "0"], ["--duration", "nan"], ["--seed", "-1"], ["--real-time-factor", "9"], ["--teleop", "x"]],
)
def test_a_bad_option_is_refused(words, capsys):
    with pytest.raises(SystemExit) as left:
        parse(words)
    assert left.value.code == 2
    assert words[0] in capsys.readouterr().err
