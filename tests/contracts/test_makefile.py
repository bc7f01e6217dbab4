"""What the Makefile and the contributors' page promise is there."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))
MODULES = sorted(set(re.findall(r"python3? -m ([a-z_.]+)", MAKEFILE)))
SCRIPTS = sorted(set(re.findall(r"python3? ([\w./-]+\.py)", MAKEFILE)))


@pytest.mark.parametrize("module", MODULES)
def test_each_module_that_a_target_runs_exists(module, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    assert importlib.util.find_spec(module) is not None


def test_each_file_that_a_target_runs_exists():
    assert [name for name in SCRIPTS if not (ROOT / name).is_file()] == []


def test_each_training_command_that_a_target_runs_is_one_of_the_command_line():
    from beyondmimic_training.cli import COMMANDS

    commands = set(re.findall(r"-m beyondmimic_training ([a-z-]+)", MAKEFILE))
    assert {"smoke", "bench"} <= commands <= set(COMMANDS)


def test_targets_are_declared_phony_and_the_pages_name_no_other():
    phony = set(re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE).group(1).split())
    assert phony == TARGETS
    for page in (ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md"), *ROOT.glob("README.md")):
        named = set(re.findall(r"`make ([a-z][a-z-]*)", page.read_text(encoding="utf-8")))
        assert named <= TARGETS, page.name
