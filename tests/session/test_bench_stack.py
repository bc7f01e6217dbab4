"""The benchmark of the stack: what it adds up, what it prints, what it refuses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="recordings are made of ROS messages")
pytest.importorskip("beyondmimic_msgs", reason="our messages are not built")

from beyondmimic_diffusion.bench_stack.__main__ import measure, summary, table  # noqa: E402
from beyondmimic_diffusion.bench_stack.process_times import ProcessTimes, _node_name, _Series  # noqa: E402
from beyondmimic_diffusion.bench_stack.turn import Turn, checkout_environment  # noqa: E402
from beyondmimic_diffusion.core.errors import ConfigError  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]


def turn(commit: str, planner: float, network: float, supervisor: float | None = None) -> Turn:
    cpu = {"diffusion_planner": planner, "recorder": 0.1}
    if supervisor is not None:
        cpu["supervisor"] = supervisor
    return Turn(
        commit, 20.0, 1.0, cpu, network, "onnx", 4, 2.5, 25.0, 24.0, 29.0, None, 0, 0.03, True
    )  # fmt: skip


def test_cpu_time_between_two_moments_is_interpolated_between_readings():
    times = ProcessTimes(os.getpid())
    times.stop()
    times._series.clear()
    times._series["supervisor"] = _Series([10.0, 11.0, 13.0], [2.0, 2.5, 3.5])
    assert times.between(10.5, 12.0) == {"supervisor": pytest.approx(3.0 - 2.25)}


def test_a_node_is_known_by_its_module():
    line = ["/usr/bin/python", "-m", "beyondmimic_diffusion.nodes.mujoco_sim_node", "--ros-args", "-r", "__ns:=/a_node"]
    assert _node_name(line) == "mujoco_sim"
    assert _node_name(["/usr/bin/python", "-m", "pytest"]) == ""


def test_figures_of_a_checkout_are_the_medians_of_its_turns():
    found = summary([turn("a", 0.2, 0.1), turn("a", 0.4, 0.2, 0.3), turn("a", 0.3, 0.6, 0.1)])
    assert found["cpu"] == {"diffusion_planner": 0.3, "recorder": 0.1, "supervisor": 0.1}
    assert found["cpu_total"] == pytest.approx(0.5)  # of 0.3, 0.8 and 0.5
    assert found["network_cpu"] == 0.2


def test_the_table_shows_the_ratio_of_two_checkouts_and_the_network_apart():
    sides = {"this": summary([turn("1234567", 0.2, 0.1)]), "against": summary([turn("54a345e", 0.5, 0.4, 0.15)])}
    machine = {"cpu": "a CPU", "cpu_features": ["avx2"], "cores_allowed": 2, "load_average": [0, 0, 0], "python": "3"}
    lines = {
        line[:42].strip(): line[42:].split() for line in table({"checkouts": sides, "machine": machine}).split("\n")
    }
    assert lines["diffusion_planner"] == ["0.200", "0.500", "0.40"]
    assert lines["of it the network"] == ["0.100", "0.400", "0.25"]
    assert lines["supervisor"] == ["-", "0.150"]
    assert lines["whole stack"] == ["0.300", "0.750", "0.40"]
    assert lines["whole stack without the network"] == ["0.200", "0.350", "0.57"]
    assert lines["sensor stamp to tick, p99 [ms]"] == ["-", "-"]
    assert any("a CPU (avx2), 2 cores" in line for line in table({"checkouts": sides, "machine": machine}).split("\n"))


def test_another_checkout_comes_first_on_the_path_and_a_folder_that_is_none_is_refused(tmp_path):
    paths = checkout_environment(ROOT)["PYTHONPATH"].split(os.pathsep)
    assert paths == [str(ROOT / "ros2_ws/src/beyondmimic_diffusion"), str(ROOT / "training")]
    with pytest.raises(ConfigError, match="is no checkout"):
        checkout_environment(tmp_path)


@pytest.mark.parametrize(("seconds", "turns"), [(1.0, 1), (25.0, 0)])
def test_too_short_a_walk_and_no_turn_are_refused(seconds, turns):
    with pytest.raises(ConfigError, match="at least 5 s and one turn"):
        measure(seconds, turns, None, None, [])
