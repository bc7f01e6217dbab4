"""Heartbeats, counted by hand."""

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")

from beyondmimic_diffusion.ros import diagnostics  # noqa: E402
from beyondmimic_diffusion.ros.diagnostics import Diagnostics, Heartbeat, Level  # noqa: E402
from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402

pytestmark = pytest.mark.ros


def test_the_rate_is_that_of_the_work_between_two_looks_and_its_end_is_a_warning(ros, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(diagnostics.time, "monotonic", lambda: now[0])
    heartbeat = Heartbeat(ros.probe)
    assert heartbeat.diagnose().level is Level.OK  # a node that has not begun is not broken
    for _ in range(50):
        heartbeat.beat()
    now[0] += 2.0
    found = heartbeat.diagnose()
    assert (found.level, found.values["rate_hz"], found.values["progress"]) == (Level.OK, 25.0, 50)
    now[0] += 1.0
    found = heartbeat.diagnose()
    assert (found.level, found.values["rate_hz"]) == (Level.WARN, 0.0)


def test_checks_are_published_under_the_nodes_name_with_the_robots_id(ros):
    heard = ros.heard(DiagnosticArray, "/diagnostics")
    heartbeat = Heartbeat(ros.probe)
    checks = Diagnostics(ros.probe, hardware_id="g1-7", period=0.05)
    checks.add("rate", heartbeat.diagnose)
    ros.until(lambda: heard and heard[-1].status)
    status = heard[-1].status[0]
    assert (status.name, status.hardware_id) == ("probe: rate", "g1-7")
    assert {entry.key for entry in status.values} == {"rate_hz", "progress"}
