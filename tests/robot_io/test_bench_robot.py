"""The benchmark of Unitree's messages measures what it says, for both ways."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="robot_io speaks ROS 2")

from beyondmimic_diffusion.bench_robot.__main__ import measure, table  # noqa: E402
from beyondmimic_diffusion.core.errors import ConfigError  # noqa: E402

pytestmark = pytest.mark.unitree


@pytest.mark.slow
def test_both_ways_play_plans_on_the_same_robot_and_ours_costs_less():
    report = measure(seconds=2.0, turns=1)
    for way in report["ways"].values():
        assert way["ticks"] == 1000
        assert 0 < way["playing"] <= 1000
        assert way["states"] > 0
        assert all(cost > 0.0 for cost in way["cpu_us"].values())
    assert report["unitree_us"]["ours"] < report["unitree_us"]["sdk"]  # CPU time, by a factor of five or more
    assert "the SDK's way costs" in table(report)


def test_no_time_is_refused():
    with pytest.raises(ConfigError, match="both must be positive"):
        measure(seconds=0.0, turns=1)
