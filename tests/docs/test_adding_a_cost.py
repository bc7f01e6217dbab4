"""The code on docs/adding_a_cost.md runs, and its own assertions hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "adding_a_cost.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def _blocks() -> list[str]:
    """Code blocks, each moved down to its own lines so that a traceback points into the page."""
    text = PAGE.read_text()
    return ["\n" * text.count("\n", 0, m.start(1)) + m.group(1) for m in BLOCK.finditer(text)]


@pytest.fixture(scope="module")
def page() -> dict:
    """Names after the NumPy blocks have run, in the order of the page."""
    names: dict = {"__name__": "adding_a_cost"}
    for block in _blocks():
        if "import torch" not in block:
            exec(compile(block, str(PAGE), "exec"), names)
    return names


def test_numpy_blocks_run_and_register_the_cost(page):
    from beyondmimic_diffusion.core.guidance import registered_costs

    assert {"pelvis_height", "torso_over"} <= set(registered_costs())
    assert len(_blocks()) == 6
    assert page["terms"][-1].weight == 0.2


def test_torch_block_runs_and_its_gradient_is_right(page):
    pytest.importorskip("torch")
    (block,) = (b for b in _blocks() if "import torch" in b)
    exec(compile(block, str(PAGE), "exec"), page)


def test_the_cost_can_be_named_in_the_parameter_file_as_the_page_says(page):
    from beyondmimic_diffusion.core.guidance import JoystickGoal, goal_terms
    from beyondmimic_diffusion.core.guidance.goal_config import GoalConfig
    from beyondmimic_diffusion.core.parameters import from_mapping

    yaml = pytest.importorskip("yaml")
    (block,) = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    goals = yaml.safe_load(block)["steering"]["goals"]
    goals["custom"]["modules"] = ""  # the page's module is the page itself
    terms = goal_terms([JoystickGoal()], page["context"], from_mapping(GoalConfig, goals))
    assert {term.name: term.weight for term in terms}["pelvis_height"] == 0.5
