"""docs/troubleshooting.md against the code: its sentences are said there, and what the judges say is on it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from beyondmimic_diffusion.core.guidance.pad_layouts import LAYOUTS

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "ros2_ws/src/beyondmimic_diffusion/beyondmimic_diffusion"
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()
GAP = "…"
JUDGES = ("sensor_judge", "imu_checks", "joint_checks", "stamp_order", "estimate", "arming_gate")
PADS = ("pad_layouts", "pad_report", "teleop")


def text_of(node: ast.expr) -> str:
    """A string of the code with a gap for each value; empty if it is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(GAP if isinstance(part, ast.FormattedValue) else text_of(part) for part in node.values)
    return ""


def strings(path: Path) -> list[str]:
    """All strings of a file that are not docstrings."""
    tree = ast.parse(path.read_text())
    docs = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
    return [text_of(n) for n in ast.walk(tree) if isinstance(n, ast.Constant | ast.JoinedStr) and id(n) not in docs]


def findings(path: Path) -> list[str]:
    """What a judge's findings say, each with the name of what reads wrongly."""
    calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
    made = [c for c in calls if isinstance(c.func, ast.Name) and c.func.id == "Finding" and len(c.args) == 2]
    return [f"{text_of(c.args[0]) or GAP}: {text_of(c.args[1]) or GAP}" for c in made]


def sentences() -> list[str]:
    """Those of the page."""
    return re.findall(r"^\| `([^`]+)` \| [^|]+ \|$", PAGE, re.MULTILINE)


def pattern(sentence: str) -> str:
    """A sentence as a regular expression."""
    return ".*".join(map(re.escape, sentence.split(GAP)))


SAID = [text for path in PACKAGE.rglob("*.py") for text in (*strings(path), *findings(path))]


@pytest.mark.parametrize("sentence", sentences())
def test_each_sentence_of_the_page_is_one_of_the_code(sentence):
    body = sentence.split(": ", 1)[-1] if sentence.startswith(GAP + ": its stamp") else sentence
    if sentence.startswith("cmd_vel is published as"):
        body = f"{GAP} is published as {GAP} by {GAP}, {GAP} is expected"
    assert any(re.search(pattern(body), text) or text == body for text in SAID), sentence


@pytest.mark.parametrize("module", JUDGES)
def test_each_finding_of_a_judge_is_on_the_page(module):
    path = PACKAGE / "core/plausibility" / f"{module}.py"
    told = [text for text in findings(path) if text != f"{GAP}: {GAP}"]
    told += [text for text in strings(path) if module in ("stamp_order", "estimate", "arming_gate") and len(text) > 60]
    for text in told:
        assert any(text in sentence for sentence in sentences()), text


@pytest.mark.parametrize("module", PADS)
def test_each_refusal_of_a_pad_is_on_the_page(module):
    tree = ast.parse((PACKAGE / "core/guidance" / f"{module}.py").read_text())
    told = [
        text_of(n)
        for r in ast.walk(tree)
        if isinstance(r, ast.Raise | ast.Return)
        for n in ast.walk(r)
        if isinstance(n, ast.Constant | ast.JoinedStr)
    ]
    for text in (text for text in told if len(text) > 60 and "velocity command" not in text):
        assert any(text in sentence for sentence in sentences()), text


def test_the_table_of_pads_is_the_codes():
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| (\d+) / ([\d, ]+) \| (\d+), (\d+) \| (\d+) \|$", PAGE, re.MULTILINE)
    table = {n: ((int(a),), tuple(map(int, b.split(", "))), int(d), int(t), int(turn)) for n, a, b, d, t, turn in rows}
    code = {n: (p.axes, p.buttons, p.enable_button, p.turbo_button, p.axis_turn) for n, p in LAYOUTS.items()}
    assert table == code
