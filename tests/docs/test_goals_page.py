"""docs/goals.md against the actions: each number it lists, and each constant the actions have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("beyondmimic_msgs.action", reason="beyondmimic_msgs is not built")

from beyondmimic_msgs import action  # noqa: E402

pytestmark = pytest.mark.ros
TEXT = (Path(__file__).parents[2] / "docs" / "goals.md").read_text()
RESULTS = {
    "1": action.ReachWaypoint.Result,
    "2": action.ReachKeyframe.Result,
    "3": action.Stand.Result,
    "4": action.PlayClip.Result,
}
FILES = Path(__file__).parents[2] / "ros2_ws/src/beyondmimic_msgs/action"


def table():
    return dict(re.findall(r"^\| `([A-Z_]+)` \| (\w+) \|", TEXT, re.MULTILINE))


def test_the_numbers_of_the_page_are_those_of_the_actions():
    for name, number in table().items():
        for hundred, result in RESULTS.items():
            expected = number.replace("x", hundred)
            if name == "NONE" or (expected[0] == hundred and hasattr(result, name)):
                assert str(getattr(result, name)) == expected


def test_every_code_that_a_client_can_see_is_on_the_page():
    named = set(table()) | {"UNKNOWN"}
    for file in FILES.glob("*.action"):
        assert set(re.findall(r"^uint16 ([A-Z_]+)=", file.read_text(), re.MULTILINE)) <= named, file.name
