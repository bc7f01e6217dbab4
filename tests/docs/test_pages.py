"""What the pages under docs/ say can be found in the code: files, links, the mode table, parameters' defaults."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from beyondmimic_diffusion.core.execution import TRANSITIONS, Event, ExecutorConfig, ExecutorMode
from beyondmimic_diffusion.core.parameters import describe

ROOT = Path(__file__).parents[2]
EXECUTOR_FILE = Path(__file__).parents[2] / "config" / "action_executor.param.yaml"
DOCS = ROOT / "docs"
PACKAGE = ROOT / "ros2_ws/src/beyondmimic_diffusion/beyondmimic_diffusion"
TRAINING = ROOT / "training/beyondmimic_training"
PAGES = sorted(DOCS.glob("*.md"))
SOURCES = [path for folder in (PACKAGE, TRAINING, ROOT / "tests") for path in folder.rglob("*.py")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_files_that_a_page_names_exist(page):
    for span in re.findall(r"`([^`\n]+)`", page.read_text()):
        match = re.match(r"([\w/]+\.py)\b", span)
        if match and "NAME" not in match.group(1):
            named = match.group(1)
            at_root = any((root / named).is_file() for root in (ROOT, ROOT / "ros2_ws/src/beyondmimic_diffusion"))
            assert at_root or any(str(source).endswith("/" + named) for source in SOURCES), f"{page.name}: {named}"


def test_mode_table_of_the_safety_page_is_the_codes():
    text = (DOCS / "safety.md").read_text()
    rows = re.search(r"\| from \| event \| to \|\n\|[-| ]+\|\n(.*?)\n\n", text, re.DOTALL).group(1).splitlines()
    table, before = {}, []
    for row in rows:
        modes, events, targets = (cell.strip() for cell in row.strip("|").split("|"))
        if modes == "all but E_STOP":
            before = [mode for mode in ExecutorMode if mode is not ExecutorMode.E_STOP]
        elif modes != "the same":
            before = [ExecutorMode[name] for name in re.findall(r"\w+", modes)]
        names = re.findall(r"\w+", events)
        after = targets.split(" / ") if "/" in targets else [targets] * len(names)
        table |= {(m, Event[e]): ExecutorMode[t] for m in before for e, t in zip(names, after, strict=True)}
    assert table == TRANSITIONS


def test_parameters_named_on_the_safety_and_timing_pages_exist():
    text = (DOCS / "safety.md").read_text() + (DOCS / "timing.md").read_text()
    known = {spec.name.rsplit(".", 1)[-1] for spec in describe(ExecutorConfig)}
    known |= set(re.findall(r"^ +([a-z_]+):", EXECUTOR_FILE.read_text(), re.MULTILINE))  # and of the node around it
    tables = re.findall(
        r"^\| [^|]*\| (`[a-z_`, ]+`) \| [^|]*\|$|^\| (`[a-z_`, ]+`) \| [^|]* \| -> ?[^|]*\|$", text, re.MULTILINE
    )
    named = {name for row in tables for cell in row for name in re.findall(r"`([a-z_]+)`", cell)}
    assert {"position_margin", "max_tilt", "state_damp", "tilt_limit"} <= named
    assert named - known <= {"e_stop_trigger"}, "a parameter that the executor does not have"
