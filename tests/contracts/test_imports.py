"""Imports point the way the architecture draws them, and the check for it would notice if they did not."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "ros2_ws" / "src" / "beyondmimic_diffusion"
TRAINING = ROOT / "training"
SOURCES = PACKAGE / "beyondmimic_diffusion"
TORCH_MODULES = {"core/diffusion/denoiser.py", "core/engine/torch_backend.py", "core/guidance/torch_cost.py"}


def lint_imports(package: Path, training: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, [package, training]))}
    options = ["--no-cache", "--config", str(ROOT / "pyproject.toml")]
    return subprocess.run([*command, *options], cwd=training, env=environment, capture_output=True, text=True)


def imported_modules(file: Path) -> set[str]:
    """Top-level names of all absolute imports in a file, wherever they stand in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found


def test_import_contracts_are_kept():
    result = lint_imports(PACKAGE, TRAINING)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("module", "stray_import"),
    [
        ("core/rotations.py", "import rclpy"),
        ("core/execution/safety_filter.py", "import torch"),
        ("core/guidance/cost.py", "from ..diffusion import scheduler"),
        ("core/state/history.py", "from ...ros import qos"),
        ("core/steering.py", "from .planner import GuidedPlanner"),
        ("graph.py", "from .session import tour"),
    ],
)
def test_a_stray_import_is_reported_with_its_module(tmp_path, module, stray_import):
    shutil.copytree(SOURCES, tmp_path / SOURCES.name, ignore=shutil.ignore_patterns("__pycache__"))
    stray = tmp_path / SOURCES.name / module
    stray.write_text(stray.read_text(encoding="utf-8") + f"\n{stray_import}\n", encoding="utf-8")

    result = lint_imports(tmp_path, TRAINING)

    assert result.returncode != 0
    assert module.removesuffix(".py").replace("/", ".") in "".join(result.stdout.split())


@pytest.mark.parametrize("module", ["core/helpers.py", "toolbox.py"])
def test_a_module_that_no_layer_names_is_reported(tmp_path, module):
    shutil.copytree(SOURCES, tmp_path / SOURCES.name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / SOURCES.name / module).write_text('"""New."""\n', encoding="utf-8")

    result = lint_imports(tmp_path, TRAINING)

    assert result.returncode != 0
    assert Path(module).stem in result.stdout


def test_torch_is_imported_in_three_modules_only():
    files = {str(file.relative_to(SOURCES)) for file in SOURCES.rglob("*.py") if "torch" in imported_modules(file)}
    assert files <= TORCH_MODULES


def test_message_packages_appear_only_at_the_ros_edge():
    for file in SOURCES.rglob("*.py"):
        messages = {name for name in imported_modules(file) if name == "rclpy" or name.endswith(("_msgs", "_srvs"))}
        edge = file.relative_to(SOURCES).parts[0]
        assert not messages or edge not in {"core", "sim"}, f"{file} imports {sorted(messages)}"
