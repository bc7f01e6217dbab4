"""Tasks and actions tell the same story with the same words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from beyondmimic_diffusion.core.tasks import ACTION_CODES, TaskCode

ACTIONS = Path(__file__).resolve().parents[2] / "ros2_ws" / "src" / "beyondmimic_msgs" / "action"
FILES = sorted(ACTIONS.glob("*.action"))


def codes(file: Path) -> dict[str, int]:
    """Error codes of an action: the constants of its result."""
    result = file.read_text(encoding="utf-8").split("\n---\n")[1]
    return {name: int(value) for name, value in re.findall(r"^uint16 (\w+)\s*=\s*(\d+)", result, re.MULTILINE)}


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_each_error_code_of_an_action_is_the_tasks_code_plus_the_actions_own_hundred(file):
    base = ACTION_CODES[file.stem]
    expected = {name: 0 if name == "NONE" else base + TaskCode[name] for name in codes(file)}
    assert codes(file) == expected
    assert "NONE" in expected and "UNKNOWN" in expected


def test_every_code_of_a_task_can_be_told_by_an_action():
    assert {name for file in FILES for name in codes(file)} == set(TaskCode.__members__)


def test_every_action_has_its_hundred():
    assert {file.stem for file in FILES} == set(ACTION_CODES)
    assert len(TaskCode) <= 100
